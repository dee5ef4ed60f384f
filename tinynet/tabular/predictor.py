"""What a fitted estimator knows, with NumPy alone: from a table to risks, amounts or quantiles; and as a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinynet import model_file, persistence
from tinynet.formulas.activations import sigmoid, softmax
from tinynet.formulas.formula import Formula
from tinynet.formulas.vocabulary import Array
from tinynet.model import Sequential
from tinynet.persistence import ModelFileError
from tinynet.tabular import calibrate
from tinynet.tabular import conformal as certainty
from tinynet.tabular.ensemble import Ensemble, below
from tinynet.tabular.facts import Facts
from tinynet.tabular.frame import Columns, read, single
from tinynet.tabular.piecewise import Piecewise
from tinynet.tabular.preprocess import Preprocessor
from tinynet.tabular.remarks import remarks
from tinynet.tabular.schema import Schema

SIGMOID, SOFTMAX = Formula(sigmoid), Formula(softmax)
ROWS = 1 << 14  # answered at a time: as X they take many times the memory of the table


class Outcome:
    """How z becomes an answer.

    kind : "classes"; "amount", mean + deviation z; "log", mean e^z; "two-part", sigmoid(z_1) mean e^z_2;
        "quantiles", mean + deviation z for each of `levels`
    classes : the labels, in the order of the probabilities
    mean, deviation : of the training rows
    levels : of the quantiles
    calibration : of the probabilities, as `calibrate.from_config` knows it; default none
    """

    def __init__(
        self, kind: str, classes: list[Any] | None = None, mean: float = 0.0, deviation: float = 1.0,
        levels: list[float] | None = None, calibration: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.kind, self.classes, self.mean, self.deviation = kind, list(classes or []), mean, deviation
        self.levels = list(levels or [])
        self.calibration = calibrate.from_config(calibration) if calibration else None

    def __call__(self, z: list[Array]) -> Array:
        """Probabilities (n, classes), amounts (n,) or quantiles (n, levels), from each ensemble's z."""
        if self.kind == "classes":
            if z[0].shape[1] > 1:
                several = np.asarray(SOFTMAX(z[0]))
                return several if self.calibration is None else self.calibration(several)
            p = SIGMOID(np.clip(z[0], -700.0, 700.0))
            p = p if self.calibration is None else self.calibration(p[:, 0])[:, None]
            return np.hstack([1.0 - p, p])
        if self.kind == "log":
            return np.asarray(self.mean * np.exp(np.clip(z[0][:, 0], -50.0, 50.0)))
        if self.kind == "two-part":
            any_at_all = SIGMOID(np.clip(z[0][:, 0], -700.0, 700.0))
            return np.asarray(any_at_all * self.mean * np.exp(np.clip(z[1][:, 0], -50.0, 50.0)))
        y = self.mean + self.deviation * np.hstack(z)
        return y[:, 0] if self.kind == "amount" else np.sort(y, axis=1)  # quantiles do not cross

    def unscaled(self, t: Array) -> Array:
        """From targets as the networks learn them to classes' numbers or amounts."""
        if self.kind == "classes":
            return t
        return self.mean * t if self.kind in ("log", "two-part") else self.mean + self.deviation * t

    def get_config(self) -> dict[str, Any]:
        return {
            "kind": self.kind, "classes": self.classes, "mean": self.mean, "deviation": self.deviation,
            "levels": self.levels, "calibration": self.calibration.get_config() if self.calibration else None,
        }  # fmt: skip


