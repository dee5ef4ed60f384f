"""The score that is explained, along the straight way from the reference to the patient, with its slope.

The score is where effects add up: the log-odds of a class, the amount, or the logarithm of an amount that is never
negative. The slope is the engine's own backward pass, through every member of every ensemble. A code has no numbers
between it and another, so the way leads through its learned vectors instead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tinynet.formulas.activations import sigmoid, softmax
from tinynet.formulas.formula import Formula
from tinynet.formulas.vocabulary import Array
from tinynet.layers import Embedding
from tinynet.model import Sequential
from tinynet.network import Workspace
from tinynet.operations import Operations
from tinynet.tabular.ensemble import KINDS
from tinynet.tabular.explain.factors import UNFUSED, in_double
from tinynet.tabular.predictor import Outcome, Predictor

SIGMOID, SOFTMAX = Formula(sigmoid), Formula(softmax)


class Member:
    """One network in double behind its embedding, and the two ends of the way in what it reads there."""

    def __init__(self, model: Sequential, start: Array, end: Array) -> None:
        network, self.origin = model._built(), np.arange(start.shape[1])
        layers, parameters = network.layers, network.parameter_list()
        self.start, self.end = start[0].astype(np.float64), end[0].astype(np.float64)
        if isinstance(first := layers[0], Embedding):
            tables, layers = parameters[: len(first.columns)], layers[1:]
            parameters = parameters[len(first.columns) :]
            others = first.others(start.shape[1])
            widths = [len(others), *(table.shape[1] for table in tables)]
            self.origin = np.array([*others, *np.repeat(first.columns, widths[1:])], np.intp)
            self.start, self.end = (
                np.concatenate([x[others], *(t[int(x[c])] for t, c in zip(tables, first.columns, strict=True))]).astype(
                    np.float64
                )
                for x in (self.start, self.end)
            )
        self.network = in_double(layers, len(self.start), parameters)

    def __call__(self, along: Array) -> tuple[Workspace, Array]:
        """(what backward needs, z (k, outputs)) at shares of the way (k,)."""
        x = self.start + along[:, None] * (self.end - self.start)
        w = Workspace(self.network, len(x), True, self.network.widths[-1], input_gradient=True)
        return w, self.network.forward(Operations(), w, np.ascontiguousarray(x), False).copy()

    def slope(self, w: Workspace, dz: Array, columns: int) -> Array:
        """How the score changes along the way by each column of X, (k, columns), from its change with z, dz."""
        dx = self.network.backward(Operations(), w, np.ascontiguousarray(dz), UNFUSED)
        assert dx is not None
        found = np.zeros((columns, len(dx)))
        np.add.at(found, self.origin, (dx * (self.end - self.start)).T)
        return found.T


@dataclass(frozen=True)
class Part:
    """One ensemble's members, each with its weight in z."""

    members: list[tuple[float, Member]]
    shift: Array


class Score:
    """The score at shares of the way from one row of X to another, both (1, features and bins).

    Parameters
    ----------
    model : the predictor
    start, end : the rows
    place : of the class that is asked for, among the classes, or of the quantile, among the levels
    """

    def __init__(self, model: Predictor, start: Array, end: Array, place: int = 0) -> None:
        self.outcome, self.place, self.columns = model.outcome, place, start.shape[1]
        self.parts = []
        for ensemble in model.ensembles:
            weights = [
                (ensemble.scale * share / len(ensemble.members[kind]), member)
                for kind, share in zip(KINDS, ensemble.parts, strict=True)
                for member in ensemble.members[kind]
                if share
            ]
            self.parts.append(Part([(weight, Member(m, start, end)) for weight, m in weights], ensemble.shift))

    def __call__(self, along: Array) -> tuple[Array, Array]:
        """(score (k,), its slope by column (k, columns)) at shares of the way."""
        found = [[member(along) for _, member in part.members] for part in self.parts]
        z = [
            part.shift + sum(weight * z for (weight, _), (_, z) in zip(part.members, said, strict=True))
            for part, said in zip(self.parts, found, strict=True)
        ]
        score, slopes = scored(self.outcome, z, self.place)
        total = np.zeros((len(along), self.columns))
        for part, said, dz in zip(self.parts, found, slopes, strict=True):
            for (weight, member), (w, _) in zip(part.members, said, strict=True):
                total += member.slope(w, weight * dz, self.columns)
        return score, total


def scored(outcome: Outcome, z: list[Array], place: int) -> tuple[Array, list[Array]]:
    """(score (n,), its derivative by each ensemble's z)."""
    if outcome.kind == "classes" and z[0].shape[1] == 1:
        sign = 1.0 if place == 1 else -1.0
        return sign * z[0][:, 0], [np.full_like(z[0], sign)]
    if outcome.kind == "classes":
        others = np.delete(z[0], place, axis=1)
        top = others.max(axis=1)
        score = z[0][:, place] - top - np.log(np.exp(others - top[:, None]).sum(axis=1))
        return score, [np.insert(-np.asarray(SOFTMAX(others)), place, 1.0, axis=1)]
    if outcome.kind == "log":
        return math.log(outcome.mean) + z[0][:, 0], [np.ones_like(z[0])]
    if outcome.kind == "two-part":
        first = z[0][:, 0]
        score = -np.logaddexp(0.0, -first) + z[1][:, 0] + math.log(outcome.mean)
        return score, [1.0 - SIGMOID(z[0]), np.ones_like(z[1])]
    slopes = [np.zeros_like(one) for one in z]
    slopes[place][:, 0] = outcome.deviation
    return outcome.mean + outcome.deviation * z[place][:, 0], slopes
