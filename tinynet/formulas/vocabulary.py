"""The closed vocabulary of formulas, bound to NumPy.

A formula imports these words and so runs on NumPy arrays as it stands. Every other machine reads the formula's source
(`tinynet.formulas.reader`), sees which word each name stands for, and puts its own in that place.

Besides these words a formula may use `+ - * / **`, `abs`, a single comparison, numbers, and other formulas.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import exp, expm1, log, log1p, maximum, minimum, sign, sqrt, tanh

Array = np.ndarray[Any, Any]


def where(condition: Array, x: Array | float, y: Array | float) -> Array:
    """x where the condition holds, else y, elementwise.

    Two plain numbers come back in float32 where that holds both exactly: such an array, like the numbers themselves,
    then takes the precision of whatever it meets.
    """
    if isinstance(x, (int, float)) and isinstance(y, (int, float)):
        sides = np.array([y, x])
        if (sides.astype(np.float32).astype(np.float64) == sides).all():
            sides = sides.astype(np.float32)
        # A table of two, looked up by the condition's byte: five times as fast as np.where, which branches.
        found: Array = np.take(sides, np.asarray(condition).view(np.int8), mode="clip")
        return found
    return np.where(condition, x, y)


def row_sum(x: Array) -> Array:
    """(n, m) -> (n, 1): the sum over each row."""
    result: Array = np.sum(x, axis=-1, keepdims=True)
    return result


def row_mean(x: Array) -> Array:
    """(n, m) -> (n, 1): the mean over each row."""
    result: Array = np.mean(x, axis=-1, keepdims=True)
    return result


def row_max(x: Array) -> Array:
    """(n, m) -> (n, 1): the greatest of each row; NaN where the row holds one."""
    result: Array = np.max(x, axis=-1, keepdims=True)
    return result


def column_index(x: Array) -> Array:
    """(n, m) -> (m,): the numbers 0, 1, ..., m - 1 of x's columns, in x's precision."""
    return np.arange(x.shape[-1], dtype=x.dtype)


# Q with erf(x) = 1 - exp(-x Q(x)) for x >= 0: the polynomial in place of -log(erfc(x)) / x that gives erf the least
# greatest relative error up to the limit, beyond which erf rounds to 1. NumPy has no erf, and this one serves every
# machine.
ERF_LIMIT = {"float32": 4.0, "float64": 6.0}
ERF_SERIES = {
    "float32": (
        1.1283792, 0.6366194, 0.10277783, -0.01915308, -0.00016036534, 0.0016669973, -0.00063282065, 0.00011763682,
        -9.255776e-06,
    ),
    "float64": (
        1.1283791670955126, 0.6366197723675909, 0.10277260330131519, -0.019128446993088917, -0.00020919485398948308,
        0.00169620767031102, -0.000590132432037219, 2.5904505101810412e-05, 6.442046161729088e-05,
        -2.957565344311227e-05, 3.1696582701698385e-06, 3.1329707513688314e-06, -2.0371910256181207e-06,
        5.706310817310479e-07, -1.1705744672648031e-08, -6.573538541888426e-08, 3.4585757735954855e-08,
        -1.0773671729263197e-08, 2.3605982177537863e-09, -3.7608697712990334e-10, 4.301999920847167e-11,
        -3.364545530051961e-12, 1.6149795498177288e-13, -3.5924709543686616e-15,
    ),
}  # fmt: skip


def erf(x: Array) -> Array:
    """The error function, elementwise, to a few units in the last place; float32 or float64."""
    x = np.asarray(x)
    precision = "float32" if x.dtype == np.float32 else "float64"
    size = np.minimum(np.abs(x), ERF_LIMIT[precision])
    series = np.zeros_like(size)
    for coefficient in reversed(ERF_SERIES[precision]):
        series = series * size + coefficient
    result: Array = -np.sign(x) * np.expm1(-size * series)
    return result


# word -> (how many arguments, the NumPy function); with the operators, all that a formula may use
ELEMENTWISE: dict[str, tuple[int, Callable[..., Array]]] = {
    "exp": (1, exp), "expm1": (1, expm1), "log": (1, log), "log1p": (1, log1p), "tanh": (1, tanh), "erf": (1, erf),
    "sqrt": (1, sqrt), "abs": (1, np.abs), "sign": (1, sign),
    "maximum": (2, maximum), "minimum": (2, minimum), "where": (3, where),
}  # fmt: skip
ROW: dict[str, tuple[int, Callable[..., Array]]] = {
    "row_sum": (1, row_sum), "row_mean": (1, row_mean), "row_max": (1, row_max), "column_index": (1, column_index),
}  # fmt: skip
VOCABULARY = ELEMENTWISE | ROW

__all__ = [
    "ELEMENTWISE", "ERF_LIMIT", "ERF_SERIES", "ROW", "VOCABULARY", "Array",
    "column_index", "erf", "exp", "expm1", "log", "log1p", "maximum", "minimum", "row_max", "row_mean", "row_sum",
    "sign", "sqrt", "tanh", "where",
]  # fmt: skip
