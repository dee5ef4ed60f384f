"""How far columns are let in: F against scikit-learn's, and a member that answers for X as it came."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.feature_selection import f_classif, f_regression

import tinynet as tn
from tinynet.tabular.member import Recipe, network, trained
from tinynet.tabular.screening import CHANCE, ENOUGH, LEAST, scales

Array = NDArray[np.float64]


def drawn(rows: int, columns: int, seed: int = 0) -> tuple[Array, Array]:
    """Columns that say less and less of a target, and a target."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, columns))
    return x, x @ 0.7 ** np.arange(columns) + random.normal(size=rows)


def expected(f: Array, least: float = LEAST) -> Array:
    return np.maximum(np.sqrt(np.maximum(1.0 - CHANCE / f, 0.0)), least)


@pytest.mark.parametrize(("rows", "columns"), [(30, 12), (9_000, 600)])
def test_the_scale_follows_scikit_learns_F(rows: int, columns: int) -> None:
    x, y = drawn(rows, columns)
    one, least = np.ones((rows, 1)), max(LEAST, rows / (ENOUGH * columns))
    np.testing.assert_allclose(scales(x, y[:, None], one), expected(f_regression(x, y)[0], least), rtol=1e-5)
    event = (y > 1.0).astype(float)
    found = scales(x, event[:, None], 3.0 * one)
    np.testing.assert_allclose(found, expected(f_classif(x, event)[0], least), rtol=1e-5)


def test_with_rows_enough_all_is_let_in() -> None:
    x, y = drawn(ENOUGH * 9, 9)
    one = np.ones((len(x), 1))
    assert (scales(x, y[:, None], one) == 1.0).all()
    fewer = slice(0, ENOUGH * 9 // 2)
    f = f_regression(x[fewer], y[fewer])[0]
    np.testing.assert_allclose(scales(x[fewer], y[fewer, None], one[fewer]), expected(f, 0.5), rtol=1e-5)


def test_weights_count_as_rows_that_come_again() -> None:
    x, y = drawn(40, 30)
    often = np.random.default_rng(1).integers(1, 4, 40)
    weighted = scales(x, y[:, None], often[:, None].astype(float))
    again = f_regression(np.repeat(x, often, 0), np.repeat(y, often))[0] * (40 - 2) / (often.sum() - 2)
    np.testing.assert_allclose(weighted, expected(again), rtol=1e-5)


def test_what_says_nothing_is_let_in_least_and_stays_finite() -> None:
    x, y = drawn(500, 130)
    x[:, 1] = 7.0
    with np.errstate(all="raise"):
        assert scales(x, y[:, None], np.ones((500, 1)))[1] == pytest.approx(LEAST)
        assert scales(x, 0.0 * y[:, None], np.ones((500, 1))) == pytest.approx(np.full(130, LEAST))
        assert scales(x[:1], y[:1, None], np.ones((1, 1))) == pytest.approx(np.full(130, LEAST))
    noise = np.random.default_rng(2).normal(size=(500, 300))
    found = scales(noise, y[:, None], np.ones((500, 1)))
    assert (found == np.float32(LEAST)).mean() > 0.9


@pytest.mark.parametrize("hidden", [(), (16,)])
@pytest.mark.parametrize("codes", [[], [(0, 4), (3, 3)]])
def test_a_member_answers_for_X_as_it_came(hidden: tuple[int, ...], codes: Sequence[tuple[int, int]]) -> None:
    x, y = drawn(600, 8, seed=3)
    for column, count in codes:
        x[:, column] = np.random.default_rng(column).integers(0, count, len(x))
    t = (y > y.mean()).astype(np.float32)[:, None]
    rows, w = x.astype(np.float32), np.ones((600, 1), np.float32)
    recipe = Recipe(hidden, 0.1, 0.01, 0.01, 5, 1.0)
    loss = tn.losses.BinaryCrossentropy(from_logits=True)
    judged = rows[400:].copy()
    member, history = trained(
        network(8, codes, 1, recipe), loss, recipe, (rows[:400].copy(), t[:400], w[:400]),
        (judged, t[400:], w[400:]), 0, "numpy", lambda epochs: None,
    )  # fmt: skip
    assert (judged == rows[400:]).all()
    z = member.predict(rows[400:]).astype(float)
    assert np.logaddexp(0.0, z - 2.0 * z * t[400:]).mean() == pytest.approx(min(history["val_loss"]), rel=1e-4)
