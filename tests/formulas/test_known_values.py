"""Formulas against values known without them: closed forms, published points, and steps taken by hand.

A derivative that is proven says nothing about the function it belongs to; these numbers do. They were computed to 25
digits from the defining equations.
"""

from fractions import Fraction

import numpy as np
import pytest
from every_formula import ACTIVATIONS, LOSSES, name_of

from tinynet.formulas import activations, losses, rows, updates
from tinynet.formulas.formula import Formula
from tinynet.formulas.vocabulary import erf

LN2 = 0.69314718055994530942

ACTIVATION_VALUES = [
    ("linear", {}, [(-2.5, -2.5), (3.0, 3.0)]),
    ("relu", {}, [(-2.5, 0.0), (0.0, 0.0), (3.0, 3.0)]),
    ("leaky_relu", {}, [(-2.0, -0.4), (3.0, 3.0)]),
    ("leaky_relu", {"negative_slope": 0.01}, [(-2.0, -0.02), (3.0, 3.0)]),
    ("elu", {}, [(-1.0, -0.63212055882855768), (0.0, 0.0), (2.0, 2.0)]),
    ("elu", {"alpha": 0.5}, [(-1.0, -0.31606027941427884), (2.0, 2.0)]),
    ("sigmoid", {}, [(0.0, 0.5), (np.log(3.0), 0.75), (-np.log(4.0), 0.2)]),
    ("tanh", {}, [(0.0, 0.0), (1.0, 0.76159415595576489), (LN2, 0.6), (-LN2, -0.6)]),
    ("softplus", {}, [(0.0, LN2), (-1.0, 0.31326168751822283), (2.0, 2.1269280110429725), (1000.0, 1000.0)]),
    ("silu", {}, [(1.0, 0.73105857863000488), (-1.0, -0.26894142136999512), (2.0, 1.7615941559557649)]),
    # z Phi(z), Phi from tables of the normal distribution
    ("gelu", {}, [(1.0, 0.84134474606854295), (-1.0, -0.15865525393145705), (2.0, 1.9544997361036416)]),
    ("gelu", {}, [(0.5, 0.34573123063700655), (-3.0, -0.0040496940948902836), (0.0, 0.0)]),
]
DERIVATIVE_VALUES = [  # as (z, f'(z)), with the conventions at the kinks
    ("linear", [(5.0, 1.0)]),
    ("relu", [(-1.0, 0.0), (0.0, 0.0), (1.0, 1.0)]),
    ("leaky_relu", [(-1.0, 0.2), (0.0, 0.2), (1.0, 1.0)]),
    ("elu", [(-LN2, 0.5), (0.0, 1.0), (1.0, 1.0)]),
    ("sigmoid", [(0.0, 0.25), (np.log(3.0), 0.1875)]),
    ("tanh", [(0.0, 1.0), (LN2, 0.64)]),
    ("softplus", [(0.0, 0.5), (np.log(3.0), 0.75)]),
    ("silu", [(0.0, 0.5), (-1.2784645427610738, 0.0)]),  # its published minimum
    ("gelu", [(1.0, 1.0833154705876863), (-1.0, -0.083315470587686298), (0.0, 0.5), (3.0, 1.0119456472041839)]),
]
LOSS_VALUES = [  # as (y, t, f(y, t), df/dy)
    ("mean_squared_error", {}, [(3.0, 1.0, 4.0, 4.0), (1.0, 1.5, 0.25, -1.0)]),
    ("mean_absolute_error", {}, [(3.0, 1.0, 2.0, 1.0), (1.0, 1.5, 0.5, -1.0), (2.0, 2.0, 0.0, 0.0)]),
    ("huber", {}, [(1.5, 1.0, 0.125, 0.5), (4.0, 1.0, 2.5, 1.0), (0.0, 3.0, 2.5, -1.0), (2.0, 1.0, 0.5, 1.0)]),
    ("huber", {"delta": 2.0}, [(1.5, 1.0, 0.125, 0.5), (4.0, 1.0, 4.0, 2.0), (-4.0, 0.0, 6.0, -2.0)]),
    ("quantile", {"q": 0.9}, [(1.0, 3.0, 1.8, -0.9), (3.0, 1.0, 0.2, 0.1), (1.0, 1.0, 0.0, -0.9)]),
    ("quantile", {}, [(1.0, 3.0, 1.0, -0.5), (3.0, 1.0, 1.0, 0.5)]),
    ("poisson", {"epsilon": 0.0}, [(2.0, 3.0, -0.079441541679835928, -0.5), (1.0, 4.0, 1.0, -3.0)]),
    ("poisson", {"epsilon": 1.0}, [(1.0, 2.0, -0.38629436111989062, 0.0)]),
    ("poisson_log_link", {}, [(0.0, 2.0, 1.0, -1.0), (1.0986122886681098, 2.0, 0.80277542266378043, 1.0)]),
    ("gamma", {}, [(LN2, 3.0, 2.1931471805599453, -0.5), (0.0, 0.25, 0.25, 0.75)]),
    ("binary_crossentropy", {}, [(0.9, 1.0, 0.1053605156578263, -1.0 / 0.9), (0.5, 0.0, LN2, 2.0)]),
    ("binary_crossentropy", {}, [(0.8, 0.3, 1.1935496040981332, 3.125), (0.0, 1.0, 16.11809565095832, 0.0)]),
    ("binary_crossentropy_from_logits", {}, [(0.0, 1.0, LN2, -0.5), (np.log(4.0), 0.3, 1.1935496040981332, 0.5)]),
]


