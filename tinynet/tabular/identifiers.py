"""Which names are those of columns that name a person, a stay or a row: told in one place, for schema and splits."""

from __future__ import annotations

import re

from tinynet.tabular.clinical import words_of

PERSONS = {
    "patient", "subject", "person", "participant", "member", "enrollee", "beneficiary", "individual", "proband", "case",
    "client", "insured",
}  # fmt: skip
STAYS = {
    "encounter", "visit", "hadm", "admission", "stay", "icustay", "episode", "claim", "row", "record", "specimen",
}  # fmt: skip
NUMBERED = {"id", "ids", "nbr", "no", "nr", "num", "number", "identifier", "key", "code", "uuid", "index"}
JOINED = ("id", "nbr", "no", "nr", "num")  # as in "patientid"
OWN = {
    "mrn",
    "pid",
    "pidnum",
    "ssn",
    "nhs",
    "enrolid",
    "uid",
    "uuid",
    "guid",
    *(a + b for a in PERSONS for b in JOINED),
}
OF_ROWS = {"filename", "file", "rownum", *(a + b for a in STAYS for b in JOINED)}
CHINESE = re.compile("患者|病人|住院号|病历号|身份证")


def names_person(name: str) -> bool:
    """Whether a column's name is that of a person's identifier: "patient_nbr", "PatientID", "subject#", "MRN", "id"."""
    words = words_of(name)
    return (
        bool(set(words) & OWN) or words == ["id"] or numbered(words, PERSONS) or CHINESE.search(name) is not None
        or (len(words) == 1 and words[0].removesuffix("s") in PERSONS)
    )  # fmt: skip


def names_row(name: str) -> bool:
    """Whether it is that of an identifier of a stay, a visit or a row."""
    words = words_of(name)
    return bool(set(words) & OF_ROWS) or numbered(words, STAYS)


def numbered(words: list[str], things: set[str]) -> bool:
    """Whether a name ends like "patient number"."""
    return 2 <= len(words) <= 3 and words[-2] in things and words[-1] in NUMBERED
