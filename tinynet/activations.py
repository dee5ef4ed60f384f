"""Activations by name: `tn.activations.get("relu")`, or a function of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tinynet.formulas.activations import elu, gelu, leaky_relu, linear, relu, sigmoid, silu, softmax, softplus, tanh
from tinynet.formulas.formula import Formula
from tinynet.registry import unknown

ACTIVATIONS: dict[str, Callable[..., Any]] = {
    f.__name__: f for f in (linear, relu, leaky_relu, elu, gelu, silu, tanh, sigmoid, softplus, softmax)
}
OTHER_NAMES = {"swish": silu}
Given = str | dict[str, Any] | Callable[..., Any] | Formula | None


def get(given: Given, custom: Mapping[str, Callable[..., Any]] | None = None) -> Formula:
    """The activation that `given` names, describes (`{"name": "elu", "alpha": 0.5}`) or is; None is linear.

    Raises ValueError for an unknown name, TypeError for a function without a derivative beside it.
    """
    if given is None:
        return Formula(linear)
    if isinstance(given, str):
        given = {"name": given}
    if isinstance(given, dict):
        known = {**ACTIVATIONS, **OTHER_NAMES, **(custom or {})}
        name = given.get("name")
        if not isinstance(name, str) or name not in known:
            raise ValueError(unknown("activation", name, known))
        return Formula(known[name], **{key: value for key, value in given.items() if key != "name"})
    if not callable(given) and not isinstance(given, Formula):
        raise TypeError(f"an activation is a name or a function with its derivative, not {type(given).__name__}")
    formula = given if isinstance(given, Formula) else Formula(given)
    if formula.derivative is None and formula.gradient is None:
        raise TypeError(
            f"activation {formula.name} has no derivative: write one below it, under @derivative_of({formula.name})"
        )
    if formula.derivative is not None and formula.derivative.function.__code__.co_argcount != 2:
        name = formula.derivative.name
        raise TypeError(f"the derivative of an activation takes z and a, even if it needs one alone: def {name}(z, a)")
    return formula


def saved(formula: Formula) -> dict[str, Any]:
    """A description from which `get` makes the activation again."""
    return {"name": formula.name, **formula.scalars}


__all__ = ["ACTIVATIONS", "get", "saved", *ACTIVATIONS]
