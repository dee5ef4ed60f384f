"""The proof of a gradient: explicit backward against central differences of forward, in float64.

The metric, per tensor: |analytic - numeric| / max(|analytic|, |numeric|) in the 2-norm. Differences are of the fourth
order, (8 (f(+h) - f(-h)) - (f(+2h) - f(-2h))) / 12 h, whose error is far below the 1e-7 asked for. Where a gradient is
so small that rounding alone, about 1e-16 |f| / h, could drown it, that rounding takes the place of the norm.

At a kink (relu at 0, |y - t| at y = t) a difference says nothing: an element whose change by 2h carries any
comparison of the network's formulas to its other side is left out, and counted.

Finite differences prove a derivative, not a function: known values and a hand-worked network stand beside them in the
tests.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator
from types import FunctionType, SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tinynet.formulas import vocabulary
from tinynet.formulas.formula import Formula
from tinynet.formulas.vocabulary import Array
from tinynet.layers import Embedding, Layer
from tinynet.losses import Objective
from tinynet.network import Network, Workspace
from tinynet.operations import Operations

if TYPE_CHECKING:
    from tinynet.model import Sequential

STEP = 1e-4  # where the fourth-order truncation and the rounding are about equal, for networks of usual curvature
ROUNDING = 2.0**-50  # a few units in the last place


class GradientError(AssertionError):
    """A backward pass disagrees with its forward pass."""


class Check(NamedTuple):
    """What was found for one tensor: its layer (0 for the input), name, error, and how many elements were compared."""

    layer: int
    kind: str
    tensor: str
    error: float
    compared: int
    at_kinks: int


class Report:
    """All checks of a network; `print(report)` is a table, `report.error` the largest error."""

    def __init__(self, tolerance: float) -> None:
        self.tolerance = tolerance
        self.checks: list[Check] = []

    @property
    def error(self) -> float:
        return max((check.error for check in self.checks), default=0.0)

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if not check.error <= self.tolerance]

    def __str__(self) -> str:
        lines = [f"{'layer':<24} {'tensor':<8} {'relative error':>14} {'compared':>9} {'at kinks':>9}"]
        for c in self.checks:
            where = f"{c.layer} {c.kind}" if c.layer else c.kind
            lines.append(f"{where:<24} {c.tensor:<8} {c.error:>14.2e} {c.compared:>9} {c.at_kinks:>9}")
        verdict = "failed" if self.failed else "passed"
        return "\n".join([*lines, f"largest error {self.error:.2e}, tolerance {self.tolerance:.0e}: {verdict}"])

    def raise_if_failed(self) -> None:
        """Raises GradientError naming the failing layer nearest the output: a fault there spoils all before it."""
        if self.failed:
            worst = max(self.failed, key=lambda check: (check.layer, check.error))
            where = f"layer {worst.layer} ({worst.kind})" if worst.layer else "the input"
            why = f"is wrong: its relative error is {worst.error:.2e}, above {self.tolerance:.0e}"
            if np.isnan(worst.error):
                why = "is not a number: backward did not write it, or forward is not finite here"
            raise GradientError(f"the gradient d{worst.tensor} of {where} {why}\n{self}")


def gradcheck(
    model: Sequential, x: Any, y: Any, sample_weight: Any = None, tolerance: float = 1e-6, elements: int = 200
) -> Report:
    """Check every parameter's gradient and the input's, of the model's loss on the rows x and y.

    Parameters
    ----------
    model : a compiled model; it is not changed, a float64 copy is checked
    x, y, sample_weight : as for `fit`; a few rows are enough
    tolerance : the largest relative error that passes; default 1e-6
    elements : at most so many elements of each tensor are compared, drawn at random; default 200

    Raises
    ------
    GradientError : naming the layer nearest the output that fails, and the tensor
    """
    state = model._compiled(x)
    data = model._data(x, y, sample_weight)
    network = state.network.copy(np.float64)
    w = Workspace(network, len(data["X"]), True, state.target_columns, input_gradient=True)
    w.x[...], w.t[...], w.weight[...] = data["X"], data["T"], data["weights"]
    report = _check(network, w, _of_loss(network, w, state.objective), tolerance, elements)
    report.raise_if_failed()
    return report


def check_layer(
    layer: Layer, n_in: int, rows: int = 5, x: Any = None, tolerance: float = 1e-6, elements: int = 200, seed: int = 0
) -> Report:
    """Check a layer, your own or built in, by itself: random parameters, input and cotangent da.

    Parameters
    ----------
    layer : what to check
    n_in : number of columns of x
    rows : number of rows; default 5
    x : the input (rows, n_in); default standard normal
    tolerance, elements : as for `gradcheck`
    seed : decides what is drawn

    Raises
    ------
    GradientError : naming the tensor whose gradient is wrong
    """
    generator = np.random.default_rng(seed)
    network = Network([layer], n_in, np.float64, seed=seed)
    for p in network.parameter_list():
        p[...] = generator.standard_normal(p.shape)
    x = generator.standard_normal((rows, n_in)) if x is None else np.asarray(x, dtype=np.float64)
    w = Workspace(network, len(x), True, network.widths[-1], input_gradient=True)
    w.x[...] = x
    cotangent = generator.standard_normal((len(x), network.widths[-1]))
    report = _check(network, w, _of_cotangent(network, w, cotangent), tolerance, elements)
    report.raise_if_failed()
    return report


# (the scalar function of the parameters and x, and the backward that leaves its gradients and returns dx)
Problem = tuple[Callable[[Operations], float], Callable[[], Array]]


def _of_loss(network: Network, w: Workspace, objective: Objective) -> Problem:
    """The mean loss of the workspace's batch."""

    def value(ops: Operations) -> float:
        network.value[...] = 0.0
        y = network.forward(ops, w, w.x, training=True)
        network.loss_and_gradient(ops, w, y, objective)
        return float(network.value[0]) / w.n

    def gradient() -> Array:
        ops = Operations()
        y = network.forward(ops, w, w.x, training=True)
        d = network.loss_and_gradient(ops, w, y, objective)
        dx = network.backward(ops, w, d, objective)
        assert dx is not None
        return dx

    return value, gradient


