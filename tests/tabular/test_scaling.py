"""Scaling of numbers: beside scikit-learn and SciPy, and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import ndtr, ndtri
from sklearn.preprocessing import QuantileTransformer, RobustScaler

from tinynet.tabular.crowd import CROWD, blocks, blurred, ranked
from tinynet.tabular.numeric import Quantile, Robust, normal_quantile

RNG = np.random.default_rng(3)
DRAWN = {
    "normal": RNG.normal(size=3000),
    "skewed": RNG.lognormal(size=3000),
}


def test_normal_quantile_is_scipys() -> None:
    p = np.concatenate([np.linspace(0, 1, 10_001), 10.0 ** -np.arange(1, 300), 1 - 10.0 ** -np.arange(1, 16)])
    np.testing.assert_allclose(normal_quantile(p), ndtri(p), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", ["normal", "skewed"])
def test_quantile_is_scikit_learns_but_for_a_block(name: str) -> None:
    x = DRAWN[name]
    oracle = QuantileTransformer(n_quantiles=len(x), subsample=None).fit(x[:, None])
    new = np.concatenate([x, np.quantile(x, RNG.random(500)), [-1e9, 1e9]])
    found = ndtr(Quantile.fitted(x)(new))
    np.testing.assert_allclose(found, oracle.transform(new[:, None])[:, 0], atol=1.5 / (len(x) // CROWD))


@given(arrays(np.float64, st.integers(2 * CROWD, 300), elements=st.integers(-20, 20).map(float)))
def test_a_quantile_is_the_middle_of_the_shares_of_equal_values(x: np.ndarray) -> None:
    share = np.array([((x < value).mean() + (x <= value).mean()) / 2 for value in x])
    found = ndtr(Quantile.fitted(x)(x))
    if len(set(x)) > 1 and np.ptp(Quantile.fitted(x).means):
        assert np.abs(found - share).max() <= 1.5 / (len(x) // CROWD)


def test_robust_is_nearly_scikit_learns_before_clipping() -> None:
    x = DRAWN["normal"]
    z = RobustScaler().fit_transform(x[:, None])[:, 0]
    scale = Robust.fitted(x)
    assert not scale.heavy
    np.testing.assert_allclose(scale(x), z / np.sqrt(1 + (z / 3) ** 2), atol=3e-3)


@given(
    arrays(np.float64, st.integers(CROWD, 80), elements=st.integers(-9, 9).map(float)),
    st.lists(st.floats(0, 1), min_size=1, max_size=9).map(sorted),
)
def test_blurred_quantiles_and_blocks_are_of_a_crowd(x: np.ndarray, shares: list[float]) -> None:
    """Each is a value of five or more, or lies between the first and the last of five neighbours; none falls."""
    x = np.sort(x)
    found = blurred(x, np.array(shares))
    assert (np.diff(found) >= 0).all()
    for share, value in zip(shares, found.tolist(), strict=True):
        assert (x == value).sum() >= CROWD or any(
            np.isclose(x[at : at + CROWD].mean(), value) for at in range(len(x) - CROWD + 1)
        )
        place = round(share * (len(x) - 1))
        assert x[max(place - 4, 0)] <= value <= x[min(place + 4, len(x) - 1)]
    means = blocks(x, 7)
    assert len(means) == min(7, len(x) // CROWD)
    assert (np.diff(means) >= 0).all()
    assert means.mean() == pytest.approx(x.mean(), abs=np.ptp(x) / len(means))


def test_a_persons_repeated_value_counts_once() -> None:
    x, person = np.array([3.0, 9.0, 3.0, 3.0, 1.0, 3.0]), np.array([0, 1, 0, 2, 2, 0])
    assert ranked(x, person).tolist() == [1.0, 3.0, 3.0, 9.0]
    assert ranked(x, None).tolist() == [1.0, 3.0, 3.0, 3.0, 3.0, 9.0]
    assert ranked(np.empty(0), np.empty(0)).tolist() == []


def test_long_tails_stay_apart() -> None:
    costs = np.exp(RNG.normal(5, 3, 5000))
    scale = Robust.fitted(costs)
    assert scale.heavy
    top = np.sort(costs)[-100:]
    a, plain = scale(top), Robust(scale.center, scale.scale, False)(top)
    assert np.ptp(a) > 5 * np.ptp(plain)


def test_where_most_are_equal() -> None:
    scale = Robust.fitted(np.array([0.0] * 90 + [4.0] * 10))
    assert (scale.center, scale.scale) == (0.0, 4.0)
    assert Robust.fitted(np.full(5, 7.0))(np.array([7.0])).tolist() == [0.0]
    assert Robust.fitted(np.empty(0))(np.zeros(2)).tolist() == [0.0, 0.0]
    assert Quantile.fitted(np.empty(0))(np.zeros(2)).tolist() == [0.0, 0.0]
    assert Quantile.fitted(np.full(5, 7.0))(np.array([6.0, 7.0])).tolist() == [0.0, 0.0]


values = arrays(np.float64, st.integers(1, 40), elements=st.floats(-1e100, 1e100))


@pytest.mark.parametrize("made", [Robust, Quantile])
@given(x=values, new=values)
def test_finite_bounded_and_never_falling(made: type, x: np.ndarray, new: np.ndarray) -> None:
    out = made.fitted(x)(np.sort(new))
    assert np.isfinite(out).all()
    assert np.abs(out).max() <= 3.3
    assert (np.diff(out) >= -1e-12).all()
