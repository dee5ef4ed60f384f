"""The target column of a table: classes or numbers, and which rows have one."""

from __future__ import annotations

import math

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.registry import unknown
from tinynet.tabular.cells import number, spelled
from tinynet.tabular.frame import Columns


def outcome(values: Array, missing: list[str]) -> tuple[Array, bool]:
    """(the target with NaN or None for gaps, whether it holds numbers)."""
    gaps = set(missing)
    cells = [
        None if v is None or v != v or (v if isinstance(v, str) else spelled(v)) in gaps else v for v in values.tolist()
    ]
    numbers = [number(v) if isinstance(v, str) else v for v in cells]
    if any(v is not None for v in cells) and all(
        n is not None for n, v in zip(numbers, cells, strict=True) if v is not None
    ):
        return np.array([math.nan if n is None else n for n in numbers], np.float64), True
    out = np.empty(len(cells), object)
    out[:] = cells
    return out, False


def labelled(table: Columns, target: str, missing: list[str]) -> tuple[Array, Array, bool]:
    """(the numbers of the rows that have a target, their y, whether y holds numbers).

    Raises
    ------
    KeyError : where there is no such column
    ValueError : where no row has one
    """
    if target not in table:
        raise KeyError(unknown("column", target, list(table)))
    y, numeric = outcome(table[target], missing)
    known = np.flatnonzero([value is not None and value == value for value in y.tolist()])
    if not len(known):
        raise ValueError(f"the target {target!r} is missing in all {len(y)} rows")
    return known, y[known], numeric


def as_classes(y: Array, numeric: bool) -> Array:
    """Labels, whole numbers without a point."""
    return np.array([int(v) if numeric and v == int(v) else v for v in y.tolist()])
