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

    A kind is known where at least `least` training rows have it. As features:
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
        cls, name: str, origin: str, known: list[str | None], places: Array, least: int, onehot: int
    ) -> Vocabulary:
        """From the different kinds (None is a gap) and the training rows' places among them, -1 for a gap."""
        counts: dict[str, int] = {}
        gaps = int((places < 0).sum())
        for kind, count in zip(known, np.bincount(places[places >= 0], minlength=len(known)).tolist(), strict=True):
            if kind is None:
                gaps += count
            elif count:
                counts[kind] = counts.get(kind, 0) + count
        kinds = sorted((k for k, c in counts.items() if c >= least), key=lambda k: (-counts[k], k))
        return cls(name, origin, kinds, gaps > 0, len(kinds) < len(counts), onehot)

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
