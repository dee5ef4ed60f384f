"""Real health sets,
where TINYNET_DATA names their folder: roles and gap markers as their SOURCE.txt files tell them."""

import os
import time
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tinynet.tabular.frame import Columns, read
from tinynet.tabular.preprocess import Preprocessor
from tinynet.tabular.schema import Schema

FOLDER = Path(os.environ.get("TINYNET_DATA", "no such folder"))
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="TINYNET_DATA names no folder")

FILES = {
    "support2": "support2/support2.csv",
    "diabetes130": "diabetes130/diabetic_data.csv",
    "heart": "heart_cleveland/processed.cleveland.data",
    "arrhythmia": "arrhythmia/arrhythmia.data",
    "mammographic": "mammographic_masses/mammographic_masses.data",
    "actg175": "actg175/ACTG175.csv",
    "randhie": "randhie/randhie.csv",
    "ctg": "cardiotocography/ctg_raw.csv",
    "parkinsons": "parkinsons_telemonitoring/parkinsons_updrs.data",
    "admissions": "mimic3_demo/admissions.csv",
    "labevents": "mimic3_demo/labevents.csv",
    "diagnoses": "mimic3_demo/diagnoses_icd.csv",
    "procedures": "mimic3_demo/procedures_icd.csv",
    "prescriptions": "mimic3_demo/prescriptions.csv",
}


@cache
def loaded(name: str) -> Columns:
    return read(FOLDER / FILES[name], header=False if name == "heart" else None)


@cache
def schema(name: str) -> Schema:
    return Schema.infer(loaded(name))


ROLES = {
    "support2": {
        "identifier": ["column_1"],
        "numeric": ["age", "meanbp", "temp", "adlp", "urine", "totcst", "num.co"],
        "ordinal": ["income"],
        "category": ["sex", "dzgroup", "ca", "race", "sfdm2", "hospdead", "dnr"],
    },
    "diabetes130": {
        "identifier": ["encounter_id", "patient_nbr"],
        "ordinal": ["age", "weight"],
        "category": ["race", "A1Cresult", "discharge_disposition_id", "admission_source_id", "readmitted"],
        "code": ["diag_1", "diag_2", "diag_3"],
        "numeric": ["num_procedures", "number_inpatient", "time_in_hospital"],
        "ignored": ["examide", "citoglipton"],
    },
    "heart": {
        "numeric": ["x0", "x3", "x4", "x7", "x9"],
        "category": ["x1", "x5", "x8", "x12"],
        "ordinal": ["x2", "x11"],
    },
    "arrhythmia": {"numeric": ["age", "height", "T", "J"], "category": ["sex"], "ignored": ["chDI_SPwave"]},
    "mammographic": {"numeric": ["Age"], "ordinal": ["Margin", "Density"], "category": ["Shape", "Severity"]},
    "actg175": {
        "identifier": ["column_1", "pidnum"],
        "numeric": ["age", "cd40", "cd496", "karnof"],
        "category": ["arms"],
    },
    "randhie": {
        "identifier": ["zper"],
        "numeric": ["xage", "meddol", "lnmeddol", "ghindx"],
        "category": ["plan", "female"],
    },
    "ctg": {"identifier": ["FileName", "SegFile"], "date": ["Date"], "numeric": ["LB", "ASTV"], "ignored": ["DR"]},
    "parkinsons": {"identifier": ["subject#"], "category": ["sex"], "numeric": ["age", "Jitter(Abs)", "PPE"]},
    "admissions": {
        "identifier": ["row_id", "subject_id", "hadm_id"],
        "date": ["admittime", "dischtime", "deathtime", "edregtime"],
        "category": ["insurance", "ethnicity", "hospital_expire_flag"],
        "text": ["diagnosis"],
    },
    "labevents": {
        "date": ["charttime"],
        "numeric": ["valuenum"],
        "category": ["itemid", "flag"],
        "identifier": ["hadm_id"],
    },
    "diagnoses": {"code": ["icd9_code"]},
    "procedures": {"code": ["icd9_code"]},
    "prescriptions": {"category": ["drug", "gsn", "ndc", "route"], "date": ["startdate"], "identifier": ["icustay_id"]},
}


