"""Tables drawn by hypothesis, as odd as they come: each gives a result, or one error of our own."""

import datetime
import json
import os
import traceback
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinynet.tabular.frame import read
from tinynet.tabular.preprocess import Preprocessor
from tinynet.tabular.schema import Schema

odd = st.one_of(
    st.none(), st.floats(), st.integers(), st.integers(-3, 3), st.booleans(), st.text(max_size=6),
    st.binary(max_size=3),
    st.sampled_from(["?", "NA", "None", "[10-20)", "> 5", "250.83", "V27", "a;b", "2020-01-01", "inf", "1e999", "-1",
    "01"]),
    st.datetimes(), st.dates(), st.timedeltas(), st.just(pd.NaT), st.just(pd.NA), st.decimals(), st.complex_numbers(),
    st.lists(st.integers(0, 3), max_size=3), st.lists(st.lists(st.none()), max_size=2), st.dictionaries(st.none(),
    st.none()),
    st.datetimes(timezones=st.just(datetime.UTC)),
)  # fmt: skip
alike = st.sampled_from(
    [
        st.floats(), st.integers(), st.integers(0, 5), st.text(max_size=5), st.none(), st.booleans(), st.datetimes(),
        odd,
        st.one_of(st.none(), st.floats(0, 9)), st.sampled_from(["a", "b", None]),
        st.sampled_from(["1", "2", "?", ">3"]),
        st.sampled_from([np.float32("inf"), np.int8(3), np.datetime64("NaT"), np.str_("x")]),
    ]
).flatmap(lambda cell: st.lists(cell, min_size=0, max_size=12))  # fmt: skip
names = st.one_of(
    st.sampled_from(["age", "patient_id", "icd9", "temp", "date"]), st.text(max_size=5), st.integers(0, 3)
)
tables = st.dictionaries(names, alike, max_size=4)


def survives(table: object) -> None:
    """The whole way from a table to X and back from its description, or one error raised in tinynet."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            schema = Schema.infer(table)
            assert str(schema)
            p = Preprocessor(schema, least=1).fit(table)
            x = p.transform(table)
        except (TypeError, ValueError, KeyError) as error:
            refusal = error
        else:
            refusal = None
    if refusal is not None:
        where = traceback.extract_tb(refusal.__traceback__)[-1].filename
        assert f"tinynet{os.sep}tabular" in where, f"raised in {where}"
        assert "\n" not in str(refusal).strip()
        return
    assert np.isfinite(x).all()
    assert x.shape == (read(table).count, len(p.features))
    again = Preprocessor.from_config(json.loads(json.dumps(p.get_config())), p.arrays())
    assert np.array_equal(again.transform(table), x)


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(tables)
def test_dictionaries(table: dict) -> None:
    rows = min(map(len, table.values()), default=0)
    survives({name: values[:rows] for name, values in table.items()})


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(tables)
def test_pandas(table: dict) -> None:
    rows = min(map(len, table.values()), default=0)
    try:
        frame = pd.DataFrame({name: values[:rows] for name, values in table.items()})
    except Exception:  # pandas itself cannot hold it
        return
    survives(frame)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(tables)
def test_polars(table: dict) -> None:
    rows = min(map(len, table.values()), default=0)
    try:
        frame = pl.DataFrame({str(name): values[:rows] for name, values in table.items()}, strict=False)
    except BaseException:  # polars itself cannot hold it, or panics
        return
    survives(frame)


@pytest.mark.parametrize(
    "table",
    [
        {}, {"a": []}, {"a": [None, None]}, {"a": 1, "b": "x"}, {"a": [f"v{i}" for i in range(5000)]},
        {"drug": [f"v{i}" for i in range(5000)]}, {"a": [1e308, -1e308, 5e-324, 0.0]}, {"a": [np.inf, -np.inf, 1, 2,
        3]},
        pd.DataFrame([[1, 2]], columns=["a", "a"]), pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([(1, 2),
        (3, 4)])),
        pd.DataFrame({"a": pd.arrays.SparseArray([0, 0, 1]), "p": pd.period_range("2020-01", periods=3, freq="M")}),
        pl.DataFrame({"a": pl.Series([1, 2]).cast(pl.Duration("ms")),
        "d": pl.Series(["1", "2"]).cast(pl.Decimal(9, 2))}),
        np.zeros((0, 3)), np.zeros((3, 0)), np.array([[None, "x"], [1, 2]], object),
        {"a": [object(), 1]}, {"a": (i for i in range(3))}, {"a": {1, 2, 3}}, {"a": [1, 2], "b": 5}, {None: [1, 2]},
    ],
)  # fmt: skip
def test_by_hand(table: object) -> None:
    survives(table)
