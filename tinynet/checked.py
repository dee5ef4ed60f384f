"""Operations that say in one sentence what is wrong with a call: for layers that are being written."""

from __future__ import annotations

import itertools
import linecache
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from tinynet.operations import OPERATIONS, Operations
from tinynet.recorder import bound


class CheckedOperations(Operations):
    """As `Operations`; where a call cannot be carried out it raises with the operation, its line and all shapes."""


def shapes(arguments: dict[str, Any]) -> str:
    """The arrays among the arguments by name and shape."""
    named: list[tuple[str, Any]] = []
    for name, value in arguments.items():
        many = isinstance(value, (list, tuple))
        named += [(f"{name}[{i}]", one) for i, one in enumerate(value)] if many else [(name, value)]
    return ", ".join(f"{name} {array.shape}" for name, array in named if isinstance(array, np.ndarray))


def hint(operation: str, a: dict[str, Any]) -> str:
    """The transposes with which a product would fit."""
    if operation != "gemm":
        return ""
    for trans_a, trans_b in itertools.product((False, True), repeat=2):
        left, right = a["a"].T if trans_a else a["a"], a["b"].T if trans_b else a["b"]
        if left.shape[1] == right.shape[0] and (left.shape[0], right.shape[1]) == a["out"].shape:
            flags = [f"trans_{name}=True" for name, turned in (("a", trans_a), ("b", trans_b)) if turned]
            return f"; it fits with {' and '.join(flags) or 'nothing transposed'}"
    return ""


def _checked(operation: str) -> Callable[..., None]:
    run = getattr(Operations, operation)

    def call(self: CheckedOperations, *given: Any, **options: Any) -> None:
        try:
            arguments = bound(operation, self, *given, **options)
            wrong = ""
            try:
                run(self, **arguments)
            except (TypeError, ValueError, IndexError):
                wrong = f"{operation} cannot do this with {shapes(arguments)}{hint(operation, arguments)}"
        except TypeError as error:
            wrong = str(error)
        if wrong:
            frame = sys._getframe(1)
            code = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
            raise ValueError(f"{frame.f_code.co_qualname}, line {frame.f_lineno}, `{code}`: {wrong}")

    call.__name__, call.__doc__ = operation, run.__doc__
    return call


for _name in OPERATIONS:
    setattr(CheckedOperations, _name, _checked(_name))
