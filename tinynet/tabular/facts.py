"""What a model file says of the rows that were learned from: counts, ranges and a fingerprint, and never a row."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

import tinynet
from tinynet.formulas.vocabulary import Array
from tinynet.tabular.cells import distinct
from tinynet.tabular.crowd import CROWD, blurred, ranked
from tinynet.tabular.encoders import Number, values_of
from tinynet.tabular.frame import Columns
from tinynet.tabular.preprocess import Preprocessor
from tinynet.tabular.schema import Schema

FEWEST = 20  # values from which a range is told
WIDER = 0.1  # of the range, on a side where the bound would be a single person's value


@dataclass(frozen=True)
class Facts:
    """The training, as a card can tell it; no date, no place, no row.

    rows : how many were learned from
    persons : how many groups these were of; None where each row was its own
    shares : of each class, in the order of the predictor's classes; empty for an amount
    missing : each learned column's share of gaps
    ranges : of each number, what nearly all training rows had; see `range_of`
    fingerprint : see `fingerprint`
    settings : the estimator's own
    version : of tinynet
    """

    rows: int
    persons: int | None
    shares: list[float]
    missing: dict[str, float]
    ranges: dict[str, tuple[float, float]]
    fingerprint: str
    settings: dict[str, Any]
    version: str

    @classmethod
    def of(
        cls, preprocessor: Preprocessor, table: Columns, numbers: Array, classes: int, group: Array | None,
        settings: dict[str, Any],
    ) -> Facts:  # fmt: skip
        """From the training rows.

        Parameters
        ----------
        preprocessor : fitted on them
        table : their columns
        numbers : (n,) of the classes; of no use for an amount
        classes : how many there are; 0 for an amount
        group : (n,) whose row it is, or None
        settings : of the estimator; left out are the schema, which the file has, and what JSON cannot hold
        """
        counts = np.bincount(numbers.astype(np.intp), minlength=classes) if classes else np.empty(0)
        schema = preprocessor.schema
        ranges = {}
        for one in preprocessor.encoders:
            if isinstance(one, Number) and (
                found := range_of(values_of(one.name, schema, table, one.reference), group)
            ):
                ranges[one.name] = found
        return cls(
            table.count,
            None if group is None else len(np.unique(group)),
            [float(count / table.count) for count in counts],
            {name: round(gaps(table[name], schema[name].missing) / table.count, 4) for name in schema.features},
            ranges,
            fingerprint(schema, table, counts),
            json.loads(
                json.dumps({name: value for name, value in settings.items() if plain(value) and name != "schema"})
            ),
            tinynet.__version__,
        )

    def get_config(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Facts:
        return cls(**{**config, "ranges": {name: (float(a), float(b)) for name, (a, b) in config["ranges"].items()}})


def range_of(values: Array, person: Array | None = None) -> tuple[float, float] | None:
    """What nearly all rows had of a number, gaps (NaN) apart; None for fewer than FEWEST values.

    From the 5th least to the 5th greatest, each blurred (see `crowd`), and a tenth wider on a side where fewer than 5
    persons (n,) share the extreme: the least and the greatest would be one person's value, and every file would tell
    them.
    """
    finite = np.isfinite(values)
    known = ranked(values[finite], None if person is None else person[finite])
    if len(known) < FEWEST:
        return None
    fifth = (CROWD - 1) / (len(known) - 1)
    low, high = blurred(known, np.array([fifth, 1.0 - fifth])).tolist()
    margin = WIDER * (high - low)
    least = 0.0 if known[0] >= 0 else -math.inf  # what is counted or weighed is never below 0
    return max(low - margin * (known[0] < low), least), high + margin * (known[-1] > high)


def fingerprint(schema: Schema, table: Columns, classes: Array) -> str:
    """A SHA-256 that tells whether a table may be the one learned from: of the schema, and of counts alone.

    Counted are rows, rows of each class, and each learned column's gaps and different values. No value is hashed: of
    few rows, or of columns with few possible values, somebody could try out all of them until the hash agrees, and so
    read the rows from it. What is left to guess are counts: who has the fingerprint can confirm a guess of them all,
    which in a very small table may say that somebody is in it or not. Two tables with the same counts have the same
    fingerprint, so an equal one is no proof.
    """
    known = {name: [gaps(table[name], schema[name].missing), len(distinct(table[name])[0])] for name in schema.features}
    told = {"schema": schema.get_config(), "rows": table.count, "classes": classes.tolist(), "columns": known}
    return hashlib.sha256(json.dumps(told, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def gaps(values: Array, markers: list[str]) -> int:
    """How many rows of a column have nothing."""
    return int(gap(values, markers).sum())


def gap(values: Array, markers: list[str]) -> Array:
    """(n,) bool: which cells are empty or hold a marker of a gap."""
    from tinynet.tabular.encoders import plain as spelled

    known, places = distinct(values)
    marked = np.array([*(spelled(value) in markers or value in markers for value in known), True])
    found: Array = marked[places]
    return found


def plain(value: Any) -> bool:
    """Whether JSON can hold a setting as it is."""
    if isinstance(value, (list, tuple)):
        return all(map(plain, value))
    return value is None or isinstance(value, (str, bool, int)) or (isinstance(value, float) and math.isfinite(value))
