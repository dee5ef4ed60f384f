"""A kernel in the making: its arguments, the formulas that it calls, and how it is launched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tinynet.backends.cupy_source import REALS, THREADS, Kernel
from tinynet.formulas.emit import c_source, named, python_source
from tinynet.formulas.emit_block import block_source
from tinynet.formulas.formula import Formula
from tinynet.formulas.reader import read
from tinynet.formulas.unroll import Level, unroll
from tinynet.formulas.vocabulary import VOCABULARY
from tinynet.recorder import Tensor

MOST = 2**31 - 1  # elements of one array: kernels count in 32 bits
LARGEST_GRID = 1024  # of kernels whose blocks go through several parts, each leaving one number for the sum
NARROW = 128  # columns up to which 32 threads are enough for a row


class Place(NamedTuple):
    """A piece of the device's memory: where it begins, and how many bytes of it may be touched."""

    address: int
    nbytes: int


class Launch(NamedTuple):
    """One launch; an argument is a tensor until the encoder puts its place there. `items` is what threads share."""

    kernel: Kernel
    grid: int
    block: int
    arguments: list[Tensor | Place | int | float]
    items: int


def blocks(items: int, threads: int = THREADS) -> int:
    """How many blocks give each item a thread."""
    return max(1, -(-items // threads))


def is_row(formula: Formula) -> bool:
    return read(formula).is_row


def constants_of(formula: Formula, dtype: str) -> list[float]:
    """What the formula's scalars come to, as the printed code would compute it, in double or cast to the precision."""
    scope: dict[str, Any] = {name: function for name, (_, function) in VOCABULARY.items()}
    scope |= {"double": np.float64, "real": np.dtype(dtype).type}
    name = f"{named(formula.name)}constants"
    exec(python_source(formula), scope)
    if name not in scope:
        return []
    unrolled = unroll(formula)
    with np.errstate(all="ignore"):
        return [float(value) for value in scope[name](*(np.float64(formula.scalars[s]) for s in unrolled.scalars))]


class Draft:
    """Collects a kernel's parameters with their arguments, and its formulas.

    Parameters
    ----------
    operation : how the kernel's name begins
    dtype : float32 or float64
    rows, columns : the shape that the kernel goes through
    """

    def __init__(self, operation: str, dtype: str, rows: int, columns: int) -> None:
        self.operation, self.dtype, self.rows, self.columns = operation, dtype, rows, columns
        self.real = REALS[dtype]
        self.parameters: list[tuple[str, str]] = []
        self.arguments: list[Tensor | Place | int | float] = []
        self.functions: list[tuple[str, str]] = []
        self.known: dict[str, str] = {}
        self.levels: dict[str, str] = {}
        self.head: list[str] = []

    def add(self, kind: str, name: str, argument: Tensor | Place | int | float) -> str:
        self.parameters.append((kind, name))
        self.arguments.append(argument)
        return name

    def count(self, name: str, value: int) -> str:
        if not 0 <= value <= MOST:
            raise NotImplementedError(f'backend "cupy" counts up to {MOST} elements of an array; here are {value}')
        return self.add("unsigned", name, value)

    def tensor(self, tensor: Tensor) -> str:
        """The tensor's name in the text; two arguments that are one tensor have one name."""
        if tensor.name not in self.known:
            name = self.known[tensor.name] = self.add(f"{self.real} *", f"x{len(self.known)}", tensor)
            self.levels[name] = self.level_of(tensor)
        return self.known[tensor.name]

    def level_of(self, tensor: Tensor) -> str:
        shape = tensor.sizes(self.rows) if tensor.per_row else tensor.sizes(1)
        if shape == (self.rows, self.columns):
            return "element"
        if shape == (self.rows, 1):
            return "row"
        if shape in ((self.columns,), (1, self.columns)):
            return "column"
        if int(np.prod(shape)) == 1:
            return "scalar"
        raise ValueError(f"its array {tensor} does not go with {self.rows} rows of {self.columns} columns")

    def at(self, name: str) -> str:
        """One element, where k, i and j are its number, row and column."""
        return name + {"element": "[k]", "row": "[i]", "column": "[j]", "scalar": "[0]"}[self.levels[name]]

    def row(self, name: str) -> str:
        """Where a row begins."""
        return name + {"element": f" + (size_t) i * {self.columns_name}", "row": " + i"}.get(self.levels[name], "")

    columns_name = "m"

    def formula(self, prefix: str, formula: Formula, names: Sequence[str]) -> list[str]:
        """Put the formula among the functions; returns its constants as arguments of a call."""
        arrays = read(formula).arrays
        levels: dict[str, Level] = {
            n: "row" if self.levels[x] == "scalar" else self.levels[x]  # type: ignore[misc]
            for n, x in zip(arrays, names, strict=True)
        }
        row = is_row(formula)
        text = block_source(formula, self.real, levels) if row else c_source(formula, self.real, levels, "DEVICE ")
        self.functions.append((prefix, text))
        values = constants_of(formula, self.dtype)
        return [self.add("double", f"{prefix}_c{i}", value) for i, value in enumerate(values)]

    def results(self, prefix: str, formula: Formula, arrays: Sequence[str], outs: Sequence[str]) -> list[str]:
        """Lines for outs = formula(arrays): of one element, or of a row by all threads together."""
        constants = self.formula(prefix, formula, arrays)
        called = f"{prefix}::{named(formula.name)}"
        if is_row(formula):
            given = [*(self.row(x) for x in arrays), *constants, *(self.row(out) for out in outs), "m", "scratch"]
            return [f"{called}({', '.join(given)});"]
        first, *others = [f"r{i}" for i in range(len(outs))]
        given = [*(self.at(x) for x in arrays), *constants, *(f"&{r}" for r in others)]
        lines = [f"{self.real} {r};" for r in others]
        lines.append(f"const {self.real} {first} = {called}({', '.join(given)});")
        return lines + [f"{self.at(out)} = {r};" for out, r in zip(outs, [first, *others], strict=True)]

    def indices(self) -> list[str]:
        """i and j from k, where the text needs them."""
        used = set(self.levels.values())
        return ["const unsigned i = k / m;"] * ("row" in used) + ["const unsigned j = k % m;"] * ("column" in used)

    # Launches

    def launch(self, body: Sequence[str], grid: int, block: int, items: int) -> Launch:
        text = "\n".join([*self.head, *body])
        kernel = Kernel(self.operation, self.dtype, tuple(self.parameters), text, tuple(self.functions))
        return Launch(kernel, grid, block, self.arguments, items)

    def each(self, lines: Sequence[str]) -> Launch:
        """The lines for every element k, one thread each."""
        size = self.rows * self.columns
        self.count("size", size)
        indices = self.indices()
        if indices:
            self.count("m", self.columns)
        body = ["EACH_THREAD {", "    const unsigned k = blockIdx.x * blockDim.x + threadIdx.x;", "    if (k < size) {"]
        body += [*(f"        {line}" for line in [*indices, *lines]), "    }", "}"]
        return self.launch(body, blocks(size), THREADS, size)

    def each_row(self, lines: Sequence[str]) -> Launch:
        """The lines for every row i, one block each."""
        self.count("m", self.columns)
        head = [f"SHARED double scratch[{THREADS}];", "const unsigned i = blockIdx.x;"]
        return self.launch([*head, *lines], max(1, self.rows), row_threads(self.columns), self.rows * 32)

    def sums(self, lines: Sequence[str], finish: Sequence[str], partials: Place | None) -> list[Launch]:
        """`own` becomes the sum of what the lines add for each element, `total` that of all; then the lines `finish`.

        Always in the same order: each block's part by its threads, then the parts of all blocks. Where there is more
        than one block, the parts are added up by a launch of their own.
        """
        size = self.rows * self.columns
        self.count("size", size)
        indices = self.indices()
        if indices:
            self.count("m", self.columns)
        inside = [
            "for (unsigned k = blockIdx.x * blockDim.x + threadIdx.x; k < size; k += gridDim.x * blockDim.x) {",
            *(f"    {line}" for line in [*indices, *lines]), "}",
        ]  # fmt: skip
        return self.summed(inside, finish, partials, min(blocks(size, 4 * THREADS), LARGEST_GRID), THREADS, size)

    def summed(
        self, inside: Sequence[str], finish: Sequence[str], partials: Place | None, grid: int, block: int, items: int
    ) -> list[Launch]:
        body = [
            f"SHARED double scratch[{THREADS}];", "EACH_THREAD {", "    double own = 0.0;",
            *(f"    {line}" for line in inside), "    scratch[threadIdx.x] = own;", "}",
        ]  # fmt: skip
        return self.finished(body, finish, partials, grid, block, items)

    def finished(
        self, body: Sequence[str], finish: Sequence[str], partials: Place | None, grid: int, block: int, items: int
    ) -> list[Launch]:
        """`body` has left every thread's part in scratch."""
        together = ["const double total = block_total(scratch);", "EACH_THREAD if (threadIdx.x == 0) {"]
        if grid == 1:
            return [self.launch([*body, *together, *(f"    {line}" for line in finish), "}"], 1, block, items)]
        assert partials is not None
        rest = Draft(f"{self.operation}_rest", self.dtype, 1, grid)
        rest.parameters, rest.arguments = list(self.parameters), list(self.arguments)
        self.add("double *", "partials", partials)
        rest.add("double *", "partials", partials)
        rest.count("parts", grid)
        gather = [
            f"SHARED double scratch[{THREADS}];", "EACH_THREAD {", "    double own = 0.0;",
            "    for (unsigned k = threadIdx.x; k < parts; k += blockDim.x) own += partials[k];",
            "    scratch[threadIdx.x] = own;", "}",
        ]  # fmt: skip
        first = self.launch([*body, *together, "    partials[blockIdx.x] = total;", "}"], grid, block, items)
        return [first, rest.launch([*gather, *together, *(f"    {x}" for x in finish), "}"], 1, THREADS, grid)]


def row_threads(columns: int) -> int:
    return 32 if columns <= NARROW else THREADS
