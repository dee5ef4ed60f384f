"""Measures: scikit-learn and statsmodels-free oracles, worked cases, reweighting as repetition of rows."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn import metrics
from sklearn.linear_model import LogisticRegression

from tinynet.formulas.vocabulary import Array
from tinynet.tabular.measures import (
    TWEEDIE_POWER,
    Measures,
    better,
    fitted_logistic,
    logit,
    measured,
    sigmoid,
)


def risks(n: int = 400, digits: int | None = None) -> tuple[Array, Array]:
    generator = np.random.default_rng(0)
    z = generator.normal(size=n) - 0.5
    y = (generator.random(n) < sigmoid(z)).astype(int)
    p = sigmoid(1.6 * z + 0.3)
    return y, p if digits is None else np.round(p, digits)


@pytest.mark.parametrize("digits", [None, 1])
def test_binary_measures_are_scikit_learns(digits: int | None) -> None:
    y, p = risks(digits=digits)
    found = measured("binary", y, p, np.zeros(len(y)), [0.3])
    treated = p >= 0.3
    assert found["AUROC"] == pytest.approx(metrics.roc_auc_score(y, p))
    assert found["AUPRC"] == pytest.approx(metrics.average_precision_score(y, p))
    assert found["Brier score"] == pytest.approx(metrics.brier_score_loss(y, p))
    assert found["log loss"] == pytest.approx(metrics.log_loss(y, p))
    assert found["sensitivity at 0.3"] == pytest.approx(metrics.recall_score(y, treated))
    assert found["specificity at 0.3"] == pytest.approx(metrics.recall_score(1 - y, ~treated))
    assert found["PPV at 0.3"] == pytest.approx(metrics.precision_score(y, treated))
    assert found["NPV at 0.3"] == pytest.approx(metrics.precision_score(1 - y, ~treated))
    assert found["observed / expected"] == pytest.approx(y.sum() / p.sum())


def test_net_benefit_worked_by_hand() -> None:
    """10 persons, 3 treated at 20 %, 2 of them with the event: 2/10 - 1/10 * 0.2/0.8 = 0.175."""
    y = np.array([1, 1, 0, 1, 0, 0, 0, 0, 0, 0])
    p = np.array([0.9, 0.2, 0.3, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])
    assert measured("binary", y, p, np.zeros(10), [0.2])["net benefit at 0.2"] == pytest.approx(0.175)


def test_calibration_of_a_known_miscalibration() -> None:
    """Risks sigmoid(1.6 z + 0.3) where the truth is sigmoid(z): slope 1 / 1.6; and scikit-learn's own fit agrees."""
    y, p = risks(200_000)
    found = measured("binary", y, p, np.zeros(len(y)))
    assert found["calibration slope"] == pytest.approx(1 / 1.6, abs=0.02)
    fit = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(logit(p)[:, None], y)
    assert found["calibration slope"] == pytest.approx(fit.coef_[0, 0], rel=1e-4)
    a = found["calibration intercept"]  # with the slope held at 1, the mean of the moved risks is the share of events
    assert sigmoid(a + logit(p)).mean() == pytest.approx(y.mean(), abs=1e-8)


def test_newton_finds_extreme_slopes_and_knows_where_there_is_none() -> None:
    generator = np.random.default_rng(1)
    z = np.sort(generator.normal(size=300)) * 30.0
    y = (generator.random(300) < sigmoid(z / 60.0)).astype(float)
    x = np.column_stack([np.ones(300), z])
    best = fitted_logistic(x, y, 0.0, np.array([0.0, 1.0]))
    assert x.T @ (y - sigmoid(x @ best)) == pytest.approx([0, 0], abs=1e-6)
    assert np.isnan(fitted_logistic(x, (z > 0).astype(float), 0.0, np.array([0.0, 1.0]))).all()
    assert np.isnan(fitted_logistic(np.ones((300, 2)), y, 0.0, np.zeros(2))).all()


@pytest.mark.parametrize("n", [300, 3000])
def test_weights_are_repetitions(n: int) -> None:
    """A draw that counts rows 0, 1, 2 .. times gives what the repeated rows give; of many rows, slopes nearly."""
    y, p = risks(n, digits=3)
    generator = np.random.default_rng(2)
    group, fold = generator.integers(0, 40, n), generator.integers(0, 3, n)
    counts = generator.integers(0, 4, 40).astype(float)
    drawn = Measures("binary", y, p, fold, group, 40, [0.3])(np.stack([counts, np.ones(40)]))
    rows = np.repeat(np.arange(n), counts[group].astype(int))
    expected = measured("binary", y[rows], p[rows], fold[rows], [0.3])
    for name, value in expected.items():
        assert drawn[name][0] == pytest.approx(value, rel=0.01 if n > 1000 and "calibration" in name else 1e-6), name


