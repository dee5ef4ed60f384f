"""Formulas at the edges of floating point: huge logits, NaN and infinities, precision kept, and erf's last places."""

import math

import numpy as np
import pytest
from every_formula import ACTIVATIONS, EVERY, LOSSES, UPDATES, WITH_GRADIENT, arguments, name_of, other_scalars

from tinynet.formulas import activations, losses, rows
from tinynet.formulas.formula import scalar_defaults
from tinynet.formulas.reader import read
from tinynet.formulas.vocabulary import erf

PRECISIONS = [np.float32, np.float64]
NAN, INF = math.nan, math.inf

# Derivatives that choose between plain numbers: a comparison with NaN is false, so NaN gets the second. The function
# itself is NaN there, and so the loss.
CHOOSERS = {"linear", "relu", "leaky_relu", "quantile", "binary_crossentropy"}
# where(...) between numbers that float32 does not hold exactly is an array of float64; the operations cast it.
DOUBLES = {"leaky_relu_derivative", "quantile_derivative"}


@pytest.fixture(autouse=True)
def quiet():
    """As the engine runs: an overflow on the way to a finite result is no news."""
    with np.errstate(all="ignore"):
        yield


def both_derivatives(f):
    return [f, *(getattr(f, kind) for kind in ("derivative", "gradient") if hasattr(f, kind))]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("f", ACTIVATIONS, ids=name_of)
