"""What data_quality finds by itself on ten real sets, beside the pitfalls that their SOURCE.txt files list.

A row marked `missed` says why, and fails as soon as the pitfall is found: then the table is to be corrected. Pitfalls
that are not in these copies (summary lines that were dropped, duplicates of other copies) stand as planted faults in
test_quality.py; joining the tables of mimic3_demo is tested in test_integrate.py.
"""

import os
from functools import cache
from pathlib import Path

import pytest

from tinynet.tabular.frame import read_chunks
from tinynet.tabular.quality import data_quality
from tinynet.tabular.quality.report import Finding, Quality

FOLDER = Path(os.environ.get("TINYNET_DATA", "no such folder"))
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="TINYNET_DATA names no folder")

SETS = {  # name: file, target; nothing else is told
    "actg175": ("actg175/ACTG175.csv", "cens"),
    "arrhythmia": ("arrhythmia/arrhythmia.data", "class"),
    "ctg": ("cardiotocography/ctg_raw.csv", "NSP"),
    "diabetes130": ("diabetes130/diabetic_data.csv", "readmitted"),
    "heart": ("heart_cleveland/processed.cleveland.data", "x13"),
    "mammographic": ("mammographic_masses/mammographic_masses.data", "Severity"),
    "mimic patients": ("mimic3_demo/patients.csv", None),
    "mimic admissions": ("mimic3_demo/admissions.csv", "hospital_expire_flag"),
    "parkinsons": ("parkinsons_telemonitoring/parkinsons_updrs.data", "total_UPDRS"),
    "randhie": ("randhie/randhie.csv", "meddol"),
    "support2": ("support2/support2.csv", "hospdead"),
}
PITFALLS = """
set              | pitfall in its SOURCE.txt              | kind of the finding        | columns                       | result
actg175          | cd420, cd496, cd820 come later         | measured later             | cd420 cd496 cd820             | found
actg175          | days, offtrt come later                | named after the outcome    | days offtrt                   | found
actg175          | r comes later                          | marks gaps                 | r                             | found
actg175          | treat = arms > 0                       | redundant                  | treat                         | found
actg175          | pidnum is an id                        | identifier                 | pidnum                        | found
actg175          | cd496 has 797 gaps                     | missing                    | cd496                         | found
arrhythmia       | p close to n                           | many columns               |                               | found
arrhythmia       | 3 empty classes                        | empty classes              | class                         | found
arrhythmia       | constant columns                       | constant                   | chDI_SPwave                   | found
arrhythmia       | a height of 780 cm                     | impossible                 | height                        | found
arrhythmia       | J has 376 gaps                         | missing                    | J                             | found
ctg              | CLASS restates the label               | predicts alone             | CLASS                         | found
ctg              | A to SUSP restate the label            | told by a suspect          | A C D E AD DE FS SUSP         | found
ctg              | B and LD restate the label             | decides the target         | B LD                          | found
ctg              | segments of one recording              | one person, several rows   | FileName                      | found
ctg              | 12 duplicate feature rows              | duplicate rows             |                               | found
ctg              | use balanced accuracy                  | unbalanced                 | NSP                           | found
diabetes130      | several encounters per patient         | one person, several rows   | patient_nbr                   | found
diabetes130      | disposition 11: died, not readmitted   | decides the target '11'    | discharge_disposition_id      | found
diabetes130      | dispositions 13, 14: hospice           | decides the target '13'    | discharge_disposition_id      | missed: some of these patients do come back
diabetes130      | dispositions 19, 20, 21: died          | decides the target '19'    | discharge_disposition_id      | missed: 8, 2 and no rows are too few to say
diabetes130      | the disposition is of the discharge    | named after the outcome    | discharge_disposition_id      | found
diabetes130      | ids are not features                   | identifier                 | encounter_id                  | found
diabetes130      | ICD-9 codes need grouping              | many kinds                 | diag_1 diag_2 diag_3          | found
diabetes130      | a majority class flatters accuracy     | unbalanced                 | readmitted                    | found
diabetes130      | weight, medical_specialty: gaps as ?   | missing                    | weight medical_specialty      | found
diabetes130      | None means not measured                | not measured               | max_glu_serum A1Cresult       | found
heart            | 303 rows: report intervals             | few rows                   |                               | found
heart            | binarise num > 0                       | graded target              | x13                           | found
mammographic     | BI-RADS is the radiologist's verdict   | named like a score         | BI-RADS                       | found
mammographic     | BI-RADS 55 and 0 are out of range      | implausible                | BI-RADS                       | found
mimic patients   | every patient has a date of death      | everybody died             | dod                           | found
mimic patients   | shifted dates (years 2100+)            | future date                | dob dod                       | found
mimic patients   | ages over 89 show as 300               | impossible age             | dob dod                       | found
mimic admissions | group by subject_id                    | one person, several rows   | subject_id                    | found
mimic admissions | shifted dates (years 2100+)            | future date                | admittime                     | found
parkinsons       | rows of one subject                    | one person, several rows   | subject#                      | found
parkinsons       | age, sex identify the subject          | recognises persons         | age sex                       | found
parkinsons       | the targets are interpolated           | interpolated target        | total_UPDRS test_time         | found
parkinsons       | motor is part of total                 | predicts alone             | motor_UPDRS                   | found
randhie          | up to 5 years per person               | one person, several rows   | zper                          | found
randhie          | families too                           | groups of persons          | income                        | found
randhie          | dollars by kind are parts of meddol    | parts of the target        | outpdol drugdol suppdol inpdol | found
randhie          | totadm, mdvis, binexp are parts        | decides the target         | totadm mdvis binexp           | found
randhie          | lnmeddol is the target's logarithm     | target restated            | lnmeddol                      | found
randhie          | heavy tail                             | heavy tail                 | meddol                        | found
randhie          | 22.1 % zero                            | many zeros                 | meddol                        | found
support2         | death says it                          | decides the target         | death                         | found
support2         | d.time, sfdm2 say it                   | predicts alone             | d.time sfdm2                  | found
support2         | slos, charges, costs come later        | named after the outcome    | slos charges totcst totmcst   | found
support2         | dnr, dnrday come later                 | named after the outcome    | dnr dnrday                    | found
support2         | adlp: asked only of those who lived    | missing by class           | adlp                          | found
support2         | adlsc: filled in                       | gaps filled                | adlsc                         | found
support2         | adls: to be left out                   | any leak                   | adls                          | missed: alone it has AUROC .54, and its name says nothing
support2         | avtisst, aps, sps: scores              | predicts alone             | avtisst aps sps               | found
support2         | surv, prg: other models' and doctors'  | measured later             | surv2m surv6m prg2m prg6m     | found
support2         | the first column is a row number       | identifier                 | column_1                      | found
"""  # noqa: E501
ROWS = [tuple(cell.strip() for cell in line.split("|")) for line in PITFALLS.strip().splitlines()[1:]]
SILENT = {"actg175", "arrhythmia", "heart", "mammographic"}  # and nothing serious is said of them beyond what is listed