def _of_cotangent(network: Network, w: Workspace, cotangent: Array) -> Problem:
    """sum(cotangent y): its gradient with respect to y is the cotangent itself."""
    no_loss = Objective(Formula(lambda y, t: y), fused=False)

    def value(ops: Operations) -> float:
        return float(np.sum(cotangent * network.forward(ops, w, w.x, training=True)))

    def gradient() -> Array:
        ops = Operations()
        network.forward(ops, w, w.x, training=True)
        dx = network.backward(ops, w, cotangent, no_loss)
        if dx is None:
            raise GradientError(f"{type(network.layers[0]).__name__}.backward returned no dx although m.dx is there")
        return dx

    return value, gradient


def _check(network: Network, w: Workspace, problem: Problem, tolerance: float, elements: int) -> Report:
    value, gradient = problem
    generator, watch = np.random.default_rng(0), SideWatch()
    report = Report(tolerance=tolerance)
    with np.errstate(all="ignore"):
        network.gradients[...] = np.nan  # what backward forgets to write stays NaN, and fails
        dx = gradient().copy()
        for layer, kind, tensor, array, analytic in _tensors(network, w, dx):
            numeric, at_kinks = np.zeros_like(analytic), 0
            compared = np.zeros(analytic.shape, bool)
            places = _places(network, tensor, layer, array, generator, elements)
            for place in places:
                found = _difference(value, watch, array, place)
                if found is None:
                    at_kinks += 1
                else:
                    numeric[place], compared[place] = found, True
            a, n = analytic[compared], numeric[compared]
            noise = ROUNDING * (1.0 + abs(value(Operations()))) / STEP * max(1.0, len(a) ** 0.5)
            scale = max(float(np.linalg.norm(a)), float(np.linalg.norm(n)), noise / tolerance)
            error = float(np.linalg.norm(a - n)) / scale if len(a) else 0.0
            report.checks.append(Check(layer, kind, tensor, error, len(a), at_kinks))
    return report


def _tensors(network: Network, w: Workspace, dx: Array) -> Iterator[tuple[int, str, str, Array, Array]]:
    """(layer, its kind, tensor, the array to change, a copy of its analytic gradient)."""
    for index, (layer, specs, views) in enumerate(
        zip(network.layers, network.specifications, network.views, strict=True), 1
    ):
        for name in specs:
            yield index, type(layer).__name__, name, views[name], views["d" + name].copy()
    yield 0, "input", "x", w.x, dx


