"""The door: what enters a model is checked here, once, and told apart in one sentence. No message shows a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinynet.arrays import in_precision, numbers
from tinynet.formulas.vocabulary import Array
from tinynet.losses import Loss
from tinynet.settings import real


def inputs(x: Any, columns: int | None, dtype: np.dtype, what: str = "x") -> Array:
    """x as (n, columns) in the model's precision; a vector is one column."""
    array = numbers(x, what)
    if array.ndim == 1 and columns in (None, 1):
        array = array.reshape(-1, 1)
    if array.ndim != 2 or (columns is not None and array.shape[1] != columns):
        expected = "columns" if columns is None else str(columns)
        hint = (
            f"; for a single row give {what.split()[-1]}[None, :]" if array.ndim == 1 and array.size == columns else ""
        )
        raise ValueError(f"{what} has shape {array.shape}; expected is (rows, {expected}){hint}")
    if array.shape[0] == 0 or array.shape[1] == 0:
        raise ValueError(f"{what} is empty, its shape is {array.shape}; at least one row and one column are expected")
    return in_precision(array, dtype, what)


def targets(y: Any, n: int, loss: Loss, outputs: int, dtype: np.dtype, what: str = "y") -> Array:
    """y as (n, columns), with as many columns as the loss wants for a model of so many outputs."""
    array = numbers(y, what)
    given, columns = array.shape, loss.target_columns(outputs)
    if array.ndim == 1 and columns == 1:
        array = array.reshape(-1, 1)
    if array.shape != (n, columns):
        hint = ""
        if len(given) == 1 and loss.name == "categorical_crossentropy":
            hint = "; for class numbers use the loss sparse_categorical_crossentropy"
        raise ValueError(f"{what} has shape {given}; for {n} rows of x and the loss {loss.name} of {outputs} "
                         f"outputs, ({n}, {columns}) is expected{hint}")  # fmt: skip
    loss.check_targets(array, outputs)
    return in_precision(array, dtype, what)


def sample_weights(weights: Any, n: int, dtype: np.dtype, what: str = "sample_weight") -> Array:
    """Weights as (n, 1), all 1 where none are given."""
    if weights is None:
        return np.ones((n, 1), dtype)
    array = numbers(weights, what)
    if array.shape not in ((n,), (n, 1)):
        raise ValueError(f"{what} has shape {array.shape}; one number for each of the {n} rows is expected")
    if (array < 0).any():
        raise ValueError(f"{what} has negative numbers in {int((array < 0).sum())} rows; 0 or more is expected")
    return in_precision(array.reshape(n, 1), dtype, what)


def class_weights(weights: Mapping[int, float], targets: Array, dtype: np.dtype) -> Array:
    """One weight a row (n, 1) from {class number: weight}; classes that are not named have weight 1, as in Keras."""
    if not isinstance(weights, Mapping):
        raise TypeError(f"class_weight is a dictionary {{class number: weight}}, not {type(weights).__name__}")
    try:
        weights = {number: real("a weight", weight, least=0.0) for number, weight in weights.items()}
    except ValueError:
        raise ValueError("class_weight has a weight that is not a number of 0 or more") from None
    classes = targets.argmax(axis=1) if targets.shape[1] > 1 else np.rint(targets[:, 0]).astype(int)
    return np.array([weights.get(int(number), 1.0) for number in classes], dtype).reshape(-1, 1)


def split(data: Mapping[str, Array], share: float) -> tuple[dict[str, Array], dict[str, Array]]:
    """(the first rows, the last rows): the last are a share of all, rounded as Keras does, before any shuffling."""
    rows = len(data["X"])
    at = int(rows * (1.0 - real("validation_split", share)))
    if not 0.0 < share < 1.0 or at in (0, rows):
        raise ValueError(
            f"validation_split is a share between 0 and 1 that leaves rows on both sides; given was {share!r}"
        )
    return {name: array[:at] for name, array in data.items()}, {name: array[at:] for name, array in data.items()}
