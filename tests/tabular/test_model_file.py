"""The file that travels: equal numbers with NumPy alone, and what it says of rows asked about and of its training."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinynet as tn
from tinynet import persistence
from tinynet.tabular import TabularClassifier, TabularRegressor, estimator
from tinynet.tabular.conformal import coarse
from tinynet.tabular.facts import FEWEST, fingerprint, range_of
from tinynet.tabular.frame import read
from tinynet.tabular.preprocess import Preprocessor
from tinynet.tabular.schema import Column, Schema

N = 400
QUICK = {"members": 2, "epochs": 6, "random_state": 0, "n_jobs": 1}
BLOCKED = ("sklearn", "pandas", "polars", "narwhals", "pyarrow", "scipy", "numba", "matplotlib", "duckdb")


def stays(n=N, seed=0):
    """(columns of every role, risk)."""
    rng = np.random.default_rng(seed)
    age, pulse = rng.integers(20, 91, n), np.round(rng.normal(80, 12, n), 1)
    risk = 1 / (1 + np.exp(-0.06 * (age - 55) - 0.04 * (pulse - 80)))
    columns = {
        "age": age.astype(float).tolist(),
        "pulse": np.where(rng.random(n) < 0.1, np.nan, pulse).tolist(),
        "sex": rng.choice(["f", "m"], n).tolist(),
        "ward": rng.choice([f"w{i}" for i in range(14)], n).tolist(),
        "stage": rng.choice(["I", "II", "III"], n).tolist(),
        "diagnosis": rng.choice(["250.00", "401.9", "486"], n).tolist(),
        "drugs": rng.choice(["aspirin", "aspirin;insulin", "insulin"], n).tolist(),
        "born": [f"{1950 + i % 40}-0{1 + i % 9}-11" for i in range(n)],
        "seen": [f"2019-0{1 + i % 9}-20" for i in range(n)],
    }
    return columns, risk, rng


SCHEMA = Schema(
    {
        "age": Column("numeric", unit="years", range=(0, 120)),
        "pulse": Column("numeric", missing=["-1"]),
        "sex": Column("category"),
        "ward": Column("category"),
        "stage": Column("ordinal", levels=["I", "II", "III"]),
        "diagnosis": Column("code", codes="icd9"),
        "drugs": Column("list"),
        "born": Column("date"),
        "seen": Column("time"),
    }
)
TYPICAL = {
    "age": 61.0, "pulse": 80.0, "sex": "f", "ward": "w3", "stage": "II", "diagnosis": "486", "drugs": "aspirin",
    "born": "1971-03-11", "seen": "2019-05-20",
}  # fmt: skip
ODD = [
    {"age": None, "pulse": None, "sex": "x", "ward": "never seen", "diagnosis": "V99", "drugs": "gold", "born": None},
    {"age": 119, "pulse": "high", "sex": None, "stage": "IV", "drugs": None, "diagnosis": "428.0", "born": "long ago"},
    {"age": 400, "pulse": -1, "ward": None, "diagnosis": None, "stage": None, "born": "1871-03-11"},
    {"age": float("inf"), "pulse": 1e300, "ward": "", "sex": "F"},
    {},
]
ROWS = [TYPICAL | odd for odd in ODD]


@pytest.fixture(scope="module")
def classifier():
    columns, risk, rng = stays()
    y = np.where(rng.random(N) < risk, "died", "lived")
    return TabularClassifier(SCHEMA, **QUICK).fit(columns, y, groups=np.arange(N) // 2)


@pytest.fixture(scope="module")
def regressors():
    columns, risk, rng = stays()
    amount = 10 * risk + rng.normal(0, 1, N)
    settings = {
        "squared_error": amount, "gamma": np.exp(amount / 5), "two-part": np.where(amount > 3, amount, 0),
        "quantile": amount,  # its levels are 0.05, 0.5 and 0.95
    }  # fmt: skip
    return {loss: TabularRegressor(SCHEMA, loss=loss, **QUICK).fit(columns, y) for loss, y in settings.items()}


def alone(paths, rows):
    """What a fresh process says of the rows, by each file; none of the blocked packages can be imported in it."""
    code = f"""
