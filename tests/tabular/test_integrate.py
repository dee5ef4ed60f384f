"""Integration: what each aggregate is, that nothing after the prediction time is seen, that no join multiplies rows."""

import copy
import datetime
import gzip
import os
import re
import subprocess
import sys
import tomllib
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


SIMPLE = """
[rows]
table = "stays.csv"
key = ["id"]
prediction_time = "t"
[[events]]
table = "labs.csv"
on = ["id"]
time = "time"
value = "v"
name = "v"
aggregates = ["count", "last"]
"""
ROWS_CSV = "id,t\n1,2021-03-01 08:00\n2,2021-03-02 09:00\n"
LABS_CSV = "id,time,v\n1,2021-03-01 07:00,4\n1,2021-03-01 08:00,5\n2,2021-03-02 08:59:59,6\n"


def from_files(folder: Path, stays: str | bytes, labs: str | bytes) -> Any:
    for name, text in (("stays.csv", stays), ("labs.csv", labs), ("plan.toml", SIMPLE)):
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return integrate(folder / "plan.toml")


WRITTEN: list[tuple[str, str | bytes, str | bytes]] = [
    ("as usual", ROWS_CSV, LABS_CSV),
    ("semicolons", ROWS_CSV.replace(",", ";"), LABS_CSV.replace(",", ";")),
    ("a mark of the byte order, Windows's line ends", "\ufeff" + ROWS_CSV.replace("\n", "\r\n"), LABS_CSV),
    ("gzipped without the name", ROWS_CSV, gzip.compress(LABS_CSV.encode())),
    ("Latin-1", ROWS_CSV, LABS_CSV.replace("v\n", "v,by\n", 1).replace("4\n", "4,M\xfcller\n").replace(
        "5\n", "5,\n").replace("6\n", "6,\n").encode("latin-1")),
    ("a line end in quotes", ROWS_CSV, 'note,' + LABS_CSV.replace("\n", '\n"a\nb, ""c""",', 3)),
    ("the day first", "id,t\n1,01/03/2021 08:00\n2,02/03/2021 09:00\n3,31/03/2021 09:00\n", LABS_CSV),
    ("the month first, halves of the day", "id,t\n1,3/1/2021 8:00 AM\n2,3/2/2021 9:00 AM\n3,3/31/2021 9:00 PM\n",
     LABS_CSV),
    ("a German year last", "id,t\n1,01.03.2021 08:00\n2,02.03.2021 09:00\n", LABS_CSV),
    ("zones", "id,t\n1,2021-03-01T03:00-05:00\n2,2021-03-02T09:00:00Z\n",
     "id,time,v\n1,2021-03-01 09:00+02:00,4\n1,2021-03-01 13:30+05:30,5\n2,2021-03-02 08:59:59+00,6\n"),
    ("words for nothing", ROWS_CSV + "3,NA\n,2021-03-02 09:00\n", LABS_CSV + "2,NULL,9\n2,,9\nNaN,2021-01-01,9\n"),
    ("zeros before the numbers", ROWS_CSV.replace("\n1", "\n001").replace("\n2", "\n002"), LABS_CSV),
    ("the end of a number that pandas writes", ROWS_CSV, LABS_CSV.replace("\n1,", "\n1.0,").replace("\n2,", "\n2.0,")),
]  # fmt: skip


@pytest.mark.parametrize(("how", "stays", "labs"), WRITTEN, ids=[w[0] for w in WRITTEN])
def test_the_same_however_it_is_written(tmp_path: Path, how: str, stays: str | bytes, labs: str | bytes) -> None:
    """Of patient 1 one value, 4, is before 8:00, and of patient 2 one, 6."""
    done = from_files(tmp_path, stays, labs)
    assert done.columns["v_count"].tolist()[:2] == [1.0, 1.0]
    assert done.columns["v_last"].tolist()[:2] == [4.0, 6.0]


REFUSED_FILES: list[tuple[str, str, str]] = [
    (ROWS_CSV, LABS_CSV.replace("07:00", "07:00Z"), "labs.csv: column 'time' holds times with a time zone and times"),
    (
        ROWS_CSV,
        "id,time,v\n1,2021-03-01 07:00Z,4\n",
        "labs.csv: column 'time' has a time zone, and stays.csv: column 't'",
    ),
    ("id,t\n1,03/01/2021\n", LABS_CSV, "stays.csv: column 't' holds dates that may have the day or the month first"),
    ("id,t\n1,13/01/2021\n2,01/13/2021\n", LABS_CSV, "dates with the day first and dates with the month first"),
    (
        ROWS_CSV,
        LABS_CSV.replace("08:59:59", "25:59:59"),
        "labs.csv: column 'time' holds text that is no date, in 1 rows",
    ),
    (
        ROWS_CSV,
        LABS_CSV + "2,2021-03-02 08:00\n",
        "labs.csv cannot be read near line 5: as many fields as in the header",
    ),
    (ROWS_CSV, LABS_CSV + "2,2021-03-02 08:00,7,8,9\n", "labs.csv cannot be read near line 5"),
    ("id,t,T\n1,2021-03-01 08:00,x\n", LABS_CSV, "stays.csv: the table has 2 columns named 't'"),
    ("id,t\n001,2021-03-01\n01,2021-03-02\n", LABS_CSV, "keys in 'id' differ only by zeros before them"),
    ("id,t\n1,\n2,\n", LABS_CSV, "no row is left after the rule 'with a prediction time'"),
    ("", LABS_CSV, "stays.csv is empty"),
    ("1,2,3\n4,5,6\n", LABS_CSV, "the first line of stays.csv looks like data"),
]


