"""Completeness: how much is missing, where, for whom, and together with what."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.tabular.quality.report import Finding, listed, percent, rows_are, rows_at
from tinynet.tabular.quality.view import Seen, View

MUCH = 0.40  # a column with more gaps is a warning
SOME = 0.05
DIFFERENT = 0.20  # shares of gaps that differ so much between two groups of rows, by more than chance, are told
KINDS = 30  # groups of rows that are compared; more are too many, or are persons
CHANCE = 5.0  # standard errors: with hundreds of columns and dozens of groups, fewer would be met by chance
PLACES = {
    "site", "hospital", "centre", "center", "clinic", "ward", "unit", "careunit", "device", "lab", "year", "period",
    "region", "source", "dbsource", "country", "provider",
}  # fmt: skip
TOGETHER = 0.95  # gaps that overlap so much (Jaccard's index) are one pattern


def completeness(view: View) -> Iterator[Finding]:
    n = view.rows
    gaps = {seen.name: ~seen.present for seen in view.seen.values()}
    empty = [name for name, gap in gaps.items() if gap.all()]
    if empty:
        yield Finding("completeness", "empty column", "warning", empty, n, f"{listed(empty)}: no value in any row")
    counts = {name: int(gap.sum()) for name, gap in gaps.items() if name not in empty}
    for name, count in counts.items():
        if count > MUCH * n:
            text = f"{name!r} is missing in {percent(count / n)} ({rows_are(count)})"
            yield Finding("completeness", "missing", "warning", [name], count, text, {name: count / n})
    some = sorted((name for name, c in counts.items() if SOME * n <= c <= MUCH * n), key=lambda name: -counts[name])
    if some:
        shares = {name: counts[name] / n for name in some}
        said = (
            f"{percent(shares[some[-1]])} to {percent(shares[some[0]])}" if len(some) > 1 else percent(shares[some[0]])
        )
        text = f"{listed(some)}: missing in {said} of the rows"
        yield Finding("completeness", "missing", "note", some, counts[some[0]], text, shares)
    few = [name for name, count in counts.items() if 0 < count < SOME * n]
    if few:
        total = int(np.any([gaps[name] for name in few], axis=0).sum())
        text = f"{listed(few)}: missing in less than {percent(SOME)}; one of them in {rows_are(total)}"
        yield Finding("completeness", "few missing", "note", few, total, text)
    yield from together({name: gaps[name] for name, count in counts.items() if count})
    yield from said_not_measured(view)
    yield from empty_rows(view)
    for by, why in ((view.target, "class of the target"), (view.group, "group")):
        if by is not None and 2 <= len(by.known) <= KINDS:
            for seen, missing, low, high in different(view, by):
                text = f"{seen.name!r} is missing in {percent(low)} to {percent(high)} of the rows, by the {why}" + (
                    "; that it is missing tells the target" if by is view.target else ""
                )
                yield Finding(
                    "completeness", "missing by " + why.split()[0], "warning", [seen.name], missing, text,
                    {"least": low, "most": high},
                )  # fmt: skip
    for by in view.others:
        if PLACES & set(by.words) and 2 <= len(by.known) <= KINDS and (found := list(different(view, by))):
            names = [seen.name for seen, *_ in found]
            text = (
                f"{listed(names)}: by {by.name!r}, missing here far more often than there; a model may learn the place"
            )
            most = max(missing for _, missing, *_ in found)
            yield Finding("completeness", "missing by place", "warning", [*names, by.name], most, text)
    if view.group is not None and len(view.group.known) > KINDS:
        yield from by_person(view, view.group)


def together(gaps: dict[str, Array]) -> Iterator[Finding]:
    """Columns whose gaps are the same rows: they were measured, or left out, in one go."""
    left = list(gaps)
    while left:
        first = left.pop(0)
        same = [first]
        for other in list(left):
            both, either = int((gaps[first] & gaps[other]).sum()), int((gaps[first] | gaps[other]).sum())
            if both >= TOGETHER * either:
                same.append(other)
                left.remove(other)
        count = int(gaps[first].sum())
        if len(same) > 1 and count >= 3:
            text = f"{listed(same)} are missing together, in {rows_are(count)}"
            yield Finding("completeness", "missing together", "note", same, count, text)


def said_not_measured(view: View) -> Iterator[Finding]:
    for seen in view.others:
        words = set(seen.column.not_measured)
        count = int(seen.counts[[v in words for v in seen.known]].sum()) if words else 0
        if count:
            text = f"{seen.name!r} says in {rows_are(count)} that nothing was measured: a kind of its own, not a gap"
            yield Finding("completeness", "not measured", "note", [seen.name], count, text)


def different(view: View, by: Seen) -> Iterator[tuple[Seen, int, float, float]]:
    """(column, its gaps, least share, greatest share) of columns that are missing more often in one group of rows."""
    size = by.counts.astype(float)
    for seen in view.others:
        if seen is by or seen.present.all():
            continue
        missing = np.bincount(by.places[by.present & ~seen.present], minlength=len(by.known))
        share, all_share = missing / np.maximum(size, 1), missing.sum() / max(size.sum(), 1)
        error = np.sqrt(all_share * (1 - all_share) / np.maximum(size, 1))
        far = np.abs(share - all_share) > CHANCE * np.maximum(error, 1e-12)
        large = size >= 20
        if (far & large).any() and np.ptp(share[large]) >= DIFFERENT:
            yield seen, int(missing.sum()), float(share[large].min()), float(share[large].max())


def empty_rows(view: View) -> Iterator[Finding]:
    """Rows that hold hardly any value in a table that is well filled: totals under a table, or empty records."""
    columns = [seen for seen in view.others if seen.present.mean() > 0.5]
    if len(columns) < 5:
        return
    share = np.mean([seen.present for seen in columns], axis=0)
    bare = share < 0.25
    if bare.any() and np.median(share) > 0.75:
        count = int(bare.sum())
        text = f"{rows_are(count)} hold hardly any value: empty records, or lines of totals and remarks?"
        yield Finding("completeness", "empty rows", "warning", [], count, text, examples=rows_at(bare))


def by_person(view: View, group: Seen) -> Iterator[Finding]:
    """How many persons have no value at all."""
    persons = len(group.known)
    for seen in view.others:
        if seen.present.all() or not group.present.any():
            continue
        having = len(np.unique(group.places[group.present & seen.present]))
        if persons - having > SOME * persons:
            text = (
                f"{seen.name!r} has no value in any row of {persons - having:,} of {persons:,} groups ({group.name!r})"
            )
            yield Finding("completeness", "missing by group", "note", [seen.name], int((~seen.present).sum()), text)