import json, sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {BLOCKED!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
import tinynet as tn
rows, found = json.loads(sys.stdin.read()), []
for path in {[str(path) for path in paths]!r}:
    model = tn.load(path)
    sure = model.conformal and (model.predict_set(rows) if model.classes else model.predict_interval(rows)).tolist()
    found.append([model.answers(rows).tolist(), model.predict(rows).tolist(), sure, model.remarks(rows)])
json.dump(found, sys.stdout)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(tn.__file__).parent.parent, input=json.dumps(rows), capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_machine_with_numpy_alone_gives_the_same_numbers_on_odd_rows(classifier, regressors, tmp_path, monkeypatch):
    """For every kind of outcome, both calibrations and both scalings: answers, classes, sets, intervals and remarks."""
    columns, risk, rng = stays()
    several = rng.choice(["a", "b", "c"], N)
    models = {"classes": classifier, **regressors}
    models["isotonic"] = TabularClassifier(SCHEMA, calibrate="isotonic", **QUICK).fit(columns, several)
    models["poisson"] = TabularRegressor(SCHEMA, loss="poisson", **QUICK).fit(columns, rng.poisson(9 * risk))
    monkeypatch.setattr(estimator, "Preprocessor", partial(Preprocessor, numeric="quantile"))
    models["quantile scaling"] = TabularRegressor(SCHEMA, **QUICK).fit(columns, risk)
    assert any(feature.kind == "code" for feature in classifier.predictor_.preprocessor.features)  # an embedding
    for name, model in models.items():
        model.save(tmp_path / name)
    for model, (answers, said, sure, remarks) in zip(
        models.values(), alone([tmp_path / name for name in models], ROWS), strict=True
    ):
        own = model.predictor_
        np.testing.assert_allclose(answers, own.answers(ROWS), rtol=0, atol=1e-6)
        assert said == own.predict(ROWS).tolist() or np.allclose(said, own.predict(ROWS), rtol=0, atol=1e-6)
        assert remarks == own.remarks(ROWS)
        assert (sure is None) == (own.outcome.kind == "two-part")
        if sure is not None:
            expected = own.predict_set(ROWS) if own.classes else own.predict_interval(ROWS)
            np.testing.assert_allclose(np.array(sure, float), expected.astype(float), rtol=0, atol=1e-6)


def test_remarks_name_the_columns_and_what_became_of_them(classifier):
    found = classifier.predictor_.remarks(ROWS)
    assert found[-1] == []
    assert [one.split(" ")[0] for one in found[0]] == ["age", "pulse", "sex", "ward", "diagnosis", "drugs", "born"]
    assert found[0][:3] == [
        "age is missing",
        "pulse is missing",
        "sex is of a kind that was rare or unknown in training; it counts as other",
    ]
    assert found[1][0] == "age is above what nearly all training rows had, 20 to 90 years"
    assert found[1][1] == "pulse is no finite number; it counts as missing"
    assert "sex is missing" in found[1]
    assert "stage is of a kind that was rare or unknown in training; it counts as other" in found[1]
    assert any(one.startswith("diagnosis is a code that was rare") for one in found[1])
    assert "born is no date that can be counted from seen; it counts as missing" in found[1]
    assert found[2][0] == "age is no number from 0 to 120 years, the possible ones; it counts as missing"
    assert {"pulse is missing", "ward is missing", "diagnosis is missing", "stage is missing"} <= set(found[2])
    assert any(one.startswith("born is below") and one.endswith("days from seen") for one in found[2])
    assert found[3][:2] == [
        "age is no number from 0 to 120 years, the possible ones; it counts as missing",
        "pulse is no finite number; it counts as missing",
    ]
    for shown in ("400", "119", "never seen", "gold", "V99", "428.0", "1871"):  # values that were asked about
        assert not any(shown in one for remarks in found for one in remarks)


def test_a_table_that_lacks_a_column_is_refused(classifier):
    with pytest.raises(KeyError, match="'pulse'"):
        classifier.predictor_.remarks([{name: value for name, value in TYPICAL.items() if name != "pulse"}])


def test_few_training_rows_get_a_remark(classifier):
    whole, _, _ = stays()
    filled = {**whole, "pulse": [80.0 if value != value else value for value in whole["pulse"]]}
    assert sum(map(bool, classifier.predictor_.remarks(filled))) < 0.05 * N


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=FEWEST, max_size=60), st.floats(1.0, 1e6), st.floats(1.0, 1e6)
)  # fmt: skip
def test_no_range_tells_a_single_persons_extreme(values, more, still_more):
    """However far one person is away, the bound stays; and nearly all values are inside."""
    top = max(values)
    assert range_of(np.array([*values, top + more])) == range_of(np.array([*values, top + more + still_more]))
    low, high = range_of(np.array(values))
    assert sum(low <= value <= high for value in values) >= len(values) - 12  # 6 on each side


