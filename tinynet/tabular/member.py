"""One network of an ensemble: what it is, and how it is trained until the rows put aside get no better."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import tinynet as tn
from tinynet.backends import missing
from tinynet.formulas.vocabulary import Array
from tinynet.tabular.screening import scales


@dataclass(frozen=True)
class Recipe:
    """A kind of network and its training.

    hidden : the widths of the hidden layers; none: an additive model, each column's own curve summed up
    dropout : behind each hidden layer
    learning_rate : the top of the schedule, a warm-up and half a cosine down to 0
    weight_decay : of AdamW
    epochs : at most; fewer where they would be more than STEPS steps, but a FEW at least
    patience : the share of the epochs that are borne without a better validation loss
    """

    hidden: tuple[int, ...]
    dropout: float
    learning_rate: float
    weight_decay: float
    epochs: int
    patience: float


STEPS, FEW = 3_000, 8
WARMUP = 0.1  # of all steps
BETA_2 = 0.95  # RealMLP's: the second moment of 20 steps, since fits are short
LONGEST_VECTOR = 8  # of an embedding


def batch_size(rows: int) -> int:
    """About 40 steps an epoch, of 32 to 256 rows: a power of 2."""
    return int(2 ** np.clip(np.round(np.log2(max(rows, 1) / 40)), 5, 8))


def epochs_for(recipe: Recipe, rows: int) -> int:
    """How many epochs are planned."""
    steps = -(-rows // batch_size(rows))
    return min(recipe.epochs, max(FEW, round(STEPS / steps)))


def network(columns: int, codes: Sequence[tuple[int, int]], outputs: int, recipe: Recipe) -> tn.Sequential:
    """columns (with embeddings in the place of codes) -> hidden layers -> outputs without an activation."""
    layers: list[Any] = [tn.Input((columns,))]
    if codes:
        sizes = [min(LONGEST_VECTOR, int(np.ceil(1.6 * count**0.56))) for _, count in codes]  # fastai's rule
        layers.append(tn.layers.Embedding([at for at, _ in codes], [count for _, count in codes], sizes))
    for width in recipe.hidden:
        layers.append(tn.layers.Dense(width, activation="silu", kernel_initializer="he_normal"))
        if recipe.dropout:
            layers.append(tn.layers.Dropout(recipe.dropout))
    layers.append(tn.layers.Dense(outputs))
    return tn.Sequential(layers)


def trained(
    model: tn.Sequential,
    loss: Any,
    recipe: Recipe,
    data: tuple[Array, Array, Array],
    validation: tuple[Array, Array, Array],
    seed: int,
    backend: str,
    after_epoch: Callable[[int], None],
) -> tuple[tn.Sequential, dict[str, list[float]]]:
    """(the model with the weights of its best epoch, as `validation` judges; loss and val_loss of each epoch).

    `data` and `validation` are (X, T, weights).

    One thread; the caller runs several members at once, since compiled code lets other threads run. Columns of X are
    learned from at their `screening.scales`, which the first weights then take in; `data`'s X is worked on in place.
    """
    rows = len(data[0])
    scale = np.ones(data[0].shape[1], np.float32)
    codes = [column for layer in model.layers if isinstance(layer, tn.layers.Embedding) for column in layer.columns]
    numbers = np.delete(np.arange(len(scale)), codes)
    scale[numbers] = scales(data[0], in_columns(data[1], loss), data[2])[numbers]
    data[0][...] *= scale
    validation = (validation[0] * scale, *validation[1:])
    size = batch_size(rows)
    epochs = epochs_for(recipe, rows)
    steps = -(-rows // size) * epochs
    warm = int(WARMUP * steps)
    rate = tn.schedules.CosineDecay(
        0.0 if warm else recipe.learning_rate, steps - warm, 0.0, recipe.learning_rate if warm else None, warm
    )
    model.generator = np.random.default_rng(seed)
    chosen = backend if backend != "auto" else "numpy" if missing("numba") else "numba"
    model.compile(
        tn.optimizers.AdamW(rate, weight_decay=recipe.weight_decay, beta_2=BETA_2), loss, backend=chosen, threads=1
    )
    patience = math.ceil(recipe.patience * epochs)
    stopping = tn.callbacks.EarlyStopping("val_loss", patience=patience, restore_best_weights=True)
    history = model.fit(
        data[0], data[1], batch_size=size, epochs=epochs, verbose=0, callbacks=[stopping, Said(after_epoch)],
        sample_weight=data[2], validation_data=validation,
    )  # fmt: skip
    after_epoch(epochs)
    kept = tn.Sequential([tn.Input((data[0].shape[1],)), *(remade(layer) for layer in model.layers)])
    kept.build()
    kept.set_weights(model.get_weights())
    first = next(layer for layer in kept.layers if isinstance(layer, tn.layers.Dense))
    first.weights[0][: len(numbers)] *= scale[numbers, None]  # Embedding puts numbers first
    return kept, {name: [float(x) for x in history.history[name]] for name in ("loss", "val_loss")}


def in_columns(t: Array, loss: Any) -> Array:
    """T; of classes by number, a column each."""
    if not isinstance(loss, tn.losses.SparseCategoricalCrossentropy):
        return t
    own: Array = np.asarray(t == np.arange(int(t.max()) + 1), np.float32)
    return own


def remade(layer: tn.layers.Layer) -> tn.layers.Layer:
    """The same layer, bound to nothing."""
    made = type(layer).from_config(layer.config(), {})
    made.name = layer.name
    return made


class Said(tn.callbacks.Callback):
    """Tells how many epochs are done."""

    def __init__(self, after_epoch: Callable[[int], None]) -> None:
        self.after_epoch = after_epoch

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.after_epoch(epoch + 1)
