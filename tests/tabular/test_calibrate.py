"""Calibration and conformal prediction: known distortions are undone, coverage is as stated, JSON forth and back."""

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import log_loss

from tinynet.formulas.vocabulary import Array
from tinynet.tabular import calibrate, conformal
from tinynet.tabular.calibrate import Isotonic, Recalibration, Temperature, cross_fitted
from tinynet.tabular.conformal import ConformalInterval, ConformalizedQuantiles, ConformalSets, conformal_quantile
from tinynet.tabular.measures import logit, sigmoid


def distorted(n: int = 20_000, seed: int = 0) -> tuple[Array, Array, Array]:
    """(y, risks twice too extreme in log odds, true risks)."""
    generator = np.random.default_rng(seed)
    z = generator.normal(size=n) - 1.0
    return (generator.random(n) < sigmoid(z)).astype(int), sigmoid(2.0 * z), sigmoid(z)


def test_temperature_undoes_a_known_distortion() -> None:
    y, p, true = distorted()
    found = Temperature.fitted(y, p)
    assert found.temperature == pytest.approx(2.0, abs=0.1)
    assert np.abs(found(p) - true).max() < 0.02
    both = Temperature.fitted(y, np.column_stack([1 - p, p]))
    assert both.temperature == pytest.approx(found.temperature, rel=1e-4)
    assert both(np.column_stack([1 - p, p]))[:, 1] == pytest.approx(found(p), abs=1e-6)


def test_isotonic_is_scikit_learns_line_but_for_means_of_five() -> None:
    """Where five rows have each risk it is the same line; else close to it, and no corner is one person's risk."""
    y, p, _ = distorted(2000)
    new = np.linspace(0, 1, 101)
    shared = np.repeat(np.sort(p)[::5], 5)
    line = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(shared, y)
    assert Isotonic.fitted(y, shared)(new) == pytest.approx(line.predict(new))
    line.fit(p, y)
    found = Isotonic.fitted(y, p)
    assert np.abs(found(p) - line.predict(p)).mean() < 0.01
    assert not np.isin(found.x[0], p).any()
    q = Isotonic.fitted(y, np.column_stack([1 - p, p]))(np.column_stack([1 - new, new]))
    assert q.sum(axis=1) == pytest.approx(np.ones(101))


def test_recalibration_for_a_new_site() -> None:
    y, p, true = distorted()
    found = Recalibration.fitted(y, p)
    assert (found.intercept, found.slope) == pytest.approx((0.0, 0.5), abs=0.06)
    level = Recalibration.fitted(y, sigmoid(logit(true) + 1.0), slope=False)
    assert (level.intercept, level.slope) == (pytest.approx(-1.0, abs=0.06), 1.0)


def test_cross_fitting_judges_a_calibration_on_rows_it_never_met() -> None:
    """Isotonic regression on 100 rows looks better where it was fitted than on new rows; cross-fitting sees it."""
    y, p, _ = distorted(100, seed=4)
    own = log_loss(y, np.clip(Isotonic.fitted(y, p)(p), 1e-6, 1 - 1e-6))
    crossed = log_loss(y, np.clip(cross_fitted(Isotonic, y, p, np.arange(100) % 5), 1e-6, 1 - 1e-6))
    assert crossed > own


@pytest.mark.parametrize("kind", [Temperature, Isotonic, Recalibration])
def test_calibrations_as_json(kind: Any) -> None:
    y, p, _ = distorted(500)
    found = kind.fitted(y, p)
    again = calibrate.from_config(json.loads(json.dumps(found.get_config())))
    np.testing.assert_array_equal(again(p), found(p))


