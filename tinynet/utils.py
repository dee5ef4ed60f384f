"""Keras's address of small things around a model: `from tinynet.utils import to_categorical`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet.arrays import numbers
from tinynet.batches import PyDataset, Sequence
from tinynet.formulas.vocabulary import Array
from tinynet.random import set_random_seed
from tinynet.settings import whole


def to_categorical(x: Any, num_classes: int | None = None) -> Array:
    """Class numbers (n,) or (n, 1) as one-hot rows (n, num_classes), in float64 as in Keras.

    Parameters
    ----------
    x : whole numbers from 0
    num_classes : default one more than the greatest

    Raises
    ------
    ValueError : for what is no class number, or none below num_classes
    """
    given = numbers(x, "x")
    classes = given.reshape(given.shape[:-1] if given.ndim > 1 and given.shape[-1] == 1 else given.shape)
    if classes.size == 0:
        raise ValueError(f"x is empty, its shape is {given.shape}; at least one class number is expected")
    if classes.max() >= 2**31:
        raise ValueError("x holds class numbers; one of them is too large to be one, 2^31 or more")
    count = int(classes.max()) + 1 if num_classes is None else whole("num_classes", num_classes, 1)
    wrong = (classes != np.floor(classes)) | (classes < 0) | (classes >= count)
    if wrong.any():
        raise ValueError(
            f"x holds class numbers, whole numbers from 0 to {count - 1}; {int(wrong.sum())} of {classes.size} are "
            f"something else, the first at {int(wrong.argmax())}"
        )
    made = np.zeros((classes.size, count))
    made[np.arange(classes.size), classes.ravel().astype(np.intp)] = 1.0
    return made.reshape((*classes.shape, count))


def clear_session() -> None:
    """Nothing: tinynet keeps no graph and no session behind a model's back. Keras's scripts call it."""


__all__ = ["PyDataset", "Sequence", "clear_session", "set_random_seed", "to_categorical"]
