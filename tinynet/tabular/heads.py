"""What the networks of each ensemble learn: a loss, and the targets as that loss takes them. NumPy alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tinynet import losses
from tinynet.formulas.vocabulary import Array
from tinynet.tabular.predictor import Outcome


class Head(NamedTuple):
    """The loss, its outputs, targets T (n, 1) and the rows (n,) that have a part in it, of one ensemble."""

    loss: losses.Loss
    outputs: int
    t: Array
    mask: Array


def heads(loss: str, y: Array, outcome: Outcome) -> list[Head]:
    """One for each ensemble of a model.

    Parameters
    ----------
    loss : of a TabularRegressor; of no use for classes
    y : (n,) amounts, or the numbers of the classes
    outcome : how the networks' answers become amounts or probabilities
    """
    every = np.ones(len(y), bool)
    if outcome.kind == "classes":
        classes = len(outcome.classes)
        if classes == 2:
            return [Head(losses.BinaryCrossentropy(from_logits=True), 1, y[:, None], every)]
        return [Head(losses.SparseCategoricalCrossentropy(from_logits=True), classes, y[:, None], every)]
    scaled = ((y - outcome.mean) / outcome.deviation)[:, None]
    share = (y / outcome.mean)[:, None] if outcome.mean else scaled
    if loss == "poisson":
        return [Head(losses.Poisson(log_link=True), 1, share, every)]
    if loss == "gamma":
        return [Head(losses.Gamma(), 1, share, every)]
    if loss == "two-part":
        some = (y > 0)[:, None]
        return [
            Head(losses.BinaryCrossentropy(from_logits=True), 1, some.astype(float), every),
            Head(losses.Gamma(), 1, share, some[:, 0]),
        ]
    if loss == "quantile":
        return [Head(losses.Quantile(level), 1, scaled, every) for level in outcome.levels]
    made = losses.MeanAbsoluteError() if loss == "absolute_error" else losses.MeanSquaredError()
    return [Head(made, 1, scaled, every)]
