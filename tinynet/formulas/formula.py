"""What a formula is: a plain function, its derivative declared beside it, and its scalars filled in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from tinynet.formulas.vocabulary import Array

Function = TypeVar("Function", bound=Callable[..., Any])


def derivative_of(formula: Callable[..., Any]) -> Callable[[Function], Function]:
    """Declare the function below to be the derivative of `formula` in its first argument.

    For an activation a = f(z) it is f'(z, a), elementwise; if it never reads z, a may be written over z. For a loss
    f(y, t) it is df/dy, one number for each output.
    """

    def attach(derivative: Function) -> Function:
        formula.derivative = derivative  # type: ignore[attr-defined]
        return derivative

    return attach


def gradient_of(formula: Callable[..., Any]) -> Callable[[Function], Function]:
    """Declare the function below to take the gradient back through the row formula `formula`.

    In a row every result depends on every argument, so there is no elementwise derivative: the function takes da,
    the gradient with respect to the result, and returns the gradient with respect to the first argument
    (a vector-Jacobian product).
    """

    def attach(gradient: Function) -> Function:
        formula.gradient = gradient  # type: ignore[attr-defined]
        return gradient

    return attach


class Formula:
    """A formula with its scalars filled in: what layers hand to operations.

    Parameters
    ----------
    function : the formula, an ordinary function in the vocabulary of `tinynet.formulas.vocabulary`
    scalars : values for its keyword-only arguments, for example `alpha=0.5`; the others keep their defaults

    Raises
    ------
    TypeError : for a scalar that the formula does not have
    """

    __slots__ = ("derivative", "function", "gradient", "name", "scalars")

    def __init__(self, function: Callable[..., Any], **scalars: float) -> None:
        if not hasattr(function, "__code__"):
            raise TypeError(f"a formula is a function written with `def`, not {type(function).__name__}")
        has = scalar_defaults(function)
        for name in scalars:
            if name not in has:
                known = ", ".join(has) or "none"
                raise TypeError(f"formula {function.__name__} has no scalar named {name!r}; it has: {known}")
        self.function = function
        self.name = function.__name__
        self.scalars = {name: float(value) for name, value in (has | scalars).items()}
        self.derivative = self._beside("derivative")
        self.gradient = self._beside("gradient")

    def _beside(self, kind: str) -> Formula | None:
        function = getattr(self.function, kind, None)
        if function is None:
            return None
        takes = scalar_defaults(function)
        return Formula(function, **{name: value for name, value in self.scalars.items() if name in takes})

    def __call__(self, *arrays: Array) -> Any:
        return self.function(*arrays, **self.scalars)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Formula) and (self.function, self.scalars) == (other.function, other.scalars)

    def __hash__(self) -> int:
        return hash((self.function, *self.scalars.items()))

    def __repr__(self) -> str:
        own = scalar_defaults(self.function)
        shown = [f"{name}={value:g}" for name, value in self.scalars.items() if value != own[name]]
        return f"{self.name}({', '.join(shown)})" if shown else self.name


def scalar_defaults(function: Callable[..., Any]) -> dict[str, float]:
    """The keyword-only arguments of a formula with their defaults, in order."""
    code = function.__code__
    names = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    defaults = getattr(function, "__kwdefaults__", None) or {}
    return {name: defaults.get(name, 0.0) for name in names}
