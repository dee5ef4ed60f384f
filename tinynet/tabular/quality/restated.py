"""The target in other words: a function of it, a grouping of it, or columns that add up to it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.tabular.quality.report import Finding, listed
from tinynet.tabular.quality.view import Seen, View

NEARLY = 0.995  # of the rows whose level comes more than once
EXACT = 1e-5  # relative: files keep six or seven digits
SAMPLE = 1000
MOST = 80  # columns of which sums are tried


def restated(view: View) -> Iterator[Finding]:
    target = view.target
    if target is None or len(target.known) < 2:
        return
    said: list[str] = []
    for seen in view.features:
        if len(seen.known) < 2:
            continue
        how = relation(seen, target)
        if how:
            said.append(seen.name)
            both = int((seen.present & target.present).sum())
            text = f"{seen.name!r} {how} {target.name!r}: it says the target in other words"
            yield Finding("leakage", "target restated", "serious", [seen.name], both, text)
    if target.continuous:
        columns = [seen for seen in view.features if seen.numeric and len(seen.known) > 1 and seen.name not in said]
        parts = adding_up(columns, target)
        if parts:
            kind = "the sum" if all(abs(c - 1.0) < 1e-3 for c in parts.values()) else "a weighted sum"
            text = f"{target.name!r} is {kind} of {listed(list(parts))}: these are parts of the target"
            yield Finding("leakage", "parts of the target", "serious", list(parts), view.rows, text)


def relation(x: Seen, y: Seen) -> str:
    """How x says y, or nothing."""
    both = x.present & y.present
    if both.sum() < 20:
        return ""
    if x.continuous and y.continuous:
        from_rank = [np.unique(s.numbers[both], return_inverse=True)[1].astype(float) for s in (x, y)]
        rho = np.corrcoef(from_rank[0], from_rank[1])[0, 1] if all(np.ptp(r) for r in from_rank) else 0.0
        return "is a rising or falling function of" if abs(rho) > 0.9999 else ""
    if y.continuous:
        order = np.argsort(y.numbers[both], kind="stable")
        changes = np.count_nonzero(np.diff(x.places[both][order]))
        least = np.sort(np.bincount(x.places[both]))[-2] if len(x.known) > 1 else 0
        few = len(x.known) <= 20 and changes == len(np.unique(x.places[both])) - 1
        return "is a grouping of" if few and least >= 10 else ""
    if x.continuous and np.isfinite(x.numbers[both]).all() and cut_apart(x, y, both):
        return "separates, by a limit, the classes of"
    size = np.bincount(x.places[both], minlength=len(x.known))
    if len(x.known) > 0.2 * both.sum():
        return ""
    best = np.bincount(y.places[both]).max() / both.sum()
    if best <= 0.98 and pure(x, y, both, size) >= NEARLY:
        return "gives, value for value, the class of"
    backwards = np.bincount(y.places[both], minlength=len(y.known))
    common = np.bincount(x.places[both]).max() / both.sum()
    if len(y.known) > 2 and common <= 0.98 and len(x.known) > 1 and pure(y, x, both, backwards) >= NEARLY:
        return "is a grouping of the classes of"
    return ""


def cut_apart(x: Seen, y: Seen, both: Array) -> bool:
    order = np.argsort(x.numbers[both], kind="stable")
    changes = np.count_nonzero(np.diff(y.places[both][order]))
    least = np.bincount(y.places[both], minlength=len(y.known)).min()
    return bool(changes == len(y.known) - 1 and least >= 10)


def pure(x: Seen, y: Seen, both: Array, size: Array) -> float:
    """The share of rows, of those whose x comes more than once, that have their level's most common y."""
    table = np.zeros((len(x.known), len(y.known)), np.int64)
    np.add.at(table, (x.places[both], y.places[both]), 1)
    again = size > 1
    return float(table.max(axis=1)[again].sum() / size[again].sum()) if size[again].sum() >= 20 else 0.0


def adding_up(columns: list[Seen], target: Seen) -> dict[str, float]:
    """The fewest columns of which the target is exactly a weighted sum, with their weights; none where it is not.

    Least squares on all columns says whether there is such a sum; then columns are left out one after the other, the
    least important first, as long as the sum stays exact.
    """
    columns = [seen for seen in columns if np.isfinite(seen.numbers).mean() > 0.9][:MOST]
    rows = np.flatnonzero(np.all([np.isfinite(seen.numbers) for seen in [*columns, target]], axis=0))
    if len(columns) < 2 or len(rows) < 5 * len(columns):
        return {}
    rows = rows[np.linspace(0, len(rows) - 1, min(SAMPLE, len(rows))).astype(int)]
    x = np.stack([seen.numbers[rows] for seen in columns], axis=1)
    y = target.numbers[rows]
    scale = x.std(axis=0)
    keep = [int(i) for i in np.flatnonzero(scale > 0)]
    weights = exact(x, y, scale, keep)
    if weights is None:
        return {}
    for i in [keep[k] for k in np.argsort(np.abs(weights))]:
        fewer = [k for k in keep if k != i]
        if fewer and (less := exact(x, y, scale, fewer)) is not None:
            keep, weights = fewer, less
    if len(keep) > 12:
        return {}
    return {columns[k].name: float(w / scale[k]) for k, w in zip(keep, weights, strict=True)}


def exact(x: Array, y: Array, scale: Array, keep: list[int]) -> Array | None:
    """The weights (of columns scaled to deviation 1) by which the columns give y; None where they do not, exactly."""
    design = np.column_stack([x[:, keep] / scale[keep], np.ones(len(y))])
    found, *_ = np.linalg.lstsq(design, y, rcond=1e-9)
    if np.abs(design @ found - y).max() > EXACT * np.abs(y).max():
        return None
    weights: Array = found[:-1]
    return weights
