"""Penalties on a parameter, added to the loss: L1, L2 or both; names and defaults as in Keras 3."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tinynet.formulas.formula import Formula
from tinynet.formulas.rows import penalty
from tinynet.registry import unknown
from tinynet.settings import real


def L1(l1: float = 0.01) -> Formula:
    """l1 sum |p|."""
    return Formula(penalty, l1=real("l1", l1, least=0.0))


def L2(l2: float = 0.01) -> Formula:
    """l2 sum p^2."""
    return Formula(penalty, l2=real("l2", l2, least=0.0))


def L1L2(l1: float = 0.0, l2: float = 0.0) -> Formula:
    """l1 sum |p| + l2 sum p^2."""
    return Formula(penalty, l1=real("l1", l1, least=0.0), l2=real("l2", l2, least=0.0))


l1, l2, l1_l2 = L1, L2, L1L2  # Keras has both spellings


def get(
    given: str | dict[str, Any] | Formula | None, custom: Mapping[str, Callable[..., Any]] | None = None
) -> Formula | None:
    """None, a name, the dictionary that `saved` makes, or a penalty as it is; `custom` knows formulas of one's own.

    Names: "l1", "l2", "l1_l2", each of 0.01; and Keras 3's "l1l2", which is 0 of both.
    """
    if given is None or isinstance(given, Formula):
        return given
    if isinstance(given, dict):
        known = {penalty.__name__: penalty, **(custom or {})}
        name = given.get("name", penalty.__name__)
        if name not in known:
            raise ValueError(unknown("regularizer", name, known))
        return Formula(known[name], **{key: value for key, value in given.items() if key != "name"})
    named = {"l1": L1(), "l2": L2(), "l1_l2": L1L2(0.01, 0.01), "l1l2": L1L2()}
    if not isinstance(given, str):
        raise TypeError(f"a regularizer is a name or tn.regularizers.L2(...) and the like, not {type(given).__name__}")
    if given.lower() not in named:
        raise ValueError(unknown("regularizer", given, named))
    return named[given.lower()]


def saved(formula: Formula | None) -> dict[str, Any] | None:
    """A description from which `get` makes the penalty again."""
    return None if formula is None else {"name": formula.name, **formula.scalars}
