"""Subgroups judged apart: sex, age band, ethnicity and site where such columns are there, or what is asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.registry import unknown
from tinynet.tabular.baselines import plain_column
from tinynet.tabular.cells import column
from tinynet.tabular.crowd import blurred
from tinynet.tabular.infer import GAPS
from tinynet.tabular.intervals import Estimate

USUAL = re.compile(
    r"^(sex|gender|age|age_?(band|group|years?)|race|ethnicity|ethnic_?group|site|hospital|centre|center)$", re.I
)
SMALLEST = 20  # rows; smaller subgroups tell nothing, and could tell who is in them
MOST_VALUES = 12
BANDS = (0, 18, 40, 50, 60, 70, 80)  # years


@dataclass(frozen=True)
class Subgroup:
    """Some rows under a label, and, once judged, their measures with intervals."""

    column: str
    label: str
    inside: Array = field(repr=False)  # (rows,) bool
    measures: dict[str, Estimate] = field(default_factory=dict)
    rows: int = 0
    persons: int = 0
    events: int | None = None

    def judged(self, measures: dict[str, Estimate], rows: int, persons: int, events: int | None) -> Subgroup:
        return replace(self, measures=measures, rows=rows, persons=persons, events=events)


def subgroups_of(
    columns: Mapping[str, Array], given: Sequence[str] | Mapping[str, Any] | None, site: Any, rows: int
) -> list[Subgroup]:
    """The subgroups with enough rows.

    Parameters
    ----------
    columns : the table, as `frame.read` gives it
    given : names of its columns, or values (n,) by name, or None: the columns named like sex, age, ethnicity, site
    site : (n,) values of the split by site, judged apart too where `given` is None
    rows : how many rows there are

    Raises
    ------
    KeyError : where a name is no column
    ValueError : where values have another length
    """
    if isinstance(given, Mapping):
        chosen = {str(name): np.asarray(values) for name, values in given.items()}
    elif given is None:
        chosen = {name: values for name, values in columns.items() if USUAL.match(name)}
        if site is not None:
            chosen.setdefault("site", np.asarray(site))
    else:
        for name in given:
            if name not in columns:
                raise KeyError(f"subgroups: {unknown('column of X', str(name), list(columns))}")
        chosen = {name: columns[name] for name in given}
    found = []
    for name, values in chosen.items():
        if values.shape != (rows,):
            raise ValueError(
                f"subgroups: {name} has the shape {values.shape}; expected was one value for each of {rows} rows"
            )
        parts = parts_of(name, column(values, name))
        found += [Subgroup(name, label, inside) for label, inside in parts if inside.sum() >= SMALLEST]
    return found


def parts_of(name: str, values: Array) -> list[tuple[str, Array]]:
    """(label, rows) of each value; of a number with many values, bands: years for ages, thirds for others."""
    numbers, category = plain_column(values)
    if category:
        text = np.array([str(value) for value in values])
        words = np.unique(text[~np.isnan(numbers)])
        common = sorted(words, key=lambda kind: -(text == kind).sum())[:MOST_VALUES]
        return [(f"{name}: {'missing' if kind.lower() in GAPS else kind}", text == kind) for kind in sorted(common)]
    kinds = np.unique(numbers[~np.isnan(numbers)])
    if len(kinds) <= 6:
        return [(f"{name}: {kind:g}", numbers == kind) for kind in kinds]
    if re.match("age", name, re.I) and kinds[0] >= 0 and kinds[-1] > 20:
        ends = [*BANDS[1:], np.inf]
        labels = [f"{a} to {b - 1}" if np.isfinite(b) else f"{a} and over" for a, b in zip(BANDS, ends, strict=True)]
        return [
            (f"{name}: {label}", (numbers >= a) & (numbers < b))
            for label, a, b in zip(labels, BANDS, ends, strict=True)
        ]
    thirds = blurred(np.sort(numbers[~np.isnan(numbers)]), np.array([1 / 3, 2 / 3])).tolist()
    if not thirds:
        return []
    low, high = thirds
    return [
        (f"{name}: up to {low:g}", numbers <= low),
        (f"{name}: {low:g} to {high:g}", (numbers > low) & (numbers <= high)),
        (f"{name}: above {high:g}", numbers > high),
    ]
