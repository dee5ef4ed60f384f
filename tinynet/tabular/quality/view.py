"""A table as the checks see it: each column's different values, their places in the rows, and its numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.tabular import dates
from tinynet.tabular.cells import distinct, looked_up, number
from tinynet.tabular.frame import Columns
from tinynet.tabular.schema import Column, Schema

MOSTLY = 0.95  # a column is one of numbers, or of dates, where so many of its values are
CODE = re.compile(r"[A-Z]\d[\w.]*")
SHARED = 10  # rows, and persons, that have a kind that is shown
WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@dataclass
class Seen:
    """One column. `known` are its different values without gaps; `places` (n,) each row's among them, -1 for a gap."""

    name: str
    column: Column
    known: list[Any]
    places: Array

    @cached_property
    def present(self) -> Array:
        return self.places >= 0

    @cached_property
    def counts(self) -> Array:
        """(kinds,): how many rows have each value."""
        return np.bincount(self.places[self.present], minlength=len(self.known))

    @cached_property
    def values(self) -> Array:
        """(kinds,): the different values as numbers; NaN where one is none."""
        spelled = [float(v) if not isinstance(v, str) else number(v) for v in self.known]
        return np.array([np.nan if v is None else v for v in spelled], np.float64)

    @cached_property
    def numbers(self) -> Array:
        """(n,): the rows' numbers, NaN where there is none."""
        return looked_up(list(self.values), self.places)

    @cached_property
    def numeric(self) -> bool:
        total = self.counts.sum()
        words = np.isnan(self.values)
        if words.any() and all(CODE.fullmatch(self.known[i]) for i in np.flatnonzero(words)):
            return False  # codes, such as the ICD's 250.01 and V58
        return bool(total and self.counts[~words].sum() >= MOSTLY * total)

    @cached_property
    def whole(self) -> bool:
        """Whether it is a column of whole numbers."""
        finite = self.values[np.isfinite(self.values)]
        return self.numeric and bool((finite == np.floor(finite)).all())

    @cached_property
    def continuous(self) -> bool:
        """Whether it is a column of many numbers, rather than a few levels."""
        return self.numeric and len(self.known) > 20

    @cached_property
    def days(self) -> Array:
        """(n,): dates as days since 1970, NaN where there is none."""
        texts = [v if isinstance(v, str) else "" for v in self.known]
        return looked_up(dates.all_days(texts, self.column.month_first or dates.month_first(texts)), self.places)

    @cached_property
    def dated(self) -> bool:
        head = [v for v in self.known[:200] if isinstance(v, str)]
        if self.numeric or 2 * sum(dates.days(v) or dates.days(v, True) is not None for v in head) < len(
            self.known[:200]
        ):
            return False
        return bool(np.isfinite(self.days).sum() >= MOSTLY * self.present.sum())

    @cached_property
    def codes(self) -> Array:
        """(n,): a whole number for each level, 0 for a gap; numbers with many values in 20 bins of equal count."""
        if not self.continuous:
            return np.asarray(self.places + 1)
        finite = np.isfinite(self.numbers)
        edges = np.unique(np.quantile(self.numbers[finite], np.linspace(0, 1, 21)[1:-1]))
        return np.where(finite, np.searchsorted(edges, np.where(finite, self.numbers, 0.0), "right") + 1, 0)

    @cached_property
    def words(self) -> list[str]:
        return name_parts(self.name)


def name_parts(name: str) -> list[str]:
    """The parts of a name, in small letters: dischtime_days is dischtime, days; motor_UPDRS motor, updrs."""
    return [word.lower() for word in WORDS.findall(name)]


class View:
    """The whole table.

    >>> view = View({"age": np.array([61.0, np.nan])}, Schema({"age": Column("numeric")}))
    >>> view["age"].present.tolist()
    [True, False]
    """

    def __init__(self, table: Columns, schema: Schema) -> None:
        self.schema = schema
        self.rows = len(next(iter(table.values()))) if table else 0
        self.seen = {name: self._one(name, values) for name, values in table.items()}
        self.target, self.group, self.time = (
            self.seen.get(name) if name else None for name in (schema.target, schema.group, schema.time)
        )
        self.person = self.group  # the group, given or found
        self.set_aside: set[str] = set()  # identifiers and the like, which other checks need not look at

    def _one(self, name: str, values: Array) -> Seen:
        column = self.schema[name] if name in self.schema else Column("ignored")
        known, places = distinct(values)
        gaps = set(column.missing)
        gone = np.array([str(v) in gaps or (isinstance(v, float) and f"{v:g}" in gaps) for v in known], bool)
        if gone.any():
            order = np.append(np.where(gone, -1, np.cumsum(~gone) - 1), -1)
            known, places = [v for v, out in zip(known, gone, strict=True) if not out], order[places]
        return Seen(name, column, known, places)

    def __getitem__(self, name: str) -> Seen:
        return self.seen[name]

    @cached_property
    def others(self) -> list[Seen]:
        """All columns with values but the target, the group and the time."""
        roles = {seen.name for seen in (self.target, self.group, self.time) if seen}
        return [seen for seen in self.seen.values() if seen.name not in roles and seen.known]

    @property
    def features(self) -> list[Seen]:
        """The columns that a model might learn from."""
        return [seen for seen in self.others if seen.name not in self.set_aside]

    def kinds_said(self, seen: Seen, chosen: Array) -> list[str]:
        """The chosen of a column's kinds (a mask), for a reader: those only that many rows, and persons, share."""
        from tinynet.tabular.cells import spelled

        if seen.name in self.set_aside or seen is self.person or seen.column.role in ("identifier", "text"):
            return []
        many = seen.counts
        if self.person is not None:
            both = self.person.present & seen.present
            pairs = np.unique(np.stack([seen.places[both], self.person.places[both]], axis=1), axis=0)
            many = np.minimum(many, np.bincount(pairs[:, 0], minlength=len(seen.known)))
        at = [i for i in np.argsort(-many, kind="stable").tolist() if chosen[i] and many[i] >= SHARED]
        whole = [seen.values[i] == np.floor(seen.values[i]) for i in at[:4]]
        words = [spelled(seen.values[i]) if w else str(seen.known[i]) for i, w in zip(at[:4], whole, strict=True)]
        return [", ".join(repr(w) for w in words if len(w) <= 40)] if any(len(w) <= 40 for w in words) else []

    @cached_property
    def classes(self) -> bool:
        """Whether the target is one of several classes rather than a quantity."""
        return self.target is not None and not self.target.continuous