def _places(
    network: Network, tensor: str, layer: int, array: Array, generator: np.random.Generator, elements: int
) -> list[tuple[int, ...]]:
    """The elements to change: all or a draw; never the codes of an embedding, which cannot change a little."""
    places = [tuple(int(i) for i in place) for place in np.ndindex(*array.shape)]
    first = network.layers[0]
    if layer == 0 and tensor == "x" and isinstance(first, Embedding):
        places = [place for place in places if place[1] not in first.columns]
    if len(places) > elements:
        places = [places[i] for i in generator.choice(len(places), elements, replace=False)]
    return places


def _difference(
    value: Callable[[Operations], float], watch: SideWatch, array: Array, place: tuple[int, ...]
) -> float | None:
    """The derivative of `value` with respect to one element; None where a kink lies within reach."""
    start = array[place]
    h = STEP * max(1.0, abs(float(start)))
    values, sides = [], []
    for shift in (-2.0, -1.0, 1.0, 2.0):
        array[place] = start + shift * h
        values.append(value(watch))
        sides.append(watch.taken())
    array[place] = start
    if any(side != sides[0] for side in sides):
        return None
    far_left, left, right, far_right = values
    return (8.0 * (right - left) - (far_right - far_left)) / (12.0 * h)


class SideWatch(Operations):
    """Operations that also note, for each comparison in a formula, on which side every element falls."""

    def __init__(self) -> None:
        self.sides: list[bytes] = []
        self.watched: dict[Callable[..., Any], Callable[..., Any]] = {}  # a formula -> the same, over noting words

        def noting(word: Callable[..., Array], side: Callable[..., Array]) -> Callable[..., Array]:
            def noted(*arguments: Array) -> Array:
                self.sides.append(np.packbits(side(*arguments)).tobytes())
                return word(*arguments)

            return noted

        self.words = {
            "maximum": noting(vocabulary.maximum, lambda x, y: np.asarray(x > y)),
            "minimum": noting(vocabulary.minimum, lambda x, y: np.asarray(x < y)),
            "where": noting(vocabulary.where, lambda condition, x, y: np.asarray(condition)),
            "abs": noting(np.abs, lambda x: np.asarray(x > 0)),
        }
        self.vocabulary = SimpleNamespace(**{**vars(vocabulary), **self.words})

    def taken(self) -> list[bytes]:
        """The sides noted since the last time."""
        sides, self.sides = self.sides, []
        return sides

    def watching(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same formula over words that note on which side of their kink the elements lie."""
        if function not in self.watched:
            names = dict(function.__globals__)
            other = FunctionType(function.__code__, names, function.__name__, None, function.__closure__)
            other.__kwdefaults__ = function.__kwdefaults__
            self.watched[function] = other
            for name in function.__code__.co_names:
                found = names.get(name, builtins.abs if name == "abs" else None)
                if found is vocabulary:
                    names[name] = self.vocabulary
                elif name in self.words and found in (getattr(vocabulary, name, None), builtins.abs, np.abs):
                    names[name] = self.words[name]
                elif isinstance(found, FunctionType) and found.__module__ != vocabulary.__name__:
                    names[name] = self.watching(found)
        return self.watched[function]

    def watch(self, f: Formula, *arrays: Array) -> None:
        self.watching(f.function)(*arrays, **f.scalars)

    def bias_activation(self, z: Array, b: Array, f: Formula, a: Array) -> None:
        super().bias_activation(z, b, f, a)
        self.watch(f, z)

    def apply(self, f: Formula, arrays: Any, outs: Any) -> None:
        self.watch(f, *arrays)
        super().apply(f, arrays, outs)

    def loss_grad(self, f: Formula, y: Array, t: Array, weight: Array, total: Array, dy: Array, value: Array) -> None:
        super().loss_grad(f, y, t, weight, total, dy, value)
        self.watch(f, y, t)

    def regularize(self, f: Formula, p: Array, total: Array, value: Array) -> None:
        super().regularize(f, p, total, value)
        self.watch(f, p)