def test_applying_needs_numpy_only() -> None:
    code = """
import sys
from tinynet.tabular import calibrate, conformal
calibrate.from_config({"class": "Isotonic", "x": [[0.0, 1.0]], "y": [[0.1, 0.9]]})([0.5])
conformal.from_config({"class": "ConformalSets", "limits": [0.9, None], "coverage": 0.9})([0.5])
print([name for name in ("sklearn", "scipy", "matplotlib", "pandas") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Temperature(0.0), "above 0"),
        (lambda: Temperature.fitted(np.array([0, 1, 0, 1]), np.array([0.9, 0.1, 0.9, 0.1])), "say nothing"),
        (lambda: Isotonic([[0.0]], []), "equally many corners"),
        (lambda: Recalibration.fitted([0, 0, 0], [0.1, 0.2, 0.3]), "no recalibration fits"),
        (lambda: Recalibration.fitted([0, 1], np.full((2, 2), 0.5)), "for two classes"),
        (lambda: Isotonic.fitted([0, 1], [0.5]), "their shapes"),
        (lambda: Isotonic.fitted([0, 1], [0.5, np.nan]), "probabilities, from 0 to 1"),
        (lambda: Isotonic.fitted([0, 2], [0.5, 0.5]), "numbers of the classes, 0 to 1"),
        (lambda: calibrate.from_config({"class": "Other"}), "no calibration named 'Other'"),
        (lambda: conformal.from_config({"class": "Other"}), "no conformal kind named 'Other'"),
        (lambda: conformal_quantile(np.zeros(3), 1.0), "between 0 and 1"),
        (lambda: conformal_quantile(np.array([np.nan]), 0.9), "one finite prediction"),
        (lambda: conformal_quantile(np.zeros(3), 0.9, np.zeros(2)), "groups has one value for each row"),
    ],
)
def test_refusals(wrong: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wrong()


def test_the_rank_worked_by_hand() -> None:
    """9 scores, coverage 0.9: rank ceil(10 * 0.9) = 9, the greatest; with 8, rank 9 of 8: infinity."""
    assert conformal_quantile(np.arange(1.0, 10.0), 0.9) == 9.0
    assert conformal_quantile(np.arange(1.0, 9.0), 0.9) == np.inf
    assert conformal_quantile(np.arange(1.0, 10.0), 0.5) == 5.0
    # persons A (rows 1, 2), B (3), C (4): 1/2, 1, 2, 3 of 4; coverage 0.5 needs 2
    assert conformal_quantile(np.array([1.0, 2.0, 3.0, 4.0]), 0.5, np.array(list("AABC"))) == 3.0


def coverage_of_intervals(trials: int, persons: int, rows: int, grouped: bool) -> float:
    """How often a new person's row is covered, where persons differ in the size of their errors."""
    generator, hit = np.random.default_rng(5), []
    for _ in range(trials):
        size = np.exp(generator.normal(size=persons + 1))
        many = generator.integers(1, rows + 1, persons + 1)
        many[size > 1] = 1  # persons with large errors have few rows
        who = np.repeat(np.arange(persons + 1), many)
        y = size[who] * generator.normal(size=len(who))
        known = who < persons
        made = ConformalInterval.fitted(y[known], np.zeros(known.sum()), 0.8, who[known] if grouped else None)
        low, high = made(np.zeros(1))
        hit.append(bool(low[0] <= y[~known][0] <= high[0]))
    return float(np.mean(hit))


def test_intervals_cover_a_new_person_as_stated() -> None:
    assert coverage_of_intervals(1500, 50, 12, grouped=True) == pytest.approx(0.8, abs=0.035)
    assert coverage_of_intervals(1500, 50, 12, grouped=False) < 0.72  # rows as if they were persons: too short


def test_quantiles_and_sets_cover_as_stated() -> None:
    generator = np.random.default_rng(6)
    x = generator.random(40_000)
    y = x * generator.normal(size=40_000)
    half = np.arange(40_000) < 20_000
    made = ConformalizedQuantiles.fitted(y[half], -x[half], x[half], 0.9)
    low, high = made(-x[~half], x[~half])
    assert ((low <= y[~half]) & (y[~half] <= high)).mean() == pytest.approx(0.9, abs=0.01)
    crossed = ConformalizedQuantiles(-5.0, 0.9)([0.0], [1.0])
    assert crossed[0][0] == crossed[1][0] == 0.5
    event, risk, _ = distorted(40_000, seed=7)
    sets = ConformalSets.fitted(event[half], risk[half], 0.9)(risk[~half])
    for kind in (0, 1):
        own = event[~half] == kind
        assert sets[own, kind].mean() == pytest.approx(0.9, abs=0.02)


def test_conformal_kinds_as_json() -> None:
    y, p, _ = distorted(300)
    for made, given in (
        (ConformalInterval.fitted(y, p), (p,)),
        (ConformalizedQuantiles.fitted(y, p - 0.1, p + 0.1), (p, p)),
        (ConformalSets.fitted(y, p, groups=np.arange(300) // 2), (p,)),
        (ConformalInterval.fitted([1.0], [2.0]), (p,)),  # infinite
    ):
        again = conformal.from_config(json.loads(json.dumps(made.get_config(), allow_nan=False)))
        np.testing.assert_array_equal(np.array(again(*given)), np.array(made(*given)))  # type: ignore[operator]
