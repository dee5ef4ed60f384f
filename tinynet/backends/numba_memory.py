"""What all threads of a program see, and who works on which part of it."""

from __future__ import annotations

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.network import LINE, aligned_zeros
from tinynet.program import Program
from tinynet.recorder import array_pointer

__all__ = ["LINE", "Pool", "Shared"]


class Pool:
    """Numbers that kernels are given by address, each kept once."""

    def __init__(self) -> None:
        self.places: dict[tuple[str, tuple[float, ...]], Array] = {}

    def address(self, dtype: str, *values: float) -> int:
        key = (dtype, values)
        if key not in self.places:
            self.places[key] = aligned_zeros((len(values) + 1,), np.dtype(dtype))
            self.places[key][: len(values)] = values
        return array_pointer(self.places[key])


class Shared:
    """What all threads see: the network's own memory, constants, and a line for each thread in each meeting's parts."""

    def __init__(self, program: Program, arrays: dict[str, Array], threads: int, block: int, rows: int) -> None:
        self.program, self.arrays, self.threads, self.block, self.rows = program, arrays, threads, block, rows
        self.dtype = np.dtype(program.output.dtype)
        self.plan = program.plan(block)
        self.pool = Pool()
        self.parts: list[Array] = []
        first = arrays["gradients"]
        self.gradients = [first, *(aligned_zeros(first.shape, first.dtype) for _ in range(threads - 1))]
        width = -(-first.size // threads // 16) * 16
        self.slices = [(min(t * width, first.size), min((t + 1) * width, first.size)) for t in range(threads)]

    def part(self, number: int) -> Array:
        """The number-th meeting's parts: one float64 at the head of each thread's line."""
        while len(self.parts) <= number:
            self.parts.append(aligned_zeros((8 * self.threads,), np.float64))
        return self.parts[number]