@pytest.mark.parametrize(("name", "scalars", "points"), ACTIVATION_VALUES)
def test_activations(name, scalars, points):
    z, a = np.transpose(points)
    np.testing.assert_allclose(Formula(getattr(activations, name), **scalars)(z), a, rtol=4e-16, atol=1e-16)


@pytest.mark.parametrize(("name", "points"), DERIVATIVE_VALUES)
def test_derivatives_of_activations(name, points):
    z, da = np.transpose(points)
    f = Formula(getattr(activations, name))
    found = np.broadcast_to(f.derivative(z, f(z)), z.shape)
    np.testing.assert_allclose(found, da, rtol=5e-16, atol=1e-16)


@pytest.mark.parametrize(("name", "scalars", "points"), LOSS_VALUES)
def test_losses(name, scalars, points):
    y, t, value, dy = np.transpose(points)
    f = Formula(getattr(losses, name), **scalars)
    np.testing.assert_allclose(f(y, t), value, rtol=1e-15, atol=3e-16)
    np.testing.assert_allclose(f.derivative(y, t), dy, rtol=1e-15, atol=1e-15)


def test_softmax():
    z = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [0.0, LN2, 0.0]])
    a = [[0.090030573170380458, 0.24472847105479765, 0.66524095577482189], [1 / 3] * 3, [0.25, 0.5, 0.25]]
    np.testing.assert_allclose(activations.softmax(z), a, rtol=4e-16)
    # Its Jacobian at the last row is diag(a) - a a^T; by hand for da = (1, 0, 0).
    dz = activations.softmax.gradient(np.array([[1.0, 0.0, 0.0]]), z[2:], activations.softmax(z[2:]))
    np.testing.assert_allclose(dz, [[0.1875, -0.125, -0.0625]], rtol=4e-16)


