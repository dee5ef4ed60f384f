"""Compile ahead of time, so that no first training waits for it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinynet import activations, losses, optimizers
from tinynet.backends.numba_prediction import NumbaPrediction
from tinynet.backends.numba_training import NumbaTraining
from tinynet.layers import Dense, Dropout, Embedding, LayerNormalization
from tinynet.network import Network

LOSSES = (
    "mean_squared_error", "mean_absolute_error", "binary_crossentropy", "categorical_crossentropy",
    "sparse_categorical_crossentropy",
)  # fmt: skip
LAST = {"binary_crossentropy": "sigmoid", "categorical_crossentropy": "softmax"}


def warmup(precisions: tuple[str, ...] = ("float32",), say: Callable[[str], None] = lambda text: None) -> None:
    """Compile every layer, activation, optimizer and the usual losses, and keep them on disk.

    Takes about half a minute the first time. `say` is told what is being compiled.
    """
    for dtype in precisions:
        for name in activations.ACTIVATIONS:
            step(dtype, f"activation {name}", name, "mean_squared_error", optimizers.Adam(), say)
        for name in LOSSES:
            step(dtype, f"loss {name}", "relu", name, optimizers.Adam(), say)
        for optimizer in (
            optimizers.SGD(), optimizers.SGD(momentum=0.9), optimizers.SGD(momentum=0.9, nesterov=True),
            optimizers.RMSprop(), optimizers.AdamW(), optimizers.Adam(clipnorm=1.0), optimizers.Adam(clipvalue=1.0),
        ):  # fmt: skip
            step(dtype, f"optimizer {optimizer}", "relu", "mean_squared_error", optimizer, say)


def step(
    dtype: str, what: str, activation: str, loss: str, optimizer: optimizers.Optimizer, say: Callable[[str], None]
) -> None:
    """One step and one prediction of a small network, by two threads so that what they need to meet is compiled too."""
    say(f"{dtype}, {what}")
    last = LAST.get(loss.removeprefix("sparse_"), "linear")
    layers = [Embedding(0, 3, 2), Dense(4, activation, kernel_regularizer="l2"), Dropout(0.5), LayerNormalization()]
    network = Network([*layers, Dense(2, last)], 3, np.dtype(dtype), np.random.default_rng(0))
    optimizer.bind(network)
    chosen = losses.get(loss)
    columns = chosen.target_columns(2)
    state = NumbaTraining(network, chosen.objective(activations.get(last)), optimizer, columns, threads=2)
    data = {"X": np.zeros((4, 3), dtype), "T": np.zeros((4, columns), dtype), "weights": np.ones((4, 1), dtype)}
    state.epoch(data, np.arange(4), 4)
    NumbaPrediction(network)(data["X"])
