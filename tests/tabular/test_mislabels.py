"""Likely label errors: the ranking by hand, planted errors are found, and no value is told."""

import csv

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.datasets import load_breast_cancer

import tinynet as tn
from tinynet.cli import main
from tinynet.tabular import TabularClassifier, TabularRegressor
from tinynet.tabular.mislabels import likely_mislabels
from tinynet.tabular.predictor import Outcome

SETTINGS = {"epochs": 8, "members": 2, "random_state": 0, "verbose": 0, "backend": "numpy", "hidden": (16,)}


class Says:
    """In the place of a model: a predictor that gives these answers."""

    def __init__(self, monkeypatch, outcome, answers, settings=None):
        from types import SimpleNamespace

        from tinynet.tabular import predictor

        self.predictor_ = object.__new__(predictor.Predictor)
        self.predictor_.outcome = outcome
        self.predictor_.facts = SimpleNamespace(settings=settings or {})
        monkeypatch.setattr(predictor.Predictor, "table", lambda self, x: tn.tabular.frame.read(x))
        monkeypatch.setattr(predictor.Predictor, "answers", lambda self, x: np.asarray(answers, float))


def test_classes_by_hand(monkeypatch):
    """1 - p is .1 and .4 for label 0 (root of their mean's exponential: .2), .5 and .8 for label 1."""
    model = Says(monkeypatch, Outcome("classes", ["no", "yes"]), [[0.9, 0.1], [0.6, 0.4], [0.5, 0.5], [0.8, 0.2]])
    found = likely_mislabels(model, {"a": [0, 0, 0, 0]}, ["no", "no", "yes", "yes"])
    np.testing.assert_allclose(found.size, [0.9, 0.6, 0.5, 0.2])
    geometric = np.sqrt([0.1 * 0.4, 0.1 * 0.4, 0.5 * 0.8, 0.5 * 0.8])
    np.testing.assert_allclose(np.exp(found.score), np.array([0.1, 0.4, 0.5, 0.8]) / np.sqrt(geometric))
    assert found.rows.tolist() == [3, 1, 2, 0]  # not by 1 - p alone: the labels "yes" all look improbable


@pytest.mark.parametrize(
    ("loss", "y", "mean", "deviance"),
    [
        ("squared_error", [5.0, -2.0], [2.0, 2.0], [9.0, 16.0]),
        ("poisson", [0.0, 4.0], [2.0, 2.0], [4.0, 2 * (4 * np.log(2.0) - 2.0)]),
        ("gamma", [1.0, 4.0], [2.0, 2.0], [2 * (np.log(2.0) + 0.5 - 1), 2 * (2.0 - np.log(2.0) - 1)]),
    ],
)
def test_amounts_by_hand(monkeypatch, loss, y, mean, deviance):
    model = Says(monkeypatch, Outcome("amount" if loss == "squared_error" else "log"), mean, {"loss": loss})
    found = likely_mislabels(model, {"a": [0, 0]}, y)
    np.testing.assert_allclose(found.score, np.sqrt(deviance))
    np.testing.assert_allclose(found.size, found.score / np.median(found.score))


@pytest.fixture(scope="module")
def tumours():
    table, y = load_breast_cancer(return_X_y=True)
    return table[:, :10], y


@pytest.mark.parametrize("one_way", [False, True])
def test_planted_errors_are_found(tumours, one_way):
    """28 of 569 labels, at random or one way; by chance 5 % of the first 28 would be errors."""
    table, y = tumours
    rows = np.random.default_rng(0).choice(np.flatnonzero(y == 0) if one_way else len(y), 28, replace=False)
    wrong = y.copy()
    wrong[rows] = 1 - y[rows]
    found = likely_mislabels(TabularClassifier(**SETTINGS).fit(table, wrong), table, wrong)
    assert np.isin(found.rows[:28], rows).mean() > 0.6
    assert sorted(found.rows) == list(range(569))


def test_planted_amounts_are_found(tumours):
    table, _ = tumours
    area, rest = table[:, 3].copy(), np.delete(table, 3, axis=1)
    rows = np.random.default_rng(0).choice(569, 20, replace=False)
    area[rows] *= 10.0
    for loss in ("squared_error", "gamma"):
        found = likely_mislabels(TabularRegressor(loss=loss, **SETTINGS).fit(rest, area), rest, area)
        assert np.isin(found.rows[:20], rows).mean() > 0.8, loss
    assert found.size[found.rows[0]] > 5 > found.size.min()


def test_a_saved_model_gives_the_same_order(tumours, tmp_path):
    table, y = tumours
    model = TabularClassifier(**SETTINGS).fit(table, y)
    model.save(tmp_path / "m.safetensors")
    again = likely_mislabels(tn.load(tmp_path / "m.safetensors"), table, y)
    np.testing.assert_array_equal(again.rows, likely_mislabels(model, table, y).rows)


def test_labels_that_do_not_go_with_the_model(tumours):
    table, y = tumours
    model = TabularClassifier(**SETTINGS | {"epochs": 1}).fit(table, y)
    with pytest.raises(ValueError, match="569 rows") as error:
        likely_mislabels(model, table, np.where(y == 1, "secret", "0"))
    assert "secret" not in str(error.value)
    with pytest.raises(TypeError, match="likely_mislabels takes a fitted tabular model"):
        likely_mislabels(TabularClassifier(), table, y)


def test_the_commands(tmp_path, capsys):
    """Rows are told by their numbers in the file, those without a label counted, too."""
    generator = np.random.default_rng(0)
    age = generator.integers(20, 90, 200)
    ill = np.where(age > 55, "ill", "well").astype(object)
    ill[:3] = ""
    wrong = [10, 50, 120]
    ill[wrong] = np.where(ill[wrong] == "ill", "well", "ill")
    table, out, model = tmp_path / "table.csv", tmp_path / "doubtful.csv", tmp_path / "m.safetensors"
    table.write_text("age,state\n" + "".join(f"{a},{s}\n" for a, s in zip(age, ill, strict=True)))
    assert main(["mislabels", str(table), "--target", "state", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "The 20 most doubtful of 197 rows" in said
    with open(out, newline="") as file:
        rows = [int(row["row"]) for row in csv.DictReader(file)]
    assert set(rows) == set(range(3, 200))
    far = [row for row in wrong if abs(age[row] - 55) > 12]
    assert far
    assert set(far) <= set(rows[:8])
    assert f"row {rows[0]:>8}  the model gives its label" in said
    assert main(["train", str(table), "--target", "state", "--out", str(model)]) == 0
    capsys.readouterr()
    assert main(["explain", str(model), str(table), "--row", "30", "--training", str(table)]) == 0
    said = capsys.readouterr().out
    assert "Which of 197 training rows" in said
    assert "But these are not" not in said
    assert main(["explain", str(model), str(table), "--training", str(tmp_path / "none.csv")]) == 1
    assert main(["mislabels", str(table), "--target", "state", "--out", str(tmp_path / "no" / "x.csv")]) == 1
    assert "does not exist" in capsys.readouterr().err