def test_categorical_losses():
    y, t = np.array([[0.2, 0.5, 0.3], [2.0, 1.0, 1.0]]), np.array([[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]])
    np.testing.assert_allclose(losses.categorical_crossentropy(y, t), [[LN2], [1.5 * LN2]], rtol=1e-15)
    dy = [[1.0, -1.0, 1.0], [0.0, -0.25, 0.25]]  # the second by hand: (g - sum g p) / 4, g = (-1, -2, 0), sum -1
    np.testing.assert_allclose(losses.categorical_crossentropy.derivative(y, t), dy, atol=1e-15)
    y, t = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]), np.array([[2.0], [1.0]])
    value = [[0.4076059644443803], [1.09861228866810969]]
    dy = [[0.090030573170380458, 0.24472847105479765, 0.66524095577482189 - 1.0], [1 / 3, -2 / 3, 1 / 3]]
    np.testing.assert_allclose(losses.sparse_categorical_crossentropy_from_logits(y, t), value, rtol=4e-16)
    np.testing.assert_allclose(losses.sparse_categorical_crossentropy_from_logits.derivative(y, t), dy, rtol=5e-16)


def test_a_class_number_means_its_one_hot_row():
    rng = np.random.default_rng(3)
    y, classes = rng.uniform(0.1, 1.0, (4, 5)), np.array([[0.0], [4.0], [2.0], [2.0]])
    one_hot = np.eye(5)[classes[:, 0].astype(int)]
    for name in ("categorical_crossentropy", "categorical_crossentropy_from_logits"):
        of_rows, of_classes = getattr(losses, name), getattr(losses, "sparse_" + name)
        np.testing.assert_array_equal(of_classes(y, classes), of_rows(y, one_hot))
        np.testing.assert_array_equal(of_classes.derivative(y, classes), of_rows.derivative(y, one_hot))


def test_layer_normalization():
    x, gamma, beta = np.array([[1.0, 2.0, 3.0, 4.0]]), np.array([1.0, 2.0, 1.0, 1.0]), np.array([0.0, 0.0, 10.0, 0.0])
    expected = [[-1.3416407864998738, -0.89442719099991588, 10.44721359549995794, 1.3416407864998738]]
    np.testing.assert_allclose(rows.layer_normalization(x, gamma, beta, epsilon=0.0), expected, rtol=4e-16)
    standard = [[-1.3411044519645503, -0.44703481732151675, 0.44703481732151675, 1.3411044519645503]]
    np.testing.assert_allclose(rows.layer_normalization(x, 1.0, 0.0), standard, rtol=4e-16)  # epsilon 1/1000


def test_penalty_product_and_clipping():
    p = np.array([-2.0, 0.0, 0.5])
    np.testing.assert_allclose(rows.penalty(p, l1=0.1, l2=0.01), [0.24, 0.0, 0.0525], rtol=4e-16)
    np.testing.assert_allclose(rows.penalty.derivative(p, l1=0.1, l2=0.01), [-0.14, 0.0, 0.11], rtol=4e-16)
    np.testing.assert_array_equal(rows.product(p, p), [4.0, 0.0, 0.25])
    np.testing.assert_array_equal(updates.clip_by_value(p, limit=1.5), [-1.5, 0.0, 0.5])
    np.testing.assert_allclose(updates.clip_by_norm(np.array([3.0, 4.0]), np.array([25.0]), limit=1.0), [0.6, 0.8])
    np.testing.assert_array_equal(updates.clip_by_norm(np.array([0.3, 0.4]), np.array([0.25]), limit=1.0), [0.3, 0.4])


def test_gradient_descent_by_hand():
    """Two steps each, in fractions, so that nothing rounds."""
    third, half, tenth = Fraction(1, 3), Fraction(1, 2), Fraction(1, 10)
    assert updates.sgd(Fraction(1), half, learning_rate=tenth) == Fraction(19, 20)
    p, m = updates.sgd_momentum(Fraction(1), half, Fraction(0), learning_rate=tenth, momentum=third)
    assert (p, m) == (Fraction(19, 20), Fraction(-1, 20))
    p, m = updates.sgd_momentum(p, Fraction(1), m, learning_rate=tenth, momentum=third)
    assert (p, m) == (Fraction(5, 6), Fraction(-7, 60))  # m = -1/60 - 1/10
    p, m = updates.sgd_nesterov(Fraction(1), half, Fraction(0), learning_rate=tenth, momentum=third)
    assert (p, m) == (Fraction(14, 15), Fraction(-1, 20))  # 1 - 1/60 - 1/20
    p, m = updates.sgd_nesterov(p, Fraction(1), m, learning_rate=tenth, momentum=third)
    assert (p, m) == (Fraction(143, 180), Fraction(-7, 60))  # 14/15 - 7/180 - 1/10


