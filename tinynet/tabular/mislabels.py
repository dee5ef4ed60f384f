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

__all__ = ["Mislabels", "likely_mislabels"]

SHOWN = 20  # rows that are printed
POWERS = {"poisson": 1.0, "two-part": 1.5, "gamma": 2.0}  # of the deviance; else 0, the squared distance
LEAST = 1e-9  # of a probability
RIGHT = 0.7  # of each class's rows, at least, are labelled so; above 1/2, T can be inverted
CAUTION = (
    "A doubt is a reason to look the row up at its source, and no proof: a rare course of a disease looks the same."
)


@dataclass(frozen=True)
class Mislabels:
    """The rows by doubt, by their numbers alone.

    score : (rows,) the greater, the more doubtful: for classes a rough probability of an error, too high where classes
        are hard to tell apart; for amounts the same as `size`
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
        return "\n".join(
            [f"The {len(lines)} most doubtful of {len(self.score)} rows, counted from 0:", *lines, CAUTION]
        )

    def __str__(self) -> str:
        return self.told(np.arange(len(self.score)))


def likely_mislabels(model: Any, table: Any, y: Any) -> Mislabels:
    """Rank rows by how much a model doubts their labels.

    For classes, by the probability that the label is wrong, given the row and its label. T(y | k), how often rows of
    class k are labelled y, is estimated from the rows labelled y that are confidently k: its probability is at least
    the mean over the rows labelled k (the confident joint). The model learned from the labels as they stand: T q = p,
    and the score is 1 - T(y | y) q_y / sum_k T(y | k) q_k. So errors that go one way are found, too: where events are
    often missed, all events look improbable, and 1 - p_y would name the events. At least 70 % of each class are taken
    to be labelled right. For amounts, by the deviance that belongs to the model's loss (for most the squared distance).

    Parameters
    ----------
    model : a fitted TabularClassifier or TabularRegressor, or what `tinynet.load` gives; one that learned from these
        rows is meant. Each of its networks stopped before it would have learned single labels by heart
    table : (rows, columns) the rows
    y : (rows,) their labels or amounts, as they stand

    Raises
    ------
    ValueError : where y does not go with the rows or the model

    On seven public tables with planted errors this found as many as a plain loss on rows held out where errors are
    random, nearly twice as many where they go one way, and fewer where all rows of a person are wrong; no score was
    best everywhere, self-influence (the size of a row's own gradient) included: benchmarks/results/mislabels.md.

    Source: C. Northcutt, L. Jiang, I. Chuang, Confident learning: estimating uncertainty in dataset labels, 2021 (the
    joint; the inversion as in G. Patrini et al., Making deep neural networks robust to label noise, 2017).

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
        wrong, own = doubts(np.clip(said, LEAST, 1.0), known)
        return Mislabels(wrong, own, True)
    far = distance(predictor, known, said)
    far = far / (np.median(far) or 1.0)
    return Mislabels(far, far, False)


def doubts(p: Array, y: Array) -> tuple[Array, Array]:
    """(the probability that the label is wrong, that of the label), (rows,), from p (rows, classes) and labels y."""
    t = confusion(p, y)
    q = np.maximum(np.linalg.solve(t, p.T).T, LEAST)
    labelled_so = t[y] * q
    rows = np.arange(len(y))
    own = labelled_so[rows, y].copy()
    labelled_so[rows, y] = 0.0
    others = labelled_so.sum(axis=1)
    wrong: Array = others / (own + others)
    return wrong, p[rows, y]


def confusion(p: Array, y: Array) -> Array:
    """T (labels, classes): how often a row of each class is labelled so; the columns add up to 1."""
    rows, classes = np.bincount(y, minlength=p.shape[1]), np.arange(p.shape[1])
    usual = np.array([p[y == k, k].mean() if rows[k] else np.inf for k in classes])
    sure = np.where(p >= usual - LEAST, p, -1.0)
    one = sure.max(axis=1) > 0
    joint = np.full((len(classes), len(classes)), 0.5)  # half a row each, so that nothing is ruled out
    np.add.at(joint, (y[one], sure.argmax(axis=1)[one]), 1.0)
    joint *= (rows / joint.sum(axis=1))[:, None]
    t: Array = joint / joint.sum(axis=0)
    for k in classes[np.diag(t) < RIGHT]:
        t[k, k] = 0.0
        t[:, k] *= (1.0 - RIGHT) / t[:, k].sum()
        t[k, k] = RIGHT
    return t


def distance(predictor: Predictor, y: Array, said: Array) -> Array:
    """(rows,) the root of the deviance of amounts from what the model says."""
    loss = predictor.facts.settings.get("loss", "") if predictor.facts else ""
    mean = said if said.ndim == 1 else said[:, said.shape[1] // 2]
    far: Array = np.sqrt(np.maximum(unit_deviance(y, mean, POWERS.get(loss, 0.0)), 0.0))
    return far
