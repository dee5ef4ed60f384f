"""SymPy's derivative of a formula's own code is the derivative that stands beside it."""

import itertools

import pytest
import sympy
from every_formula import ELEMENTWISE, EVERY, ROW_LOSSES, WITH_GRADIENT, name_of, other_scalars
from symbolic import Row, exactly, symbols
from sympy import Rational

from tinynet.formulas import activations, losses, rows
from tinynet.formulas.activations import silu_derivative
from tinynet.formulas.formula import scalar_defaults
from tinynet.formulas.reader import read
from tinynet.formulas.vocabulary import maximum, minimum, where

# Rationals on both sides of every kink: 0 and the clipping bounds of probabilities, y = t, |y - t| = delta.
PLACES = [Rational(text) for text in ("-31/10", "-7/10", "-1/5", "1/500", "3/10", "4/5", "999/1000", "21/5")]
POSITIVE = [place for place in PLACES if place > 0]
TARGETS = [Rational("37/100"), Rational("-3/2")]


def exact(scalars):
    return {name: Rational(repr(value)) for name, value in scalars.items()}


def both_scalars(function):
    """The defaults, and values away from them."""
    default = exact(scalar_defaults(function))
    return [default, exact(other_scalars(function))] if default else [default]


def taken_by(function, scalars):
    return {name: value for name, value in scalars.items() if name in read(function).scalars}


def assert_same(expected, found, place):
    """Equal to thirty digits."""
    difference, size = (abs(sympy.N(x.subs(place), 40)) for x in (expected - found, expected))
    assert difference <= Rational(1, 10**30) * max(1, size), f"at {place}: {sympy.N(expected.subs(place))} expected"


def prove_elementwise(f, derivative):
    """d/dx f(x, ...) is `derivative` at every place, for default and other scalars."""
    x, t, a = sympy.symbols("x t a", real=True)
    targets = (Row([t]),) if len(read(f).arrays) == 2 else ()
    places = POSITIVE if name_of(f) == "poisson" else PLACES
    for scalars in both_scalars(f):
        (value,) = exactly(f)(Row([x]), *targets, **scalars).entries
        second = targets or ((Row([a]),) if len(read(derivative).arrays) == 2 else ())
        found = exactly(derivative)(Row([x]), *second, **taken_by(derivative, scalars))
        (found,) = each_entry(found)
        for place, target in itertools.product(places, TARGETS if targets else TARGETS[:1]):
            assert_same(sympy.diff(value, x), found.subs(a, value), {x: place, t: target})


def each_entry(value):
    return value.entries if isinstance(value, Row) else [sympy.sympify(value)]


@pytest.mark.parametrize("f", ELEMENTWISE, ids=name_of)
def test_an_elementwise_derivative(f):
    prove_elementwise(f, f.derivative)


ROW_PLACES = [
    ("3/10", "-6/5", "1/2"),  # probabilities for the losses that take them come from the next two
    ("1/10", "3/10", "3/5"),
    ("1/1000", "2", "1/5"),  # the first is held back when epsilon is a hundredth
]


def row_at(name, texts):
    return dict(zip(symbols(name, len(texts)).entries, map(Rational, texts), strict=True))


@pytest.mark.parametrize("f", ROW_LOSSES, ids=name_of)
def test_a_row_loss(f):
    y = symbols("y", 3)
    if name_of(f).startswith("sparse"):
        targets = [(Row([number]), {}) for number in range(3)]
    else:
        targets = [(symbols("t", 3), row_at("t", ("1/2", "1/3", "1/5"))), (symbols("t", 3), row_at("t", "001"))]
    for scalars, (t, t_at) in itertools.product(both_scalars(f), targets):
        (value,) = exactly(f)(y, t, **scalars).entries
        found = exactly(f.derivative)(y, t, **scalars).entries
        for texts in ROW_PLACES if "logits" in name_of(f) else ROW_PLACES[1:]:
            place = row_at("y", texts) | t_at
            for symbol, entry in zip(y.entries, found, strict=True):
                assert_same(sympy.diff(value, symbol), entry, place)


def test_softmax_taken_back():
    z, da = symbols("z", 3), symbols("d", 3)
    a = exactly(activations.softmax)(z)
    found = exactly(activations.softmax.gradient)(da, z, a).entries
    weighed = sum(d * result for d, result in zip(da.entries, a.entries, strict=True))
    for texts in ROW_PLACES:
        place = row_at("z", texts) | row_at("d", ("2/3", "-1", "1/7"))
        for symbol, entry in zip(z.entries, found, strict=True):
            assert_same(sympy.diff(weighed, symbol), entry, place)


@pytest.mark.parametrize("epsilon", ["1/1000", "1/10"])
def test_layer_normalization_taken_back(epsilon):
    x, gamma, beta, da = (symbols(name, 3) for name in ("x", "g", "b", "d"))
    scalars = {"epsilon": Rational(epsilon)}
    a = exactly(rows.layer_normalization)(x, gamma, beta, **scalars).entries
    dx, dgamma = exactly(rows.layer_normalization.gradient)(da, x, gamma, **scalars)
    weighed = sum(d * result for d, result in zip(da.entries, a, strict=True))
    for texts in ROW_PLACES:
        place = row_at("x", texts) | row_at("d", ("2/3", "-1", "1/7")) | row_at("g", ("3/2", "1/3", "-2"))
        for symbol, entry in zip(x.entries + gamma.entries, dx.entries + dgamma.entries, strict=True):
            assert_same(sympy.diff(weighed, symbol), entry, place)
        for symbol, d in zip(beta.entries, da.entries, strict=True):  # dbeta is da itself
            assert_same(sympy.diff(weighed, symbol), d, place)


def test_every_derivative_in_the_package_is_proven_here():
    proven = {f.derivative for f in [*ELEMENTWISE, *ROW_LOSSES]} | {f.gradient for f in WITH_GRADIENT}
    assert {f for f in EVERY if name_of(f).endswith(("_derivative", "_gradient"))} == proven
    assert [activations.softmax, rows.layer_normalization] == WITH_GRADIENT


def silu_off(z, a):
    return 1.0005 * silu_derivative(z, a)


def huber_off(y, t, *, delta=1.0):
    return maximum(minimum(y - t, 1.0005 * delta), -delta)


def leaky_relu_off(z, a, *, negative_slope=0.2):
    return where(z > 0.0, 1.0, 0.2)


@pytest.mark.parametrize(
    ("f", "derivative"),
    [(activations.silu, silu_off), (losses.huber, huber_off), (activations.leaky_relu, leaky_relu_off)],
    ids=["by 0.05 %", "by 0.05 % past the kink", "for other scalars only"],
)
def test_a_wrong_derivative_is_caught(f, derivative):
    with pytest.raises(AssertionError, match="expected"):
        prove_elementwise(f, derivative)


def test_the_numbers_are_exact():
    """A tenth is a tenth, and the constants of the formulas are SymPy's own."""
    z = sympy.Symbol("z", real=True)
    (value,) = exactly(activations.gelu)(Row([z])).entries
    assert sympy.simplify(value - z * (1 + sympy.erf(z / sympy.sqrt(2))) / 2) == 0