def test_rmsprop_by_hand():
    """Numbers whose roots are whole: v = 4/4 = 1, then 3/4 + 1/4 = 1; with epsilon inside the root, 3/4 + 1/4."""
    at = {"learning_rate": 0.125, "rho": 0.75}
    assert updates.rmsprop(1.0, 2.0, 0.0, epsilon=0.0, **at) == (0.75, 1.0)
    assert updates.rmsprop(0.75, 1.0, 1.0, epsilon=0.0, **at) == (0.625, 1.0)
    assert updates.rmsprop(1.0, 3.0**0.5, 0.0, epsilon=0.25, **at)[1] == pytest.approx(0.75, rel=1e-15)
    assert updates.rmsprop(1.0, 3.0**0.5, 0.0, epsilon=0.25, **at)[0] == pytest.approx(0.78349364905389041, rel=1e-15)
    p, v, m = updates.rmsprop_momentum(1.0, 2.0, 0.0, 0.0, epsilon=0.0, momentum=0.5, **at)
    assert (p, v, m) == (0.75, 1.0, 0.25)
    assert updates.rmsprop_momentum(p, 1.0, v, m, epsilon=0.0, momentum=0.5, **at) == (0.5, 1.0, 0.25)


@pytest.mark.parametrize(
    ("weight_decay", "scalars", "steps"),
    [
        (0.0, {"epsilon": 1e-7}, [0.40000126489506427, 0.45595144264649326, 0.41896717578700408]),
        (0.0, {"epsilon": 0.1}, [0.49267351532033112, 0.50642745693294537, 0.49105327990609182]),
        # Algorithm 1 of the paper corrects the averages themselves; without epsilon that is the same.
        (0.0, {"epsilon": 0.0}, [0.4, 0.45595034940378749, 0.41896603055873507]),
        (0.004, {"epsilon": 1e-7}, [0.39980126489506427, 0.45559152214053524, 0.41842501867218984]),
    ],
    ids=["adam", "large epsilon", "no epsilon", "adamw"],
)
def test_three_steps_of_adam_and_with_decay_of_adamw(weight_decay, scalars, steps):
    p, m, v = 0.5, 0.0, 0.0
    for step, (g, expected) in enumerate(zip((0.25, -1.0, 2.0), steps, strict=True), 1):
        p = updates.decay(p, g, learning_rate=0.1, weight_decay=weight_decay)
        p, m, v = updates.adam(p, g, m, v, learning_rate=0.1, step=step, **scalars)
        assert p == pytest.approx(expected, rel=1e-13)
    assert (m, v) == pytest.approx((0.13025, 0.0050613750625), rel=1e-14)


def test_erf():
    x = np.array([0.5, 1.0, 2.0, -1.0])
    known = [0.52049987781304654, 0.84270079294971487, 0.99532226501895273, -0.84270079294971487]
    np.testing.assert_allclose(erf(x), known, rtol=4e-16)


def test_every_activation_and_loss_has_known_values():
    assert {name for name, *_ in ACTIVATION_VALUES} == {name for name, *_ in DERIVATIVE_VALUES}
    assert {name for name, *_ in ACTIVATION_VALUES} == set(map(name_of, ACTIVATIONS))
    elementwise = {name for name in map(name_of, LOSSES) if "categorical" not in name}
    assert {name for name, *_ in LOSS_VALUES} == elementwise
