"""How far each column of X is let in: by what it alone says of the target, in the rows that a network learns from.

Where columns are many and rows few, most of what a network could learn is chance. Trees are kept from it because they
look at one column at a time; here each column is scaled down as far as what it says could be chance.
"""

from __future__ import annotations

import numpy as np

from tinynet.formulas.vocabulary import Array

CHANCE = 4.0  # the F of a column without meaning is above it in one case of 20
LEAST = 0.2  # what means something only together with others is still let in
ENOUGH = 20  # rows for each column; with so many, chance is no danger, and all is let in as it is
BLOCK = 8192  # rows in double at a time


def scales(x: Array, t: Array, weight: Array) -> Array:
    """s (columns,), float32, by which x is multiplied:  s = sqrt(max(1 - CHANCE / F, 0)), but at least
    n / (ENOUGH columns), and LEAST; at most 1.

    F = r^2 (n - 2) / (1 - r^2) of the column's correlation r with the target, the largest of those with the columns of
    T; a positive-part shrinkage (Stein 1956; James and Stein 1961), by CHANCE in the place of 1.

    Parameters
    ----------
    x : (n, columns)
    t : (n, k) targets; of classes, a column each that is 1 or 0
    weight : (n, 1)
    """
    columns, k = x.shape[1], t.shape[1]
    least = max(LEAST, len(x) / (ENOUGH * columns))
    if least >= 1.0:
        return np.ones(columns, np.float32)
    first, second, both = np.zeros(columns), np.zeros(columns), np.zeros((columns, k))
    w = weight[:, 0].astype(np.float64) / max(float(weight.sum()), 1e-12)
    for start in range(0, len(x), BLOCK):
        rows = slice(start, start + BLOCK)
        part = x[rows].astype(np.float64)
        first += w[rows] @ part
        second += w[rows] @ part**2
        both += part.T @ (w[rows, None] * t[rows])
    mean = w @ t
    spread = np.sqrt(np.outer(np.maximum(second - first**2, 0.0), np.maximum(w @ t**2 - mean**2, 0.0)))
    r2 = np.square((both - np.outer(first, mean)) / np.maximum(spread, 1e-9)).max(axis=1).clip(0.0, 1.0 - 1e-9)
    f = r2 * max(len(x) - 2, 0) / (1.0 - r2)
    kept: Array = np.sqrt(np.maximum(1.0 - CHANCE / np.maximum(f, 1e-9), least**2)).astype(np.float32)
    return kept
