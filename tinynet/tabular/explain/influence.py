"""Which training rows drove an answer: those whose loss, made a little smaller, moves the answer most."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.progress import Progress
from tinynet.tabular.ensemble import KINDS, Ensemble
from tinynet.tabular.explain.asked import answer, chosen, patient_of, predictor_of
from tinynet.tabular.explain.factors import factors, forward, in_double, products
from tinynet.tabular.explain.score import scored
from tinynet.tabular.facts import fingerprint
from tinynet.tabular.heads import Head, heads
from tinynet.tabular.predictor import Predictor

SHOWN = 10  # rows on each side that are printed
ROWS = 1024  # that go through a network together
OTHERS = "these are not the rows that the model learned from, or not all: this is what learning from them would do"


@dataclass(frozen=True)
class Influence:
    """How training rows pull one answer, by their numbers alone.

    what : what is pulled: "risk of ..." or an amount
    answer : as a probability or an amount
    pull : (rows,) each row's; above 0 where learning from it raised the answer; their sizes add up to 1
    remark : what to know of the rows; empty where they are those that the model learned from
    """

    what: str
    answer: float
    pull: Array
    remark: str = ""

    @property
    def raised(self) -> Array:
        """The numbers of the rows that raised the answer, the strongest first."""
        order = np.argsort(-self.pull, kind="stable")
        return order[self.pull[order] > 0]

    @property
    def lowered(self) -> Array:
        """The numbers of the rows that lowered the answer, the strongest first."""
        order = np.argsort(self.pull, kind="stable")
        return order[self.pull[order] < 0]

    @property
    def half(self) -> int:
        """How few rows make half of all pull: the fewer, the more the answer hangs on single rows."""
        sizes = np.cumsum(np.sort(np.abs(self.pull))[::-1])
        return int(np.searchsorted(sizes, 0.5 * sizes[-1])) + 1 if sizes[-1] else 0

    def told(self, numbers: Array) -> str:
        """In words, with the rows by `numbers` (rows,) of their own."""
        text = [
            f"Which of {len(self.pull)} training rows, counted from 0, drove this answer (share of all pull):",
            *(f"  {word}  {shares(rows, self.pull, numbers)}"
              for rows, word in ((self.raised, "raised "), (self.lowered, "lowered"))),
            f"Half of all pull comes from {self.half} rows." + (f" But {self.remark}." if self.remark else ""),
        ]  # fmt: skip
        return "\n".join(text)

    def __str__(self) -> str:
        return self.told(np.arange(len(self.pull)))


def shares(rows: Array, pull: Array, numbers: Array) -> str:
    """The strongest rows, each with its share."""
    return ", ".join(f"{numbers[row]} ({abs(pull[row]):.1%})" for row in rows[:SHOWN].tolist()) or "none"


def influence(
    model: Any, table: Any, row: int = 0, *, training: Any, y: Any, sample_weight: Any = None, of: Any = None
) -> Influence:
    """The training rows that raised and lowered one answer most, from the dense layers' factors.

    A small step down the loss L_i of training row i, theta - e dL_i/dtheta, moves the score s of the row asked for by
    -e <dL_i/dtheta, ds/dtheta>. That is summed over all parameters of all networks (weights, biases, the vectors of
    embeddings), at the weights as they are at the end of the training; each layer takes two matrix products, and no
    gradient of a single row is ever made.

    Parameters
    ----------
    model : a fitted TabularClassifier or TabularRegressor, or what `tinynet.load` gives
    table, row : a table, or one row as a dictionary, and which row of it is asked for, counted from 0
    training : the table that the model learned from; the model itself keeps no row
    y : (rows,) its labels or amounts
    sample_weight : (rows,) how much each counted; default 1
    of : the class or the level, as for `explain`

    Raises
    ------
    IndexError : where there is no such row
    ValueError : where y or the weights do not go with the training rows, or the file is too old to tell its loss

    What it is not: the answer after the row is left out and all is trained again. It ranks rows much as that would
    where the loss is convex, less well elsewhere, and is no measure of a row's worth or of what caused an outcome. Each
    network is taken to have learned from every row, although each stopped by a part of them that it did not learn from.

    Source: G. Pruthi, F. Liu, S. Kale, M. Sundararajan, Estimating training data influence by tracing gradient
    descent, 2020 (the last checkpoint).
    """
    predictor = predictor_of(model, "influence")
    asked = inputs(predictor, patient_of(predictor, table, row))
    given = predictor.table(training)
    numbers = targets(predictor, y, given.count)
    weight = np.ones(given.count) if sample_weight is None else np.asarray(sample_weight, np.float64)
    if weight.shape != (given.count,) or not (weight >= 0).all():
        raise ValueError(f"sample_weight has one number of 0 or more for each of the {given.count} training rows")
    place, what = chosen(predictor, asked, of)
    z = [ensemble(asked) for ensemble in predictor.ensembles]
    slopes = scored(predictor.outcome, z, place)[1]
    rows, pull = inputs(predictor, given), np.zeros(given.count)
    loss = str(predictor.facts.settings.get("loss", "")) if predictor.facts else ""
    if not loss and predictor.outcome.kind != "classes":
        raise ValueError(
            "the model's file does not tell the loss that it learned by; train it again to ask for influence"
        )
    parts = list(zip(predictor.ensembles, heads(loss, numbers, predictor.outcome), slopes, strict=True))
    bar = Progress(sum(count(ensemble) for ensemble, _, _ in parts), "influence")
    done = 0
    for ensemble, head, slope in parts:
        for found in pulls(ensemble, head, slope, asked, rows, weight):
            pull += found
            bar.update(done := done + 1, "networks")
    bar.close()
    total = float(np.abs(pull).sum())
    classes = np.bincount(numbers, minlength=len(predictor.classes)) if predictor.classes else np.empty(0)
    same = predictor.facts is None or predictor.facts.fingerprint == fingerprint(predictor.schema, given, classes)
    return Influence(what, answer(predictor, z, place), pull / (total or 1.0), "" if same else OTHERS)


def inputs(predictor: Predictor, table: Any) -> Array:
    """What the networks read of a table, (n, features and bins)."""
    return predictor.pieces(predictor.preprocessor.transform(table))


def targets(predictor: Predictor, y: Any, rows: int) -> Array:
    """(rows,) the numbers of the classes, or amounts. Raises ValueError, without a value, where y has others."""
    given = np.asarray(y)
    if given.shape != (rows,):
        raise ValueError(
            f"y has shape {given.shape}; one label or amount for each of the {rows} training rows is meant"
        )
    if predictor.outcome.kind == "classes":
        places = {label: place for place, label in enumerate(predictor.classes)}
        numbers = [places.get(label, -1) for label in given.tolist()]
        if -1 in numbers:
            raise ValueError(f"y has labels in {numbers.count(-1)} of {rows} rows that the model does not know")
        return np.array(numbers, np.intp)
    amounts = given.astype(np.float64) if given.dtype.kind in "biuf" else np.full(rows, np.nan)
    if not np.isfinite(amounts).all():
        raise ValueError(f"y has {int((~np.isfinite(amounts)).sum())} of {rows} amounts that are no finite numbers")
    return amounts


def count(ensemble: Ensemble) -> int:
    """How many networks have a say."""
    return sum(len(ensemble.members[kind]) for kind, share in zip(KINDS, ensemble.parts, strict=True) if share)


def pulls(ensemble: Ensemble, head: Head, slope: Array, asked: Array, rows: Array, weight: Array) -> Iterator[Array]:
    """(n,) of each network: -<dL_i/dtheta, ds/dtheta> for each training row, from `slope` (1, outputs), ds/dz."""
    derivative, t = head.loss.f.derivative, head.t.astype(np.float64)
    assert derivative is not None
    for kind, share in zip(KINDS, ensemble.parts, strict=True):
        for model in ensemble.members[kind] if share else []:
            network = in_double(model.layers, rows.shape[1], model._built().parameter_list())
            w, _ = forward(network, asked)
            toward = factors(network, w, ensemble.scale * share / len(ensemble.members[kind]) * slope)
            found = np.zeros(len(rows))
            for start in range(0, len(rows), ROWS):
                part = slice(start, start + ROWS)
                w, z = forward(network, rows[part])
                dz = np.asarray(derivative(z, t[part])) * (weight * head.mask)[part, None]
                found[part] = -products(factors(network, w, dz), toward)[:, 0]
            yield found
