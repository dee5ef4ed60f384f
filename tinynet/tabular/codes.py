"""Clinical codes rolled up: ICD-9-CM, ICD-10 and ATC to their chapters, blocks and categories.

Sources: WHO, International Statistical Classification of Diseases, 10th revision (2019), list of blocks; US National
Center for Health Statistics, ICD-9-CM (2011), tabular lists of diseases and of procedures; WHO Collaborating Centre for
Drug Statistics Methodology, ATC index. A table holds where each block begins; it ends where the next one begins.
"""

from __future__ import annotations

import re
from bisect import bisect_right

LEVELS = ("chapter", "block", "category")

ICD9_CHAPTERS = {
    "001": "infections", "140": "neoplasms", "240": "endocrine, metabolic", "280": "blood", "290": "mental",
    "320": "nervous system, senses", "390": "circulatory", "460": "respiratory", "520": "digestive",
    "580": "genitourinary", "630": "pregnancy, birth", "680": "skin", "710": "musculoskeletal", "740": "congenital",
    "760": "perinatal", "780": "symptoms", "800": "injury, poisoning", "E00": "external causes",
    "V01": "contact with services",
}  # fmt: skip
ICD9_BLOCKS = """
001 010 020 030 042 045 050 060 070 080 090 100 110 120 130 137 140 150 160 170 179 190 200 210 230 235 239 240 249
260 270 280 290 295 300 317 320 330 338 339 340 350 360 380 390 393 401 410 415 420 430 440 451 460 466 470 480 490
500 510 520 530 540 550 555 560 570 580 590 600 610 614 617 630 640 650 660 670 678 680 690 700 710 720 725 730 740
760 764 780 790 797 800 805 810 820 830 840 850 860 870 880 890 900 905 910 920 925 930 940 950 958 960 980 990 996
E000 E800 E810 E820 E826 E830 E840 E846 E850 E860 E870 E878 E880 E890 E900 E910 E916 E929 E930 E950 E960 E970 E980
E990 V01 V10 V20 V30 V40 V50 V60 V70 V83 V85 V86 V87 V88 V89 V90 V91
""".split()  # noqa: SIM905
PROCEDURE_CHAPTERS = {
    "00": "interventions", "01": "nervous system", "06": "endocrine", "08": "eye", "17": "other", "18": "ear",
    "21": "nose, mouth, pharynx", "30": "respiratory", "35": "cardiovascular", "40": "blood, lymph", "42": "digestive",
    "55": "urinary", "60": "male genital", "65": "female genital", "72": "obstetric", "76": "musculoskeletal",
    "85": "skin, breast", "87": "diagnostic, other",
}  # fmt: skip
ICD10_CHAPTERS = {
    "A00": "infections", "C00": "neoplasms", "D50": "blood, immune", "E00": "endocrine, metabolic", "F00": "mental",
    "G00": "nervous system", "H00": "eye", "H60": "ear", "I00": "circulatory", "J00": "respiratory", "K00": "digestive",
    "L00": "skin", "M00": "musculoskeletal", "N00": "genitourinary", "O00": "pregnancy, birth", "P00": "perinatal",
    "Q00": "congenital", "R00": "symptoms", "S00": "injury, poisoning", "U00": "special purposes",
    "V00": "external causes", "Z00": "contact with services",
}  # fmt: skip
ICD10_BLOCKS = """
A00 A15 A20 A30 A50 A65 A70 A75 A80 A90 B00 B15 B20 B25 B35 B50 B65 B85 B90 B95 B99 C00 C15 C30 C40 C43 C45 C50 C51
C60 C64 C69 C73 C76 C81 C97 D00 D10 D37 D50 D55 D60 D65 D70 D80 E00 E08 E15 E20 E40 E50 E65 E70 F00 F10 F20 F30 F40
F50 F60 F70 F80 F90 F99 G00 G10 G20 G30 G35 G40 G50 G60 G70 G80 G90 H00 H10 H15 H25 H30 H40 H43 H46 H49 H53 H55 H60
H65 H80 H90 I00 I05 I10 I20 I26 I30 I60 I70 I80 I95 J00 J09 J20 J30 J40 J60 J80 J85 J90 J95 K00 K20 K35 K40 K50 K55
K65 K70 K80 K90 L00 L10 L20 L40 L50 L55 L60 L80 M00 M05 M15 M20 M30 M40 M45 M50 M60 M65 M70 M80 M86 M91 M95 N00 N10
N17 N20 N25 N30 N40 N60 N70 N80 N99 O00 O10 O20 O30 O60 O80 O85 O94 P00 P05 P10 P20 P35 P50 P70 P75 P80 P90 Q00 Q10
Q20 Q30 Q35 Q38 Q50 Q60 Q65 Q80 Q90 R00 R10 R20 R25 R30 R40 R47 R50 R70 R80 R83 R90 R95 S00 S10 S20 S30 S40 S50 S60
S70 S80 S90 T00 T08 T15 T20 T33 T36 T51 T66 T79 T80 T90 U00 U50 U80 V00 V10 V20 V30 V40 V50 V60 V70 V80 V90 V95 V98
W00 W20 W50 W65 W75 W85 X00 X10 X20 X30 X40 X50 X58 X60 X85 Y10 Y35 Y40 Y85 Y90 Z00 Z20 Z30 Z40 Z55 Z70 Z80
""".split()  # noqa: SIM905

ICD9 = re.compile(r"(V\d\d|E\d{3}|\d{3})(\d{0,2})|(V\d\d|E\d{3}|\d{1,3})\.(\d{0,2})|\d{1,2}", re.ASCII)
PROCEDURE = re.compile(r"(\d\d)(\d{0,2})|(\d{1,2})\.(\d{1,2})", re.ASCII)
ICD10 = re.compile(r"([A-Z]\d[0-9AB])\.?([0-9A-Z]{0,4})[*+†]?", re.ASCII)
ATC = re.compile(r"[ABCDGHJLMNPRSV](\d\d([A-Z]([A-Z](\d\d)?)?)?)?", re.ASCII)


def rolled_up(code: str, system: str) -> tuple[str, str, str] | None:
    """(chapter, block, category) of a code, written with or without its point; None where it is no such code.

    icd9: 250.83 is in the chapter "endocrine, metabolic", the block that begins with 249, the category 250;
    icd9-procedure: 36.05 in "cardiovascular", 36, 36.0; icd10: E11.9 in "endocrine, metabolic", E08, E11;
    atc: A10BA02 in A, A10, A10BA.
    """
    code = code.strip().upper()
    if system == "atc":
        return (code[:1], code[:3], code[:5]) if ATC.fullmatch(code) else None
    if system == "icd10":
        found = ICD10.fullmatch(code)
        return found and (last(ICD10_CHAPTERS, found[1]), start(ICD10_BLOCKS, found[1]), found[1])
    if system == "icd9-procedure":
        found = PROCEDURE.fullmatch(code)
        if not found:
            return None
        first, rest = (found[1] or found[3]).zfill(2), (found[2] or found[4] or "")
        return last(PROCEDURE_CHAPTERS, first), first, f"{first}.{rest[0]}" if rest else first
    found = ICD9.fullmatch(code)
    if not found:
        return None
    category = (found[1] or found[3] or code).zfill(3)
    return last(ICD9_CHAPTERS, category), start(ICD9_BLOCKS, category), category


def start(starts: list[str], code: str) -> str:
    """The last of the sorted starts that is not beyond the code."""
    return starts[max(bisect_right(starts, code) - 1, 0)]


def last(chapters: dict[str, str], code: str) -> str:
    return chapters[start(list(chapters), code)]
