"""data_quality: what is planted is found by its name, a clean table is let be, and nobody's value is shown."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

from tinynet.cli import main
from tinynet.tabular.quality import data_quality

ROWS = 600
G = np.random.default_rng(1)


def clean(seed=0):
    """A table without faults: two measurements, a category, an outcome that hangs on one of them a little."""
    g = np.random.default_rng(seed)
    age = np.round(g.uniform(20, 90, ROWS), 2)
    return {
        "age": age,
        "sodium": np.round(g.normal(140, 4, ROWS), 2),
        "sex": g.choice(["female", "male"], ROWS),
        "died": (g.random(ROWS) < 1 / (1 + np.exp(-(age - 60) / 20))).astype(int),
    }


@pytest.mark.parametrize("seed", range(4))
def test_a_clean_table_has_no_alarm(seed):
    counts = data_quality(clean(seed), target="died").counts()
    assert (counts["serious"], counts["warning"]) == (0, 0)


@pytest.mark.parametrize("seed", range(3))
def test_a_clean_hospital_table_has_no_alarm(seed):
    """Dates, units, gaps at random, pressures, a body mass index that is one, doses that are often 0."""
    g = np.random.default_rng(seed)
    n = int(g.integers(400, 3000))
    severity, height = g.normal(0, 1, n), np.round(g.normal(170, 10, n))
    weight = np.round(g.normal(78, 14, n), 1)
    days = np.datetime64("2020-01-01T00:00") + g.integers(0, 700 * 1440, n).astype("timedelta64[m]")
    table = {
        "age": np.round(g.uniform(18, 95, n)), "sex": g.choice(["F", "M"], n), "admitted": days.astype(str),
        "sbp": np.round(130 + 15 * severity), "dbp": np.round(70 + 6 * severity),
        "heart_rate": np.round(g.normal(80, 14, n)),
        "creatinine": np.round(g.lognormal(0, 0.4, n), 2), "troponin": np.round(g.lognormal(-3, 1.5, n), 3),
        "lactate": np.where(g.random(n) < 0.3, np.nan, np.round(g.lognormal(0.5, 0.5, n), 1)),
        "n_prior_visits": g.poisson(1.2, n), "hospital": g.choice(list("ABCDE"), n),
        "dose_mg": g.choice([0, 5, 10, 40], n),
        "height": height, "weight": weight, "bmi": np.round(weight / (height / 100) ** 2, 1),
    }  # fmt: skip
    table["died"] = (g.random(n) < 1 / (1 + np.exp(1.2 - 0.4 * severity - 0.03 * (table["age"] - 60)))).astype(int)
    report = data_quality(table, target="died")
    assert [f.text for f in report if f.severity != "note"] == []


@pytest.mark.parametrize("name", ["breast_cancer", "diabetes", "iris", "wine"])
def test_nothing_serious_is_said_of_clean_public_tables(name):
    from sklearn import datasets

    report = data_quality(getattr(datasets, f"load_{name}")(as_frame=True).frame, target="target")
    assert report.counts()["serious"] == 0
    assert report.counts()["warning"] <= 2


def test_a_date_after_the_time_of_the_row():
    day = np.array([f"2021-03-{1 + i % 27:02d}" for i in range(ROWS)], object)
    scan = np.where(np.arange(ROWS) % 3 == 0, "2021-04-02", "2021-02-02").astype(object)
    report = data_quality(clean() | {"seen": day, "scan": scan}, target="died", time="seen")
    (found,) = report.find("after the time")
    assert (found.columns, found.rows, found.severity) == (["scan"], 200, "serious")


def with_column(name, values):
    return lambda t: t | {name: values(t)}


def set_cells(name, rows, value):
    def plant(t):
        column = t[name].astype(object) if isinstance(value, str) else t[name].copy()
        column[rows] = value
        return t | {name: column}

    return plant


def doubled(t):
    rows = np.r_[np.arange(ROWS), np.arange(40)]
    return {name: values[rows] for name, values in t.items()}


def contradicted(t):
    t = doubled(t)
    t["died"] = np.r_[t["died"][:ROWS], 1 - t["died"][:40]]
    return t


FAULTS = [  # kind, severity, column, how it is planted
    ("impossible", "serious", "age", set_cells("age", [3, 4], 900.0)),
    ("implausible", "warning", "marker", with_column("marker", lambda t: np.r_[G.normal(0, 1, ROWS - 1), 1e6])),
    ("mixed units", "serious", "weight", with_column(
        "weight", lambda t: np.where(np.arange(ROWS) < 100, 154.0, 70.0) + G.normal(0, 4, ROWS))),
    ("predicts alone", "serious", "score", with_column("score", lambda t: t["died"] + G.normal(0, 0.1, ROWS))),
    ("target restated", "serious", "outcome", with_column("outcome", lambda t: np.where(t["died"], "yes", "no"))),
    ("identifier", "warning", "record_id", with_column("record_id", lambda t: np.arange(ROWS))),
    ("empty column", None, "nothing", with_column("nothing", lambda t: np.full(ROWS, np.nan))),
    ("constant", None, "hospital", with_column("hospital", lambda t: np.full(ROWS, "north"))),
    ("missing", None, "lactate", with_column(
        "lactate", lambda t: np.where(G.random(ROWS) < 0.7, np.nan, G.normal(2, 1, ROWS)))),
    ("missing together", None, "ph", lambda t: t | {
        name: np.where(np.arange(ROWS) % 3 == 0, np.nan, G.normal(7, 1, ROWS)) for name in ("ph", "pco2", "po2")}),
    ("duplicate rows", None, None, doubled),
    ("same features, other target", None, "died", contradicted),
    ("mixed types", None, "dose", with_column(
        "dose", lambda t: np.array([f"{i / 7:.2f}" if i % 9 else "high" for i in range(ROWS)], object))),
    ("spelled differently", None, "ward", with_column(
        "ward", lambda t: G.choice(["Surgery", "surgery ", "Medicine"], ROWS).astype(object))),
    ("digit preference", None, "pressure", with_column(
        "pressure", lambda t: np.where(G.random(ROWS) < 0.8, 10 * G.integers(9, 18, ROWS), G.integers(90, 180, ROWS)))),
    ("missing", None, "troponin", with_column(  # -999 is known as a gap, and counted as one
        "troponin", lambda t: np.where(G.random(ROWS) < 0.2, -999.0, np.round(G.lognormal(0, 1, ROWS), 3)))),
    ("named after the outcome", None, "discharge_date", with_column(
        "discharge_date", lambda t: np.array([f"2021-{1 + i % 12:02d}-{1 + i % 28:02d}" for i in range(ROWS)]))),
    ("hidden gap", "warning", "insulin", with_column(  # 0 for what was not measured
        "insulin", lambda t: np.where(G.random(ROWS) < 0.3, 0.0, np.round(60 + G.lognormal(4, 0.5, ROWS))))),
    ("hidden gap", "serious", "visit_date", with_column("visit_date", lambda t: np.array(
        ["1900-01-01" if i % 50 == 0 else f"2021-{1 + i % 12:02d}-{1 + i % 28:02d}" for i in range(ROWS)]))),
    ("unknown unit", "warning", "age", lambda t: t | {"age": np.round(t["age"] * 365.25)}),
    ("contradiction", "warning", "ap_lo", lambda t: t | {
        "ap_hi": np.where(np.arange(ROWS) == 7, 70.0, G.normal(135, 6, ROWS)), "ap_lo": G.normal(90, 5, ROWS)}),
    ("contradiction", "warning", "out", lambda t: t | {
        "admitted": np.array([f"{1 + i % 27:02d}/03/2021" for i in range(ROWS)], object),  # other forms of dates, too
        "out": np.array([f"{1 if i == 30 else 2 + i % 27:02d}.03.2021" for i in range(ROWS)], object)}),
    ("contradiction", "warning", "pregnant", with_column(
        "pregnant", lambda t: np.where((t["sex"] == "female") | (np.arange(ROWS) < 9), "yes", "no"))),
    ("contradiction", "warning", "bmi", lambda t: t | {
        "height": G.normal(170, 8, ROWS), "weight": G.normal(75, 10, ROWS), "bmi": G.normal(26, 4, ROWS)}),
    ("contradiction", "warning", "max_pulse", lambda t: t | {
        "min_pulse": np.where(np.arange(ROWS) < 3, 140.0, G.normal(60, 5, ROWS)), "max_pulse": G.normal(110, 5, ROWS)}),
    ("empty rows", "warning", None, lambda t: {  # the totals under a table
        name: np.r_[v[:-1], [None if v.dtype == object or v.dtype.kind == "U" else np.nan]]
        for name, v in (t | {f"x{i}": G.normal(0, 1, ROWS) for i in range(4)}).items()}),
    ("missing by place", "warning", "lactate", lambda t: t | {
        "hospital": (where := G.choice(["north", "south"], ROWS)),
        "lactate": np.where((where == "north") & (G.random(ROWS) < 0.6), np.nan, G.normal(2, 1, ROWS))}),
    ("identifier tells the target", "serious", "case_id", with_column(
        "case_id", lambda t: np.argsort(np.argsort(t["died"] + G.random(ROWS))) + 1000)),
    ("order tells the target", "note", None, lambda t: {
        k: v[np.argsort(t["died"], kind="stable")] for k, v in t.items()}),
    ("everybody died", "warning", "date_of_death", with_column(
        "date_of_death", lambda t: np.array([f"2021-{1 + i % 12:02d}-{1 + i % 28:02d}" for i in range(ROWS)]))),
    ("gaps filled", "warning", "crp_imputed", lambda t: t | {
        "crp": (crp := np.where(np.arange(ROWS) % 4 == 0, np.nan, np.round(G.lognormal(2, 1, ROWS), 2))),
        "crp_imputed": np.where(np.isnan(crp), 7.0, crp)}),
    ("measured later", "warning", "pain_6months", with_column("pain_6months", lambda t: G.normal(0, 1, ROWS))),
    ("spelled differently", "warning", "died", lambda t: t | {
        "died": np.where(t["died"] == 0, "no", np.where(np.arange(ROWS) < 60, "Yes", "yes")).astype(object)}),
    ("one class", "serious", "died", lambda t: t | {"died": np.ones(ROWS)}),
    ("person in several splits", "serious", "patient_id", lambda t: t | {
        "patient_id": np.arange(ROWS) // 2, "born": np.arange(ROWS) // 2 % 50 + 1940,
        "part": np.where(np.arange(ROWS) % 3 == 0, "test", "train")}),
    ("missing target", None, "died", lambda t: t | {"died": np.where(np.arange(ROWS) < 30, np.nan, t["died"])}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "severity", "column", "plant"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_a_planted_fault_is_found(kind, severity, column, plant):
    report = data_quality(plant(clean()), target="died")
    found = report.find(kind, column)
    assert found, str(report)
    assert severity is None or found[0].severity == severity
    assert not data_quality(clean(), target="died").find(kind) or kind in ("duplicate rows",)


def test_one_person_in_several_rows_without_a_group():
    g = np.random.default_rng(3)
    person = np.repeat(np.arange(100), 6)
    table = clean() | {"patient_number": person, "blood_group_code": g.integers(0, 10**6, 100)[person]}
    told = str(data_quality(table, target="died"))
    assert "patient_number" in told
    (known,) = data_quality(table, target="died", group="patient_number").find("one person, several rows")
    assert known.text.endswith("split by it")


def test_no_value_of_a_row_is_ever_shown(tmp_path: Path):
    """A number and a name that stand in the table once are in no form of the report."""
    table = set_cells("sodium", [17], 73912.25)(clean())
    table["note"] = np.array(["as usual"] * ROWS, object)
    table["note"][5] = "Zbigniew Quux"
    report = data_quality(table, target="died")
    assert report.find("implausible", "sodium") or report.find("impossible", "sodium")
    for text in (str(report), report.to_json(), report.to_html()):
        assert "73912" not in text
        assert "Quux" not in text


def test_examples_say_where_to_look_and_only_kinds_of_many_rows():
    """Rows by their numbers, counted from 0; a kind by its name where ten rows and more have it."""
    table = set_cells("age", [3, 9], 900.0)(clean())
    died = table["died"].astype(bool)
    rare = np.flatnonzero(died)[:9]
    where = np.where(died & (np.arange(ROWS) % 2 == 0), "mortuary", "ward").astype(object)
    where[rare] = "chapel of Quux"
    report = data_quality(table | {"room": where}, target="died")
    assert report.find("impossible", "age")[0].examples == ["rows 3, 9"]
    assert report.find("decides the target", "room")[0].examples == ["'mortuary'"]
    assert "rows 3, 9" in str(report)
    assert "mortuary" in report.to_html()
    assert "Quux" not in str(report) + report.to_json() + report.to_html()


def test_parts_of_a_cost_that_is_often_nothing():
    g = np.random.default_rng(5)
    visits = g.poisson(0.8, 2000)
    cost = np.where(visits > 0, np.round(visits * g.lognormal(4, 1, 2000)), 0.0)
    table = {"age": g.normal(50, 9, 2000), "visits": visits, "children": g.poisson(0.8, 2000), "cost": cost}
    (found,) = data_quality(table, target="cost").find("decides the target")
    assert found.columns == ["visits"]


def test_an_easy_task_is_no_leak():
    """Three of four columns that lie apart by nature are one warning, and a single one is a suspect."""
    g = np.random.default_rng(6)
    y = g.integers(0, 2, 500)
    apart = {f"width_{i}": g.normal(3.5 * y, 1.0) for i in range(3)}
    assert [f.severity for f in data_quality({**apart, "z": g.normal(0, 1, 500), "y": y}, target="y").find(
        "predicts alone")] == ["warning"]  # fmt: skip
    table = {"width": apart["width_0"], **{f"z{i}": g.normal(0, 1, 500) for i in range(5)}, "y": y}
    assert [f.severity for f in data_quality(table, target="y").find("predicts alone")] == ["serious"]


def test_json_and_page_hold_every_finding():
    report = data_quality(with_column("score", lambda t: t["died"] * 2.0)(clean()), target="died")
    kept = json.loads(report.to_json())
    assert len(kept["findings"]) == len(report)
    page = report.to_html()
    assert "<svg" in page or "data:image" in page
    assert "predicts alone" in page


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    import pandas as pd

    pd.DataFrame(set_cells("age", [3], 900.0)(clean())).to_csv(tmp_path / "t.csv", index=False)
    assert main(["quality", str(tmp_path / "t.csv"), "--target", "died", "--out", str(tmp_path / "q")]) == 0
    assert "impossible" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "q").iterdir()} == {"quality.txt", "quality.json", "quality.html"}
    assert main(["quality", str(tmp_path / "t.csv"), "--target", "dyed"]) == 1
    assert "'died'" in capsys.readouterr().err
