"""One column of the table as columns of X, by its role."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.tabular import codes, dates
from tinynet.tabular.bands import midpoints
from tinynet.tabular.category import Vocabulary
from tinynet.tabular.cells import LARGEST, distinct, looked_up, number, spelled
from tinynet.tabular.crowd import blurred, ranked
from tinynet.tabular.features import Feature
from tinynet.tabular.frame import Columns
from tinynet.tabular.lists import items
from tinynet.tabular.numeric import SCALINGS
from tinynet.tabular.schema import Column, Schema

CHAPTERS = 32  # a code's chapters are so few that each has a column
ITEMS = 100  # the most frequent items of lists, each with a column
Config = dict[str, Any]


class Number:
    """A number, and whether it is missing.

    An ordinal column is its level's midpoint or place, and beside that its kind; a date is the days since the row's
    `reference` date.
    """

    kind = "number"

    def __init__(
        self, name: str, schema: Schema, reference: str | None, scaling: str, fill: float, gaps: bool, scale: Any
    ) -> None:
        self.name, self.schema, self.scaling, self.fill, self.gaps = name, schema, scaling, fill, gaps
        self.reference, self.scale = reference, scale

    @classmethod
    def fitted(
        cls, name: str, schema: Schema, table: Columns, scaling: str, person: Array | None, reference: str | None = None
    ) -> Number:
        values = values_of(name, schema, table, reference)
        known = ~np.isnan(values)
        finite = ranked(values[known], None if person is None else person[known])
        (fill,) = blurred(finite, np.array([0.5])).tolist() or [0.0]
        gaps = not known.all() and schema[name].role != "ordinal"  # an ordinal's kinds hold its gap
        return cls(name, schema, reference, scaling, fill, gaps, SCALINGS[scaling].fitted(finite))

    def features(self) -> list[Feature]:
        gap = [Feature(f"{self.name} is missing", self.name, "indicator")] if self.gaps else []
        return [Feature(self.name, self.name, "numeric"), *gap]

    def write(self, table: Columns, out: Array) -> None:
        values = values_of(self.name, self.schema, table, self.reference)
        missing = np.isnan(values)
        out[:, 0] = self.scale(np.where(missing, self.fill, values))
        if self.gaps:
            out[:, 1] = missing

    def get_config(self) -> Config:
        return {
            "kind": self.kind, "name": self.name, "reference": self.reference, "scaling": self.scaling,
            "fill": self.fill, "gaps": self.gaps, "scale": self.scale.get_config(),
        }  # fmt: skip

    def arrays(self) -> dict[str, Array]:
        arrays: dict[str, Array] = self.scale.arrays()
        return arrays

    @classmethod
    def from_config(cls, c: Config, schema: Schema, arrays: dict[str, Array]) -> Number:
        scale = SCALINGS[c["scaling"]].from_config(c["scale"], arrays)
        return cls(c["name"], schema, c["reference"], c["scaling"], float(c["fill"]), bool(c["gaps"]), scale)


class Kind:
    """A category, or one level of a clinical code's roll-up (`level` 0: chapter, 1: block, 2: category)."""

    kind = "kind"

    def __init__(self, column: Column, vocabulary: Vocabulary, level: int | None) -> None:
        self.column, self.vocabulary, self.level = column, vocabulary, level

    @classmethod
    def fitted(
        cls, name: str, column: Column, values: Array, level: int | None, onehot: int, least: int, person: Array | None
    ) -> Kind:
        known, places = kinds(values, column, level)
        said = name if level is None else f"{name} {codes.LEVELS[level]}"
        return cls(column, Vocabulary.fitted(said, name, known, places, least, onehot, person), level)

    def features(self) -> list[Feature]:
        return self.vocabulary.features()

    def write(self, table: Columns, out: Array) -> None:
        self.vocabulary.write(*kinds(table[self.vocabulary.origin], self.column, self.level), out)

    def get_config(self) -> Config:
        return {"kind": self.kind, "level": self.level, **self.vocabulary.get_config()}

    def arrays(self) -> dict[str, Array]:
        return {}

    @classmethod
    def from_config(cls, c: Config, schema: Schema, arrays: dict[str, Array]) -> Kind:
        own = {key: value for key, value in c.items() if key not in ("kind", "level")}
        return cls(schema[c["origin"]], Vocabulary(**own), c["level"])


