"""Integration: what each aggregate is, that nothing after the prediction time is seen, that no join multiplies rows."""

import copy
import datetime
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("duckdb")

from tinynet import cli
from tinynet.tabular.integrate import integrate
from tinynet.tabular.integrate.plan import AGGREGATES, EXAMPLE

DATA = Path(os.environ.get("TINYNET_DATA", "no such folder"))
START = datetime.datetime(2021, 3, 1, 8)


def at(hours: float) -> str:
    return (START + datetime.timedelta(hours=hours)).isoformat(" ")


STAYS = {
    "stay": ["a", "b", "c"], "person": [1, 1, 2], "begin": [at(0), at(100), at(0)], "died": [0, 1, 0],
    "end": [at(50), at(110), at(60)],
}  # fmt: skip
PERSONS = {"person": [1, 2], "sex": ["f", "m"], "born": ["1950-03-01", "1980-03-01"]}
LABS = {
    "stay": ["a", "a", "a", "a", "a", "b", "c"],
    "time": [at(1), at(3), at(5), at(24), at(30), at(101), at(-2)],
    "test": ["K", "K", "K", "K", "K", "K", "Na"],
    "value": [4.0, 5.0, 3.0, 99.0, 99.0, 6.0, 140.0],
}
TABLES = {"stays": STAYS, "persons": PERSONS, "labs": LABS}
PLAN: dict[str, Any] = {
    "rows": {"table": "stays", "key": ["stay"], "keep": ["person"], "prediction_time": "begin", "after": "24 hours",
             "target": "died"},
    "joins": [{"table": "persons", "on": ["person"], "keep": ["sex", "born"]}],
    "elapsed": [{"name": "age", "since": "born", "unit": "years"}],
    "events": [{"table": "labs", "on": ["stay"], "time": "time", "value": "value", "by": "test", "items": ["K"],
                "aggregates": list(AGGREGATES)}],
}  # fmt: skip


def changed(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    plan = copy.deepcopy(PLAN)
    change(plan)
    return plan


def test_a_case_worked_by_hand() -> None:
    """Stay a has K 4, 5, 3 after 1, 3, 5 hours; the values at 24 hours and later are not before the prediction."""
    done = integrate(PLAN, TABLES)
    row = {name: values[0] for name, values in done.columns.items()}
    assert done.columns["stay"].tolist() == ["a", "b", "c"]
    assert [row[f"K_{a}"] for a in ("last", "first", "mean", "min", "max", "count", "hours_since")] == [
        3.0, 4.0, 4.0, 3.0, 5.0, 3.0, 19.0,
    ]  # fmt: skip
    assert row["K_slope"] == pytest.approx(np.polyfit([1, 3, 5], [4, 5, 3], 1)[0])
    assert row["age"] == pytest.approx(71.0, abs=0.01)
    assert "born" not in done.columns
    assert done.columns["K_count"].tolist() == [3.0, 1.0, 0.0]
    assert np.isnan(done.columns["K_last"][2])
    assert np.isnan(done.columns["K_slope"][1])


def test_window_reaches_back_from_the_prediction() -> None:
    plan = changed(lambda p: p["events"][0].update(window="20 hours", aggregates=["count", "mean"]))
    assert integrate(plan, TABLES).columns["K_count"].tolist() == [1.0, 0.0, 0.0]  # hours 4 to 24: of a only hour 5


@settings(max_examples=15)
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.floats(-50, 300), st.floats(-1e6, 1e6), st.sampled_from(["K", "X"])),
        min_size=1,
        max_size=12,
    )
)
def test_what_comes_at_or_after_the_prediction_changes_nothing(added: list[tuple[str, float, float, str]]) -> None:
    """With and without rows at or after it, whatever they hold, in another order, items left to be chosen too."""
    plan = changed(lambda p: p["events"][0].pop("items"))
    plan["events"][0].update(least=1)
    begin = {"a": 0.0, "b": 100.0, "c": 0.0}
    before = [row for row in added if round(row[1], 3) < begin[row[0]] + 24]
    after = [row for row in added if round(row[1], 3) >= begin[row[0]] + 24]
    after.append(("b", 124.0, 1e9, "Z"))  # at the very moment

    def with_rows(rows: list[tuple[str, float, float, str]]) -> dict[str, Any]:
        more = [[r[0] for r in rows], [at(round(r[1], 3)) for r in rows], [r[3] for r in rows], [r[2] for r in rows]]
        labs = {name: [*new, *old] for (name, old), new in zip(LABS.items(), more, strict=True)}
        return integrate(plan, {**TABLES, "labs": labs}).columns

    one, two = with_rows(before), with_rows([*after, *reversed(before)])
    assert list(one) == list(two)
    for name in one:
        if one[name].dtype == object:
            assert one[name].tolist() == two[name].tolist()
        else:
            np.testing.assert_allclose(one[name], two[name], rtol=1e-9, atol=1e-6)


