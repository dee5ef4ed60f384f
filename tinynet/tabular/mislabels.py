"""Rows whose label or amount a model doubts most: where to look for errors of labelling first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.tabular.explain.asked import predictor_of
from tinynet.tabular.explain.explanation import percent
from tinynet.tabular.explain.influence import targets
from tinynet.tabular.measures import unit_deviance
from tinynet.tabular.predictor import Predictor

SHOWN = 20  # rows that are printed
POWERS = {"poisson": 1.0, "two-part": 1.5, "gamma": 2.0}  # of the deviance; else 0, the squared distance
LEAST = 1e-12  # of 1 - p
CAUTION = "A doubt is a reason to look the row up at its source, and no proof: a rare course of a disease looks the same."


@dataclass(frozen=True)
class Mislabels:
    """The rows by doubt, by their numbers alone.

    score : (rows,) the greater, the more doubtful
    size : (rows,) for classes the probability that the model gives the row's own label; for amounts how many times as
        far it is from what the model says as the median row
    classes : whether there are classes
    """

    score: Array
    size: Array
    classes: bool

    @property
    def rows(self) -> Array:
        """The numbers of all rows, counted from 0, the most doubtful first."""
        return np.argsort(-self.score, kind="stable")

    def words(self, row: int) -> str:
        """Why a row is doubted."""
        if self.classes:
            return f"the model gives its label {percent(self.size[row])}"
        return f"{self.size[row]:.3g} times as far from what the model says as the median row"

    def told(self, numbers: Array) -> str:
        """The first rows in words, by `numbers` (rows,) of their own."""
        lines = [f"  row {numbers[row]:>8}  {self.words(row)}" for row in self.rows[:SHOWN].tolist()]
        return "\n".join([f"The {len(lines)} most doubtful of {len(self.score)} rows, counted from 0:", *lines, CAUTION])

    def __str__(self) -> str:
        return self.told(np.arange(len(self.score)))


def likely_mislabels(model: Any, table: Any, y: Any) -> Mislabels:
    """Rank rows by how much a model doubts their labels.

    For classes, by ln(1 - p_i) - 1/2 of the mean of ln(1 - p) over the rows with the same label, where p_i is the
    probability of row i's own label. The second part is for errors that go one way: where events are often missed,
    every event looks improbable, and a plain 1 - p would name the events. For amounts, by the deviance that belongs to
    the model's loss (the squared distance, for most).

    Parameters
    ----------
    model : a fitted TabularClassifier or TabularRegressor, or what `tinynet.load` gives; one that learned from these
        rows is meant. Each of its networks stopped before it would have learned single labels by heart
    table : (rows, columns) the rows
    y : (rows,) their labels or amounts, as they stand

    Raises
    ------
    ValueError : where y does not go with the rows or the model

    On six public tables with planted errors this found more than confident learning on predictions of rows held out,
    and more than self-influence (the size of a row's own gradient); the guide "Find label errors" has the numbers.

    >>> from tinynet.tabular import TabularClassifier
    >>> table, ill = {"age": list(range(20, 80)) * 2}, [0] * 30 + [1] * 30 + [0] * 30 + [1] * 30
    >>> ill[5] = 1
    >>> model = TabularClassifier(members=2, epochs=4, random_state=0, verbose=0).fit(table, ill)
    >>> likely_mislabels(model, table, ill).rows[0].item()
    5
    """
    predictor = predictor_of(model, "likely_mislabels")
    given = predictor.table(table)
    known = targets(predictor, y, given.count)
    said = predictor.answers(given)
    if predictor.classes:
        own = said[np.arange(len(known)), known]
        doubt = np.log(np.maximum(1.0 - own, LEAST))
        labels = len(predictor.classes)
        usual = np.bincount(known, doubt, labels) / np.maximum(np.bincount(known, minlength=labels), 1)
        return Mislabels(doubt - 0.5 * usual[known], own, True)
    far = distance(predictor, known, said)
    return Mislabels(far, far / (np.median(far) or 1.0), False)


def distance(predictor: Predictor, y: Array, said: Array) -> Array:
    """(rows,) the root of the deviance of amounts from what the model says."""
    loss = predictor.facts.settings.get("loss", "") if predictor.facts else ""
    mean = said if said.ndim == 1 else said[:, said.shape[1] // 2]
    far: Array = np.sqrt(np.maximum(unit_deviance(y, mean, POWERS.get(loss, 0.0)), 0.0))
    return far
