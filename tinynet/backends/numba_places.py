"""Where things are: tensors and numbers by their addresses, and a kernel with its arguments as a row of numbers."""

from __future__ import annotations

import numpy as np

from tinynet.backends import numba_frame as F
from tinynet.backends.numba_code import address_of_template
from tinynet.backends.numba_kernels import Doubles, Kernel
from tinynet.backends.numba_memory import LINE, Shared
from tinynet.formulas.vocabulary import Array
from tinynet.network import aligned_zeros
from tinynet.recorder import Row, Tensor, array_pointer


class UnsupportedError(NotImplementedError):
    """A program does what this backend cannot replay."""


def refuse(row: Row, why: str) -> UnsupportedError:
    return UnsupportedError(f'backend "numba" cannot replay {row.operation}: {why}; backend="numpy" can')


class Places:
    """One thread's memory, and what of it a program's tensors are."""

    def __init__(self, shared: Shared, thread: int) -> None:
        self.shared, self.thread, self.program = shared, thread, shared.program
        self.dtype, self.itemsize = shared.dtype.name, shared.dtype.itemsize
        self.frame = aligned_zeros((F.LENGTH,), np.int64)
        self.work = aligned_zeros((shared.plan.nbytes + LINE,), np.uint8)
        self.square_norm = aligned_zeros((8,), shared.dtype)
        self.kept: list[Array] = []
        self.meetings = 0
        self.index = 0  # of the operation that is being encoded
        self.summed: set[str] = set()

    def columns(self, tensor: Tensor) -> int:
        return int(tensor.shape[-1] or 1)

    def address(self, tensor: Tensor) -> int:
        """Where a tensor begins for this thread."""
        if tensor.space == "work":
            return array_pointer(self.work) + self.shared.plan.offsets[tensor.name]
        if tensor.space == "gradients":
            return array_pointer(self.shared.gradients[self.thread]) + tensor.offset * self.itemsize
        if tensor.name == "square_norm":
            return array_pointer(self.square_norm)
        if tensor.space == "state" and tensor.name not in ("hyper", "decay_hyper"):
            place = {"step": F.STEP, "value": F.VALUE, "alive": F.ALIVE, "total": F.TOTAL}[tensor.name]
            return array_pointer(self.frame) + 8 * place
        name = tensor.space if tensor.space in ("parameters", "slots") else tensor.name
        return array_pointer(self.shared.arrays[name]) + tensor.offset * self.itemsize

    def number(self, argument: Tensor | Doubles | int) -> int:
        if isinstance(argument, Tensor):
            return self.address(argument)
        if isinstance(argument, Doubles):
            return self.shared.pool.address("float64", *argument.values)
        return argument

    def coded(self, kind: int, function: int, arguments: list[int]) -> tuple[int, int, int]:
        kept = np.array([*arguments, 0], np.int64)
        self.kept.append(kept)
        return kind, function, array_pointer(kept)

    def move(self, name: str, arguments: list[Tensor | int]) -> tuple[int, int, int]:
        function = address_of_template("numba_moves", name, self.dtype)
        return self.coded(F.CALL, function, [self.number(argument) for argument in arguments])

    def called(self, kernel: Kernel) -> tuple[int, int, int]:
        return self.coded(F.CALL, kernel.address(self.dtype), [self.number(a) for a in kernel.arguments])

    def sum_once(self, row: Row, out: Tensor) -> None:
        """A sum over samples that begins anew in each step may be taken once a step."""
        if out.space != "gradients":
            raise refuse(row, f"it sums samples into {out.name}, which is no gradient")
        if out.name in self.summed:
            raise refuse(row, f"{out.name} is summed a second time in the same step")
        self.summed.add(out.name)
