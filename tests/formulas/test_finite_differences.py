"""Central differences of what NumPy computes, in float64, against every derivative, under random cotangents.

The metric for a tensor is |a - n| / max(|a|, |n|) in the 2-norm. The values stay clear of the kinks, and differences
of fourth order over steps of 2e-4 leave an error of about 1e-12.
"""

import numpy as np
import pytest
from every_formula import ELEMENTWISE, OTHER_SCALARS, ROW_LOSSES, WITH_GRADIENT, arguments, name_of
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynet.formulas import activations, losses, rows
from tinynet.formulas.formula import Formula
from tinynet.formulas.vocabulary import maximum, minimum

STEP, CLEAR, LIMIT = 2e-4, 0.01, 1e-9


def kinks(f, others, scalars):
    """Where f bends, for each element of its first argument."""
    target = others[0] if others else 0.0
    match name_of(f):
        case "relu" | "leaky_relu" | "elu" | "penalty":
            return [0.0]
        case "mean_absolute_error" | "quantile":
            return [target]
        case "huber":
            return [target - scalars["delta"], target + scalars["delta"]]
        case "binary_crossentropy":
            return [scalars["epsilon"], 1.0 - scalars["epsilon"]]
    return []


def cleared(x, places):
    """x with every element that comes too near to a kink moved past it."""
    for place in places:
        x = np.where(abs(x - place) < CLEAR, place + 2.0 * CLEAR, x)
    return x


def difference(function, x, j=slice(None)):
    """d function / dx[..., j] by central differences of fourth order."""

    def at(steps):
        moved = x.copy()
        moved[..., j] += steps * STEP
        return function(moved)

    return (8.0 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12.0 * STEP)


def assert_close(analytic, numeric):
    size = max(np.linalg.norm(analytic), np.linalg.norm(numeric))
    error = np.linalg.norm(analytic - numeric) / size if size else 0.0
    assert error <= LIMIT, f"relative error {error:.1e}"


def drawn_scalars(data, f):
    """Each scalar between half and once its value in the table."""
    part = data.draw(st.floats(0.5, 1.0), label="part")
    return {name: part * OTHER_SCALARS[name] for name in Formula(f).scalars}


def prove_elementwise(f, derivative, rng, shape, scalars):
    x, *others = arguments(f, rng, shape)
    x = cleared(x, kinks(f, others, scalars))
    f, derivative = Formula(f, **scalars), Formula(derivative, **scalars)
    cotangent = rng.standard_normal(shape)
    second = others or ([f(x)] if derivative.function.__code__.co_argcount == 2 else [])
    numeric = cotangent * difference(lambda moved: f(moved, *others), x)
    assert_close(cotangent * derivative(x, *second), numeric)


def gradient_by_rows(function, x, cotangent):
    """The gradient of sum(cotangent function(x)), one column of all rows at a time."""
    columns = [np.sum(cotangent * difference(function, x, j), axis=-1) for j in range(x.shape[-1])]
    return np.stack(columns, axis=-1)


anything = given(data=st.data(), seed=st.integers(0, 2**32 - 1), n=st.integers(4, 8), m=st.integers(3, 6))
few = settings(max_examples=25, deadline=None)


@pytest.mark.parametrize("f", ELEMENTWISE, ids=name_of)
@few
@anything
def test_elementwise(f, data, seed, n, m):
    prove_elementwise(f, f.derivative, np.random.default_rng(seed), (n, m), drawn_scalars(data, f))


@pytest.mark.parametrize("f", ROW_LOSSES, ids=name_of)
@few
@anything
def test_row_losses(f, data, seed, n, m):
    rng = np.random.default_rng(seed)
    y, t = arguments(f, rng, (n, m))
    if "logits" not in name_of(f):
        y += 0.2  # so that no share of the row is near to being held back
    scalars = {name: 0.1 * value for name, value in drawn_scalars(data, f).items()}
    loss, cotangent = Formula(f, **scalars), rng.standard_normal((n, 1))
    assert_close(cotangent * loss.derivative(y, t), gradient_by_rows(lambda moved: loss(moved, t), y, cotangent))


@few
@anything
def test_softmax(data, seed, n, m):
    rng = np.random.default_rng(seed)
    z, da = rng.standard_normal((2, n, m))
    softmax = Formula(activations.softmax)
    assert_close(softmax.gradient(da, z, softmax(z)), gradient_by_rows(softmax, z, da))


@few
@anything
def test_layer_normalization(data, seed, n, m):
    rng = np.random.default_rng(seed)
    x, gamma, beta = arguments(rows.layer_normalization, rng, (n, m))
    da = rng.standard_normal((n, m))
    normalize = Formula(rows.layer_normalization, **drawn_scalars(data, rows.layer_normalization))
    dx, dgamma = normalize.gradient(da, x, gamma)
    assert_close(dx, gradient_by_rows(lambda moved: normalize(moved, gamma, beta), x, da))
    assert_close(dgamma, da * difference(lambda moved: normalize(x, moved, beta), gamma))
    assert_close(da, da * difference(lambda moved: normalize(x, gamma, moved), beta))


def test_all_are_tested():
    assert {activations.softmax, rows.layer_normalization} == set(WITH_GRADIENT)


def gelu_off(z, a):
    return 1.0005 * activations.gelu_derivative(z, a)


def huber_off(y, t, *, delta=1.0):
    return maximum(minimum(y - t, 1.0005 * delta), -delta)


@pytest.mark.parametrize(("f", "derivative"), [(activations.gelu, gelu_off), (losses.huber, huber_off)], ids=name_of)
def test_a_derivative_wrong_by_a_twentieth_of_a_percent_is_caught(f, derivative):
    scalars = dict.fromkeys(Formula(f).scalars, 0.5)
    with pytest.raises(AssertionError, match="relative error"):
        prove_elementwise(f, derivative, np.random.default_rng(1), (8, 6), scalars)
