"""The commands `train` and `predict`: a file in, a model and risks out, and one sentence where something is wrong."""

import csv

import numpy as np
import pandas as pd
import pytest

import tinynet as tn
from tinynet.cli import main
from tinynet.tabular.baselines import plain
from tinynet.tabular.commands import as_frame
from tinynet.tabular.frame import read
from tinynet.tabular.schema import Schema


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a table as CSV and as Parquet, each person having two rows."""
    rng = np.random.default_rng(0)
    age, marker = rng.integers(20, 90, 240), rng.normal(0, 1, 240).round(3)
    frame = pd.DataFrame(
        {
            "visit_of": np.repeat(np.arange(120), 2) + 1000,
            "age": age,
            "marker": marker,
            "sex": rng.choice(["f", "m"], 240),
            "died": np.where(rng.random(240) < 1 / (1 + np.exp(-(age - 55) / 8 - marker)), "yes", "no"),
            "cost": np.where(rng.random(240) < 0.3, 0.0, np.exp(age / 20.0 + marker)).round(2),
            "constant": 1,
            "nothing": None,
        }
    )
    frame.loc[3, "died"] = None
    made = tmp_path_factory.mktemp("tables")
    frame.to_csv(made / "table.csv", index=False)
    frame.to_parquet(made / "table.parquet")
    return made


def test_train_then_predict(folder, capsys):
    model, risks = folder / "model.safetensors", folder / "risks.csv"
    table = str(folder / "table.csv")
    assert main(["train", table, "--target", "died", "--group", "visit_of", "--out", str(model)]) == 0
    said = capsys.readouterr().out
    assert "1 of 240 rows have no 'died'" in said
    assert "2 classes" in said
    assert main(["predict", str(model), table, "--out", str(risks)]) == 0
    with open(risks, encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 240
    p = np.array([float(row["P(died = yes)"]) for row in rows])
    np.testing.assert_allclose(p + [float(row["P(died = no)"]) for row in rows], 1.0)
    assert [row["predicted died"] for row in rows] == np.where(p > 0.5, "yes", "no").tolist()
    age = pd.read_csv(table)["age"]
    assert p[age > 70].mean() > p[age < 40].mean() + 0.3
    assert main(["predict", str(model), table, "--keep", "visit_of", "age", "--remarks", "--out", str(risks)]) == 0
    with open(risks, encoding="utf-8") as file:
        kept = list(csv.DictReader(file))
    assert list(kept[0]) == ["visit_of", "age", *rows[0], "remarks"]
    source = pd.read_csv(table, dtype=str)
    assert [row["visit_of"] for row in kept] == source["visit_of"].tolist()
    assert [row["age"] for row in kept] == source["age"].tolist()
    assert [row["remarks"] for row in kept] == ["; ".join(found) for found in tn.load(model).remarks(table)]
    assert main(["predict", str(model), table, "--keep", "visit", "--out", str(risks)]) == 1
    assert "did you mean 'visit_of'" in capsys.readouterr().err
    loaded = tn.load(model)
    assert "visit_of" not in loaded.schema.features
    np.testing.assert_allclose(loaded.predict_proba(table)[:, 1], p, atol=1e-12)
    capsys.readouterr()
    assert main(["predict", str(model), str(folder / "table.parquet")]) == 0
    parquet = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    np.testing.assert_allclose([float(row["P(died = yes)"]) for row in parquet], p, atol=1e-12)


def test_cost_by_two_parts_with_a_schema_of_the_users_own(folder, capsys):
    model, schema = folder / "cost.safetensors", folder / "schema.toml"
    given = ["train", str(folder / "table.csv"), "--target", "cost", "--no-group", "for the test", "--task", "cost"]
    assert main([*given, "--out", str(model), "--save-schema", str(schema)]) == 0
    schema.write_text(schema.read_text().replace('"marker" = { role = "numeric"', '"marker" = { role = "ignored"'))
    assert main([*given, "--out", str(model), "--schema", str(schema)]) == 0
    assert tn.load(model).outcome.kind == "two-part"
    assert "marker" not in tn.load(model).schema.features
    assert (tn.load(model).predict(folder / "table.csv") > 0).all()


def test_schema_evaluate_and_card_hand_their_files_on(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    who = ["table.csv", "--target", "died", "--group", "visit_of"]
    assert main(["schema", *who, "--drop", "cost", "marker", "--out", "columns.toml"]) == 0
    assert "visit_of  group" in capsys.readouterr().out
    schema = Schema.load("columns.toml")
    assert (schema.target, schema.group, schema.features) == ("died", "visit_of", ["age", "sex"])
    assert main(["schema", "table.csv", "--drop", "mark"]) == 1
    assert "did you mean 'marker'" in capsys.readouterr().err
    assert main(["train", *who, "--schema", "columns.toml", "--out", "two.safetensors"]) == 0
    assert tn.load("two.safetensors").schema.features == ["age", "sex"]
    assert main(["evaluate", *who, "--schema", "columns.toml", "--json", "nowhere/numbers.json"]) == 1
    assert "'nowhere'" in capsys.readouterr().err
    assert main(["evaluate", *who, "--schema", "columns.toml", "--json", "numbers.json"]) == 0
    assert "the numbers are in numbers.json" in capsys.readouterr().out
    assert main(["card", "two.safetensors", "--evaluation", "numbers.json"]) == 0
    assert "5-fold cross-validation" in capsys.readouterr().out


def test_judged_out_of_time_and_by_site(folder, capsys):
    frame = pd.read_csv(folder / "table.csv").drop(columns="cost")
    frame["seen"] = [f"{1 + i % 28}/{1 + i // 28 % 12}/2019" for i in range(240)]
    frame["ward"] = np.array(list("abc"))[np.arange(240) // 2 % 3]
    path = folder / "visits.csv"
    frame.to_csv(path, index=False)
    for split, said in (("--time", "out of time: 5 stretches"), ("--site", "by site: each of 3 sites")):
        column = {"--time": "seen", "--site": "ward"}[split]
        assert main(["evaluate", str(path), "--target", "died", "--group", "visit_of", split, column]) == 0
        assert said in capsys.readouterr().out
    assert main(["evaluate", str(path), "--target", "died", "--group", "visit_of", "--site", "wards"]) == 1
    assert "did you mean 'ward'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "table.csv", "--target", "dyed"], "did you mean 'died'"),
        (["train", "table.csv", "--target", "died", "--group", "visitof"], "did you mean 'visit_of'"),
        (["train", "table.csv", "--target", "constant", "--no-group", "test"], "has one class only"),
        (["train", "table.csv", "--target", "nothing", "--no-group", "test"], "missing in all 240 rows"),
        (["train", "table.csv", "--target", "died", "--task", "cost", "--no-group", "test"], "holds text"),
        (["train", "table.csv", "--target", "died", "--out", "nowhere/m", "--no-group", "t"], "'nowhere'"),
        (["train", "none.csv", "--target", "died"], "no file"),
        (["train", "false.parquet", "--target", "died"], "named like a Parquet file"),
        (["predict", "table.csv", "table.csv"], "no model"),
        (["predict", "none.safetensors", "table.csv"], "none.safetensors"),
    ],
)
def test_what_is_wrong_is_one_sentence(folder, capsys, monkeypatch, arguments, said):
    monkeypatch.chdir(folder)
    (folder / "false.parquet").write_text("a,b\n1,2\n")
    assert main(arguments) == 1
    out = capsys.readouterr()
    assert said in out.err
    assert out.err.count("\n") == 1
    assert out.err.startswith(f"tinynet {arguments[0]}: ")


def test_persons_must_be_named_or_waived(folder, capsys, tmp_path):
    table = pd.read_csv(folder / "table.csv").rename(columns={"visit_of": "patient_id"})
    table.to_csv(tmp_path / "table.csv", index=False)
    given = ["train", str(tmp_path / "table.csv"), "--target", "died", "--out", str(tmp_path / "m")]
    assert main(given) == 1
    assert "'patient_id' looks like a person's identifier" in capsys.readouterr().err


def test_wrong_usage_is_2_and_help_has_an_example(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["train", "table.csv"])
    assert ended.value.code == 2
    with pytest.raises(SystemExit) as ended:
        main(["train", "--help"])
    assert ended.value.code == 0
    assert "python -m tinynet train patients.csv --target died" in capsys.readouterr().out


def test_baselines_see_the_numbers_of_a_file(tmp_path):
    """Numbers of a CSV file are text until they are read: a baseline must not take them for kinds."""
    path = tmp_path / "patients.csv"
    path.write_text("lactate,ward\n" + "".join(f"{1.25 + i},{'ab'[i % 2]}\n,a\n" for i in range(30)), encoding="utf-8")
    table = read(path)
    seen = plain(read(as_frame(table, Schema.infer(table))))
    assert seen.categories.tolist() == [False, True]
    np.testing.assert_array_equal(seen.matrix[:3, 0], [1.25, np.nan, 2.25])