class Predictor:
    """A preprocessor, ensembles of networks, and how their answers are read; `tinynet.load` gives one.

    >>> import tempfile, os, tinynet as tn
    >>> from tinynet.tabular import TabularClassifier
    >>> table = {"age": list(range(40)) * 2, "ill": [0] * 20 + [1] * 20 + [0] * 20 + [1] * 20}
    >>> model = TabularClassifier(epochs=2, members=2, random_state=0).fit({"age": table["age"]}, table["ill"])
    >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
    >>> model.save(path)
    >>> tn.load(path).predict_proba({"age": 61}).shape
    (1, 2)
    """

    def __init__(
        self, preprocessor: Preprocessor, pieces: Piecewise, ensembles: list[Ensemble], outcome: Outcome,
        target: str = "", facts: Facts | None = None, conformal: Any = None,
    ) -> None:  # fmt: skip
        self.preprocessor, self.pieces, self.ensembles, self.outcome = preprocessor, pieces, ensembles, outcome
        self.target, self.facts, self.conformal = target, facts, conformal

    @property
    def schema(self) -> Schema:
        """What the columns are."""
        return self.preprocessor.schema

    @property
    def classes(self) -> list[Any]:
        """The labels, in the order of the columns of `predict_proba`; empty for a regressor."""
        return self.outcome.classes

    @property
    def parameters(self) -> int:
        """How many numbers all networks learned together."""
        return sum(
            network.count_params()
            for ensemble in self.ensembles
            for networks in ensemble.members.values()
            for network in networks
        )

    def answers(self, x: Any) -> Array:
        """Probabilities (n, classes), amounts (n,) or quantiles (n, levels) for a table."""
        table = self.table(x)
        starts = range(0, max(table.count, 1), ROWS)
        return np.concatenate([self._answers(table.rows(slice(start, start + ROWS))) for start in starts])

    def _answers(self, table: Columns) -> Array:
        rows = self.pieces(self.preprocessor.transform(table))
        if not len(rows):
            raise ValueError("the table has no rows; at least one is expected")
        return self.outcome([ensemble(rows) for ensemble in self.ensembles])

    def table(self, x: Any) -> Columns:
        """The table, with columns by name; an array's columns are those of the training, in their order.

        Of a dictionary, or rows as dictionaries, only the columns that are needed are looked at.

        Raises
        ------
        KeyError : where a column is lacking, with the nearest name
        ValueError : where an array has another number of columns, or some columns hold one value and others several
        """
        if isinstance(x, Mapping) and not isinstance(x, Columns):
            self.preprocessor.check(map(str, x))
            x = {str(name): value for name, value in x.items() if str(name) in self.schema}
            alone = [name for name, value in x.items() if single(value)]
            several = [name for name, value in x.items() if not single(value) and self.schema[name].role != "list"]
            if alone and several:
                raise ValueError(
                    f"column {alone[0]!r} holds one value and {several[0]!r} several; a row has one value in each "
                    "column, a table as many values in each as it has rows"
                )
        elif isinstance(x, list) and x and all(isinstance(row, Mapping) and row for row in x):
            self.preprocessor.check(dict.fromkeys(str(name) for row in x for name in row))
            x = [{name: value for name, value in row.items() if str(name) in self.schema} for row in x]
        columns = read(x)
        names = list(self.schema.columns)
        if isinstance(x, (np.ndarray, list)) and [f"x{i}" for i in range(len(columns))] == list(columns):
            names = [name for name in names if self.schema[name].role != "target"]
            if len(columns) != len(names):
                raise ValueError(f"the table has {len(columns)} columns; the model learned from {len(names)}")
            columns = Columns(zip(names, columns.values(), strict=True))
        return columns

    def predict_proba(self, x: Any) -> Array:
        """The probability of each class, (n, classes), in the order of `classes`."""
        if self.outcome.kind != "classes":
            raise TypeError("this model predicts an amount; it has no probabilities of classes")
        return self.answers(x)

    def predict(self, x: Any) -> Array:
        """The most probable class (n,), or the amount (n,), or the quantiles (n, levels)."""
        found = self.answers(x)
        if self.outcome.kind != "classes":
            return found[:, 0] if found.ndim == 2 and found.shape[1] == 1 else found
        labels: Array = np.array(self.outcome.classes)[found.argmax(axis=1)]
        return labels

    def remarks(self, x: Any) -> list[list[str]]:
        """For each row, what its answer rests on less firmly: gaps, unknown kinds, numbers out of range.

        For the one who asks: columns are named, with the range that nearly all training rows had, and no value of the
        row is repeated. An empty list: nothing was found.
        """
        table = self.table(x)
        self.preprocessor.check(table)
        return remarks(self.preprocessor, self.facts.ranges if self.facts else {}, table)

    def predict_set(self, x: Any) -> Array:
        """(n, classes) bool: the classes that cannot be ruled out; see `tinynet.tabular.conformal.ConformalSets`.

        Raises
        ------
        TypeError : where the model predicts an amount
        ValueError : where no rows were held out to tell by, or the file is of an earlier version
        """
        p = self.predict_proba(x)
        sets: Array = self._conformal()(p if p.shape[1] > 2 else p[:, 1])
        return sets

    def predict_interval(self, x: Any) -> Array:
        """(n, 2) the ends of a conformal interval of each row's amount; 0 at least where amounts are.

        Raises
        ------
        TypeError : where the model predicts classes
        ValueError : where no rows were held out to tell by, for a two-part cost, or the file is of an earlier version
        """
        if self.outcome.kind == "classes":
            raise TypeError("this model predicts classes; predict_set tells which of them cannot be ruled out")
        kind, said = self._conformal(), self.answers(x)
        low, high = kind(said[:, 0], said[:, -1]) if self.outcome.kind == "quantiles" else kind(said)
        return np.column_stack([np.maximum(low, 0.0) if self.outcome.kind == "log" else low, high])

    def _conformal(self) -> Any:
        if self.conformal is None:
            raise ValueError(
                "this model has no conformal interval or set: too few rows were held out, it predicts a two-part cost "
                "or one quantile, or it was written by a version that kept none"
            )
        return self.conformal

    def described(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """(tensors, description) for a file."""
        tensors = {f"preprocessor/{name}": a for name, a in self.preprocessor.arrays().items()}
        tensors |= {f"pieces/{name}": a for name, a in self.pieces.arrays().items()}
        for i, ensemble in enumerate(self.ensembles):
            tensors |= {f"ensemble/{i}/{name}": a for name, a in ensemble.arrays().items()}
        return tensors, {
            "tabular": {
                "target": self.target,
                "outcome": self.outcome.get_config(),
                "preprocessor": self.preprocessor.get_config(),
                "ensembles": [ensemble.get_config() for ensemble in self.ensembles],
            },
            "card": {
                "facts": self.facts and self.facts.get_config(),
                "conformal": self.conformal and self.conformal.get_config(),
            },
        }

    @classmethod
    def made(cls, tensors: dict[str, Array], description: dict[str, Any]) -> Predictor:
        """The predictor that `described` described. Raises ModelFileError where there can be none."""
        try:
            held, card = description["tabular"], description.get("card", {})  # earlier files have no card
            return cls(
                Preprocessor.from_config(held["preprocessor"], below(tensors, "preprocessor/")),
                Piecewise.from_arrays(below(tensors, "pieces/")),
                [
                    Ensemble.from_config(entry, below(tensors, f"ensemble/{i}/"))
                    for i, entry in enumerate(held["ensembles"])
                ],
                Outcome(**held["outcome"]),
                held["target"],
                Facts.from_config(card["facts"]) if card.get("facts") else None,
                certainty.from_config(card["conformal"]) if card.get("conformal") else None,
            )
        except ModelFileError:
            raise
        except Exception as error:  # whatever a stranger's description does to the classes that it names
            why = f"it lacks {error}" if isinstance(error, KeyError) else str(error).partition("\n")[0]
            raise ModelFileError(f"the file describes a tabular model that cannot be made: {why}") from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one file, whole or not at all, that `tinynet.load` reads with NumPy alone."""
        persistence.write(path, *self.described())

    def __getstate__(self) -> dict[str, Any]:
        return {"file": persistence.packed(*self.described())}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(vars(Predictor.made(*persistence.read(state["file"]))))


def load(
    source: str | os.PathLike[str] | bytes, custom_objects: Mapping[str, Any] | None = None
) -> Sequential | Predictor:
    """The model in a file, or in its bytes: a `Predictor` where a tabular estimator was saved, else a `Sequential`.

    Parameters and errors as for `load_model`.
    """
    tensors, description = persistence.read(source)
    if "tabular" in description:
        return Predictor.made(tensors, description)
    return model_file.load_model(source, custom_objects)