def test_activations_of_huge_numbers_are_finite(f, precision):
    z = np.array([-1e4, -100.0, -0.0, 0.0, 100.0, 1e4], precision)
    a = f(z)
    assert np.isfinite(a).all()
    assert np.isfinite(f.derivative(z, a)).all()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_losses_of_huge_logits_are_finite(precision):
    z = np.array([[-1e4, 0.0, 1e4], [1e4, 1e4, 1e4], [-1e4, -1e4, -1e4]], precision)
    for t in (np.eye(3, dtype=precision), 1.0 - np.eye(3, dtype=precision)):
        binary = losses.binary_crossentropy_from_logits
        np.testing.assert_allclose(binary(z, t), np.where(z > 0, 1 - t, t) * abs(z) + np.log(2) * (z == 0), rtol=1e-6)
        np.testing.assert_allclose(binary.derivative(z, t), (z > 0) + 0.5 * (z == 0) - t, atol=1e-6)
        np.testing.assert_allclose(np.sum(activations.softmax(z), axis=-1), 1.0, rtol=1e-6)
        assert np.isfinite(losses.categorical_crossentropy_from_logits(z, t)).all()
        assert np.isfinite(losses.categorical_crossentropy_from_logits.derivative(z, t)).all()
    np.testing.assert_allclose(activations.softmax(z), [[0, 0, 1], [1 / 3] * 3, [1 / 3] * 3], rtol=1e-6)
    sparse = losses.sparse_categorical_crossentropy_from_logits(z, np.zeros((3, 1), precision))
    np.testing.assert_allclose(sparse, [[2e4], [np.log(3)], [np.log(3)]], rtol=1e-6)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_certain_probabilities_give_finite_losses(precision):
    y, t = np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]], precision), np.array([[1.0, 0.0]], precision)
    for f in (losses.binary_crossentropy, losses.categorical_crossentropy):
        assert np.isfinite(f(y, t)).all()
        assert np.isfinite(f.derivative(y, t)).all()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_fused_losses_equal_the_plain_ones(precision):
    rng, rtol = np.random.default_rng(4), 2e-5 if precision is np.float32 else 1e-12
    z, t = rng.standard_normal((50, 4)).astype(precision), rng.uniform(0, 1, (50, 4)).astype(precision)
    classes = rng.integers(4, size=(50, 1)).astype(precision)
    for last, name, target in [
        (activations.sigmoid, "binary_crossentropy", t),
        (activations.softmax, "categorical_crossentropy", t),
        (activations.softmax, "sparse_categorical_crossentropy", classes),
    ]:
        plain, fused, a = getattr(losses, name), getattr(losses, name + "_from_logits"), last(z)
        np.testing.assert_allclose(fused(z, target), plain(a, target), rtol=rtol, atol=rtol)
        da = plain.derivative(a, target)
        dz = last.gradient(da, z, a) if hasattr(last, "gradient") else da * last.derivative(z, a)
        np.testing.assert_allclose(fused.derivative(z, target), dz, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("f", ACTIVATIONS + LOSSES, ids=name_of)
def test_nan_stays_nan(f):
    """Also through `where` and `maximum`, in the first argument and in the second."""
    y, *t = arguments(f, np.random.default_rng(5))
    for place in range(1 + len(t)):
        spoiled = [y.copy(), *(array.copy() for array in t)]
        spoiled[place][0] = NAN
        value = f(*spoiled)
        if place == 1 and name_of(f).startswith("sparse"):
            continue  # NaN is no class number: it equals none, and `fit` refuses it
        assert np.isnan(value[0]).all()
        assert np.isfinite(value[1:]).all()
        second = spoiled[1:] or [value][: read(f.derivative).arrays.__len__() - 1]
        derivative = np.broadcast_to(f.derivative(spoiled[0], *second), y.shape)
        assert np.isnan(derivative[0]).all() or name_of(f) in CHOOSERS or "absolute" in name_of(f)
        assert np.isfinite(derivative[1:]).all()


def test_nan_stays_in_its_row():
    z = np.array([[1.0, NAN, 2.0], [1.0, 0.0, 2.0]])
    assert np.isnan(activations.softmax(z)).tolist() == [[True] * 3, [False] * 3]
    assert np.isnan(rows.layer_normalization(z, np.ones(3), np.zeros(3))).tolist() == [[True] * 3, [False] * 3]


@pytest.mark.parametrize(
    ("name", "below", "above"),
    [
        ("linear", -INF, INF), ("relu", 0.0, INF), ("leaky_relu", -INF, INF), ("elu", -1.0, INF),
        ("sigmoid", 0.0, 1.0), ("tanh", -1.0, 1.0), ("softplus", 0.0, INF),
        ("silu", NAN, INF), ("gelu", NAN, INF),  # -inf times 0, as NumPy has it
    ],
)  # fmt: skip
def test_infinities_go_where_numpy_takes_them(name, below, above):
    for precision in PRECISIONS:
        np.testing.assert_array_equal(getattr(activations, name)(np.array([-INF, INF], precision)), [below, above])


def test_an_infinite_logit():
    np.testing.assert_array_equal(activations.softmax(np.array([[-INF, 0.0, 0.0]])), [[0.0, 0.5, 0.5]])
    assert np.isnan(activations.softmax(np.array([[INF, 0.0]]))).all()


@pytest.mark.parametrize("scalars_of", [scalar_defaults, other_scalars], ids=["defaults", "others"])
@pytest.mark.parametrize("f", EVERY, ids=name_of)
def test_float32_stays_float32(f, scalars_of):
    """A scalar is a Python number, so it takes the arrays' precision."""
    scalars = {name: float(value) for name, value in scalars_of(f).items()}
    for precision in PRECISIONS:
        results = f(*arguments(f, np.random.default_rng(6), dtype=precision), **scalars)
        for result in results if isinstance(results, tuple) else (results,):
            if isinstance(result, float):
                assert name_of(f) == "linear_derivative"
            elif name_of(f) in DOUBLES:
                assert result.dtype == np.float64 or np.result_type(result, precision) == precision
            else:
                assert np.result_type(result, precision) == precision


def test_the_lists_are_whole():
    assert len(UPDATES) == 12
    assert len({name_of(f) for f in EVERY}) == len(EVERY)
    assert {name_of(f) for f in WITH_GRADIENT} == {"softmax", "layer_normalization"}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_erf_to_four_units_in_the_last_place(precision):
    sizes = np.concatenate([np.linspace(0.0, 7.0, 20_001), np.logspace(-300, 0, 2_000), [30.0, 1e30]])
    x = np.concatenate([sizes, -sizes]).astype(precision)
    expected = np.array([math.erf(value) for value in x.tolist()])
    error = abs(erf(x).astype(np.float64) - expected)
    assert np.all(error <= 4.0 * np.spacing(abs(expected).astype(precision)))
    assert erf(x).dtype == precision
    np.testing.assert_array_equal(erf(np.array([INF, -INF, NAN], precision)), [1.0, -1.0, NAN])
