"""What a model file is asked in practice: tables of any form, columns in any order, cells of any kind."""

import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinynet as tn
from tinynet.tabular import TabularClassifier
from tinynet.tabular.schema import Column, Schema

N = 120
SCHEMA = Schema(
    {
        "age": Column("numeric", unit="years", range=(0, 120)),
        "sex": Column("category"),
        "drugs": Column("list"),
        "born": Column("date"),
        "seen": Column("time"),
    }
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    rng = np.random.default_rng(0)
    columns = {
        "age": [None if i % 9 == 0 else float(a) for i, a in enumerate(rng.integers(20, 91, N))],
        "sex": rng.choice(["f", "m", "x"], N).tolist(),
        "drugs": rng.choice(["aspirin;insulin", "insulin"], N).tolist(),
        "born": [f"19{50 + i % 40}-03-11" for i in range(N)],
        "seen": ["2019-05-20"] * N,
    }
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    estimator = TabularClassifier(SCHEMA, members=1, epochs=2, random_state=0, n_jobs=1, backend="numpy")
    estimator.fit(
        columns,
        [int((age or 60) + 9 * (sex == "m") > 55) for age, sex in zip(columns["age"], columns["sex"], strict=True)],
    )
    estimator.save(path)
    return tn.load(path)


ROWS = [
    {"age": 61.0, "sex": "f", "drugs": "insulin", "born": "1958-03-01", "seen": "2019-05-20"},
    {"age": None, "sex": None, "drugs": "gold;insulin", "born": "1871-03-01", "seen": "2019-05-20"},
    {"age": 119.0, "sex": "never seen", "drugs": None, "born": None, "seen": "2019-05-20"},
]
COLUMNS = {name: [row[name] for row in ROWS] for name in ROWS[0]}
FRAME = pd.DataFrame(COLUMNS)
FORMS = {
    "columns": COLUMNS,
    "columns as arrays": {name: np.array(values, object) for name, values in COLUMNS.items()},
    "other order, more columns": {"more": [object()] * 3, **dict(reversed(COLUMNS.items()))},
    "rows with more in them": [{**row, "more": {"a": 1}} for row in ROWS],
    "lists": [list(row.values()) for row in ROWS],
    "an array": np.array([list(row.values()) for row in ROWS], object),
    "pandas": FRAME[FRAME.columns[::-1]].assign(more=1),
    "pandas with NA": FRAME.convert_dtypes(),
    "pandas with dates and kinds": FRAME.assign(seen=pd.to_datetime(FRAME["seen"])).astype({"sex": "category"}),
    "polars": pl.DataFrame(COLUMNS),
    "polars, lazy": pl.DataFrame(COLUMNS).lazy(),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_table_has_the_same_answers_and_remarks(model, form):
    np.testing.assert_allclose(model.answers(FORMS[form]), model.answers(ROWS), rtol=0, atol=1e-9)
    assert model.remarks(FORMS[form]) == model.remarks(ROWS)
    assert len(set(model.answers(ROWS)[:, 1])) == 3


@pytest.mark.parametrize("form", ["pandas", "pandas with NA", "pandas with dates and kinds", "polars"])
def test_frames_are_read_without_narwhals(model, form, monkeypatch):
    monkeypatch.setitem(sys.modules, "narwhals", None)
    np.testing.assert_allclose(model.answers(FORMS[form]), model.answers(ROWS), rtol=0, atol=1e-9)


def without(name):
    return {key: values for key, values in COLUMNS.items() if key != name}


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        (without("age"), KeyError, "no column named 'age'"),
        ({**without("age"), "Age": [1, 2, 3]}, KeyError, "did you mean 'Age'"),
        ([{"sxe": "f", "age": 3}], KeyError, "'sex'"),
        (without("seen"), KeyError, "lacks 'seen', from which the days of 'born' are counted"),
        ({**COLUMNS, "age": [1.0]}, ValueError, "'age' has 1 rows"),
        ({**COLUMNS, "sex": "f"}, ValueError, "column 'sex' holds one value and 'age' several"),
        (np.zeros((2, 3)), ValueError, "has 3 columns; the model learned from 5"),
        (np.zeros(5), ValueError, "for a single row give x[None, :]"),
        ([], TypeError, "a table is"),
        (None, TypeError, "given was of type NoneType"),
        (7, TypeError, "given was of type int"),
        ((row for row in ROWS), TypeError, "given was of type generator"),
        (FRAME.iloc[0], TypeError, "given was of type Series"),
        (FRAME.iloc[:0], ValueError, "no rows"),
        (pd.concat([FRAME, FRAME[["age"]]], axis=1), ValueError, "2 columns named 'age'"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(model, asked, error, said):
    for ask in (model.predict, model.remarks):
        if said == "no rows" and ask == model.remarks:
            continue
        with pytest.raises(error) as caught:
            ask(asked)
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("age", "120 mmHg", "age is no number from 0 to 120 years, the possible ones; it counts as missing"),
        ("age", 10**400, "age is no number from 0 to 120 years, the possible ones; it counts as missing"),
        ("age", "60-65", "age is no exact number but an interval; its end or its middle counts"),
        ("age", pd.NA, "age is missing"),
        ("age", "  ", "age is missing"),
        ("age", 119, "age is above what nearly all training rows had"),
        ("sex", "F", "sex is of a kind that was rare or unknown in training; it counts as other"),
        ("drugs", ["gold"], "drugs has items that were rare or unknown in training; they count as others"),
        ("born", 19580301, "born is no date that can be counted from seen; it counts as missing"),
    ],
)
def test_what_is_missing_unknown_or_out_of_range_is_named(model, column, value, said):
    (found,) = model.remarks({**ROWS[0], column: value})
    assert len(found) == 1
    assert found[0].startswith(said)
    assert str(value).strip() not in found[0] or not str(value).strip()
    assert model.remarks(ROWS[0]) == [[]]


def test_a_level_of_many_that_is_not_known_is_named():
    """With more levels than kinds get columns, an ordinal is a number alone."""
    levels = [f"{10 * i}-{10 * i + 10}" for i in range(14)]
    schema = Schema({"band": Column("ordinal", levels=levels)})
    table = {"band": levels * 8}
    model = TabularClassifier(schema, members=1, epochs=1, random_state=0, n_jobs=1, backend="numpy")
    model = model.fit(table, [int(i % 14 > 6) for i in range(112)]).predictor_
    assert [feature.kind for feature in model.preprocessor.features] == ["numeric"]
    asked = {"band": ["20-30", "banana", None, "9000-9010"]}
    assert model.remarks(asked)[:3] == [
        [], ["band is no level that is known; it counts as missing"], ["band is missing"],
    ]  # fmt: skip
    assert model.remarks(asked)[3][0].startswith("band is above what nearly all training rows had")


@settings(deadline=None)
@given(
    st.sampled_from(list(COLUMNS)),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.lists(st.text(max_size=3)),
)
def test_whatever_is_in_a_cell_there_is_an_answer_for_each_row(model, column, value):
    rows = [ROWS[0], {**ROWS[0], column: value}]
    answers = model.answers(rows)
    assert np.isfinite(answers).all()
    np.testing.assert_allclose(answers.sum(axis=1), 1.0)
    np.testing.assert_allclose(answers[0], model.answers(ROWS[0])[0], atol=1e-6)
    assert all("\n" not in remark for remark in model.remarks(rows)[1])
