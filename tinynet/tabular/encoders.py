"""One column of the table as columns of X, by its role."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.tabular.category import Vocabulary
from tinynet.tabular.cells import distinct, looked_up, number, spelled
from tinynet.tabular.features import Feature
from tinynet.tabular.frame import Columns
from tinynet.tabular.numeric import SCALINGS
from tinynet.tabular.schema import Column, Schema


class Number:
    """A number, and whether it is missing."""

    kind = "number"

    def __init__(self, name: str, column: Column, scaling: str, fill: float, gaps: bool, scale: Any) -> None:
        self.name, self.column, self.scaling, self.fill, self.gaps = name, column, scaling, fill, gaps
        self.scale = scale

    @classmethod
    def fitted(cls, name: str, column: Column, values: Array, scaling: str) -> Number:
        finite = values[~np.isnan(values)]
        fill = float(np.median(finite)) if len(finite) else 0.0
        return cls(name, column, scaling, fill, len(finite) < len(values), SCALINGS[scaling].fitted(finite))

    def features(self) -> list[Feature]:
        gap = [Feature(f"{self.name} is missing", self.name, "indicator")] if self.gaps else []
        return [Feature(self.name, self.name, "numeric"), *gap]

    def write(self, table: Columns, out: Array) -> None:
        self.write_numbers(numbers(table[self.name], self.column), out)

    def write_numbers(self, values: Array, out: Array) -> None:
        missing = np.isnan(values)
        out[:, 0] = self.scale(np.where(missing, self.fill, values))
        if self.gaps:
            out[:, 1] = missing

    def get_config(self) -> dict[str, Any]:
        return {
            "kind": self.kind, "name": self.name, "scaling": self.scaling, "fill": self.fill, "gaps": self.gaps,
            "scale": self.scale.get_config(),
        }  # fmt: skip

    def arrays(self) -> dict[str, Array]:
        arrays: dict[str, Array] = self.scale.arrays()
        return arrays

    @classmethod
    def from_config(cls, c: dict[str, Any], schema: Schema, arrays: dict[str, Array]) -> Number:
        scale = SCALINGS[c["scaling"]].from_config(c["scale"], arrays)
        return cls(c["name"], schema[c["name"]], c["scaling"], float(c["fill"]), bool(c["gaps"]), scale)


class Kind:
    """A category."""

    kind = "kind"

    def __init__(self, column: Column, vocabulary: Vocabulary) -> None:
        self.column, self.vocabulary = column, vocabulary

    @classmethod
    def fitted(cls, name: str, column: Column, values: Array, onehot: int, least: int) -> Kind:
        known, places = kinds(values, column)
        return cls(column, Vocabulary.fitted(name, name, known, places, least, onehot))

    def features(self) -> list[Feature]:
        return self.vocabulary.features()

    def write(self, table: Columns, out: Array) -> None:
        known, places = kinds(table[self.vocabulary.origin], self.column)
        self.vocabulary.write(known, places, out)

    def get_config(self) -> dict[str, Any]:
        return {"kind": self.kind, **self.vocabulary.get_config()}

    def arrays(self) -> dict[str, Array]:
        return {}

    @classmethod
    def from_config(cls, c: dict[str, Any], schema: Schema, arrays: dict[str, Array]) -> Kind:
        return cls(schema[c["origin"]], Vocabulary(**{key: value for key, value in c.items() if key != "kind"}))


Encoder = Number | Kind


def encoder(name: str, schema: Schema, table: Columns, numeric: str, onehot: int, least: int) -> Encoder:
    """The encoder of a column, fitted on the rows given."""
    column = schema[name]
    if column.role == "numeric":
        return Number.fitted(name, column, numbers(table[name], column), numeric)
    return Kind.fitted(name, column, table[name], onehot, least)


def encoder_from(config: dict[str, Any], schema: Schema, arrays: dict[str, Array]) -> Encoder:
    made: dict[str, type[Number] | type[Kind]] = {"number": Number, "kind": Kind}
    return made[config["kind"]].from_config(config, schema, arrays)


def numbers(values: Array, column: Column) -> Array:
    """The column as float64 with NaN for gaps: markers, infinities, numbers out of range and what is no number."""
    known, places = distinct(values)
    gaps = set(column.missing)
    table = [np.nan if spelled_out(v) in gaps else number(v) if isinstance(v, str) else v for v in known]
    out = looked_up([np.nan if v is None else v for v in table], places)
    low, high = column.range or (-np.inf, np.inf)
    with np.errstate(invalid="ignore"):
        out[~(np.isfinite(out) & (out >= low) & (out <= high))] = np.nan
    return out


def spelled_out(value: Any) -> str:
    return value if isinstance(value, str) else spelled(value)


def kinds(values: Array, column: Column) -> tuple[list[str | None], Array]:
    """(the different kinds as text, None where they stand for a gap; each row's place among them, -1 for a gap).

    "1.0" and "1" are one kind, so that a file and a frame agree.
    """
    known, places = distinct(values)
    gaps = set(column.missing)
    return [None if (text := plain(v)) in gaps else text for v in known], places


def plain(value: Any) -> str:
    """A kind as text, whole numbers without a point."""
    if not isinstance(value, str):
        return spelled(value) if np.isfinite(value) else str(value)
    head, point, tail = value.partition(".")
    return head if point and not tail.strip("0") and head.lstrip("-").isdigit() else value