def test_areas_compare_rows_of_one_fold_only() -> None:
    """Two folds on different scales, each ranked perfectly: pooled .5, but within folds 1."""
    y, p = np.array([1, 0, 1, 0]), np.array([0.2, 0.1, 0.9, 0.8])
    assert measured("binary", y, p, np.array([0, 0, 1, 1]))["AUROC"] == 1.0
    assert measured("binary", y, p, np.zeros(4))["AUROC"] == 0.75
    assert measured("binary", y, p, np.array([0, 0, 1, 1]))["AUPRC"] == 1.0


def test_a_fold_without_events_does_not_count() -> None:
    y, p, fold = np.array([1, 0, 0, 0]), np.array([0.5, 0.1, 0.9, 0.8]), np.array([0, 0, 1, 1])
    assert measured("binary", y, p, fold)["AUROC"] == 1.0
    assert np.isnan(measured("binary", np.zeros(4, int), p, fold)["AUROC"])
    assert np.isnan(measured("binary", np.ones(4, int), p, fold)["AUPRC"])


def test_one_risk_for_all_has_no_calibration_slope() -> None:
    y, _ = risks()
    assert "calibration slope" not in measured("binary", y, np.full(len(y), 0.4), np.zeros(len(y)))


def test_permuted_labels_give_one_half() -> None:
    y, p = risks(20_000)
    shuffled = np.random.default_rng(3).permutation(y)
    assert measured("binary", shuffled, p, np.zeros(len(y)))["AUROC"] == pytest.approx(0.5, abs=0.015)


def test_multiclass_measures_are_scikit_learns() -> None:
    generator = np.random.default_rng(4)
    p = generator.dirichlet([1, 1, 1], 500)
    y = np.array([generator.choice(3, p=row) for row in p])
    found = measured("multiclass", y, p, np.zeros(500))
    assert found["AUROC"] == pytest.approx(metrics.roc_auc_score(y, p, multi_class="ovr"))
    assert found["log loss"] == pytest.approx(metrics.log_loss(y, p))
    assert found["balanced accuracy"] == pytest.approx(metrics.balanced_accuracy_score(y, p.argmax(axis=1)))
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(y, p.argmax(axis=1)))
    assert found["Brier score"] == pytest.approx(((p - np.eye(3)[y]) ** 2).sum(axis=1).mean())


@pytest.mark.parametrize("task", ["regression", "count", "cost", "cost with zeros"])
def test_measures_of_numbers_are_scikit_learns(task: str) -> None:
    generator = np.random.default_rng(5)
    mean = np.exp(generator.normal(size=500))
    y = generator.poisson(mean).astype(float) if task in ("count", "cost with zeros") else generator.gamma(2, mean)
    p = mean * np.exp(0.2 * generator.normal(size=500))
    found = measured(task.split()[0], y, p, np.zeros(500))
    assert found["R2"] == pytest.approx(metrics.r2_score(y, p))
    assert found["MAE"] == pytest.approx(metrics.mean_absolute_error(y, p))
    assert found["RMSE"] == pytest.approx(metrics.root_mean_squared_error(y, p))
    assert found["mean error"] == pytest.approx((p - y).mean())
    assert found["calibration slope"] == pytest.approx(np.polyfit(p, y, 1)[0])
    if task == "count":
        assert found["Poisson deviance"] == pytest.approx(metrics.mean_poisson_deviance(y, p))
    if task == "cost":
        assert found["gamma deviance"] == pytest.approx(metrics.mean_gamma_deviance(y, p))
    if task == "cost with zeros":
        expected = metrics.mean_tweedie_deviance(y, p, power=TWEEDIE_POWER)
        assert found["Tweedie deviance"] == pytest.approx(expected)


def test_what_is_better() -> None:
    assert [better(name) for name in ("AUROC", "MAE", "calibration slope", "mean error", "PPV at 0.1")] == [
        "greater", "less", "one", "zero", "greater",
    ]  # fmt: skip


def test_a_subgroup_that_a_draw_leaves_empty_has_no_number_and_no_warning():
    y, p = np.arange(4.0), np.array([0.0, 2.0, 1.0, 3.0])
    some = Measures("regression", y, p, np.zeros(4, int), np.arange(4), 5)
    found = some(np.array([[1.0, 1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0, 4.0]]))
    assert all(np.isfinite(values[0]) and np.isnan(values[1]) for values in found.values())
