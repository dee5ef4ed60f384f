"""The proof of a gradient: explicit backward against central differences of forward, in float64.

The metric, per tensor: |analytic - numeric| / max(|analytic|, |numeric|) in the 2-norm. Differences are of the fourth
order, (8 (f(+h) - f(-h)) - (f(+2h) - f(-2h))) / 12 h, whose error is mostly far below the 1e-7 asked for. A tensor that
fails is measured again with smaller h, down to where two in a row agree best: a steep function needs it, and so does
one near the end of its domain; a wrong gradient stays wrong. Where a gradient is so small that rounding alone, about
1e-16 |f| / h, could drown it, that rounding takes the place of the norm.

At a kink (relu at 0, |y - t| at y = t) a difference says nothing: an element whose change by 2h carries any
comparison of the network's formulas to its other side is left out, and counted.

Finite differences prove a derivative, not a function: known values and a hand-worked network stand beside them in the
tests.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tinynet.checked import CheckedOperations
from tinynet.formulas.formula import Formula
from tinynet.formulas.vocabulary import Array
from tinynet.kinks import SideWatch
from tinynet.layers import Embedding, Layer
from tinynet.losses import Objective
from tinynet.network import Network, Workspace
from tinynet.operations import Operations
from tinynet.optimizers import SGD
from tinynet.training import Training

if TYPE_CHECKING:
    from tinynet.compiled import Compiled

STEP = 1e-4  # where the fourth-order truncation and the rounding are about equal, for networks of usual curvature
ROUNDING = 2.0**-50  # a few units in the last place


class GradientError(AssertionError):
    """A backward pass disagrees with its forward pass."""


class Check(NamedTuple):
    """What was found for one tensor: the layer whose backward makes its gradient, the error, how much was compared.

    `tensor` is a parameter's name, or "x" for the layer's input. The loss stands behind the last layer: its kind is
    "loss", its tensor the "y" it takes, or "z" where it is fused with the last activation.
    """

    layer: int
    kind: str
    tensor: str
    error: float
    compared: int
    at_kinks: int

    @property
    def where(self) -> str:
        return "the loss" if self.kind == "loss" else f"layer {self.layer} ({self.kind})"


class Report:
    """All checks of a network; `print(report)` is a table, `report.error` the largest error."""

    def __init__(self, tolerance: float) -> None:
        self.tolerance = tolerance
        self.checks: list[Check] = []

    @property
    def error(self) -> float:
        return float(np.max([check.error for check in self.checks], initial=0.0))  # NaN, where one is

    @property
    def compared(self) -> int:
        """How many elements were compared."""
        return sum(check.compared for check in self.checks)

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if not check.error <= self.tolerance]

    def __str__(self) -> str:
        lines = [f"{'layer':<28} {'tensor':<8} {'relative error':>14} {'compared':>9} {'at kinks':>9}"]
        lines += [f"{c.where:<28} {c.tensor:<8} {c.error:>14.2e} {c.compared:>9} {c.at_kinks:>9}" for c in self.checks]
        verdict = "failed" if self.failed else "passed"
        return "\n".join([*lines, f"largest error {self.error:.2e}, tolerance {self.tolerance:.0e}: {verdict}"])

    def raise_if_failed(self) -> None:
        """Raises GradientError naming the failing layer nearest the loss: a fault there spoils all before it."""
        if self.failed:
            worst = max(self.failed, key=lambda check: (check.layer, check.error))
            why = f"is wrong: its relative error is {worst.error:.2e}, above {self.tolerance:.0e}"
            if np.isnan(worst.error):
                why = "is not a number: backward did not write it, or forward is not finite here"
            raise GradientError(f"the gradient d{worst.tensor} of {worst.where} {why}\n{self}")


def gradcheck(
    model: Compiled, x: Any, y: Any, sample_weight: Any = None, tolerance: float = 1e-6, elements: int = 200
) -> Report:
    """Check the gradient of every parameter, of every layer's input and of the loss, on the rows x and y.

    Parameters
    ----------
    model : a compiled model; it is not changed, a float64 copy is checked; with the backend "numba" the parameters'
        gradients are those of compiled code, and the differences NumPy's
    x, y, sample_weight : as for `fit`; a few rows are enough
    tolerance : the largest relative error that passes; default 1e-6
    elements : at most so many elements of each tensor are compared, drawn at random; default 200

    Raises
    ------
    GradientError : naming the layer whose backward is wrong, and the tensor
    """
    state = model._compiled(x)
    data = model._data(x, y, sample_weight)
    network = state.network.copy(np.float64)
    w = Workspace(network, len(data["X"]), True, state.target_columns, input_gradient=True)
    w.x[...], w.t[...], w.weight[...] = data["X"], data["T"], data["weights"]
    problem = Problem(network, w, state.objective)
    if model.backend == "numba":
        unused = SGD()
        unused.bind(network)
        machine = model._trainer(Training(network, state.objective, unused, state.target_columns), model.backend)
        problem.by_machine = partial(machine.gradient, {"X": w.x, "T": w.t, "weights": w.weight})
    report = _check(problem, tolerance, elements)
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
    x : the input (rows, n_in); default standard normal, and codes where an Embedding expects them
    tolerance, elements : as for `gradcheck`
    seed : decides what is drawn

    Raises
    ------
    GradientError : naming the tensor whose gradient is wrong
    TypeError, ValueError : where forward or backward asks for what an operation cannot do, with the line
    """
    if not isinstance(layer, Layer):
        what = f"the class {layer.__name__}; make a layer of it" if isinstance(layer, type) else type(layer).__name__
        raise TypeError(f"check_layer takes a layer, as in tn.layers.Dense(3); given was {what}")
    generator = np.random.default_rng(seed)
    network = Network([layer], n_in, np.float64, seed=seed)
    for p in network.parameter_list():
        p[...] = generator.standard_normal(p.shape)
    if x is None:
        x = generator.standard_normal((rows, n_in))
        if isinstance(layer, Embedding):
            x[:, layer.columns] = generator.integers(layer.input_dim, size=(rows, len(layer.columns)))
    x = np.asarray(x, dtype=np.float64)
    if isinstance(layer, Embedding):
        layer.check_codes(x)
    w = Workspace(network, len(x), True, network.widths[-1], input_gradient=True)
    w.x[...] = x
    cotangent = generator.standard_normal((len(x), network.widths[-1]))
    report = _check(Problem(network, w, None, cotangent), tolerance, elements)
    report.raise_if_failed()
    return report


