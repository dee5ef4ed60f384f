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
        single = np.float32(x), np.float32(y)
        if (float(single[0]), float(single[1])) == (x, y):  # as doubles: NumPy would compare in float32
            return np.where(condition, *single)
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


# Q with erf(x) = 1 - exp(-x Q(x)) for x >= 0: a Chebyshev fit of -log(erfc(x)) / x up to the limit, beyond which erf
# rounds to 1. NumPy has no erf, and this one serves every machine.
ERF_LIMIT = {"float32": 4.0, "float64": 6.0}
ERF_SERIES = {
    "float32": (
        1.12837917, 0.636619567, 0.102773361, -0.019121386, -0.000258150395, 0.00182303072,
        -0.000771879746, 0.000188092176, -2.87435818e-05, 2.55876506e-06, -1.01397727e-07,
    ),
    "float64": (
        1.1283791670955117, 0.63661977236786382, 0.10277260328876187, -0.019128446764023452,
        -0.00020919706460255437, 0.0016962207128815754, -0.00059018369853379926, 2.6046381440439165e-05,
        6.4133739273023878e-05, -2.9142500255846204e-05, 2.6745006617727957e-06, 3.5611184492735082e-06,
        -2.3113610181311997e-06, 6.9126679809251506e-07, -3.7203842825128751e-08, -7.5384237154122245e-08,
        4.7042057463507513e-08, -1.7584332230747717e-08, 4.8873892146104905e-09, -1.0724222568523301e-09,
        1.8976728680101824e-10, -2.7219030968906763e-11, 3.1501593240726926e-12, -2.9041785051282932e-13,
        2.0855721382904519e-14, -1.1250771926698333e-15, 4.2902061431863651e-17, -1.0311467691947156e-18,
        1.174754392445117e-20,
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
