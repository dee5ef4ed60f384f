"""Metrics are scikit-learn's, weighted and with ties, for one output and for several."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

import tinynet as tn

patient = settings(deadline=None)  # a busy machine is no fault
ROWS = st.integers(2, 30)
SEEDS = st.integers(0, 2**32 - 1)
WEIGHTS = st.sampled_from(["ones", "whole", "any", "with zeros"])


def weights(kind, rng, n):
    drawn = {
        "ones": np.ones(n), "whole": rng.integers(1, 5, n).astype(float), "any": rng.uniform(0.01, 3.0, n),
        "with zeros": rng.uniform(0.1, 1.0, n) * rng.integers(0, 2, n),
    }  # fmt: skip
    return drawn[kind]


def said(name, t, y, w):
    """What the metric `name` says of targets, outputs and weights."""
    return tn.metrics.get(name)(t.reshape(len(t), -1), y.reshape(len(y), -1), w)


def two_classes(n, seed, kind, levels):
    """Labels, scores of so few levels that many tie, and weights that leave both classes something."""
    rng = np.random.default_rng(seed)
    t, y, w = rng.integers(0, 2, n), rng.integers(0, levels, n) / levels, weights(kind, rng, n)
    assume(w[t == 1].sum() > 0 and w[t == 0].sum() > 0)
    return t, y, w


@patient
@given(ROWS, SEEDS, WEIGHTS, st.sampled_from([2, 3, 10, 1000]))
def test_areas_under_curves(n, seed, kind, levels):
    t, y, w = two_classes(n, seed, kind, levels)
    assert said("auc", t, y, w) == pytest.approx(sk.roc_auc_score(t, y, sample_weight=w), abs=1e-12)
    assert said("pr_auc", t, y, w) == pytest.approx(sk.average_precision_score(t, y, sample_weight=w), abs=1e-12)
    assert tn.metrics.AUC()(t[:, None], y[:, None], w) == said("auc", t, y, w)
    assert tn.metrics.AUC(curve="PR")(t[:, None], y[:, None], w) == said("pr_auc", t, y, w)


@patient
@given(ROWS, SEEDS, WEIGHTS, st.sampled_from([2, 3, 10, 1000]), st.sampled_from([0.25, 0.5, 0.75]))
def test_yes_or_no(n, seed, kind, levels, threshold):
    t, y, w = two_classes(n, seed, kind, levels)
    for chosen, found, cut in (
        ("accuracy", sk.accuracy_score(t, y > 0.5, sample_weight=w), None),
        ("binary_accuracy", sk.accuracy_score(t, y > 0.5, sample_weight=w), None),
        ("precision", sk.precision_score(t, y > 0.5, sample_weight=w, zero_division=0), None),
        ("recall", sk.recall_score(t, y > 0.5, sample_weight=w, zero_division=0), None),
        (
            tn.metrics.BinaryAccuracy(threshold=threshold),
            sk.accuracy_score(t, y > threshold, sample_weight=w),
            threshold,
        ),
        (
            tn.metrics.Precision(threshold),
            sk.precision_score(t, y > threshold, sample_weight=w, zero_division=0),
            threshold,
        ),
        (tn.metrics.Recall(threshold), sk.recall_score(t, y > threshold, sample_weight=w, zero_division=0), threshold),
    ):
        assert said(chosen, t, y, w) == pytest.approx(found, abs=1e-12), (chosen, cut)


@patient
@given(ROWS, SEEDS, WEIGHTS)
def test_log_loss(n, seed, kind):
    t, y, w = two_classes(n, seed, kind, 1000)
    p = np.clip(y, 1e-7, 1.0 - 1e-7)  # Keras's, and scikit-learn's for float64 is finer
    assert said("binary_crossentropy", t, y, w) == pytest.approx(sk.log_loss(t, p, sample_weight=w), rel=1e-10)


@patient
@given(ROWS, SEEDS, WEIGHTS, st.integers(2, 4))
def test_several_yes_or_no(n, seed, kind, outputs):
    rng = np.random.default_rng(seed)
    t, y, w = rng.integers(0, 2, (n, outputs)), rng.integers(0, 5, (n, outputs)) / 4.0, weights(kind, rng, n)
    assume(w.sum() > 0)
    each = [sk.accuracy_score(t[:, j], y[:, j] > 0.5, sample_weight=w) for j in range(outputs)]
    assert said("binary_accuracy", t, y, w) == pytest.approx(np.mean(each), abs=1e-12)
    flat = {"y_true": t.ravel(), "y_pred": y.ravel() > 0.5, "sample_weight": np.repeat(w, outputs), "zero_division": 0}
    assert said("precision", t, y, w) == pytest.approx(sk.precision_score(**flat), abs=1e-12)
    assert said("recall", t, y, w) == pytest.approx(sk.recall_score(**flat), abs=1e-12)


@patient
@given(ROWS, SEEDS, WEIGHTS, st.integers(2, 5))
def test_one_of_several_classes(n, seed, kind, outputs):
    rng = np.random.default_rng(seed)
    t, y, w = rng.integers(0, outputs, n), rng.integers(1, 6, (n, outputs)) / 5.0, weights(kind, rng, n)
    assume(w.sum() > 0)
    found = sk.accuracy_score(t, y.argmax(axis=1), sample_weight=w)
    one_hot = np.eye(outputs)[t]
    for name, targets in (
        ("accuracy", t), ("sparse_categorical_accuracy", t), ("accuracy", one_hot), ("categorical_accuracy", one_hot),
    ):  # fmt: skip
        assert said(name, targets, y, w) == pytest.approx(found, abs=1e-12)
    p = y / y.sum(axis=1, keepdims=True)
    loss = sk.log_loss(t, p, sample_weight=w, labels=np.arange(outputs))
    assert said("sparse_categorical_crossentropy", t, y, w) == pytest.approx(loss, rel=1e-12)
    assert said("categorical_crossentropy", one_hot, y, w) == pytest.approx(loss, rel=1e-12)


@patient
@given(ROWS, SEEDS, WEIGHTS, st.integers(1, 3))
def test_amounts(n, seed, kind, outputs):
    rng = np.random.default_rng(seed)
    t, w = rng.normal(size=(n, outputs)), weights(kind, rng, n)
    y = t + rng.normal(size=(n, outputs))
    assume((w > 0).sum() > 1)
    options = {"sample_weight": w}
    assert said("mse", t, y, w) == pytest.approx(sk.mean_squared_error(t, y, **options), rel=1e-12)
    assert said("mean_absolute_error", t, y, w) == pytest.approx(sk.mean_absolute_error(t, y, **options), rel=1e-12)
    rmse = sk.mean_squared_error(t, y, **options) ** 0.5  # of all outputs together, as Keras has it
    assert said("rmse", t, y, w) == pytest.approx(rmse, rel=1e-12)
    assert said("r2_score", t, y, w) == pytest.approx(sk.r2_score(t, y, **options), rel=1e-9, abs=1e-9)


OF_ONE_OUTPUT = ["auc", "pr_auc", "accuracy", "precision", "recall", "mse", "mae", "rmse", "r2_score", "poisson"]


@patient
@given(ROWS, SEEDS, st.sampled_from(OF_ONE_OUTPUT))
def test_a_weight_of_two_is_the_row_twice_and_of_zero_no_row(n, seed, name):
    t, y, _ = two_classes(n, seed, "ones", 5)
    y = np.clip(y, 0.1, 0.9)
    w = np.random.default_rng(seed).integers(0, 3, n)
    assume(w[t == 1].sum() > 0 and w[t == 0].sum() > 0)
    many = np.repeat(np.arange(n), w)
    assert said(name, t, y, w) == pytest.approx(said(name, t[many], y[many], np.ones(len(many))), rel=1e-9)


@patient
@given(ROWS, SEEDS)
def test_only_the_order_of_scores_matters_to_areas(n, seed):
    t, y, w = two_classes(n, seed, "any", 7)
    for name in ("auc", "pr_auc"):
        assert said(name, t, y**3, w) == said(name, t, y, w)
    assert said("auc", t, -y, w) == pytest.approx(1.0 - said("auc", t, y, w), abs=1e-12)


def test_what_cannot_be_said_is_nan_and_no_warning():
    t, y, none, ones = np.array([1, 1, 1]), np.array([0.2, 0.7, 0.4]), np.zeros(3), np.ones(3)
    for name in ("auc", "pr_auc", "r2_score"):  # one class alone; nothing to explain
        assert math.isnan(said(name, t, y, ones))
    for name in ("accuracy", "mse", "mae", "rmse", "auc", "pr_auc", "r2_score", "binary_crossentropy"):
        assert math.isnan(said(name, t, y, none)), name
    assert said("precision", t, np.zeros(3), ones) == 0.0
    assert said("recall", np.zeros(3), y, ones) == 0.0
    with pytest.raises(
        ValueError, match="areas under curves are for one output, a probability of yes; this model has 2"
    ):
        said("auc", np.eye(2), np.eye(2), np.ones(2))


def test_own_metrics_return_a_number_or_one_for_each_row():
    t, y, w = np.array([[0.0], [1.0], [2.0]]), np.array([[1.0], [1.0], [4.0]]), np.array([1.0, 1.0, 2.0])
    worst = tn.metrics.get(lambda t, y: np.abs(t - y).max())
    assert worst(t, y, w) == 2.0
    for each in (lambda t, y: np.abs(t - y)[:, 0], lambda t, y: np.abs(t - y)):
        assert tn.metrics.get(each)(t, y, w) == (1.0 + 0.0 + 2 * 2.0) / 4.0
    with pytest.raises(TypeError, match="the metric words returned no number but str"):
        tn.metrics.get(words)(t, y, w)


def words(t, y):
    return "good"