@pytest.mark.parametrize(("stays", "labs", "words"), REFUSED_FILES)
def test_what_is_doubtful_is_refused(tmp_path: Path, stays: str, labs: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)) as refused:
        from_files(tmp_path, stays, labs)
    assert "\n" not in str(refused.value)
    assert "2021-03" not in str(refused.value)  # no value of a row


def test_what_is_kept_is_what_was_known() -> None:
    """Dates yet to come are left out, of those on the day itself too; a name of the outcome is remarked on."""
    day = START.date().isoformat()  # the day of the prediction, which is at 8:00 of it
    stays = {
        **STAYS,
        "last_seen": [at(-5), at(100), at(2)],
        "dead": [day, "2021-03-02", "2020-01-01"],
        "los": [1, 2, 3],
    }
    plan = changed(lambda p: (p.pop("events"), p["rows"].update(after="0 hours", keep=["last_seen", "dead", "los"]),
                              p.update(joins=[], elapsed=[{"name": "since_death", "since": "dead"}])))  # fmt: skip
    done = integrate(plan, {"stays": stays})
    assert [v is not None for v in done.columns["last_seen"]] == [True, False, False]
    assert "dead" not in done.columns
    assert np.isfinite(done.columns["since_death"]).tolist() == [False, True, True]
    assert any(note.startswith("possible leak: 'los'") for note in done.notes)
    assert any("'last_seen' is at or after the prediction time in 2 rows" in note for note in done.notes)


def test_an_empty_clock_is_a_day(tmp_path: Path) -> None:
    """Midnight among real times is an hour; where it comes far too often, it is a day without one."""
    times = [f"2021-02-{1 + i % 27:02d} {i % 23 + 1:02d}:{i % 59:02d}" for i in range(200)]
    few = "".join(f"9,{t},1\n" for t in times)
    midnight = "id,time,v\n1,2021-03-01 00:00,4\n2,2021-03-02 08:00,6\n"
    assert from_files(tmp_path, ROWS_CSV, midnight + few).columns["v_count"].tolist() == [1.0, 1.0]
    many = "".join(f"9,2021-02-{1 + i % 27:02d} 00:00,1\n" for i in range(40))
    done = from_files(tmp_path, ROWS_CSV, midnight + few + many)
    assert done.columns["v_count"].tolist() == [0.0, 1.0]
    assert any("some times are days without hours" in note for note in done.notes)


def test_codes_keep_their_points_and_lists_are_told(tmp_path: Path) -> None:
    """428.0 is no 428; lists in cells are noticed, and unfolded where the plan names their sign."""
    plan = changed(lambda p: p.pop("events"))
    dx = {"person": ["1", "1", "2"], "day": ["2021-01-01"] * 3, "icd": ["428.0", "427.31", "428.0;401.9"]}
    plan["codes"] = [{"table": "dx", "on": ["person"], "code": "icd", "least": 1, "time": "day"}]
    done = integrate(plan, {**TABLES, "dx": dx})
    assert done.columns["dx_428.0_count"].tolist() == [1.0, 1.0, 0.0]
    assert any("seem to hold lists" in note for note in done.notes)
    plan["codes"][0].update(separator=";", items={"428.0": "failure", "401.9": "pressure"})
    done = integrate(plan, {**TABLES, "dx": dx})
    assert done.columns["failure_count"].tolist() == [1.0, 1.0, 1.0]
    assert done.columns["pressure_count"].tolist() == [0.0, 0.0, 1.0]


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