@pytest.mark.parametrize("name", FILES)
def test_roles(name: str) -> None:
    found = schema(name)
    wrong = {c: found[c].role for role, columns in ROLES[name].items() for c in columns if found[c].role != role}
    assert not wrong


@pytest.mark.parametrize(
    ("name", "gaps"),
    [
        ("heart", {"x11": 4, "x12": 2}),
        ("arrhythmia", {"T": 8, "P": 22, "QRST": 1, "J": 376, "heartrate": 1}),
        ("mammographic", {"BI-RADS": 2, "Age": 5, "Shape": 31, "Margin": 48, "Density": 76}),
        ("actg175", {"cd496": 797}),
        ("randhie", {"ghindx": 5223, "lnmeddol": 4453, "mdeoff": 5, "pioff": 5, "educdec": 4}),
        ("diabetes130", {"race": 2273, "weight": 98569, "payer_code": 40256, "medical_specialty": 49949, "diag_1": 21}),
        ("support2", {"totcst": 888}),
    ],
)
def test_gaps_are_as_many_as_the_source_says(name: str, gaps: dict[str, int]) -> None:
    table, found = loaded(name), schema(name)
    counted = {
        column: sum(v is None or v != v or v in found[column].missing for v in table[column].tolist())
        for column in (gaps if name in ("diabetes130", "support2") else table)
    }
    assert {column: count for column, count in counted.items() if count} == gaps


def test_none_in_diabetes130_is_not_measured() -> None:
    for column in ("max_glu_serum", "A1Cresult"):
        assert (schema("diabetes130")[column].not_measured, schema("diabetes130")[column].missing) == (["None"], [])


def test_units_in_support2() -> None:
    units = {name: column.unit for name, column in schema("support2").columns.items() if column.unit}
    assert units == {
        "age": "years", "meanbp": "mmHg", "wblc": "10^9/L", "hrt": "/min", "resp": "/min", "temp": "°C", "pafi": "mmHg",
        "alb": "g/dL", "bili": "mg/dL", "crea": "mg/dL", "sod": "mmol/L", "ph": "pH", "glucose": "mg/dL",
        "bun": "mg/dL", "urine": "mL",
    }  # fmt: skip


def test_code_systems() -> None:
    assert [schema("diabetes130")[f"diag_{i}"].codes for i in (1, 2, 3)] == ["icd9"] * 3
    assert schema("diagnoses")["icd9_code"].codes == "icd9"
    assert schema("procedures")["icd9_code"].codes == "icd9-procedure"


@pytest.mark.parametrize("name", FILES)
def test_all_the_way(name: str) -> None:
    start = time.perf_counter()
    p = Preprocessor(schema(name))
    x = p.fit_transform(loaded(name))
    assert np.isfinite(x).all()
    assert x.shape == (loaded(name).count, len(p.features))
    assert time.perf_counter() - start < 20  # a few seconds on an idle machine


def test_parkinsons_by_subject_shows_no_skill_and_says_so() -> None:
    """By row the subjects are recognised (R2 near 1); by subject nothing is predicted, and that is said."""
    pytest.importorskip("sklearn")
    from tinynet.tabular import TabularRegressor
    from tinynet.tabular.commands import as_frame
    from tinynet.tabular.evaluate import evaluate

    table = Columns(loaded("parkinsons"))
    y = table.pop("total_UPDRS").astype(float)
    del table["motor_UPDRS"]
    frame = as_frame(table, Schema.infer(table))
    quick = TabularRegressor(members=1, epochs=4, hidden=(32,), random_state=0)
    options = {"baselines": False, "subgroups": ["sex"], "draws": 100, "jobs": 1, "progress": False}
    with pytest.raises(ValueError, match="subject#"):
        evaluate(quick, frame, y, **options)
    by_subject = evaluate(quick, frame, y, groups="subject#", splits=3, **options)
    assert by_subject.verdict()[0].startswith("No skill is shown: R2 ")
    by_row = evaluate(quick, frame, y, no_group="to show what leaks", splits=2, **options)
    assert by_row.ours.measures["R2"].value > 0.3 + by_subject.ours.measures["R2"].value