def test_range_by_hand():
    assert range_of(np.array([0.0] * 10 + [1, 2, 3, 4, 5, 6, 7, 8, 9, 100, np.nan])) == (0.0, 6.6)
    assert range_of(np.arange(19.0)) is None


def test_sets_cover_new_rows_and_travel(classifier, tmp_path):
    columns, risk, rng = stays(3000, seed=1)
    y = rng.random(3000) < risk
    path = tmp_path / "model.safetensors"
    classifier.save(path)
    model = tn.load(path)
    sets = model.predict_set(columns)
    np.testing.assert_array_equal(sets, classifier.predictor_.predict_set(columns))
    inside = np.where(y, sets[:, 0], sets[:, 1])  # "died" comes first
    for kind in (y, ~y):
        assert abs(inside[kind].mean() - 0.9) < 0.06
    with pytest.raises(TypeError, match="predict_set"):
        model.predict_interval(columns)


def test_intervals_cover_new_rows(regressors):
    columns, risk, rng = stays(3000, seed=1)
    amount = 10 * risk + rng.normal(0, 1, 3000)
    for loss, y, expected in (
        ("squared_error", amount, 0.9), ("gamma", np.exp(amount / 5), 0.9), ("quantile", amount, 0.9)
    ):  # fmt: skip
        low, high = regressors[loss].predictor_.predict_interval(columns).T
        assert abs(((low <= y) & (y <= high)).mean() - expected) < 0.06, loss
    assert (regressors["gamma"].predictor_.predict_interval(columns) >= 0).all()
    with pytest.raises(ValueError, match="two-part"):
        regressors["two-part"].predictor_.predict_interval(columns)
    with pytest.raises(TypeError, match="probabilities"):
        regressors["gamma"].predictor_.predict_set(columns)


@given(st.floats(-1e9, 1e9).filter(lambda value: abs(value) > 1e-9))
def test_a_coarse_width_is_a_little_more(value):
    found = coarse(value)
    assert -1e-12 * abs(value) <= found - value <= 0.011 * abs(value)
    assert float(f"{found:.3g}") == pytest.approx(found, rel=1e-12)


def test_an_eval_set_calibrates_and_rows_learned_from_do_not():
    columns, risk, rng = stays()
    y = (rng.random(N) < risk).astype(int)
    other, risk_other, _ = stays(seed=2)
    y_other = (rng.random(N) < risk_other).astype(int)
    model = TabularClassifier(SCHEMA, **QUICK).fit(columns, y, eval_set=(other, y_other)).predictor_
    assert abs(model.predict_set(other)[np.arange(N), y_other].mean() - 0.9) < 0.01
    one_person = TabularClassifier(SCHEMA, **QUICK).fit(columns, y, groups=np.zeros(N))
    with pytest.raises(ValueError, match="too few rows were held out"):
        one_person.predictor_.predict_set(columns)


