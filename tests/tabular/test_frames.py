"""Tables of every kind become the same columns; what is no table is told in one sentence."""

import datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tinynet.tabular.frame import Columns, read

EXPECTED = {"age": [61.0, None, 58.0], "sex": ["f", "m", None]}


def plain(columns: Columns) -> dict[str, list]:
    """Columns as lists, every gap as None."""
    return {name: [None if v is None or v != v else v for v in values.tolist()] for name, values in columns.items()}


@pytest.mark.parametrize(
    "table",
    [
        EXPECTED,
        pd.DataFrame(EXPECTED),
        pd.DataFrame(EXPECTED).convert_dtypes(),
        pd.DataFrame(EXPECTED).astype({"sex": "category"}),
        pl.DataFrame(EXPECTED),
        pl.LazyFrame(EXPECTED),
        pl.DataFrame(EXPECTED, schema_overrides={"sex": pl.Categorical}),
        pa.table(EXPECTED),
        [{"age": 61, "sex": "f"}, {"sex": "m"}, {"age": 58.0, "sex": None}],
        {"age": np.ma.array([61, 0, 58], mask=[0, 1, 0]), "sex": (" f ", "m", "")},
        {"age": [61, pd.NA, Decimal(58)], "sex": [b"f", "m", float("nan")]},
    ],
    ids=lambda table: type(table).__module__,
)
def test_one_table_in_many_forms(table: object) -> None:
    assert plain(read(table)) == EXPECTED


def test_what_has_no_gaps_keeps_its_numbers() -> None:
    frame = pl.DataFrame({"n": [1, 2], "yes": [True, False], "f": [0.5, 1.5]})
    assert plain(read(frame)) == {"n": [1, 2], "yes": [1, 0], "f": [0.5, 1.5]}


def test_arrays_are_named_by_place() -> None:
    assert plain(read(np.array([[1, 2], [3, 4]]))) == {"x0": [1, 3], "x1": [2, 4]}
    assert plain(read([[1, 2], [3, 4]])) == {"x0": [1, 3], "x1": [2, 4]}
    assert plain(read(np.array([(1, "u")], dtype=[("a", int), ("b", "U1")]))) == {"a": [1], "b": ["u"]}


def test_one_row_as_a_dictionary() -> None:
    assert plain(read({"age": 61, "sex": "f", "drugs": ["a", "b"]})) == {"age": [61], "sex": ["f"], "drugs": ["a;b"]}
    assert plain(read({"age": np.float32(61), "sex": None, "at": np.array(2)})) == {
        "age": [61], "sex": [None], "at": [2]
    }  # fmt: skip


def test_dates_become_text_and_durations_days() -> None:
    berlin = pd.to_datetime(["2020-07-01", None]).tz_localize("Europe/Berlin")
    table = pd.DataFrame({"at": berlin, "for": pd.to_timedelta(["36h", None])})
    assert plain(read(table)) == {"at": ["2020-06-30T22:00:00", None], "for": [1.5, None]}
    days = {"at": np.array(["2020-07-01", "NaT"], "M8[D]"), "for": np.array([2, "NaT"], "m8[D]")}
    assert plain(read(days)) == {"at": ["2020-07-01T00:00:00", None], "for": [2, None]}
    cells = {"at": [datetime.date(2020, 7, 1), pd.NaT], "for": [datetime.timedelta(hours=12), np.timedelta64("NaT")]}
    assert plain(read(cells)) == {"at": ["2020-07-01", None], "for": [0.5, None]}
    assert plain(read({"at": [datetime.time(7, 30), np.datetime64("2020-07-01")]})) == {
        "at": ["07:30:00", "2020-07-01T00:00:00"]
    }


def test_odd_cells() -> None:
    bands = pd.cut(pd.Series([1.0, 7.0]), [0, 5, 10])
    table = {
        "band": bands,
        "mixed": [1, "x"],
        "half": [2.5, "x"],
        "large": [2**60, 2**60 + 1],
        "beyond": [10**400, 1],
        "fraction": [Fraction(10**400), Fraction(1, 2)],
        "decimal": [Decimal("sNaN"), Decimal("1.5")],
        "rows": np.array([[1, 2], [3, 4]]),
        "items": [{"b", "a"}, np.array([1.0, 2.0])],
        "inf": [float("inf"), "x"],
    }
    assert plain(read(table)) == {
        "band": ["(0, 5]", "(5, 10]"],
        "mixed": ["1", "x"],
        "half": ["2.5", "x"],
        "large": [str(2**60), str(2**60 + 1)],
        "beyond": [str(10**400), "1"],
        "fraction": [float("inf"), 0.5],
        "decimal": [None, 1.5],
        "rows": ["1;2", "3;4"],
        "items": ["a;b", "1;2"],
        "inf": ["inf", "x"],
    }
    assert plain(read({"large": np.array([2**60, 2**60 + 1])})) == {"large": [str(2**60), str(2**60 + 1)]}
    assert read({"f": np.array([1, np.longdouble("1e400")])})["f"].tolist() == [1.0, float("inf")]
    assert plain(read({"a\ud800": ["\ud800", "x\0"]})) == {"a?": ["?", "x"]}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (5, "a table is .* given was of type int"),
        (None, "of type NoneType"),
        (pd.Series([1]), "of type Series"),
        (pl.Series([1]), "of type Series"),
        ([], "a list that is none of them"),
        ([[1], [2, 3]], "a list that is none of them"),
        ({"a": [{"x": 1}]}, "'a' holds something of type dict in row 0"),
        (pl.DataFrame({"a": [{"x": 1}]}), "'a' holds something of type dict"),
        ({"a": [1, [[2]]]}, "type list in row 1"),
        ({"a": np.array([1j])}, "'a' holds complex numbers"),
        ({"a": [b"\xff"]}, "'a' holds bytes that are no UTF-8 text, first in row 0"),
    ],
)
def test_no_table(table: object, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        read(table)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "2 columns named 'a'"),
        (pd.DataFrame([[1, 2]], columns=[1, "1"]), "2 columns named '1'"),
        ({"a": [1], "b": [1, 2]}, "'a' has 1 rows, 'b' has 2"),
        (np.zeros(3), r"\(3,\); for a single row give x\[None, :\]"),
        (np.zeros((2, 2, 2)), r"given was \(2, 2, 2\)"),
    ],
)
def test_wrong_table(table: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read(table)


def test_no_narwhals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "narwhals", None)
    assert plain(read(pl.DataFrame({"a": [1]}))) == plain(read(pd.DataFrame({"a": [1]}))) == {"a": [1]}
    with pytest.raises(ImportError, match="pip install"):
        read(pa.table({"a": [1]}))
    assert plain(read({"a": [1]})) == {"a": [1]}
