"""On which side of its kinks a formula stands: relu at 0, |y - t| at y = t, every `where`, `maximum` and `minimum`."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from types import FunctionType, SimpleNamespace
from typing import Any

import numpy as np

from tinynet.formulas import vocabulary
from tinynet.formulas.formula import Formula
from tinynet.formulas.vocabulary import Array
from tinynet.operations import Operations


class SideWatch(Operations):
    """Operations that also note, for each comparison in a formula, on which side every element falls."""

    def __init__(self) -> None:
        self.sides: list[bytes] = []
        self.watched: dict[Callable[..., Any], Callable[..., Any]] = {}  # a formula -> the same, over noting words

        def noting(word: Callable[..., Array], side: Callable[..., Array]) -> Callable[..., Array]:
            def noted(*arguments: Array) -> Array:
                self.sides.append(np.packbits(side(*arguments)).tobytes())
                return word(*arguments)

            return noted

        self.words = {
            "maximum": noting(vocabulary.maximum, lambda x, y: np.asarray(x > y)),
            "minimum": noting(vocabulary.minimum, lambda x, y: np.asarray(x < y)),
            "where": noting(vocabulary.where, lambda condition, x, y: np.asarray(condition)),
            "abs": noting(np.abs, lambda x: np.asarray(x > 0)),
        }
        self.vocabulary = SimpleNamespace(**{**vars(vocabulary), **self.words})

    def taken(self) -> list[bytes]:
        """The sides noted since the last time."""
        sides, self.sides = self.sides, []
        return sides

    def watching(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same formula over words that note on which side of their kink the elements lie."""
        if function not in self.watched:
            names = dict(function.__globals__)
            other = FunctionType(function.__code__, names, function.__name__, None, function.__closure__)
            other.__kwdefaults__ = function.__kwdefaults__
            self.watched[function] = other
            for name in function.__code__.co_names:
                found = names.get(name, builtins.abs if name == "abs" else None)
                if found is vocabulary:
                    names[name] = self.vocabulary
                elif name in self.words and found in (getattr(vocabulary, name, None), builtins.abs, np.abs):
                    names[name] = self.words[name]
                elif isinstance(found, FunctionType) and found.__module__ != vocabulary.__name__:
                    names[name] = self.watching(found)
        return self.watched[function]

    def watch(self, f: Formula, *arrays: Array) -> None:
        self.watching(f.function)(*arrays, **f.scalars)

    def bias_activation(self, z: Array, b: Array, f: Formula, a: Array) -> None:
        super().bias_activation(z, b, f, a)
        self.watch(f, z)

    def apply(self, f: Formula, arrays: Any, outs: Any) -> None:
        self.watch(f, *arrays)
        super().apply(f, arrays, outs)

    def loss_grad(self, f: Formula, y: Array, t: Array, weight: Array, total: Array, dy: Array, value: Array) -> None:
        super().loss_grad(f, y, t, weight, total, dy, value)
        self.watch(f, y, t)

    def regularize(self, f: Formula, p: Array, total: Array, value: Array) -> None:
        super().regularize(f, p, total, value)
        self.watch(f, p)
