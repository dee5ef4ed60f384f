"""The recorder: operations that run at once and are written down while they run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinynet.formulas.formula import Formula
from tinynet.formulas.vocabulary import Array
from tinynet.operations import OPERATIONS, Operations

SIGNATURES = {name: inspect.signature(getattr(Operations, name)) for name in OPERATIONS}
LISTS = ("arrays", "outs", "tables", "dtables")  # arguments that are several arrays


def bound(operation: str, *given: Any, **options: Any) -> dict[str, Any]:
    """The arguments of a call by name. Raises TypeError where one is missing, too many, or of the wrong kind."""
    signature = SIGNATURES[operation]
    try:
        arguments = signature.bind(*given, **options).arguments
    except TypeError as error:
        takes = ", ".join(name for name in signature.parameters if name != "self")
        raise TypeError(f"{operation} takes ({takes}): {error}") from None
    del arguments["self"]
    for name, value in arguments.items():
        if name in ("f", "rule") and not isinstance(value, Formula):
            what = getattr(value, "__name__", type(value).__name__)
            raise TypeError(f"{operation} takes a formula as {name!r}: give it tn.Formula({what})")
        if name in LISTS and not isinstance(value, (list, tuple)):
            raise TypeError(f"{operation} takes a list of arrays as {name!r}, as in [m.a]")
    return arguments


@dataclass(frozen=True)
class Tensor:
    """An array of a program, by name. A size of None is the number of rows of the batch.

    `space` says where it lives: "work" is planned by the program; the others are given at each replay: "parameters",
    "gradients", "slots" (with their offset in the flat vector), "state" (step, loss value and the like) and "data".
    """

    name: str
    space: str
    shape: tuple[int | None, ...]
    dtype: str
    offset: int = 0

    def sizes(self, batch: int) -> tuple[int, ...]:
        return tuple(batch if size is None else size for size in self.shape)

    def size(self, batch: int) -> int:
        return int(np.prod(self.sizes(batch)))

    def nbytes(self, batch: int) -> int:
        return self.size(batch) * np.dtype(self.dtype).itemsize

    @property
    def per_row(self) -> bool:
        """Whether it has as many rows as the batch."""
        return bool(self.shape) and self.shape[0] is None

    def __str__(self) -> str:
        sizes = ["n" if size is None else str(size) for size in self.shape]
        return f"{self.name} ({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


@dataclass(frozen=True)
class Row:
    """One recorded operation and its arguments by name, tensors in place of arrays."""

    operation: str
    arguments: dict[str, Any]

    def tensors(self) -> Iterator[Tensor]:
        """Every tensor among the arguments, in order."""
        for value in self.arguments.values():
            yield from (
                item for item in (value if isinstance(value, (list, tuple)) else [value]) if isinstance(item, Tensor)
            )


class Recorder(Operations):
    """Has every method of `Operations`, does the same, and writes each call down in `rows`.

    Parameters
    ----------
    tensors : id of an array -> the tensor it is; an array outside it is refused, since a replay could not find it
    after : called with each row and the arguments it ran with, when it has run
    """

    def __init__(
        self, tensors: Mapping[int, Tensor], after: Callable[[Row, dict[str, Any]], None] | None = None
    ) -> None:
        self.tensors, self.after = tensors, after
        self.rows: list[Row] = []

    def written(self, operation: str, name: str, value: Any) -> Any:
        """An argument as the row keeps it."""
        if isinstance(value, np.ndarray):
            if id(value) not in self.tensors:
                raise ValueError(
                    f"{operation} was given an array as {name!r} that is none of the layer's memory m, so it cannot be "
                    "recorded: use the arrays that forward_arrays and backward_arrays name, not slices or new ones"
                )
            return self.tensors[id(value)]
        if isinstance(value, (list, tuple)):
            return [self.written(operation, name, item) for item in value]
        return value


def _recording(operation: str) -> Callable[..., None]:
    run = getattr(Operations, operation)

    def record(self: Recorder, *given: Any, **options: Any) -> None:
        arguments = bound(operation, self, *given, **options)
        row = Row(operation, {name: self.written(operation, name, value) for name, value in arguments.items()})
        run(self, *given, **options)
        self.rows.append(row)
        if self.after is not None:
            self.after(row, arguments)

    record.__name__, record.__doc__ = operation, run.__doc__
    return record


for _name in OPERATIONS:
    setattr(Recorder, _name, _recording(_name))


def shown(value: Any) -> str:
    """An argument as the listing prints it."""
    if isinstance(value, list):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, Formula):
        return repr(value)
    return str(value)


def array_pointer(array: Array) -> int:
    """Where the array begins in memory."""
    return int(array.__array_interface__["data"][0])
