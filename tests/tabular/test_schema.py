"""Each column's role is told from its name and values; the schema is printed, edited, saved and loaded."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynet.tabular.schema import CODES, ROLES, Column, Schema

N = 400
RNG = np.random.default_rng(5)


def draw(*values: object) -> list:
    return RNG.choice(np.array(values, object), N).tolist()


def measured(low: float, high: float) -> list[float]:
    return RNG.uniform(low, high, N).tolist()


CODE = [f"{c}{i}.{d}" for c in "EIJ" for i in (10, 21, 44) for d in (0, 9)]
COLUMNS = {
    "row": (list(range(N)), "identifier"),
    "patient_nbr": (RNG.integers(1, 90, N).tolist(), "identifier"),
    "subject#": (RNG.integers(1, 40, N).tolist(), "identifier"),
    "hadmId": (RNG.integers(1, 200, N).tolist(), "identifier"),
    "insured": (RNG.integers(10**7, 9 * 10**7, N).tolist(), "identifier"),
    "specimen_file": ([f"A{i}.txt" for i in range(N)], "identifier"),
    "admission_type_id": (RNG.integers(1, 9, N).tolist(), "category"),
    "item": (RNG.integers(1, 300, N).tolist(), "category"),
    "drug_cd": ([f"D{i:05}" for i in RNG.integers(0, 300, N)], "category"),
    "zip": ([f"{i:05}" for i in RNG.integers(0, 9999, N)], "category"),
    "gsn": ([f"0{i:05}" for i in RNG.integers(0, 50, N)], "category"),
    "sex": (draw("f", "m"), "category"),
    "smoker": (draw(0, 1), "category"),
    "thal": (draw(3, 6, 7), "category"),
    "A1Cresult": (draw("None", "Norm", ">7", ">8"), "category"),
    "pain": (draw(0, 1, 2, 3), "ordinal"),
    "num_visits": (draw(0, 1, 2, 3), "numeric"),
    "age_band": (draw("[0-10)", "[10-20)", "[20-30)", "> 30"), "ordinal"),
    "income": (draw("under $11k", "$11-$25k", ">$50k"), "ordinal"),
    "height": (measured(150, 190), "numeric"),
    "glucose_text": ([f"{v:.1f}" for v in measured(60, 300)], "numeric"),
    "crp_limit": (["<0.5", ">300", *map(str, range(N - 2))], "numeric"),
    "diag_1": (draw("250.83", "410", "V27", "E909", "38", "428", "786", "585", "V58", "486", "?"), "code"),
    "icd9_code": (draw("25000", "4280", "41401", "5849", "V1582", "0389", "4019", "2724", "9904", "486"), "code"),
    "icd9_proc": (draw("3605", "9904", "9672", "3893"), "code"),
    "dx": (draw(*CODE), "code"),
    "drug": (draw("A10BA02", "C07AB02", "N02BE01"), "code"),
    "atc": (draw("A10", "C07", "N02"), "code"),
    "seen": (draw("2019-03-31", "2020-01-01 10:00"), "date"),
    "born": (draw("03/31/1960", "12/01/1971"), "date"),
    "drugs": (draw("aspirin; metformin", "metformin", "aspirin;statin"), "list"),
    "history": ([f"pain since {i} days, worse at night" for i in range(N)], "text"),
    "empty": ([None] * N, "ignored"),
    "always": (["x"] * N, "ignored"),
    "died": (draw(0, 1), "target"),
}
SCHEMA = Schema.infer({name: values for name, (values, _) in COLUMNS.items()}, target="died")


@pytest.mark.parametrize("name", COLUMNS)
def test_roles(name: str) -> None:
    assert SCHEMA[name].role == COLUMNS[name][1]


def test_code_systems() -> None:
    systems = {name: SCHEMA[name].codes for name in SCHEMA.having("code")}
    assert systems == {
        "diag_1": "icd9", "icd9_code": "icd9", "icd9_proc": "icd9-procedure", "dx": "icd10", "drug": "atc", "atc": "atc"
    }  # fmt: skip


def test_not_measured_is_no_gap() -> None:
    assert SCHEMA["A1Cresult"].not_measured == ["None"]
    assert SCHEMA["A1Cresult"].missing == []
    assert SCHEMA["diag_1"].missing == ["?"]


def test_months_first() -> None:
    assert [SCHEMA["born"].month_first, SCHEMA["seen"].month_first] == [True, False]
    assert Schema.infer({"at": ["01/31/2019", "02/01/2019"]}, time="at")["at"].month_first


def test_levels_are_in_order() -> None:
    assert SCHEMA["age_band"].levels == ["[0-10)", "[10-20)", "[20-30)", "> 30"]
    assert SCHEMA["income"].levels == ["under $11k", "$11-$25k", ">$50k"]
    assert SCHEMA["pain"].levels == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    ("name", "low", "high", "unit"),
    [
        ("Temp_C", 36, 39, "°C"), ("temperature", 96, 102, "°F"), ("mean_heart_rate", 60, 120, "/min"),
        ("creatinine", 0.5, 2, "mg/dL"), ("creatinine", 45, 180, "umol/L"), ("sod", 130, 150, "mmol/L"),
        ("weight", 50, 100, "kg"), ("height", 1.5, 1.9, "m"), ("Height_cm", 150, 190, "cm"),
        ("glucose", 4, 9, "mmol/L"),
        ("age", 20, 90, "years"), ("sodium", 5000, 9000, ""), ("other", 36, 39, ""),
    ],
)  # fmt: skip
def test_units_by_name_and_median(name: str, low: float, high: float, unit: str) -> None:
    assert Schema.infer({name: measured(low, high)})[name].unit == unit


def test_numbers_out_of_range() -> None:
    few, many = measured(150, 190), measured(150, 190)
    few[:3], many[:200] = [780.0] * 3, [1000.0] * 200
    column = Schema.infer({"height": few})["height"]
    assert (column.range, column.note) == ((20.0, 275.0), "outside the range: 3 values")
    assert Schema.infer({"height": many})["height"].range is None


@pytest.mark.parametrize(
    ("values", "markers"),
    [
        ([-1] * 20 + list(range(1, 81)), ["-1"]),
        ([-1] * 20 + [0] * 60 + list(range(1, 21)), []),
        ([-1.0, 0, 1] * 30, []),
        ([-9] * 3 + list(range(100)), ["-9"]),
        ([-999] * 3 + list(range(-20, 50)), ["-999"]),
        ([9999.0] * 3 + list(range(100)), ["9999"]),
        ([999.0, *range(100)], []),
        ([99.0] * 3 + list(range(90)), []),
    ],
)
def test_markers_among_numbers(values: list[float], markers: list[str]) -> None:
    assert Schema.infer({"v": values})["v"].missing == markers


def test_texts_among_numbers() -> None:
    column = Schema.infer({"v": ["n/a", "error", "error", "lost", *map(str, np.linspace(0, 9, 100))]})["v"]
    assert (column.role, sorted(column.missing), column.note) == ("numeric", ["error", "n/a"], "2 texts are no numbers")


def test_given_roles() -> None:
    table = {"died": [0, 1], "who": [1, 2], "when": ["2020-01-01", "2021-01-01"], "age": [5.5, 6.5]}
    schema = Schema.infer(table, target="died", group="who", time="when")
    assert (schema.target, schema.group, schema.time, schema.features) == ("died", "who", "when", ["age"])
    with pytest.raises(KeyError, match="did you mean 'died'"):
        Schema.infer(table, target="dead")
    with pytest.raises(ValueError, match="both the target and the group"):
        Schema.infer(table, target="died", group="died")
    assert Schema.infer(table).target is None


def test_small_tables() -> None:
    assert len(Schema.infer({})) == 0
    assert Schema.infer({"a": []})["a"].note == "no rows"
    assert Schema.infer({"a": [5, None]})["a"].role == "category"


def test_printed() -> None:
    lines = str(Schema.infer({"age": [20.5, 30, 44, "?"], "sex": ["f", "m", "None", None]})).splitlines()
    assert lines[0].split() == ["column", "role", "unit", "range", "gaps", "note"]
    assert re.split(r"\s{2,}", lines[1]) == ["age", "numeric", "years", "0 to 125", "?"]
    assert "[None]" in lines[2]
    assert ".." in str(Schema({"x" * 60: Column("text")}))


def test_saved_as_lines_that_a_person_edits(tmp_path: Path) -> None:
    path = tmp_path / "schema.toml"
    SCHEMA.save(path)
    assert Schema.load(path) == SCHEMA
    text = path.read_text(encoding="utf-8")
    assert sum(line.startswith('"') for line in text.splitlines()) == len(COLUMNS)
    path.write_text(text.replace('"height" = { role = "numeric"', '"height" = { role = "ignored"'), encoding="utf-8")
    assert Schema.load(path)["height"].role == "ignored"


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
columns = st.builds(
    Column,
    role=st.sampled_from([role for role in ROLES if role not in ("target", "group", "time")]),
    unit=words,
    range=st.none() | st.tuples(st.floats(-1e9, 0), st.floats(1, 1e300)),
    missing=st.lists(words, max_size=3),
    not_measured=st.lists(words, max_size=3),
    levels=st.lists(words, max_size=3),
    codes=st.sampled_from(CODES),
    month_first=st.booleans(),
    note=words,
)


@given(st.dictionaries(words, columns, max_size=4))
def test_any_schema_survives_toml_and_json(tmp_path_factory: pytest.TempPathFactory, given: dict) -> None:
    schema = Schema(given)
    path = tmp_path_factory.getbasetemp() / "schema.toml"
    schema.save(path)
    assert Schema.load(path) == schema
    assert Schema.from_config(json.loads(json.dumps(schema.get_config()))) == schema


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not toml", "is no TOML file: .*line 1"),
        ("[rows]", "has one table, \\[columns\\]"),
        ("columns = 5", "a table of columns by their names; given was 5"),
        ("[columns]\nage = 5", "'age' of the schema has no role"),
        ('[columns]\nage = { unit = "y" }', "'age' of the schema has no role"),
        ('[columns]\nage = { role = "numerc" }', "'age' of the schema: .*did you mean 'numeric'"),
        ('[columns]\nage = { role = "numeric", rnge = [1, 2] }', "'age' of the schema: .*did you mean 'range'"),
        ('[columns]\nage = { role = "numeric", range = [2, 1] }', "'age' of the schema: range is"),
        ('[columns]\nage = { role = "numeric", range = [0, inf] }', "two finite numbers"),
        ('[columns]\nage = { role = "numeric", range = 5 }', "range is .* given was 5"),
        ('[columns]\nage = { role = "numeric", missing = "?" }', "missing is a list of texts; given was '\\?'"),
        ('[columns]\nage = { role = "numeric", unit = 5 }', "unit is a text; given was 5"),
        ('[columns]\nage = { role = "date", month_first = 1 }', "month_first is true or false; given was 1"),
        ('[columns]\nage = { role = "code", codes = "icd11" }', "did you mean 'icd10'"),
        ('[columns]\na = { role = "target" }\nb = { role = "target" }', "the schema has 2: a, b"),
    ],
)
def test_wrong_files(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "schema.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        Schema.load(path)


def test_editing() -> None:
    schema = SCHEMA.drop("height", "history")
    assert {schema[name].role for name in ("height", "history")} == {"ignored"}
    assert SCHEMA["height"].role == "numeric"
    assert "height" in schema
    assert schema != SCHEMA
    with pytest.raises(KeyError, match="did you mean 'height'"):
        SCHEMA.drop("heigt")
    with pytest.raises(KeyError, match=r"lacks a column of the schema: .*did you mean 'Height'"):
        Schema({"height": Column("numeric")}).check(["Height", "sex"])
