"""Every formula of the package as a kernel of its own."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "formulas"))

from every_formula import EVERY, arguments, levels, name_of, other_scalars

from tinynet.backends import cupy_kernels
from tinynet.formulas.formula import Formula
from tinynet.formulas.reader import read
from tinynet.formulas.unroll import unroll
from tinynet.recorder import Tensor

ROWS, COLUMNS = 9, 37
WIDE = {"element": (None, COLUMNS), "row": (None, 1), "column": (COLUMNS,)}


def launch_of(f, scalars, dtype):
    """The kernel with its tensors: arguments, then results."""
    given = [Tensor(n, "work", WIDE[levels(f).get(n, "element")], dtype) for n in read(f).arrays]
    wanted = unroll(f, levels(f)).result_levels if read(f).is_row else ("element",) * len(read(f).results)
    outs = [Tensor(f"out{i}", "work", WIDE[level], dtype) for i, level in enumerate(wanted)]
    return cupy_kernels.apply(Formula(f, **scalars), given, outs, ROWS, dtype), given, outs


def formula_kernels(dtype):
    return {launch_of(f, {}, dtype)[0].kernel for f in EVERY}


__all__ = [
    "COLUMNS", "EVERY", "ROWS", "arguments", "formula_kernels", "launch_of", "name_of", "other_scalars",
]  # fmt: skip
