"""Kinds for a network: a vocabulary learned from the training rows, with places for rare and for unknown kinds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.tabular.features import Feature

GAP = "(missing)"
OTHER = "(other)"


class Vocabulary:
    """kind -> 0 for a gap, 1 for rare and unknown kinds, 2, 3, ... for the kinds known, most frequent first.

    A kind is known where at least `least` persons have it in training rows (rows, where no persons are given), so that
    a file names no kind by which one person could be told. As features:
    two kinds, one column: -1 and 1, 0 for others, and an indicator of gaps where training rows have any;
    up to `onehot` kinds, a column each, one for the others where any were rare, and one for gaps where there were any;
    more kinds, one column of codes for an Embedding with kinds + 2 codes.
    """

    def __init__(self, name: str, origin: str, kinds: Sequence[str], gaps: bool, rare: bool, onehot: int) -> None:
        self.name, self.origin, self.kinds, self.gaps, self.rare = name, origin, list(kinds), gaps, rare
        self.onehot = onehot
        self.table = {kind: place for place, kind in enumerate(self.kinds, 2)}

    @classmethod
    def fitted(
        cls, name: str, origin: str, known: list[str | None], places: Array, least: int, onehot: int,
        person: Array | None = None,
    ) -> Vocabulary:  # fmt: skip
        """From the different kinds (None is a gap) and the training rows' places among them, -1 for a gap.

        `person` (n,) says whose the rows are.
        """
        different = list(dict.fromkeys(kind for kind in known if kind is not None))
        number = {kind: i for i, kind in enumerate(different)}
        rows = np.array([*(-1 if kind is None else number[kind] for kind in known), -1], np.intp)[places]
        filled = rows >= 0
        pairs = rows[filled]
        if person is not None:
            pairs = np.unique(np.column_stack([pairs, person[filled]]), axis=0)[:, 0]
        counts = dict(zip(different, np.bincount(pairs, minlength=len(different)).tolist(), strict=True))
        kinds = sorted((k for k, c in counts.items() if c >= least), key=lambda k: (-counts[k], k))
        return cls(name, origin, kinds, not bool(filled.all()), len(kinds) < len(counts), onehot)

    @property
    def form(self) -> str:
        if len(self.kinds) > self.onehot:
            return "code"
        return "binary" if len(self.kinds) == 2 and not self.rare else "onehot"

    def features(self) -> list[Feature]:
        if self.form == "code":
            return [Feature(self.name, self.origin, "code", len(self.kinds) + 2)]
        gap = [Feature(f"{self.name} is missing", self.origin, "indicator")] if self.gaps else []
        if self.form == "binary":
            return [Feature(f"{self.name} = {self.kinds[1]}", self.origin, "onehot"), *gap]
        names = [*self.kinds, *([OTHER] if self.rare else [])]
        return [*(Feature(f"{self.name} = {kind}", self.origin, "onehot") for kind in names), *gap]

    def write(self, known: list[str | None], places: Array, out: Array) -> None:
        """The rows' features into out (n, features)."""
        codes = np.array([*(0 if k is None else self.table.get(k, 1) for k in known), 0], np.intp)[places]
        if self.form == "code":
            out[:, 0] = codes
            return
        if self.gaps:
            out[:, -1] = codes == 0
        if self.form == "binary":
            out[:, 0] = np.array([0.0, 0.0, -1.0, 1.0])[codes]
            return
        for place in range(len(self.kinds)):
            out[:, place] = codes == place + 2
        if self.rare:
            out[:, len(self.kinds)] = codes == 1

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name, "origin": self.origin, "kinds": self.kinds, "gaps": self.gaps, "rare": self.rare,
            "onehot": self.onehot,
        }  # fmt: skip
