"""X from a table: what each column holds, fitted on training rows only, the same numbers wherever it is carried."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynet.tabular.frame import Columns, read
from tinynet.tabular.preprocess import Preprocessor
from tinynet.tabular.schema import Column, Schema

N = 120
KINDS = [f"k{i}" for i in range(30)]
ICD = ["250.83", "410", "V27", "E909", "38", "428", "786", "585", "V58", "nonsense", "?"]


def table(seed: int, n: int = N) -> Columns:
    """A table with columns of every role."""
    rng = np.random.default_rng(seed)
    number = rng.lognormal(size=n)
    number[rng.random(n) < 0.2] = np.nan
    return read(
        {
            "number": number,
            "text_number": [str(v) if v < 8 else "?" for v in rng.integers(0, 9, n)],
            "level": rng.choice(["[0-10)", "[10-20)", "[20-30)"], n),
            "grade": rng.choice(["mild", "severe", "worst"], n),
            "sex": rng.choice(np.array(["f", "m", None], object), n),
            "kind": rng.choice(np.array([*KINDS, None], object), n),
            "diag": rng.choice(ICD, n),
            "drugs": rng.choice(np.array(["a; b", "b", "c;a", None], object), n),
            "in": [f"2020-01-{d:02}" for d in rng.integers(1, 20, n)],
            "out": [f"2020-02-{d:02} 12:00" for d in rng.integers(1, 20, n)],
            "id": np.arange(n),
        }
    )


SCHEMA = Schema(
    {
        "number": Column("numeric", range=(0.0, 50.0)),
        "text_number": Column("numeric", missing=["?"]),
        "level": Column("ordinal", levels=["[0-10)", "[10-20)", "[20-30)"]),
        "grade": Column("ordinal", levels=["mild", "severe", "worst"]),
        "sex": Column("category"),
        "kind": Column("category"),
        "diag": Column("code", codes="icd9", missing=["?"]),
        "drugs": Column("list"),
        "in": Column("date"),
        "out": Column("date"),
        "id": Column("identifier"),
    }
)
TRAINING = table(1)
FITTED = {numeric: Preprocessor(SCHEMA, numeric, least=2).fit(TRAINING) for numeric in ("robust", "quantile")}


def column(preprocessor: Preprocessor, x: np.ndarray, name: str) -> np.ndarray:
    return x[:, [feature.name for feature in preprocessor.features].index(name)]


def test_what_x_holds() -> None:
    p = FITTED["robust"]
    x = p.transform(TRAINING)
    assert x.dtype == np.float32
    assert x.shape == (N, len(p.features))
    assert {f.origin for f in p.features} == set(SCHEMA.features) - {"in"}
    assert len({f.name for f in p.features}) == len(p.features)
    for i, feature in enumerate(p.features):
        if feature.kind == "code":
            assert feature.vocabulary > 0
            assert np.isin(x[:, i], np.arange(feature.vocabulary)).all()
        else:
            assert feature.vocabulary == 0
            allowed = {"indicator": (0, 1), "onehot": (-1, 0, 1)}.get(feature.kind)
            assert allowed is None or np.isin(x[:, i], allowed).all()
    missing = np.isnan(TRAINING["number"])
    assert (column(p, x, "number is missing") == missing).all()
    assert (column(p, x, "number")[missing] == 0).all()  # the median is scaled to 0
    days = [int(a[8:10]) - int(b[8:10]) + 31.5 for a, b in zip(TRAINING["out"], TRAINING["in"], strict=True)]
    assert np.corrcoef(days, column(p, x, "out"))[0, 1] > 0.97
    assert (column(p, x, "drugs has a") == [v is not None and "a" in v for v in TRAINING["drugs"]]).all()
    assert (column(p, x, "diag chapter = circulatory") == np.isin(TRAINING["diag"], ["410", "428"])).all()
    order = {"mild": 0, "severe": 1, "worst": 2}
    assert (np.argsort(np.unique(column(p, x, "grade"))) == [0, 1, 2]).all()
    assert np.corrcoef([order[g] for g in TRAINING["grade"]], column(p, x, "grade"))[0, 1] > 0.95
    two = column(p, x, "sex = f" if "sex = f" in {f.name for f in p.features} else "sex = m")
    assert set(two.tolist()) == {-1.0, 0.0, 1.0}
    assert ((two == 0) == (TRAINING["sex"] == None)).all()  # noqa: E711


@pytest.mark.parametrize("numeric", FITTED)
@given(seed=st.integers(0, 50), data=st.data())
def test_rows_are_independent(numeric: str, seed: int, data: st.DataObject) -> None:
    new = table(seed, 30)
    rows = np.array(data.draw(st.lists(st.integers(0, 29), max_size=40)), int)
    p = FITTED[numeric]
    assert np.array_equal(p.transform(new)[rows], p.transform(new.rows(rows)))


@pytest.mark.parametrize("numeric", FITTED)
def test_carried_as_json_and_arrays(numeric: str) -> None:
    p = FITTED[numeric]
    carried = Preprocessor.from_config(json.loads(json.dumps(p.get_config())), p.arrays())
    new = table(77)
    assert np.array_equal(carried.transform(new), p.transform(new))
    assert carried.features == p.features
    row = {name: values[3] for name, values in new.items()}
    assert np.array_equal(carried.transform(row), p.transform(new)[3:4])
    assert json.dumps(carried.get_config()) == json.dumps(p.get_config())


def test_serving_needs_numpy_alone(tmp_path: Path) -> None:
    p = FITTED["quantile"]
    new = table(5, 4)
    (tmp_path / "config.json").write_text(json.dumps(p.get_config()))
    np.savez(tmp_path / "arrays.npz", **p.arrays())
    rows = [{name: None if (v := values[i]) is None or v != v else v for name, values in new.items()} for i in range(4)]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    code = (
        "import sys, json, numpy as np\n"
        "from tinynet.tabular.preprocess import Preprocessor\n"
        "p = Preprocessor.from_config(json.load(open('config.json')), dict(np.load('arrays.npz')))\n"
        "x = [p.transform(row) for row in json.load(open('rows.json'))]\n"
        "np.save('x.npy', np.concatenate(x))\n"
        "print(*{name.split('.')[0] for name in sys.modules} - sys.stdlib_module_names)"
    )
    root = str(Path(__file__).resolve().parents[2])
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COV")} | {"PYTHONPATH": root}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert np.array_equal(np.load(tmp_path / "x.npy"), p.transform(new))
    assert not set(done.stdout.split()) & {"pandas", "polars", "narwhals", "pyarrow", "scipy", "sklearn"}


@given(seed=st.integers(0, 1000), other=st.integers(0, 1000))
def test_only_training_rows_are_looked_at(seed: int, other: int) -> None:
    rows = np.sort(np.random.default_rng(seed).choice(N, 50, replace=False))
    mask = np.isin(np.arange(N), rows)
    changed = {name: np.where(mask, a, b) for (name, a), b in zip(TRAINING.items(), table(other).values(), strict=True)}
    by_rows = Preprocessor(SCHEMA).fit(TRAINING, rows)
    by_mask = Preprocessor(SCHEMA).fit(Columns(changed), mask)
    alone = Preprocessor(SCHEMA).fit(TRAINING.rows(rows))
    assert by_rows.get_config() == by_mask.get_config() == alone.get_config()


def test_gaps_that_training_had_not() -> None:
    p = Preprocessor(Schema({"n": Column("numeric", range=(0.0, 9.0)), "k": Column("category")}), least=1)
    p.fit({"n": [1, 2, 2, 2, 2, 2, 3.5], "k": ["a", "b", "c", "a", "b", "c", "a"]})
    assert [f.name for f in p.features] == ["n", "k = a", "k = b", "k = c"]
    x = p.transform({"n": [2, None, np.inf, -np.inf, 10, -1], "k": [None, "d", "a", "b", "c", "?"]})
    assert (x[:, 0] == 0).all()  # the median, for gaps, infinities and what is out of range
    assert x[:, 1:].tolist() == [[0, 0, 0], [0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]


def test_rare_unknown_and_missing_kinds() -> None:
    values = ["a"] * 5 + ["b"] * 4 + ["c", None]
    p = Preprocessor(Schema({"k": Column("category")}), least=2).fit({"k": values})
    assert [f.name for f in p.features] == ["k = a", "k = b", "k = (other)", "k is missing"]
    new = {"k": ["b", "c", "never seen", None]}
    assert p.transform(new).tolist() == [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    codes = Preprocessor(Schema({"k": Column("category")}), onehot=1, least=2).fit({"k": values})
    assert [(f.kind, f.vocabulary) for f in codes.features] == [("code", 4)]
    assert codes.transform(new)[:, 0].tolist() == [3, 1, 1, 0]


def test_codes_feed_the_embedding_layer() -> None:
    import tinynet as tn

    p = FITTED["robust"]
    coded = [(i, f.vocabulary) for i, f in enumerate(p.features) if f.kind == "code"]
    columns, counts = zip(*coded, strict=True)
    width = len(p.features)
    model = tn.Sequential([tn.layers.Embedding(columns, counts, 3, input_shape=[width]), tn.layers.Dense(1)])
    assert model.predict(p.transform(table(9))).shape == (N, 1)


def test_files_and_frames_agree() -> None:
    schema = Schema({"k": Column("category", missing=["-1"]), "o": Column("ordinal", levels=["1", "2"])})
    p = Preprocessor(schema, least=1).fit({"k": [1, 2, 3, -1], "o": [1, 2, 1, 2]})
    as_text = p.transform({"k": ["1.0", "2", "3", "-1.0"], "o": ["1", "2.0", "1", "2"]})
    assert np.array_equal(as_text, p.transform({"k": [1, 2, 3, -1], "o": [1, 2, 1, 2]}))
    assert np.abs(as_text[:, -1]).sum() == 4.0  # every row has a level


def test_limits_of_measurement() -> None:
    p = Preprocessor(Schema({"n": Column("numeric")})).fit({"n": ["<0.5", "1", "2", "3", ">4"]})
    same = p.transform({"n": [0.5, 1, 2, 3, 4]})
    assert np.array_equal(p.transform({"n": ["<0.5", "1", "2", "3", ">4"]}), same)


def test_dates() -> None:
    schema = Schema({"born": Column("date", month_first=True), "seen": Column("time"), "left": Column("date")})
    rows = {"born": ["12/31/1990", "01/31/1960", "x"], "seen": ["2020-01-01"] * 3, "left": ["2020-01-02"] * 3}
    p = Preprocessor(schema).fit(rows)
    assert [f.name for f in p.features] == ["born", "born is missing", "left"]
    x = p.transform(rows)
    assert x[0, 0] > x[1, 0]
    assert x[:, 1].tolist() == [0, 0, 1]
    assert Preprocessor(Schema({"seen": Column("date")})).fit(rows).features == []
    assert Preprocessor(Schema({"n": Column("date")})).fit({"n": [1.0, 2.0]}).features == []
    with pytest.raises(KeyError, match="'seen'"):
        p.transform({"born": "12/31/1990", "left": "2020-01-02"})


def test_strange_columns_are_not_looked_at_and_lacking_ones_told() -> None:
    p = FITTED["robust"]
    new = table(3, 5)
    assert np.array_equal(p.transform(Columns(new, stranger=np.zeros(5))), p.transform(new))
    del new["number"]
    new["nmber"] = np.zeros(5)
    with pytest.raises(KeyError, match=r"lacks a column of the schema: .*'number': did you mean 'nmber'"):
        p.transform(new)


def test_no_rows() -> None:
    assert FITTED["robust"].transform(TRAINING.rows(np.arange(0))).shape == (0, len(FITTED["robust"].features))
    with pytest.raises(ValueError, match="no training rows"):
        Preprocessor(SCHEMA).fit(TRAINING, [])
    with pytest.raises(ValueError, match="no training rows"):
        Preprocessor(SCHEMA).fit(TRAINING.rows(np.arange(0)))


@pytest.mark.parametrize("rows", [[0, N], [-1], [0.5], [[0]], np.zeros(3, bool), "all"])
def test_wrong_rows(rows: object) -> None:
    with pytest.raises(ValueError, match=f"rows are numbers from 0 to {N - 1}, or a mask"):
        Preprocessor(SCHEMA).fit(TRAINING, rows)


def test_wrong_settings() -> None:
    with pytest.raises(TypeError, match="schema is a Schema"):
        Preprocessor({})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="did you mean 'robust'"):
        Preprocessor(SCHEMA, "robst")
    with pytest.raises(ValueError, match="onehot is a whole number of at least 0"):
        Preprocessor(SCHEMA, onehot=-1)
    with pytest.raises(RuntimeError, match="call fit first"):
        Preprocessor(SCHEMA).transform(TRAINING)
    assert Preprocessor(SCHEMA).fit_transform(TRAINING).shape[0] == N
