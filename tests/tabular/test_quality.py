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