class Problem:
    """A scalar function of parameters and inputs: the mean loss of a batch, or without a loss sum(cotangent y).

    The gradient of the latter with respect to y is the cotangent itself.
    """

    def __init__(
        self, network: Network, w: Workspace, objective: Objective | None, cotangent: Array | None = None
    ) -> None:
        self.network, self.w, self.objective, self.cotangent = network, w, objective, cotangent
        self.entered = [w.x]  # what enters each layer, then what enters the loss
        self.by_machine: Callable[[], Any] | None = None  # another backend, which makes the parameters' gradients

    def value(self, ops: Operations, first: int = 0) -> float:
        """The scalar, from what enters layer `first` (counted from 0) on."""
        network, y = self.network, self.entered[first]
        for layer, m in list(zip(network.layers, self.w.memories, strict=True))[first:]:
            y = layer.forward(ops, m, y, True)
        if self.objective is None:
            return float(np.sum(self.cotangent * y))
        network.value[...] = 0.0
        network.loss_and_gradient(ops, self.w, y, self.objective)
        return float(network.value[0]) / self.w.n

    def tensors(self) -> list[tuple[int, str, str, Array, Array]]:
        """(layer counted from 1, its kind, tensor, the array to change, its analytic gradient), layer by layer."""
        network, w, ops, found = self.network, self.w, CheckedOperations(), []
        network.gradients[...] = np.nan  # what backward forgets to write stays NaN, and fails
        y = network.forward(ops, w, w.x, training=True)
        d = self.cotangent if self.objective is None else network.loss_and_gradient(ops, w, y, self.objective)
        assert d is not None
        network.backward(ops, w, d, self.objective or Objective(Formula(lambda y, t: y), fused=False))
        self.entered = [*w.inputs, y]
        if self.by_machine is not None:
            network.gradients[...] = np.nan
            self.by_machine()
        for index, layer in enumerate(network.layers, 1):
            kind, views, dx = type(layer).__name__, network.views[index - 1], w.input_gradients[index - 1]
            if dx is None:
                raise GradientError(f"{kind}.backward returned no dx although m.dx is there")
            found += [
                (index, kind, name, views[name], views["d" + name].copy()) for name in network.specifications[index - 1]
            ]
            found.append((index, kind, "x", w.inputs[index - 1], dx.copy()))
        if self.objective is not None:
            fused = self.objective.fused
            taken = network.layers[-1].pre_activation(w.memories[-1], w.inputs[-1]) if fused else y
            found.append((len(network.layers) + 1, "loss", "z" if fused else "y", taken, w.dy.copy()))
        return found


