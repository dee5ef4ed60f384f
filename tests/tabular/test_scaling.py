"""Scaling of numbers: beside scikit-learn and SciPy, and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import ndtri
from sklearn.preprocessing import QuantileTransformer, RobustScaler

from tinynet.tabular.numeric import Quantile, Robust, normal_quantile

RNG = np.random.default_rng(3)
DRAWN = {
    "normal": RNG.normal(size=3000),
    "skewed": RNG.lognormal(size=3000),
    "counts": RNG.poisson(0.4, 3000).astype(float),
    "few": np.array([1.0, 2.0, 3.0, 5.0, 9.0]),
}


def test_normal_quantile_is_scipys() -> None:
    p = np.concatenate([np.linspace(0, 1, 10_001), 10.0 ** -np.arange(1, 300), 1 - 10.0 ** -np.arange(1, 16)])
    np.testing.assert_allclose(normal_quantile(p), ndtri(p), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", DRAWN)
def test_quantile_is_scikit_learns(name: str) -> None:
    x, new = DRAWN[name], np.concatenate([DRAWN[name], RNG.normal(size=500) * 3, [-1e9, 1e9]])
    oracle = QuantileTransformer(
        n_quantiles=min(1000, len(x)), output_distribution="normal", subsample=None
    ).fit(x[:, None])  # fmt: skip
    np.testing.assert_allclose(Quantile.fitted(x)(new), oracle.transform(new[:, None])[:, 0], atol=1e-7)


def test_robust_is_scikit_learns_before_clipping() -> None:
    x = DRAWN["normal"]
    z = RobustScaler().fit_transform(x[:, None])[:, 0]
    scale = Robust.fitted(x)
    assert not scale.heavy
    np.testing.assert_allclose(scale(x), z / np.sqrt(1 + (z / 3) ** 2), rtol=1e-12)


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
    assert np.abs(out).max() <= (3.0 if made is Robust else 5.2)
    assert (np.diff(out) >= -1e-12).all()
