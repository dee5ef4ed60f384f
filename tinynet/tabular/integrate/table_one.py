"""Table 1 of a paper: who the rows are, overall and by the target."""

from __future__ import annotations

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.tabular.cells import distinct, spelled
from tinynet.tabular.frame import Columns

FEW = 5  # a count below it could tell who it is, and is written as <5
KINDS = 6  # of a category; the others are joined
CLASSES = 6  # of a target


def table_one(table: Columns, target: str, skip: set[str]) -> list[list[str]]:
    """Lines of cells, a heading first: median (quartiles) of numbers, counts (%) of kinds, and what is missing."""
    n = len(next(iter(table.values())))
    groups: list[tuple[str, Array]] = [("all", np.ones(n, bool))]
    if target:
        known, places = distinct(table[target])
        if len(known) <= CLASSES:
            order = sorted(range(len(known)), key=lambda i: str(known[i]))
            groups += [(f"{target} = {word(known[i])}", places == i) for i in order]
    lines = [["", *(name for name, _ in groups)], ["rows", *(few(int(mask.sum())) for _, mask in groups)]]
    for name, values in table.items():
        if name in skip or name == target:
            continue
        numbers = numeric(values)
        if numbers is not None:
            if np.nanquantile(numbers, 0.75) == 0:
                lines.append([f"{name}, above 0", *(share(numbers[mask] > 0) for _, mask in groups)])
                continue
            lines.append([f"{name}, median (quartiles)", *(quartiles(numbers[mask]) for _, mask in groups)])
            gaps = np.isnan(numbers)
        else:
            known, places = distinct(values)
            counts = np.bincount(places[places >= 0], minlength=len(known))
            # a kind that few rows have, such as a date, could tell who it is
            order = [i for i in np.argsort(-counts, kind="stable")[:KINDS].tolist() if counts[i] >= FEW]
            lines += [[f"{name} = {word(known[i])}", *(share(places[mask] == i) for _, mask in groups)] for i in order]
            if len(known) > len(order):
                rest = ~np.isin(places, [*order, -1])
                left = len(known) - len(order)
                what = f"{name}, {left} other kind{'s' * (left > 1)}" if order else f"{name}, known"
                lines.append([what, *(share(rest[mask]) for _, mask in groups)])
            gaps = places < 0
        if gaps.any():
            lines.append([f"{name}, missing", *(share(gaps[mask]) for _, mask in groups)])
    return lines


def numeric(values: Array) -> Array | None:
    """Numbers of more than two kinds, also where they are written as text."""
    from tinynet.tabular.cells import looked_up, number

    known, places = distinct(values)
    spelled_out = [number(v) if isinstance(v, str) else float(v) for v in known]
    if len(known) <= 2 or any(v is None for v in spelled_out):
        return None
    return looked_up([v for v in spelled_out if v is not None], places)


def word(value: object) -> str:
    return spelled(value) if isinstance(value, float) else str(value)


def few(count: int) -> str:
    return f"<{FEW}" if 0 < count < FEW else f"{count:,}"


def share(mask: Array) -> str:
    count = int(mask.sum())
    if not len(mask) or 0 < count < FEW:
        return few(count)
    return f"{count:,} ({100 * count / len(mask):.0f} %)"


def quartiles(numbers: Array) -> str:
    numbers = numbers[np.isfinite(numbers)]
    if len(numbers) < FEW:
        return "-"
    low, middle, high = np.quantile(numbers, [0.25, 0.5, 0.75])
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"