def test_days_without_hours_are_known_when_the_day_is_over() -> None:
    """A row dated on the day of the prediction may be from after it."""
    events = {"table": "drugs", "on": ["person"], "time": "day", "by": "drug", "least": 1, "aggregates": ["count"]}
    plan = changed(lambda p: p.update(events=[events]))
    drugs = {"person": [1, 1], "day": ["2021-03-01", "2021-03-02"], "drug": ["x", "x"]}
    done = integrate(plan, {**TABLES, "drugs": drugs})
    assert done.columns["drugs_x_count"].tolist() == [1.0, 2.0, 0.0]
    assert any("day is over" in note for note in done.notes)


def test_codes_become_known_when_the_other_table_says() -> None:
    """Diagnoses of stay a, known at its end, count for stay b of the same person, not for a itself; those of b, which
    ends 26 hours after its prediction, for nobody."""
    stays = {**STAYS, "end": [at(50), at(150), at(60)]}
    plan = changed(lambda p: p.pop("events"))
    plan["codes"] = [{"table": "dx", "on": ["person"], "code": "icd", "prefix": 3, "least": 1,
                      "time_from": {"table": "stays", "on": ["stay"], "column": "end"}}]  # fmt: skip
    dx = {"person": [1, 1, 1], "stay": ["a", "a", "b"], "icd": ["0389", "0381", "0389"]}
    assert integrate(plan, {**TABLES, "stays": stays, "dx": dx}).columns["dx_038_count"].tolist() == [0.0, 2.0, 0.0]


def test_cohort_flow_and_table_one() -> None:
    plan = changed(lambda p: p.update(cohort=[
        {"name": "adults", "column": "age", "least": 18},
        {"name": "still there", "column": "end", "after_prediction": True},
        {"name": "women", "column": "sex", "is": "f"},
    ]))  # fmt: skip
    done = integrate(plan, TABLES)
    assert done.flow == [("rows of stays", 3), ("with a key", 3), ("with a prediction time", 3), ("adults", 3),
                         ("still there", 2), ("women", 1)]  # fmt: skip
    assert done.columns["stay"].tolist() == ["a"]
    assert "<5" in str(done)
    assert not any(line[0].startswith(("stay", "person")) for line in done.table1)
    many = {"id": list(range(40)), "t": [at(0)] * 40, "x": [float(i) for i in range(40)], "y": [0, 1] * 20}
    simple = {"rows": {"table": "many", "key": ["id"], "keep": ["x"], "prediction_time": "t", "target": "y"}}
    lines = {line[0]: line[1:] for line in integrate(simple, {"many": many}).table1}
    assert lines["rows"] == ["40", "20", "20"]
    assert lines["x, median (quartiles)"][0] == "19.5 (9.75 to 29.2)"


REFUSED: list[tuple[Callable[[dict[str, Any]], Any], type[Exception], str]] = [
    (lambda p: p["rows"].pop("prediction_time"), ValueError, "no prediction_time"),
    (lambda p: p["rows"].update(keep=["persn"]), KeyError, "did you mean 'person'"),
    (lambda p: p["events"][0].update(value="valu"), KeyError, "did you mean 'value'"),
    (lambda p: p["events"][0].update(table="lab"), FileNotFoundError, "did you mean 'labs'"),
    (lambda p: p["events"][0].update(aggregates=["median"]), ValueError, "no aggregate named 'median'"),
    (lambda p: p["events"][0].update(windw="1 day"), ValueError, "did you mean 'window'"),
    (lambda p: p["events"][0].update(window="soon"), ValueError, "a time such as '24 hours'"),
    (lambda p: p["events"][0].pop("time"), ValueError, "neither `time` nor `time_from`|neither `time` and `time_from`"),
    (lambda p: p["rows"].update(prediction_time="stay"), ValueError, "holds text that is no date, in 3 rows"),
    (lambda p: p["rows"].update(key=["person"]), ValueError, "1 values of the key 'person' in more than one row"),
    (lambda p: p["joins"].append({"table": "labs", "on": ["stay"], "keep": ["test"]}), ValueError,
     "joining labs on 'stay' would multiply rows: 1 of its keys"),
    (lambda p: p["joins"].append({"table": "persons", "on": {"person": "stay"}, "keep": ["sex"]}), ValueError,
     "already"),
    (lambda p: p.update(cohort=[{"name": "none", "column": "age", "least": 200}]), ValueError, "no row is left"),
    (lambda p: p.update(row={}), ValueError, "did you mean 'rows'"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "kind", "words"), REFUSED)
