"""Columns that another one tells: the mark of its gaps, a copy with the gaps filled, another scale, or a grouping."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.tabular.quality.consistency import MANY
from tinynet.tabular.quality.report import Finding, are, listed, rows_are
from tinynet.tabular.quality.view import Seen, View

PAIRS = 150  # columns among which pairs are compared: the work grows with the square
SAMPLE = 4000  # rows on which pairs are compared first
FILLED = 0.5  # of a column's gaps that a copy must have filled


def redundant(view: View) -> Iterator[Finding]:
    columns = [seen for seen in view.features if len(seen.known) > 1][:PAIRS]
    told: set[str] = set()
    yield from marks(view, columns, told)
    pick = np.linspace(0, view.rows - 1, min(SAMPLE, view.rows)).astype(int)
    numbers = [seen for seen in columns if seen.numeric and len(seen.known) > 4 and seen.name not in told]
    yield from filled(view, numbers, told, pick)
    scales: dict[str, list[str]] = {}
    numbers = [seen for seen in numbers if seen.continuous]
    for i, one in enumerate(numbers):
        for other in numbers[:i]:
            if one.name not in told and proportional(one.numbers[pick], other.numbers[pick]):
                told.add(one.name)
                scales.setdefault(other.name, []).append(one.name)
    groupings: dict[str, list[str]] = {}
    levels = [seen for seen in columns if not seen.continuous and len(seen.known) <= MANY]
    for one in levels:
        for other in levels:
            new = one is not other and one.name not in told and other.name not in told
            if new and len(one.known) <= len(other.known) and (
                tells(other, one, pick) and tells(other, one, np.arange(view.rows))
            ):  # fmt: skip
                told.add(one.name)
                groupings.setdefault(other.name, []).append(one.name)
    for how, found in (("{0!r} on another scale", scales), ("told by {0!r}: the same, or a grouping of it", groupings)):
        for base, names in found.items():
            text = f"{listed(names)} {are(names)} {how.format(base)}"
            yield Finding("consistency", "redundant", "note", [*names, base], view.rows, text)


def marks(view: View, columns: list[Seen], told: set[str]) -> Iterator[Finding]:
    """Columns of two kinds that say whether another one is missing."""
    for gap in columns:
        if gap.present.all():
            continue
        for mark in columns:
            two = len(mark.known) == 2 and mark.present.all() and mark is not gap and mark.name not in told
            if two and ((mark.places == mark.places[np.argmax(gap.present)]) == gap.present).all():
                told.add(mark.name)
                text = f"{mark.name!r} says whether {gap.name!r} is missing, and was known no sooner than it"
                yield Finding("leakage", "marks gaps", "warning", [mark.name, gap.name], view.rows, text)


def filled(view: View, columns: list[Seen], told: set[str], pick: Array) -> Iterator[Finding]:
    """Copies of a column in which its gaps are filled: from what?"""
    for gap in columns:
        missing = ~gap.present
        for copy in columns if missing.mean() > 0.01 else []:
            if (
                copy is not gap
                and copy.name not in told
                and not (gap.present & ~copy.present).any()
                and (missing & copy.present).sum() > FILLED * missing.sum()
                and proportional(copy.numbers[pick], gap.numbers[pick])
            ):
                told.add(copy.name)
                count = int((missing & copy.present).sum())
                text = (
                    f"{copy.name!r} is {gap.name!r} with {rows_are(count)} of its gaps filled: from what? Where the "
                    "outcome was used, it is a leak"
                )
                yield Finding("leakage", "gaps filled", "warning", [copy.name, gap.name], count, text)


def proportional(x: Array, y: Array) -> bool:
    both = np.isfinite(x) & np.isfinite(y)
    if both.sum() < 20 or not np.ptp(x[both]) or not np.ptp(y[both]):
        return False
    return bool(abs(np.corrcoef(x[both], y[both])[0, 1]) > 0.99999)


def tells(x: Seen, y: Seen, rows: Array) -> bool:
    """Whether x's level gives y's, where neither is constant but for a few rows."""
    a, b = x.places[rows] + 1, y.places[rows] + 1
    table = np.bincount(a * (len(y.known) + 1) + b, minlength=(len(x.known) + 1) * (len(y.known) + 1))
    table = table.reshape(len(x.known) + 1, -1)
    if (table > 0).sum(axis=1).max() > 1:
        return False
    rare = table.sum() - table.sum(axis=0).max()
    return bool(rare >= max(10, 0.02 * table.sum()))
