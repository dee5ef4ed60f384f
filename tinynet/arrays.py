"""What is given as an array: numbers, finite, in the model's precision, told apart in one sentence without a value."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np

from tinynet.formulas.vocabulary import Array


def numbers(given: Any, what: str) -> Array:
    """`given` as an array of real, finite numbers.

    Raises
    ------
    TypeError : for text or other objects
    ValueError : for ragged rows, and for NaN or infinity, with the first place
    """
    array = given if type(given) is np.ndarray else as_array(given, what)
    if array.dtype == object:
        array = from_objects(array, what)
    if array.dtype.kind not in "biuf":
        kind = "a structure of several fields" if array.dtype.kind == "V" else f"of type {array.dtype}"
        raise TypeError(f"{what} is {kind}; real numbers are expected")
    if array.dtype.kind == "f" and not surely_finite(array) and not (finite := np.isfinite(array)).all():
        where = tuple(int(i) for i in np.argwhere(~finite)[0])
        place = f"row {where[0]}" + (f", column {where[1]}" if len(where) > 1 else "") if where else "it"
        raise ValueError(
            f"{what} has NaN or infinity in {int((~finite).sum())} places, the first in {place}; fill gaps first"
        )
    return array


def as_array(given: Any, what: str) -> Array:
    """An array of whatever was given."""
    if given is None:
        raise TypeError(f"{what} is missing; numbers are expected")
    if hasattr(given, "__cuda_array_interface__"):
        raise TypeError(f"{what} lies on a GPU; data are taken from the host, so give {what}.get() or {what}.cpu()")
    if "numpy.ma" in sys.modules and np.ma.is_masked(given):
        raise ValueError(f"{what} has masked values; fill gaps first")
    try:
        return np.asarray(given)
    except ValueError:
        raise ValueError(f"{what} has rows of different lengths; a table with equal rows is expected") from None
    except MemoryError:
        raise
    except Exception as error:  # an object of somebody's own
        raise TypeError(f"{what} is of type {type(given).__name__}, which gives no array: it raised "
                        f"{type(error).__name__}") from error  # fmt: skip


def surely_finite(array: Array) -> bool:
    """Whether the sum of squares is finite, as it is only where every number is: one pass, and no second array."""
    return array.dtype.char in "fd" and array.flags.c_contiguous and isfinite(np.vdot(array, array))


def from_objects(array: Array, what: str) -> Array:
    """An array of Python's objects as numbers, None as NaN; text is refused even where it spells a number."""
    if not any(isinstance(item, (str, bytes)) for item in array.flat):
        try:
            return array.astype(np.float64)
        except OverflowError:
            raise ValueError(f"{what} has numbers too large for float64; scale them") from None
        except Exception:
            if any(type(item).__name__ in ("NAType", "NaTType") for item in array.flat):
                raise ValueError(f"{what} has missing values; fill gaps first") from None
    raise TypeError(f"{what} holds text or other objects; numbers are expected")


def in_precision(array: Array, dtype: np.dtype, what: str) -> Array:
    """The array in the model's precision, contiguous. Raises ValueError where a number does not fit into it."""
    if array.dtype == dtype:
        return np.ascontiguousarray(array)
    with np.errstate(over="ignore"):
        cast = np.ascontiguousarray(array, dtype=dtype)
    if array.dtype.kind == "f" and array.dtype.itemsize > dtype.itemsize and not np.isfinite(cast).all():
        raise ValueError(f"{what} has numbers too large for {dtype}; scale them, or use a float64 model")
    return cast


def replace(own: Sequence[Array], weights: Any, whose: str) -> None:
    """Write `weights` into the arrays `own`, all of them or, where one does not fit, none."""
    if not isinstance(weights, (list, tuple)):
        raise TypeError(f"weights are a list of arrays, as get_weights gives them, not {type(weights).__name__}")
    given = [numbers(weight, f"weight {i}") for i, weight in enumerate(weights)]
    shapes, expected = [g.shape for g in given], [p.shape for p in own]
    if shapes != expected:
        raise ValueError(f"{whose} has parameters of shapes {expected}; given were {shapes}")
    for p, g in zip(own, [in_precision(g, p.dtype, "weights") for g, p in zip(given, own, strict=True)], strict=True):
        p[...] = g