def test_facts_are_those_of_the_training(classifier, tmp_path):
    path = tmp_path / "model.safetensors"
    classifier.save(path)
    facts = tn.load(path).facts
    assert facts == classifier.predictor_.facts
    columns, risk, rng = stays()
    y = rng.random(N) < risk
    assert (facts.rows, facts.persons) == (N, N // 2)
    assert facts.shares == pytest.approx([y.mean(), 1 - y.mean()])
    assert facts.missing["pulse"] == pytest.approx(np.isnan(columns["pulse"]).mean(), abs=1e-4)
    assert facts.settings["members"] == 2
    assert "schema" not in facts.settings  # it may be a path on the machine of the training


def test_fingerprint_is_of_counts_and_of_no_values():
    columns, _, _ = stays()
    table, counts = read(columns), np.array([1, 2])
    first = fingerprint(SCHEMA, table, counts)
    assert fingerprint(SCHEMA, table.rows(np.arange(N)[::-1]), counts) == first
    assert fingerprint(SCHEMA, read(columns | {"age": [value + 1 for value in columns["age"]]}), counts) == first
    assert fingerprint(SCHEMA, read(columns | {"age": [None, *columns["age"][1:]]}), counts) != first
    assert fingerprint(SCHEMA, table, np.array([2, 1])) != first
    assert fingerprint(SCHEMA.drop("sex"), table, counts) != first


def test_a_file_without_a_card_still_loads(classifier):
    tensors, description = classifier.predictor_.described()
    assert set(description.pop("card")) == {"facts", "conformal"}
    model = tn.load(persistence.packed(tensors, description))
    np.testing.assert_array_equal(model.predict_proba(ROWS), classifier.predict_proba(ROWS))
    assert model.remarks(ROWS)[0][0] == "age is missing"
    assert not any("nearly all" in one for remarks in model.remarks(ROWS) for one in remarks)
    with pytest.raises(ValueError, match="has no conformal"):
        model.predict_set(ROWS)


@pytest.mark.parametrize("card", [{"facts": {"rows": 3}}, {"conformal": {"class": "Magic"}}, {"facts": [1]}, 7])
def test_a_damaged_card_is_told_in_one_sentence(classifier, card):
    tensors, description = classifier.predictor_.described()
    with pytest.raises(tn.ModelFileError, match="cannot be made") as caught:
        tn.load(persistence.packed(tensors, description | {"card": card}))
    assert "\n" not in str(caught.value)


def test_no_row_of_the_training_is_in_the_file():
    """A number, a kind and a code that one person has do not get into the file."""
    frame = pd.DataFrame(stays()[0]).drop(columns=["born", "seen"])
    frame.loc[0, ["age", "sex", "ward", "drugs"]] = [117.0, "rarest sex", "rarest ward", "rarest drug"]
    schema = Schema({name: column for name, column in SCHEMA.columns.items() if name in frame})
    model = TabularClassifier(schema, **QUICK).fit(frame, np.arange(N) % 2)
    text = json.dumps(model.predictor_.described()[1])
    assert "rarest" not in text
    assert "117" not in json.dumps(model.predictor_.facts.get_config())


def test_no_edge_of_a_bin_is_one_patients_value():
    """One extreme number, planted: nothing in the file is it, scaled or not; five rows share the outermost edge."""
    from tinynet.tabular.crowd import CROWD, blurred

    x = np.random.default_rng(0).normal(size=200)
    x[17] = 987.654321
    edges = blurred(np.sort(x), np.linspace(0, 1, 9))
    assert edges[-1] == pytest.approx(np.sort(x)[-CROWD:].mean())
    assert np.abs(edges[:, None] - x).min() > 1e-9
    y = (np.arange(200) % 2).astype(int)
    model = TabularClassifier(epochs=2, members=2, random_state=0, verbose=0).fit({"x": x}, y)
    scale = next(one.scale for one in model.predictor_.preprocessor.encoders)
    scaled = float(scale(np.array([987.654321]))[0])
    tensors, description = model.predictor_.described()
    held = [
        float(v) for name, a in tensors.items() if a.dtype.kind == "f" and "ensemble" not in name for v in a.ravel()
    ]
    held += numbers_in(description)
    assert min(min(abs(v - 987.654321), abs(v - scaled)) for v in held) > 1e-6


def numbers_in(entry):
    """Every float of nested dictionaries and lists."""
    if isinstance(entry, dict):
        return [v for one in entry.values() for v in numbers_in(one)]
    if isinstance(entry, (list, tuple)):
        return [v for one in entry for v in numbers_in(one)]
    return [entry] if isinstance(entry, float) else []
