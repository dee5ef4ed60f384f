"""Likely label errors: the ranking by hand, planted errors are found, and no value is told."""

import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("sklearn")

from sklearn.datasets import load_breast_cancer

import tinynet as tn
from tinynet.cli import main
from tinynet.tabular import TabularClassifier, TabularRegressor
from tinynet.tabular.mislabels import confusion, doubts, likely_mislabels
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
    """Three rows labelled no with P(yes) .1, .1, .7; three labelled yes with .9, .9, .9. The mean P(no) of the first is
    .7, the mean P(yes) of the others .9: confidently no are the first two, yes the last three, the third neither.
    With half a row each: joint [[2.5, .5], [.5, 3.5]], rows scaled to 3 each: [[2.5, .5], [.375, 2.625]]."""
    yes = np.array([0.1, 0.1, 0.7, 0.9, 0.9, 0.9])
    model = Says(monkeypatch, Outcome("classes", ["no", "yes"]), np.column_stack([1 - yes, yes]))
    found = likely_mislabels(model, {"a": [0] * 6}, ["no"] * 3 + ["yes"] * 3)
    (a, b), (c, d) = t = np.array([[2.5 / 2.875, 0.5 / 3.125], [0.375 / 2.875, 2.625 / 3.125]])
    np.testing.assert_allclose(t.sum(axis=0), 1.0)
    no = ((1 - yes) * d - yes * b) / (a * d - b * c)  # Cramer's rule
    no = np.clip(no, 1e-9, None)
    is_yes = np.clip((a * yes - c * (1 - yes)) / (a * d - b * c), 1e-9, None)
    expected = np.where(np.arange(6) < 3, b * is_yes / (a * no + b * is_yes), c * no / (c * no + d * is_yes))
    np.testing.assert_allclose(found.score, expected)
    np.testing.assert_allclose(found.size, [0.9, 0.9, 0.3, 0.9, 0.9, 0.9])
    assert found.rows[0] == 2


def test_the_noise_that_was_planted_is_estimated():
    """Classes that are told without doubt, a third of the last named as the first: T is read off."""
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 3, 3000)
    y = np.where((truth == 2) & (generator.random(3000) < 0.25), 0, truth)
    p = np.full((3000, 3), 0.02)
    p[np.arange(3000), truth] = 0.96
    t = confusion(p, y)
    np.testing.assert_allclose(t, [[1, 0, 0.25], [0, 1, 0], [0, 0, 0.75]], atol=0.02)
    wrong, _ = doubts(p, y)
    assert set(np.argsort(-wrong)[: np.sum(y != truth)]) == set(np.flatnonzero(y != truth))


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 5), st.integers(1, 40), st.integers(0, 9999))
def test_doubts_are_probabilities_whatever_is_said(classes, rows, seed):
    """Without skill, with one class only, with certainties: T has columns that add up, and can be inverted."""
    generator = np.random.default_rng(seed)
    p = generator.dirichlet(np.full(classes, generator.choice([0.02, 1.0, 1e4])), rows).clip(1e-9, 1.0)
    y = generator.integers(0, generator.integers(1, classes + 1), rows)
    t = confusion(p, y)
    np.testing.assert_allclose(t.sum(axis=0), 1.0)
    assert np.diag(t).min() >= 0.7 - 1e-12
    wrong, own = doubts(p, y)
    assert ((wrong >= 0) & (wrong <= 1)).all()
    np.testing.assert_allclose(own, p[np.arange(rows), y])


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
    np.testing.assert_allclose(found.score, np.sqrt(deviance) / np.median(np.sqrt(deviance)))


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
