"""What an answer rests on less firmly, in words, for the one who asks: gaps, unknown kinds, numbers out of range."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.tabular.cells import distinct, number
from tinynet.tabular.encoders import Encoder, Items, Kind, Number, kinds, values_of
from tinynet.tabular.facts import gap
from tinynet.tabular.frame import Columns
from tinynet.tabular.lists import items
from tinynet.tabular.preprocess import Preprocessor
from tinynet.tabular.schema import Schema

Found = Iterator[tuple[Array, str]]


def remarks(preprocessor: Preprocessor, ranges: dict[str, tuple[float, float]], table: Columns) -> list[list[str]]:
    """For each row its remarks, in the order of the columns. Columns are named; no value of the row is repeated."""
    schema = preprocessor.schema
    found: list[list[str]] = [[] for _ in range(table.count)]
    told, with_kinds = set(), {one.vocabulary.origin for one in preprocessor.encoders if isinstance(one, Kind)}
    for one in preprocessor.encoders:
        name = one.vocabulary.origin if isinstance(one, Kind) else one.name
        empty = gap(table[name], schema[name].missing)
        if name not in told:
            told.add(name)
            for row in np.flatnonzero(empty):
                found[row].append(f"{name} is missing")
        if isinstance(one, Number) and name in with_kinds:
            continue  # an ordinal, whose kinds tell
        for rows, said in of_encoder(one, schema, ranges, table):
            for row in np.flatnonzero(rows & ~empty):
                found[row].append(said)
    return found


def of_encoder(one: Encoder, schema: Schema, ranges: dict[str, tuple[float, float]], table: Columns) -> Found:
    """(mask of the rows, the remark) of each thing that one encoder finds."""
    if isinstance(one, Number):
        return of_number(one, schema, ranges, table)
    return of_kind(one, schema, table) if isinstance(one, Kind) else of_items(one, table)


def of_number(one: Number, schema: Schema, ranges: dict[str, tuple[float, float]], table: Columns) -> Found:
    column, values = schema[one.name], values_of(one.name, schema, table, one.reference)
    name, unit = one.name, f" {column.unit}" if column.unit else ""
    unread = np.isnan(values)
    if column.role == "ordinal":  # of so many levels that they have no kinds
        yield unread, f"{name} is no level that is known; it counts as missing"
    elif column.role == "date":
        yield unread, f"{name} is no date that can be counted from {one.reference}; it counts as missing"
        unit = f" days from {one.reference}"
    elif column.range is not None:
        low, high = column.range
        yield unread, f"{name} is no number from {low:g} to {high:g}{unit}, the possible ones; it counts as missing"
    else:
        yield unread, f"{name} is no finite number; it counts as missing"
    if column.role == "numeric" and table[name].dtype == object:
        known, places = distinct(table[name])
        inexact = np.array([*(number(text) is None for text in known), False])[places]
        yield inexact & ~unread, f"{name} is no exact number but an interval; its end or its middle counts"
    if name in ranges:
        low, high = ranges[name]
        with np.errstate(invalid="ignore"):
            for rows, word in ((values < low, "below"), (values > high, "above")):
                yield rows, f"{name} is {word} what nearly all training rows had, {low:.4g} to {high:.4g}{unit}"


def of_kind(one: Kind, schema: Schema, table: Columns) -> Found:
    name, vocabulary = one.vocabulary.origin, one.vocabulary
    known, places = kinds(table[name], one.column, one.level)
    strange = np.array([*(kind is not None and kind not in vocabulary.table for kind in known), False])[places]
    if one.level is None:
        yield strange, f"{name} is of a kind that was rare or unknown in training; it counts as other"
    elif one.level == 2:
        yield strange, f"{name} is a code that was rare or unknown in training; at most its chapter and block count"


def of_items(one: Items, table: Columns) -> Found:
    cells, places = kinds(table[one.name], one.column, None)
    known = set(one.known)
    strange = np.array([*(any(i not in known for i in items(cell or "")) for cell in cells), False])[places]
    yield strange, f"{one.name} has items that were rare or unknown in training; they count as others"