@cache
def report(name: str) -> Quality:
    file, target = SETS[name]
    # of diabetes130 the first third, which has the same findings as the whole, in a third of the time
    table = next(read_chunks(FOLDER / file, 34_000, header=False if name == "heart" else None))
    return data_quality(table, target=target)


def accuses(finding: Finding, kind: str, column: str) -> bool:
    kind, _, shown = kind.partition(" '")
    if kind == "any leak":  # a copy with the gaps of a column filled accuses the copy
        named = finding.area == "leakage" and finding.kind != "gaps filled"
    else:
        named = finding.kind == kind and (not shown or any("'" + shown in example for example in finding.examples))
    return named and (not column or column in finding.columns)


@pytest.mark.parametrize(("name", "pitfall", "kind", "columns", "result"), ROWS, ids=[f"{r[0]}: {r[1]}" for r in ROWS])
def test_pitfall(name: str, pitfall: str, kind: str, columns: str, result: str) -> None:
    found = all(any(accuses(f, kind, column) for f in report(name)) for column in columns.split() or [""])
    assert found == (result == "found"), f"{name}, {pitfall}: the table says {result}"


def test_serious_findings_are_few() -> None:
    """Beside what is listed, the four sets without a listed leak have nothing that is called serious."""
    listed = {(name, kind.partition(" '")[0]) for name, _, kind, _, _ in ROWS}
    for name in SILENT:
        assert [f.text for f in report(name) if f.severity == "serious" and (name, f.kind) not in listed] == []
