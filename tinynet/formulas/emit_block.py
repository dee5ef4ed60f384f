"""Prints a row formula for CUDA C, one row to a block of threads.

The text is a sequence of phases. In a phase every thread goes through its share of the columns; what outlives a phase
is one number for the row, or lies in memory. `EACH_THREAD` stands before a phase and `MEET` where all threads wait for
each other, so that the same text also compiles as plain C++, where EACH_THREAD is a loop over the threads and MEET is
nothing. For `softmax`, with float for `real`:

    void softmax_(const float *z_, float *result0, unsigned m, double *scratch)

`scratch` is shared memory, one double for each thread. A result may be written over an argument of the same row.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping

from tinynet.formulas.emit import _C
from tinynet.formulas.formula import Formula
from tinynet.formulas.unroll import Level, needed, unroll

# What printed text needs besides `c_prelude`, after DEVICE, EACH_THREAD and MEET are defined: sums and maxima of what
# the threads left in scratch, always in the same order. The number of threads is a multiple of 16.
BLOCK_PRELUDE = """\
DEVICE double block_total(double *scratch)
{
    MEET
    EACH_THREAD if (threadIdx.x < 16) {
        double own = 0.0;
        for (unsigned t = threadIdx.x; t < blockDim.x; t += 16) own += scratch[t];
        scratch[threadIdx.x] = own;
    }
    MEET
    double total = 0.0;
    for (unsigned t = 0; t < 16; t++) total += scratch[t];
    MEET
    return total;
}

DEVICE double block_greatest(double *scratch)
{
    MEET
    double greatest = scratch[0];
    for (unsigned t = 1; t < blockDim.x; t++)
        greatest = scratch[t] > greatest || scratch[t] != scratch[t] ? scratch[t] : greatest;
    MEET
    return greatest;
}

"""


def block_source(
    formula: Formula | Callable[..., object], real: str = "float", levels: Mapping[str, Level] | None = None
) -> str:
    """The row formula as a function that all threads of a block call together; `real` is float or double."""
    return _Block(unroll(formula, levels), real, "DEVICE ").source()


class _Block(_C):
    """How a block of threads goes through one row."""

    def loop(self, lines: list[str]) -> list[str]:
        head = "for (unsigned j = threadIdx.x; j < m; j += blockDim.x) {"
        return [head, *("    " + line for line in lines), "}"]

    def row_lines(self) -> list[str]:
        return [f"EACH_THREAD {line}" if line.startswith("for (") else line for line in super().row_lines()]

    def outputs(self, results: list[tuple[int, ast.expr]], place: str) -> list[str]:
        lines = super().outputs(results, place)
        if place == "j" or not results:
            return lines
        # one number for the row; its place may be that of an argument that others still read
        return ["MEET", "EACH_THREAD if (threadIdx.x == 0) {", *("    " + line for line in lines), "}"]

    def reduction(self, name: str, word: str, tree: ast.expr) -> list[str]:
        """Each thread's own part, then all parts together."""
        inside = self.lets(needed([tree], self.deferred))
        if word == "row_max":
            first, together = "MINUS_INFINITY", "block_greatest(scratch)"
            inside.append(self.let("real", "value", self.walk(tree)))
            inside.append(self.put("own", self.choice("value > own || value != value", "value", "own")))
        else:
            first, together = "0.0", "block_total(scratch)"
            inside.append(self.put("own", f"own + {self.cast('scalar', self.walk(tree))}"))
        if word == "row_mean":
            together += f" / {self.cast('scalar', 'm')}"
        part = [self.let("scalar", "own", first, changes=True)]
        part += [*self.loop(inside), self.put("scratch[threadIdx.x]", "own")]
        phase = ["EACH_THREAD {", *("    " + line for line in part), "}"]
        return [*phase, self.let("real", name, self.cast("real", together))]

    def row_function(self) -> str:
        results = [f"{self.real} *result{i}" for i in range(len(self.unrolled.results))]
        arguments = [*self.arguments(), *results, "unsigned m", "double *scratch"]
        return self.function(f"void {self.name}", arguments, self.row_lines())
