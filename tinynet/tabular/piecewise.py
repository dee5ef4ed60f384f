"""Numbers in pieces: beside each number how far it is through each of its bins, so that a sum can follow a curve."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.tabular.crowd import blurred, ranked
from tinynet.tabular.features import Feature

BINS = 8


class Piecewise:
    """X (n, features) -> (n, features and bins): a number x keeps its column, and for each bin [e_k, e_k+1] between
    quantiles of the training rows (see `crowd.blurred`) there is min(max((x - e_k) / (e_k+1 - e_k), 0), 1) - 1/2.

    A weighted sum of these is a continuous curve of straight pieces: even a network without a hidden layer then follows
    a risk that is lowest in the middle, and a deep one need not find the bends by itself. Other kinds of columns pass.

    Source: Y. Gorishniy, I. Rubachev, A. Babenko, On embeddings for numerical features in tabular deep learning, 2022
    (piecewise linear encoding).
    """

    def __init__(self, edges: Sequence[Array], codes: Sequence[tuple[int, int]]) -> None:
        self.edges = list(edges)  # of each feature; empty where it passes as it is
        self.codes = list(codes)  # (column of X, vocabulary) of each code

    @classmethod
    def fitted(cls, x: Array, features: Sequence[Feature], bins: int = BINS, person: Array | None = None) -> Piecewise:
        """From the training rows of X; `person` (n,) says whose they are."""
        edges = []
        for j, feature in enumerate(features):
            found = np.empty(0)
            if feature.kind == "numeric":
                found = np.unique(blurred(ranked(x[:, j].astype(np.float64), person), np.linspace(0.0, 1.0, bins + 1)))
            edges.append(found if len(found) > 2 else np.empty(0))
        return cls(edges, [(j, feature.vocabulary) for j, feature in enumerate(features) if feature.kind == "code"])

    def __call__(self, x: Array) -> Array:
        extra = sum(max(len(edges) - 1, 0) for edges in self.edges)
        out = np.empty((len(x), x.shape[1] + extra), np.float32)
        out[:, : x.shape[1]] = x  # codes keep their columns
        at = x.shape[1]
        for j, edges in enumerate(self.edges):
            if len(edges):
                low, width = edges[:-1], np.diff(edges)
                out[:, at : at + len(low)] = np.clip((x[:, j, None] - low) / width, 0.0, 1.0) - 0.5
                at += len(low)
        return out

    def arrays(self) -> dict[str, Array]:
        """What `from_arrays` makes it again from."""
        return {
            "edges": np.concatenate([np.empty(0), *self.edges]),
            "lengths": np.array([len(edges) for edges in self.edges], np.int64),
            "codes": np.array(self.codes, np.int64).reshape(-1, 2),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, Array]) -> Piecewise:
        ends = np.cumsum(arrays["lengths"])
        return cls(np.split(arrays["edges"], ends[:-1]), [(int(c), int(v)) for c, v in arrays["codes"]])
