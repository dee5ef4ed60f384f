"""The whole table of layers, activations and losses, each gradient proven once: `python -m tinynet gradcheck`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinynet import regularizers
from tinynet.activations import ACTIVATIONS
from tinynet.formulas.vocabulary import Array
from tinynet.gradcheck import Report, check_layer, gradcheck
from tinynet.layers import Activation, Dense, Dropout, Embedding, Layer, LayerNormalization
from tinynet.losses import LOSSES
from tinynet.model import Sequential

ROWS, COLUMNS, UNITS, OUTPUTS = 4, 3, 4, 3
TOLERANCE = 1e-7


def layers() -> Iterator[tuple[str, Layer, Array | None]]:
    """(what it is, the layer, its input where it cannot be any) of every layer and activation."""
    for name in ACTIVATIONS:
        yield f"Dense {name}", Dense(UNITS, name), None
        yield f"Activation {name}", Activation(name), None
    yield "Dense without bias", Dense(UNITS, "tanh", use_bias=False), None
    yield "Dropout", Dropout(0.4), None
    yield "LayerNormalization", LayerNormalization(), None
    codes = np.array([[0.5, 1, 2], [1.5, 0, 2], [0.1, 1, 0]])
    yield "Embedding", Embedding([1, 2], [2, 3], [2, 4]), codes


def ends(loss: str) -> list[str]:
    """The activations that a network for this loss may end in: at least one that the loss takes as it is."""
    known = {"poisson": ["softplus"], "binary_crossentropy": ["sigmoid", "softmax"]}
    return known.get(loss, ["softmax", "sigmoid"] if "categorical" in loss else ["linear"])


def stack(activation: str, end: str) -> list[Layer]:
    """A network with a layer of every kind, one activation within and one at its end."""
    penalty = regularizers.L1L2(0.01, 0.02)
    first = Dense(UNITS, activation, kernel_regularizer=penalty)
    return [first, LayerNormalization(), Dropout(0.2), Dense(OUTPUTS, end)]


def targets(loss: str, generator: np.random.Generator) -> Array:
    """Targets that the loss can have."""
    if loss == "sparse_categorical_crossentropy":
        return generator.integers(0, OUTPUTS, ROWS)
    if loss == "categorical_crossentropy":
        return np.eye(OUTPUTS)[generator.integers(0, OUTPUTS, ROWS)]
    if loss == "binary_crossentropy":
        return generator.integers(0, 2, (ROWS, OUTPUTS))
    return np.abs(generator.standard_normal((ROWS, OUTPUTS)))


def prove(backend: str = "numpy", threads: int | None = None) -> Iterator[tuple[str, list[Report]]]:
    """(what was checked, its reports) of each layer, then of each loss after every activation.

    With another backend than NumPy's, networks alone are checked: their gradients are that backend's.
    Raises GradientError at the first that fails.
    """
    for what, layer, x in layers() if backend == "numpy" else ():
        yield what, [check_layer(layer, COLUMNS, ROWS, x, TOLERANCE)]
    generator = np.random.default_rng(0)
    names = [name for name, made in LOSSES.known.items() if LOSSES.name_of(made()) == name]  # without "mse" and "mae"
    for loss in names:
        for end in ends(loss):
            reports, fused = [], False
            for activation in ACTIVATIONS:
                model = Sequential(stack(activation, end), dtype="float64")
                model.compile("sgd", loss, backend=backend, threads=threads)
                x, weights = generator.standard_normal((ROWS, COLUMNS)), generator.uniform(0.5, 2.0, ROWS)
                reports.append(gradcheck(model, x, targets(loss, generator), weights, TOLERANCE))
                fused = model._compiled().objective.fused
            yield f"{loss} of {end}{' (fused)' if fused else ''}, {len(reports)} activations", reports
