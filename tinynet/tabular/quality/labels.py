"""The target itself: missing, rare and empty classes, and quantities that need another scale."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from tinynet.tabular.quality.report import Finding, percent, rows_are, rows_at
from tinynet.tabular.quality.view import Seen, View

RARE = 20  # rows: fewer give no training and no interval
SHARE = 0.15  # a smaller share of the smallest class makes accuracy a poor measure
SMALL = 1000  # rows
DEATH = re.compile(r"death|died|deceased|(^|_)dod(_|$)")


def labels(view: View) -> Iterator[Finding]:
    if view.rows < SMALL:
        text = f"the table has {rows_are(view.rows)}: report intervals, and cross-validate"
        yield Finding("labels", "few rows", "note", [], view.rows, text)
    yield from all_died(view)
    target = view.target
    if target is None:
        return
    gaps = int((~target.present).sum())
    if gaps:
        text = f"{target.name!r} is missing in {rows_are(gaps)}: they cannot be learned from, and why may matter"
        yield Finding(
            "labels", "missing target", "warning", [target.name], gaps, text, examples=rows_at(~target.present)
        )
    if len(target.known) < 2:
        text = (
            f"{target.name!r} has {len(target.known)} class{'' if len(target.known) == 1 else 'es'}: nothing to predict"
        )
        yield Finding("labels", "one class", "serious", [target.name], view.rows, text)
        return
    yield from (classes(target) if view.classes else quantity(target))


def all_died(view: View) -> Iterator[Finding]:
    """A date of death in every row: who is in the table was decided by what came later."""
    for seen in view.seen.values():
        if seen.dated and seen.present.all() and DEATH.search("_".join(seen.words)) and view.rows >= 20:
            text = (
                f"{seen.name!r} is filled in every row: the table holds only people who died, so what is learned "
                "from it does not hold for others"
            )
            yield Finding("labels", "everybody died", "warning", [seen.name], view.rows, text)


def classes(target: Seen) -> Iterator[Finding]:
    total, n = int(target.counts.sum()), target.name
    rare = int((target.counts < RARE).sum())
    if rare:
        rows = int(target.counts[target.counts < RARE].sum())
        text = (
            f"{n!r}: {rare} of {len(target.known)} classes have under {RARE} rows ({rows} together): join or drop them"
        )
        yield Finding("labels", "rare classes", "warning", [n], rows, text)
    empty = len(set(target.column.levels) - {str(v) for v in target.known}) if target.column.levels else 0
    if target.whole and not empty:
        empty = int(np.ptp(target.values)) + 1 - len(target.known)
        empty = empty if empty <= len(target.known) else 0
    if empty:
        text = f"{n!r}: {empty} classes between or beside the others have no row"
        yield Finding("labels", "empty classes", "warning", [n], empty, text)
    if len(target.known) > 2 and target.whole:
        text = f"{n!r} has {len(target.known)} whole numbers as classes: are they grades, and is one limit asked for?"
        yield Finding("labels", "graded target", "note", [n], total, text)
    most, least = target.counts.max() / total, target.counts.min() / total
    if least < SHARE:
        text = (
            f"{n!r} is unbalanced: the smallest class has {percent(least)}; accuracy {most:.3f} is had by always "
            "naming the largest, so judge by AUROC, balanced accuracy and calibration"
        )
        yield Finding("labels", "unbalanced", "note", [n], total, text, {"majority": float(most)})


def quantity(target: Seen) -> Iterator[Finding]:
    y = target.numbers[np.isfinite(target.numbers)]
    zero = float((y == 0).mean())
    if zero > 0.05:
        text = f"{target.name!r} is 0 in {percent(zero)} of the rows: a two-part model, or log(1 + y)"
        yield Finding("labels", "many zeros", "note", [target.name], int((y == 0).sum()), text)
    deviation = y.std()
    skew = float((((y - y.mean()) / deviation) ** 3).mean()) if deviation else 0.0
    if skew > 3:
        text = f"{target.name!r} has a heavy tail (skewness {skew:.1f}): learn log(1 + y), report on both scales"
        yield Finding("labels", "heavy tail", "note", [target.name], len(y), text, {"skewness": skew})