def test_refused_in_one_sentence(change: Callable[[dict[str, Any]], Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words) as refused:
        integrate(changed(change), TABLES)
    assert "\n" not in str(refused.value)
    assert "Binder" not in str(refused.value)


def test_keys_agree_as_numbers_and_as_text() -> None:
    """pandas makes 7.0 of 7 where a column has gaps."""
    persons = {"person": ["1.0", " 2"], "sex": ["f", "m"], "born": PERSONS["born"]}
    assert integrate(PLAN, {**TABLES, "persons": persons}).columns["sex"].tolist() == ["f", "f", "m"]


def test_more_rows_than_memory(tmp_path: Path) -> None:
    """A table of 200 MB within 80 MB for DuckDB and 1,200 MB of addresses; the sums are known. 10 MB are too few."""
    duckdb = pytest.importorskip("duckdb")
    big = tmp_path / "big.csv"
    duckdb.sql(
        "copy (select i % 20000 as stay, timestamp '2021-01-01' + to_seconds(i // 20000) as time, i // 20000 as value,"
        f" repeat('x', 100) as note from range(1600000) t(i)) to '{big}' (header)"
    )
    assert big.stat().st_size > 2 * 80e6
    duckdb.sql(
        "copy (select i as stay, timestamp '2021-01-01 00:01:00' as begin from range(20000) t(i))"
        f" to '{tmp_path / 'stays.csv'}' (header)"
    )
    (tmp_path / "plan.toml").write_text(
        '[rows]\ntable = "stays.csv"\nkey = ["stay"]\nprediction_time = "begin"\n'
        '[[events]]\ntable = "big.csv"\non = ["stay"]\ntime = "time"\nvalue = "value"\nname = "v"\n'
        'aggregates = ["last", "mean", "count"]\n',
        encoding="utf-8",
    )
    code = (
        "import resource, sys; import duckdb, numpy as np; from tinynet.tabular.integrate import integrate;"
        "resource.setrlimit(resource.RLIMIT_AS, (1200 << 20,) * 2);"
        "c = integrate(sys.argv[1], memory_limit='80MB').columns;"
        "assert (c['v_count'] == 60).all() and (c['v_last'] == 59).all() and (c['v_mean'] == 29.5).all();"
        "print(len(c['v_count']))"
    )
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "plan.toml")],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-600:]
    assert done.stdout.strip() == "20000"
    with pytest.raises(ValueError, match="the 10MB of memory_limit are not enough") as refused:
        integrate(tmp_path / "plan.toml", memory_limit="10MB")
    assert "\n" not in str(refused.value)


@pytest.mark.skipif(not DATA.is_dir(), reason="TINYNET_DATA names no folder")
def test_mimic_by_the_example_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The plan that --help shows, on the demo's own tables, beside pandas for creatinine."""
    pandas = pytest.importorskip("pandas")
    for file in (DATA / "mimic3_demo").glob("*.csv"):
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "plan.toml").write_text(EXAMPLE, encoding="utf-8")
    assert cli.main(["integrate", str(tmp_path / "plan.toml"), "--out", str(tmp_path / "out")]) == 0
    assert "119  still in hospital  (10 removed)" in capsys.readouterr().out
    table = pandas.read_csv(tmp_path / "out" / "table.csv").set_index("hadm_id")
    stays = pandas.read_csv(tmp_path / "admissions.csv", parse_dates=["admittime"])
    labs = pandas.read_csv(tmp_path / "labevents.csv", parse_dates=["charttime"])
    assert len(table) == 119
    assert table.index.is_unique
    labs = labs[labs.itemid == 50912].merge(stays[["hadm_id", "admittime"]], on="hadm_id")
    hours = (labs.charttime - labs.admittime).dt.total_seconds() / 3600
    labs = labs[(hours >= 0) & (hours < 24) & labs.valuenum.notna()].sort_values("charttime")
    expected = labs.groupby("hadm_id").valuenum.agg(["mean", "count", "max", "last"]).reindex(table.index)
    for name in ("mean", "max", "last"):
        np.testing.assert_allclose(table[f"creatinine_{name}"], expected[name], rtol=1e-9)
    np.testing.assert_array_equal(table["creatinine_count"], expected["count"].fillna(0))


def test_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plan.toml").write_text('[rows]\ntable = "x.csv"\nkey = "a"\n', encoding="utf-8")
    assert cli.main(["integrate", str(tmp_path / "plan.toml")]) == 1
    assert "no prediction_time" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["integrate", "--help"])
    assert "prediction_time" in capsys.readouterr().out