class Items:
    """A list in a cell: for each frequent item whether it is there; whether any other is; whether there is no list."""

    kind = "items"

    def __init__(self, name: str, column: Column, known: Sequence[str], gaps: bool) -> None:
        self.name, self.column, self.known, self.gaps = name, column, list(known), gaps

    @classmethod
    def fitted(cls, name: str, column: Column, values: Array, least: int, person: Array | None) -> Items:
        cells, places = kinds(values, column, None)
        having: dict[str, list[int]] = {}  # the cells that have an item
        for place, cell in enumerate(cells):
            for item in items(cell or ""):
                having.setdefault(item, []).append(place)
        there = [np.flatnonzero(places == place) for place in range(len(cells))]
        who = np.arange(len(places)) if person is None else person
        counts = {item: len(np.unique(who[np.concatenate([there[i] for i in own])])) for item, own in having.items()}
        known = sorted((i for i, c in counts.items() if c >= least), key=lambda i: (-counts[i], i))[:ITEMS]
        empty = np.array([*(cell is None for cell in cells), True])[places]
        return cls(name, column, known, bool(empty.any()))

    def features(self) -> list[Feature]:
        gap = [Feature(f"{self.name} is missing", self.name, "indicator")] if self.gaps else []
        has = [Feature(f"{self.name} has {item}", self.name, "indicator") for item in [*self.known, "others"]]
        return [*has, *gap]

    def write(self, table: Columns, out: Array) -> None:
        cells, places = kinds(table[self.name], self.column, None)
        place = {item: i for i, item in enumerate(self.known)}
        rows = np.zeros((len(cells) + 1, len(self.known) + 1), np.float32)  # the last row is a gap's
        for i, cell in enumerate(cells):
            for item in items(cell or ""):
                rows[i, place.get(item, -1)] = 1.0
        out[:, : rows.shape[1]] = rows[places]
        if self.gaps:
            out[:, -1] = np.array([*(cell is None for cell in cells), True])[places]

    def get_config(self) -> Config:
        return {"kind": self.kind, "name": self.name, "known": self.known, "gaps": self.gaps}

    def arrays(self) -> dict[str, Array]:
        return {}

    @classmethod
    def from_config(cls, c: Config, schema: Schema, arrays: dict[str, Array]) -> Items:
        return cls(c["name"], schema[c["name"]], c["known"], bool(c["gaps"]))


Encoder = Number | Kind | Items
ENCODERS: dict[str, type[Encoder]] = {made.kind: made for made in (Number, Kind, Items)}


def fitted(
    name: str, schema: Schema, table: Columns, numeric: str, onehot: int, least: int, person: Array | None
) -> list[Encoder]:
    """The encoders of a column, fitted on the rows given; `person` (n,) says whose they are."""
    column, values = schema[name], table[name]
    if column.role == "numeric":
        return [Number.fitted(name, schema, table, numeric, person)]
    if column.role == "date":
        reference = reference_of(schema, table)
        return [] if reference in (None, name) else [Number.fitted(name, schema, table, numeric, person, reference)]
    if column.role == "ordinal":
        kind = Kind.fitted(name, column, values, None, onehot, least, person)
        few = kind.vocabulary.form != "code" or column.not_measured
        return [Number.fitted(name, schema, table, numeric, person), *([kind] if few else [])]
    if column.role == "code":
        limits = (CHAPTERS, onehot, onehot)
        return [Kind.fitted(name, column, values, level, limits[level], least, person) for level in range(3)]
    if column.role == "list":
        return [Items.fitted(name, column, values, least, person)]
    return [Kind.fitted(name, column, values, None, onehot, least, person)]