def _check(problem: Problem, tolerance: float, elements: int) -> Report:
    network = problem.network
    generator, watch = np.random.default_rng(0), SideWatch()
    report = Report(tolerance=tolerance)
    with np.errstate(all="ignore"):
        for layer, kind, tensor, array, analytic in problem.tensors():
            size = abs(problem.value(Operations()))  # from the first layer on, so every array is as it was
            value = partial(problem.value, first=layer - 1)
            codes = network.layers[0] if layer == 1 and tensor == "x" else None
            places = _places(array, codes, generator, elements)
            found = {place: _difference(value, watch, array, place, STEP) for place in places}
            numeric = {place: d for place, d in found.items() if d is not None}
            noise = ROUNDING * (1.0 + size) / STEP * max(1.0, len(numeric) ** 0.5)
            error = _error(analytic, numeric, noise / tolerance)
            if not error <= tolerance:
                numeric = {place: _sharper_difference(value, watch, array, place) for place in numeric}
                error = _error(analytic, numeric, noise / tolerance)
            report.checks.append(Check(layer, kind, tensor, error, len(numeric), len(places) - len(numeric)))
    return report


def _error(analytic: Array, numeric: dict[tuple[int, ...], float], least: float) -> float:
    """|analytic - numeric| / max(|analytic|, |numeric|, least) over the places that were measured."""
    if not np.isfinite(analytic).all():  # in a place that was not drawn, perhaps
        return float("nan")
    a, n = np.array([analytic[place] for place in numeric]), np.array([*numeric.values()])
    return float(np.linalg.norm(a - n)) / max(float(np.linalg.norm(a)), float(np.linalg.norm(n)), least)


def _places(
    array: Array, entered: Layer | None, generator: np.random.Generator, elements: int
) -> list[tuple[int, ...]]:
    """The elements to change: all or a draw; never codes that enter an embedding, which cannot change a little."""
    places = [tuple(int(i) for i in place) for place in np.ndindex(*array.shape)]
    if isinstance(entered, Embedding):
        places = [place for place in places if place[1] not in entered.columns]
    if len(places) > elements:
        places = [places[i] for i in generator.choice(len(places), elements, replace=False)]
    return places


def _difference(
    value: Callable[[Operations], float], watch: SideWatch, array: Array, place: tuple[int, ...], step: float
) -> float | None:
    """The derivative of `value` with respect to one element; None where a kink lies within reach."""
    start = array[place]
    h = step * max(1.0, abs(float(start)))
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


def _sharper_difference(
    value: Callable[[Operations], float], watch: SideWatch, array: Array, place: tuple[int, ...]
) -> float:
    """The same by ever smaller steps, of which the two in a row that agree best are the sharpest."""
    tried = (_difference(value, watch, array, place, STEP / 4.0**k) for k in range(7))
    found = [difference for difference in tried if difference is not None and np.isfinite(difference)]
    if len(found) < 2:
        return float("nan")
    return found[int(np.argmin(np.abs(np.diff(found)))) + 1]
