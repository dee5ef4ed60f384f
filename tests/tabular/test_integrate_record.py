"""A made record of several hundred patients, with the traps of real ones, beside an oracle in plain pandas.

The traps: patient numbers with zeros before them in one table and without in others; dates in four forms; days without
hours among times; missing times and keys; results that are reported after the prediction; values at the very moment and
after it that would shout if they were seen; text among numbers; several admissions of a patient; diagnoses that become
known at discharge, listed in one cell; a gzipped CSV and a Parquet file; a table that multiplies rows.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinynet.cli import main
from tinynet.tabular.integrate import integrate

pytest.importorskip("duckdb")
pd = pytest.importorskip("pandas")

SHOUT = 1e6  # what no honest aggregate comes near
PLAN = """
[rows]
table = "stays.csv"
key = ["stay"]
keep = ["patient", "ward", "first_icu", "end"]
prediction_time = "begin"
after = "24 hours"
target = "died"
[[joins]]
table = "people.csv"
on = { id = "patient" }
keep = ["sex", "born", "dead"]
[[elapsed]]
name = "age"
since = "born"
unit = "years"
[[cohort]]
name = "still in hospital"
column = "end"
after_prediction = true
[[cohort]]
name = "adults"
column = "age"
least = 18
[[events]]
table = "labs.csv.gz"
on = ["stay"]
time = ["taken", "reported"]
value = "value"
by = "test"
items = ["K", "Na"]
aggregates = ["last", "first", "mean", "min", "max", "slope", "count", "hours since"]
[[events]]
table = "pulse.parquet"
on = { patient_number = "patient" }
time = "at"
value = "bpm"
window = "36 hours"
aggregates = ["mean", "count"]
[[events]]
table = "drugs.csv"
on = ["patient"]
time = "start"
by = "drug"
items = ["heparin", "insulin"]
aggregates = ["count"]
[[codes]]
table = "diagnoses.csv"
on = ["patient"]
code = ["main", "others"]
separator = ";"
prefix = 3
items = ["I10", "E11"]
name = "dx"
time_from = { table = "stays.csv", on = ["stay"], column = "end" }
[[events]]
table = "stays.csv"
on = ["patient"]
time = "end"
name = "earlier_stay"
aggregates = ["count", "hours since"]
"""


def made() -> dict[str, Any]:
    """The tables with true times, before they are written in all kinds of ways."""
    g = np.random.default_rng(7)
    people = pd.DataFrame({"patient": np.arange(1, 251), "sex": g.choice(["f", "m"], 250)})
    people["born"] = pd.Timestamp("1930-01-01") + pd.to_timedelta(g.integers(0, 365 * 88, 250), unit="D")
    who = np.sort(np.r_[people.patient, g.choice(people.patient, 150)])
    stays = pd.DataFrame({"patient": who, "stay": [f"S{i:04d}" for i in range(len(who))]})
    stays["begin"] = pd.Timestamp("2021-01-01") + pd.to_timedelta(g.integers(0, 60 * 24 * 600, len(who)), unit="min")
    stays["end"] = stays.begin + pd.to_timedelta(g.integers(600, 60 * 24 * 14, len(who)), unit="min")
    stays["died"] = (g.random(len(who)) < 0.15).astype(int)
    stays["ward"] = g.choice(["north", "south"], len(who))
    stays["first_icu"] = (stays.begin + pd.to_timedelta(g.integers(0, 60 * 72, len(who)), unit="min")).where(
        g.random(len(who)) < 0.4)  # fmt: skip
    lost = g.random(len(who)) < 0.04
    stays.loc[lost, "begin"] = pd.NaT
    predicted = stays.begin + pd.Timedelta(hours=24)
    at = g.integers(0, len(who), 6000)
    labs = pd.DataFrame({"stay": stays.stay.values[at], "test": g.choice(["K", "Na", "Cl"], 6000)})
    labs["taken"] = stays.begin.values[at] + pd.to_timedelta(g.integers(-600, 60 * 60, 6000), unit="min")
    labs["reported"] = labs.taken + pd.to_timedelta(g.integers(5, 600, 6000), unit="min")
    late = (labs.reported >= predicted.values[at]).values
    labs["value"] = np.where(late, SHOUT, np.round(g.normal(4, 1, 6000), 2))
    labs["value"] = labs["value"].astype(str)
    labs.loc[g.random(6000) < 0.03, "value"] = "haemolysed"
    labs.loc[g.random(6000) < 0.03, "taken"] = pd.NaT
    at = g.integers(0, len(who), 5000)
    pulse = pd.DataFrame({"patient_number": who[at].astype(float)})
    pulse["at"] = stays.begin.values[at] + pd.to_timedelta(60 * g.integers(-90, 40, 5000) + 60 * 24, unit="min")
    pulse["bpm"] = np.where((pulse["at"] >= predicted.values[at]).values, SHOUT, g.normal(80, 9, 5000))
    pulse.loc[::50, "patient_number"] = np.nan
    at = g.integers(0, len(who), 2500)
    drugs = pd.DataFrame({"patient": who[at], "drug": g.choice(["heparin", "insulin", "aspirin"], 2500)})
    drugs["start"] = stays.begin.values[at] + pd.to_timedelta(g.integers(-3000, 3000, 2500), unit="min")
    drugs["bare"] = g.random(2500) < 0.5  # written as a day without an hour
    codes = pd.DataFrame({"patient": who, "stay": stays.stay, "main": g.choice(["I10", "E11.9", "J18.1"], len(who))})
    codes["others"] = g.choice(["", "I10; E11.9", "E11.0;K21"], len(who))
    people["dead"] = people.patient.map(stays[stays.died == 1].groupby("patient").end.max().dt.normalize())
    return {"people": people, "stays": stays, "labs": labs, "pulse": pulse, "drugs": drugs, "codes": codes}


def written(tables: dict[str, Any], folder: Path) -> None:
    """As hospitals write: each table in a fashion of its own."""
    t = {name: table.copy() for name, table in tables.items()}
    people = t["people"].assign(id=[f"{i:06d}" for i in t["people"].patient])
    people["born"], people["dead"] = people.born.dt.strftime("%d.%m.%Y"), people.dead.dt.strftime("%d-%b-%Y")
    people.drop(columns="patient").to_csv(folder / "people.csv", index=False)
    t["stays"]["first_icu"] = t["stays"].first_icu.dt.strftime("%d/%m/%Y %H:%M")
    t["stays"].to_csv(folder / "stays.csv", index=False)
    t["labs"]["reported"] = t["labs"].reported.dt.strftime("%m/%d/%Y %I:%M %p")
    t["labs"].to_csv(folder / "labs.csv.gz", index=False)
    t["pulse"].to_parquet(folder / "pulse.parquet")
    start = t["drugs"].start
    t["drugs"]["start"] = start.dt.strftime("%Y-%m-%d").where(t["drugs"].bare, start.dt.strftime("%Y-%m-%d %H:%M"))
    t["drugs"].drop(columns="bare").to_csv(folder / "drugs.csv", index=False)
    t["codes"].to_csv(folder / "diagnoses.csv", index=False)
    (folder / "plan.toml").write_text(PLAN, encoding="utf-8")


def oracle(t: dict[str, Any]) -> Any:
    """The same table, row by row in pandas, from the true times."""
    out = []
    people = t["people"].set_index("patient")
    by = {
        name: dict(list(t[name].groupby(key)))
        for name, key in (
            ("labs", "stay"),
            ("pulse", "patient_number"),
            ("drugs", "patient"),
            ("stays", "patient"),
            ("codes", "patient"),
        )
    }
    for stay in t["stays"].dropna(subset=["begin"]).itertuples():
        now, person = stay.begin + pd.Timedelta(hours=24), people.loc[stay.patient]
        age = (now - person.born) / pd.Timedelta(days=365.25)
        if stay.end < now or age < 18:
            continue
        row: dict[str, Any] = {"stay": stay.stay, "patient": stay.patient, "ward": stay.ward, "sex": person.sex}
        row["first_icu"] = not pd.isna(stay.first_icu) and stay.first_icu < now
        row["dead"] = not pd.isna(person.dead) and person.dead + pd.Timedelta(days=1) <= now
        row["died"], row["age"] = stay.died, age
        labs = by["labs"].get(stay.stay, t["labs"][:0])
        labs = labs[labs.taken.notna() & (labs.reported < now) & (labs.taken < now)]
        labs = labs.assign(number=pd.to_numeric(labs.value, errors="coerce")).dropna(subset=["number"])
        for test in ("K", "Na"):
            one = labs[labs.test == test].sort_values(["taken", "number"])
            hours = ((now - one.taken) / pd.Timedelta(hours=1)).to_numpy()
            v, some = one.number.to_numpy(), len(one) > 0
            row |= {f"{test}_count": len(one), f"{test}_mean": v.mean() if some else np.nan}
            row |= {f"{test}_min": v.min() if some else np.nan, f"{test}_max": v.max() if some else np.nan}
            row |= {f"{test}_last": v[-1] if some else np.nan, f"{test}_hours_since": hours.min() if some else np.nan}
            row[f"{test}_first"] = v[hours == hours.max()].max() if some else np.nan
            row[f"{test}_slope"] = np.polyfit(-hours, v, 1)[0] if len(set(hours)) > 1 else np.nan
        pulse = by["pulse"].get(stay.patient, t["pulse"][:0])
        pulse = pulse[(pulse["at"] < now) & (pulse["at"] >= now - pd.Timedelta(hours=36))]
        row |= {"pulse_mean": pulse.bpm.mean(), "pulse_count": len(pulse)}
        drugs = by["drugs"].get(stay.patient, t["drugs"][:0])
        known = (drugs.start.dt.normalize() + pd.Timedelta(days=1)).where(drugs.bare, drugs.start)
        drugs = drugs[np.where(drugs.bare, known <= now, known < now)]
        row |= {f"{drug}_count": (drugs.drug == drug).sum() for drug in ("heparin", "insulin")}
        ended = by["stays"][stay.patient]
        ended, coded = ended[ended.end < now], by["codes"][stay.patient]
        codes = ";".join(coded[coded.stay.isin(ended.stay)][["main", "others"]].to_numpy().ravel())
        row |= {f"{code}_count": sum(c.strip()[:3] == code for c in codes.split(";")) for code in ("I10", "E11")}
        row["earlier_stay_count"] = len(ended)
        row["earlier_stay_hours_since"] = ((now - ended.end) / pd.Timedelta(hours=1)).min()
        out.append(row)
    return pd.DataFrame(out).set_index("stay")


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder, tables = tmp_path_factory.mktemp("record"), made()
    written(tables, folder)
    return folder, tables


def test_it_is_the_oracles_table(record: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    folder, tables = record
    assert main(["integrate", str(folder / "plan.toml"), "--out", str(folder / "out")]) == 0
    expected, got = oracle(tables), pd.read_csv(folder / "out" / "table.csv").set_index("stay")
    assert list(got.index) == list(expected.index)
    assert set(got.columns) == {*expected.columns, "end"}
    got["first_icu"], got["dead"] = got.first_icu.notna(), got.dead.notna()
    assert got.end.isna().all()  # kept by mistake: who is still there ends later, so nothing of it is shown
    for name in expected:
        if expected[name].dtype.kind in "fiu":
            np.testing.assert_allclose(got[name], expected[name].astype(float), rtol=1e-9, atol=1e-7, err_msg=name)
        else:
            assert (got[name] == expected[name]).all(), name
    enough = [expected.K_slope.notna().sum() / 50, expected.first_icu.sum() / 20, expected.I10_count.max() / 2]
    assert min(*enough, expected.earlier_stay_count.max() / 2, expected.dead.sum()) >= 1
    numbers = got.select_dtypes("number").drop(columns=["patient"])
    assert np.nanmax(numbers.to_numpy()) < SHOUT / 10
    said = capsys.readouterr().out
    for words in (
        "'id' of people.csv has zeros before its numbers", "some times are days without hours", "rows have no time",
        "hold no number in 'value'", "'end' is at or after the prediction time", "'dead' is at or after",
    ):  # fmt: skip
        assert words in said, words
    assert (folder / "out" / "table1.csv").is_file()
    left = [int(line.split()[0].replace(",", "")) for line in said.splitlines() if "removed)" in line]
    assert left[-1] == len(expected)


def test_a_result_time_that_the_plan_forgot_is_named(record: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = record
    plan = folder / "forgetful.toml"
    plan.write_text(PLAN.replace('["taken", "reported"]', '"taken"'), encoding="utf-8")
    (note,) = [n for n in integrate(plan).notes if n.startswith("possible leak") and "reported" in n]
    assert 'time = ["taken", "reported"]' in note


@pytest.mark.parametrize(("join", "words"), [
    ('table = "pulse.parquet"\non = { patient_number = "patient" }\nkeep = ["bpm"]', "joining pulse.parquet on"),
    ('table = "diagnoses.csv"\non = ["patient"]\nkeep = ["main"]', "on 'patient' would multiply rows"),
])  # fmt: skip
def test_a_join_that_multiplies_rows_is_refused(record: tuple[Path, dict[str, Any]], join: str, words: str) -> None:
    plan = record[0] / "fan.toml"
    plan.write_text(PLAN.replace("[[elapsed]]", f"[[joins]]\n{join}\n[[elapsed]]"), encoding="utf-8")
    with pytest.raises(ValueError, match=words):
        integrate(plan)


def test_the_order_of_lines_changes_nothing(record: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder, tables = record
    g = np.random.default_rng(3)
    mixed = {n: t if n == "stays" else t.iloc[g.permutation(len(t))].reset_index(drop=True) for n, t in tables.items()}
    written(mixed, tmp_path)
    one, two = integrate(folder / "plan.toml"), integrate(tmp_path / "plan.toml")
    for name, values in one.columns.items():
        if values.dtype == object:
            assert values.tolist() == two.columns[name].tolist()
        else:
            np.testing.assert_allclose(values, two.columns[name], rtol=1e-9)
    assert json.dumps(one.flow) == json.dumps(two.flow)