ALL_OF_MIMIC = """
[rows]
table = "admissions.csv"
key = ["hadm_id"]
keep = ["subject_id", "admission_type"]
prediction_time = "admittime"
after = "48 hours"
target = "hospital_expire_flag"
[[joins]]
table = "patients.csv"
on = ["subject_id"]
keep = ["gender", "dob"]
[[elapsed]]
name = "age"
since = "dob"
unit = "years"
[[cohort]]
name = "still in hospital"
column = "dischtime"
after_prediction = true
[[events]]
table = "labevents.csv"
on = ["hadm_id"]
time = "charttime"
value = "valuenum"
by = "itemid"
labels = { table = "d_labitems.csv", on = "itemid", column = "label" }
most = 10
aggregates = ["last", "mean", "count"]
[[events]]
table = "microbiologyevents.csv"
on = ["hadm_id"]
time = "chartdate"
by = "spec_type_desc"
aggregates = ["count"]
[[events]]
table = "prescriptions.csv"
on = ["hadm_id"]
time = "startdate"
by = "drug"
aggregates = ["count"]
[[events]]
table = "transfers.csv"
on = ["hadm_id"]
time = "intime"
by = "curr_careunit"
aggregates = ["count", "hours since"]
[[events]]
table = "services.csv"
on = ["hadm_id"]
time = "transfertime"
by = "curr_service"
aggregates = ["count"]
[[events]]
table = "icustays.csv"
on = ["subject_id"]
time = "outtime"
value = "los"
name = "icu_days_before"
aggregates = ["count", "max"]
[[codes]]
table = "diagnoses_icd.csv"
on = ["subject_id"]
code = "icd9_code"
least = 2
labels = { table = "d_icd_diagnoses.csv.gz", on = "icd9_code", column = "short_title" }
time_from = { table = "admissions.csv", on = ["hadm_id"], column = "dischtime" }
[[codes]]
table = "procedures_icd.csv"
on = ["subject_id"]
code = "icd9_code"
least = 2
labels = { table = "d_icd_procedures.csv", on = "icd9_code", column = "short_title" }
time_from = { table = "admissions.csv", on = ["hadm_id"], column = "dischtime" }
[[codes]]
table = "drgcodes.csv"
on = ["subject_id"]
code = "drg_code"
least = 2
time_from = { table = "admissions.csv", on = ["hadm_id"], column = "dischtime" }
"""


@pytest.mark.skipif(not DATA.is_dir(), reason="TINYNET_DATA names no folder")
def test_all_fourteen_tables_of_mimic_beside_pandas() -> None:
    pd = pytest.importorskip("pandas")
    folder = DATA / "mimic3_demo"
    plan = tomllib.loads(ALL_OF_MIMIC)
    for part in [plan["rows"], *plan["joins"], *plan["events"], *plan["codes"]]:
        for one in (part, part.get("labels"), part.get("time_from")):
            if one:
                one["table"] = str(folder / one["table"])
    done = integrate(plan)
    got = pd.DataFrame(dict(done.columns)).set_index("hadm_id")

    def table(name: str, *times: str) -> Any:
        return pd.read_csv(folder / f"{name}.csv", parse_dates=list(times), dtype={"icd9_code": str})

    stays = table("admissions", "admittime", "dischtime")
    stays["now"] = stays.admittime + pd.Timedelta(hours=48)
    rows = stays[stays.dischtime >= stays.now].set_index("hadm_id")
    assert sorted(got.index.astype(int)) == sorted(rows.index)
    got = got.set_index(got.index.astype(int)).loc[rows.index]

    def before(name: str, time: str, on: str, *, days: bool = False) -> Any:
        events = table(name, time).merge(
            rows.reset_index()[["hadm_id", "subject_id", "now"]], on=on, suffixes=("_", "")
        )
        known = events[time] + pd.Timedelta(days=1) if days else events[time]
        return events[known <= events.now if days else known < events.now]

    def same(column: str, expected: Any, fill: float | None = None) -> None:
        expected = expected.reindex(rows.index)
        expected = expected if fill is None else expected.fillna(fill)
        assert expected.notna().sum() > 5
        assert expected.nunique() > 1
        np.testing.assert_allclose(got[column].astype(float), expected.astype(float), rtol=1e-9, err_msg=column)

    labs = before("labevents", "charttime", "hadm_id").dropna(subset=["valuenum"])
    potassium = labs[labs.itemid == 50971].sort_values("charttime").groupby("hadm_id").valuenum
    same("labevents_Potassium_count", potassium.size(), 0)
    same("labevents_Potassium_mean", potassium.mean())
    drugs = before("prescriptions", "startdate", "hadm_id", days=True)
    same("prescriptions_Insulin_count", drugs[drugs.drug == "Insulin"].groupby("hadm_id").size(), 0)
    cultures = before("microbiologyevents", "chartdate", "hadm_id", days=True)
    same("microbiologyevents_BLOOD CULTURE_count",
         cultures[cultures.spec_type_desc == "BLOOD CULTURE"].groupby("hadm_id").size(), 0)  # fmt: skip
    moves = before("transfers", "intime", "hadm_id")
    same("transfers_MICU_count", moves[moves.curr_careunit == "MICU"].groupby("hadm_id").size(), 0)
    earlier = before("icustays", "outtime", "subject_id")
    same("icu_days_before_count", earlier.groupby("hadm_id").size(), 0)
    same("icu_days_before_max", earlier.groupby("hadm_id").los.max())
    ended = stays[["hadm_id", "dischtime"]].rename(columns={"hadm_id": "then"})
    dx = table("diagnoses_icd").rename(columns={"hadm_id": "then"}).merge(ended, on="then")
    dx = dx.merge(rows.reset_index()[["hadm_id", "subject_id", "now"]], on="subject_id")
    dx = dx[(dx.dischtime < dx.now) & (dx.icd9_code == "4019")]
    same("diagnoses_icd_Hypertension NOS_count", dx.groupby("hadm_id").size(), 0)


def test_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plan.toml").write_text('[rows]\ntable = "x.csv"\nkey = "a"\n', encoding="utf-8")
    assert cli.main(["integrate", str(tmp_path / "plan.toml")]) == 1
    assert "no prediction_time" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["integrate", "--help"])
    assert "prediction_time" in capsys.readouterr().out
