"""Every formula computes what its definition says, worked out apart from it in decimals of 60 digits."""

import decimal_oracles
import numpy as np
import pytest
from decimal_oracles import agreement
from every_formula import EVERY, name_of

from tinynet.formulas import activations, losses, rows, updates

FORMULAS = [f for f in EVERY if not name_of(f).endswith(("_derivative", "_gradient"))]
LIMIT = 1e-13


@pytest.mark.parametrize("f", FORMULAS, ids=name_of)
def test_a_formula_is_its_definition(f):
    error, compared = agreement(f)
    assert error < LIMIT
    assert compared >= 12


def test_every_formula_has_a_definition():
    assert len(FORMULAS) > 40
    assert not {name_of(f) for f in FORMULAS} - vars(decimal_oracles).keys()


def gelu_by_tanh(z):
    return 0.5 * z * (1.0 + np.tanh((2.0 / np.pi) ** 0.5 * (z + 0.044715 * z**3)))


def huber_with_a_jump(y, t, *, delta=1.0):
    e = np.abs(y - t)
    return np.where(e <= delta, 0.5 * e**2, delta * e)


def adam_counting_from_zero(p, g, m, v, *, step, **scalars):
    return updates.adam(p, g, m, v, step=step + 1.0, **scalars)


def rmsprop_that_forgets(p, g, v, **scalars):
    return updates.rmsprop(p, g, v, **scalars)[0], v


def amsgrad_without_its_peak(p, g, m, v, peak, **scalars):
    return *updates.adam(p, g, m, v, **scalars), peak


def deviation_of_a_sample(x, *, epsilon=1e-3):
    return np.sqrt(np.var(x, axis=1, keepdims=True, ddof=1) + epsilon)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (activations.gelu, gelu_by_tanh),
        (losses.huber, huber_with_a_jump),
        (updates.sgd_nesterov, updates.sgd_momentum),
        (updates.rmsprop, rmsprop_that_forgets),
        (updates.adam, adam_counting_from_zero),
        (updates.adam_amsgrad, amsgrad_without_its_peak),
        (rows.row_deviation, deviation_of_a_sample),
    ],
    ids=name_of,
)
def test_a_wrong_formula_is_caught(right, wrong):
    assert agreement(right, wrong)[0] > 1e-6