def told(schema: Schema, table: Columns, least: int, person: Array | None) -> Schema:
    """The schema as a file may tell it: without words of the table that fewer than `least` persons have.

    These are levels that are numbers or intervals, and texts that mark a gap among numbers: both are read without
    their being listed. Levels that are words in an order are what somebody declared, and stay.
    """
    columns = dict(schema.columns)
    for name in schema.having("ordinal", "numeric"):
        column, (values, places) = columns[name], distinct(table[name])
        words = [plain(value) for value in values]
        known = Vocabulary.fitted(name, name, list(words), places, least, 0, person).table
        if column.role == "numeric":
            missing = [word for word in column.missing if number(word) is not None or word in known]
            columns[name] = replace(column, missing=missing)
        elif not any(map(math.isnan, midpoints(column.levels))):
            columns[name] = replace(column, levels=[level for level in column.levels if plain(level) in known])
    return Schema(columns)


def reference_of(schema: Schema, table: Columns) -> str | None:
    """The date from which a row's other dates are counted: the time column's, else the first date column's."""
    for name in [*schema.having("time"), *schema.having("date")]:
        if table[name].dtype == object and not np.isnan(as_days(table[name], schema[name])).all():
            return name
    return None


def values_of(name: str, schema: Schema, table: Columns, reference: str | None) -> Array:
    """The column as float64 with NaN for gaps, by its role."""
    column = schema[name]
    if column.role == "numeric":
        return numbers(table[name], column)
    if column.role == "ordinal":
        return levels(table[name], column)
    assert reference is not None
    return as_days(table[name], column) - as_days(table[reference], schema[reference])


def numbers(values: Array, column: Column) -> Array:
    """Numbers; a gap is a marker, an infinity, a number out of range, or what is no number. "<0.5" is 0.5."""
    known, places = distinct(values)
    gaps = set(column.missing)
    found: list[float | None]
    if values.dtype == object:
        found = [None if v in gaps else x if (x := number(v)) is not None else midpoints([v])[0] for v in known]
    else:
        found = [None if spelled(v) in gaps else v for v in known] if gaps else known
    out = looked_up([math.nan if x is None else x for x in found], places)
    low, high = column.range or (-math.inf, math.inf)
    out[~((np.abs(out) <= LARGEST) & (out >= low) & (out <= high))] = math.nan
    return out


def levels(values: Array, column: Column) -> Array:
    """An ordinal's levels as their midpoints, or as 0, 1, ... where not all of them are numbers or intervals."""
    middle = midpoints(column.levels)
    ranks = any(map(math.isnan, middle))
    table = dict(zip(map(plain, column.levels), range(len(middle)) if ranks else middle, strict=True))
    known, places = kinds(values, column, None)
    away = [text for text in known if text is not None and text not in table]
    beyond = dict(zip(away, [math.nan] * len(away) if ranks else midpoints(away, column.levels), strict=True))
    out = looked_up([math.nan if k is None else table.get(k, beyond.get(k, math.nan)) for k in known], places)
    out[np.abs(out) > LARGEST] = math.nan
    return out


def as_days(values: Array, column: Column) -> Array:
    """Dates as days since 1970. A number is no date: a gap."""
    if values.dtype != object:
        return np.full(len(values), math.nan)
    known, places = distinct(values)
    return looked_up(dates.all_days(known, column.month_first), places)


def kinds(values: Array, column: Column, level: int | None) -> tuple[list[str | None], Array]:
    """(the different kinds as text, None where they stand for a gap; each row's place among them, -1 for a gap).

    "1.0" and "1" are one kind, so that a file and a frame agree. Of codes, a level of the roll-up is taken.
    """
    known, places = distinct(values)
    gaps = set(column.missing)
    if level is None:
        return [None if (text := plain(v)) in gaps else text for v in known], places
    out: list[str | None] = []
    for v in known:
        text = v if isinstance(v, str) else plain(v)
        rolled = codes.rolled_up(text, column.codes)
        out.append(None if text in gaps else rolled[level] if rolled else "(no code)")
    return out, places


def plain(value: Any) -> str:
    """A kind as text, whole numbers without a point."""
    if not isinstance(value, str):
        return spelled(value) if np.isfinite(value) else str(value)
    head, point, tail = value.partition(".")
    return head if point and not tail.strip("0") and head.lstrip("-").isdigit() else value
