"""From a table's columns to the rows of X, fitted on training rows only, and carried along with the model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.registry import unknown
from tinynet.settings import whole
from tinynet.tabular.encoders import ENCODERS, Encoder, Number, fitted, told
from tinynet.tabular.features import Feature
from tinynet.tabular.frame import Columns, read, watched
from tinynet.tabular.numeric import SCALINGS
from tinynet.tabular.schema import Schema
from tinynet.tabular.splits import numbered


class Preprocessor:
    """The columns of a schema as X, float32 (n, features); NumPy alone.

    Parameters
    ----------
    schema : what the columns are; see Schema.infer
    numeric : "robust" (default; see numeric.Robust) or "quantile" (see numeric.Quantile)
    onehot : a category of up to so many kinds becomes a column each, one of more a column of codes for Embedding;
        default 10
    least : a kind that fewer persons have is rare, and shares a place with the unknown ones; default 5

    A gap in a number becomes the median of the training rows, and a column "is missing" says so where training rows
    had any. Infinities, and numbers beyond 1e100 or outside the schema's range, count as gaps. A kind never seen counts
    as rare.

    >>> table = {"age": [61, 70, None, 58], "sex": ["f", "m", "f", "f"]}
    >>> preprocessor = Preprocessor(Schema.infer(table), least=1).fit(table)
    >>> [feature.name for feature in preprocessor.features]
    ['age', 'age is missing', 'sex = m']
    >>> preprocessor.transform({"age": 70, "sex": "m"})[:, 1:]
    array([[0., 1.]], dtype=float32)
    """

    def __init__(self, schema: Schema, numeric: str = "robust", onehot: int = 10, least: int = 5) -> None:
        if not isinstance(schema, Schema):
            raise TypeError(f"schema is a Schema, as Schema.infer gives it, not {type(schema).__name__}")
        if numeric not in SCALINGS:
            raise ValueError(unknown("scaling of numbers", str(numeric), SCALINGS))
        self.schema, self.numeric = schema, numeric
        self.onehot, self.least = whole("onehot", onehot, 0), whole("least", least, 1)
        self._encoders: list[Encoder] | None = None

    def fit(self, columns: Any, rows: Any = None, groups: Any = None) -> Preprocessor:
        """Learn medians, scales and vocabularies; none of them is or names what fewer than five persons have.

        The schema loses the words that fewer have (see `encoders.told`).

        Parameters
        ----------
        columns : any table that `frame.read` knows, with all columns of the schema that are features
        rows : the training rows, as numbers or as a mask; default all
        groups : (n,) whose each row of the table is, so that persons are counted; default: each row is a person's
        """
        table = self._read(columns)
        person = None if groups is None else numbered(groups, "groups", table.count)[1]
        training = table
        if rows is not None:
            chosen = training_rows(rows, table.count)
            training, person = table.rows(chosen), None if person is None else person[chosen]
        if not training.count:
            raise ValueError("there are no training rows; at least one is expected")
        self.schema = told(self.schema, training, self.least, person)
        self._encoders = [
            one
            for name in watched(self.schema.features, training.count, "columns fitted")
            for one in fitted(name, self.schema, training, self.numeric, self.onehot, self.least, person)
        ]
        return self

    def transform(self, columns: Any) -> Array:
        """X, float32 (n, features). Columns that the schema does not know are not looked at."""
        encoders, table = self._fitted(), self._read(columns)
        x = np.zeros((table.count, len(self.features)), np.float32)
        at = 0
        for one in watched(encoders, table.count, "columns transformed"):
            width = len(one.features())
            one.write(table, x[:, at : at + width])
            at += width
        return x

    def fit_transform(self, columns: Any) -> Array:
        table = read(columns)
        return self.fit(table).transform(table)

    @property
    def features(self) -> list[Feature]:
        """What each column of X is."""
        return [feature for one in self._fitted() for feature in one.features()]

    @property
    def encoders(self) -> list[Encoder]:
        """What makes the columns of X, column by column of the table."""
        return list(self._fitted())

    def _fitted(self) -> list[Encoder]:
        if self._encoders is None:
            raise RuntimeError("the preprocessor is not fitted; call fit first")
        return self._encoders

    def _read(self, columns: Any) -> Columns:
        """The columns that are needed."""
        table = read(columns)
        self.check(table)
        needed = [*self.schema.features, *filter(None, [self.schema.time])]
        return Columns({name: table[name] for name in needed if name in table} or table)

    def check(self, names: Iterable[str]) -> None:
        """Raises KeyError where a table lacks a column that is learned from, or that dates are counted from."""
        present = list(names)
        self.schema.check(present)
        for one in self._encoders or []:
            if isinstance(one, Number) and one.reference and one.reference not in present:
                raise KeyError(f"the table lacks {one.reference!r}, from which the days of {one.name!r} are counted")

    def get_config(self) -> dict[str, Any]:
        """All but the arrays, as JSON can hold it; `from_config` makes the fitted preprocessor from both."""
        return {
            "schema": self.schema.get_config(),
            "numeric": self.numeric,
            "onehot": self.onehot,
            "least": self.least,
            "encoders": [one.get_config() for one in self._fitted()],
        }

    def arrays(self) -> dict[str, Array]:
        """The fitted arrays, by names of their own."""
        return {f"{i}/{key}": a for i, one in enumerate(self._fitted()) for key, a in one.arrays().items()}

    @classmethod
    def from_config(cls, config: dict[str, Any], arrays: dict[str, Array]) -> Preprocessor:
        """The fitted preprocessor that `get_config` and `arrays` describe."""
        made = cls(Schema.from_config(config["schema"]), config["numeric"], config["onehot"], config["least"])
        made._encoders = []
        for i, entry in enumerate(config["encoders"]):
            own = {key.partition("/")[2]: a for key, a in arrays.items() if key.partition("/")[0] == str(i)}
            made._encoders.append(ENCODERS[entry["kind"]].from_config(entry, made.schema, own))
        return made


def training_rows(rows: Any, n: int) -> Array:
    """Rows as numbers or as a mask, as numbers."""
    given = np.asarray(rows)
    if given.dtype == bool and given.shape == (n,):
        return np.flatnonzero(given)
    if given.ndim == 1 and not given.size:
        return np.empty(0, np.intp)
    if given.ndim != 1 or given.dtype.kind not in "iu" or given.min() < 0 or given.max() >= n:
        raise ValueError(f"rows are numbers from 0 to {n - 1}, or a mask of {n} truth values")
    return given
