"""Kernels as text: one source that compiles as CUDA C for the GPU, and as plain C++ where there is none.

A kernel names itself by its content, so the same kernel of several programs is one. Its text speaks of threads only by
EACH_THREAD and MEET (see `formulas.emit_block`), and takes its arguments as pointers, counts (`unsigned`) and doubles.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from tinynet.formulas.emit import c_prelude
from tinynet.formulas.emit_block import BLOCK_PRELUDE

THREADS = 256  # of a block; rows that are short get 32
REALS = {"float32": "float", "float64": "double"}

CUDA = """\
#define DEVICE static __device__ inline
#define KERNEL extern "C" __global__
#define SHARED __shared__
#define EACH_THREAD
#define MEET __syncthreads();
#define MINUS_INFINITY __longlong_as_double(0xfff0000000000000LL)
"""

# The hash of `tinynet.random`: the same masks on every machine.
HASH = """\
DEVICE unsigned mixed(unsigned x)
{
    x ^= x >> 16; x *= 0x85EBCA6Bu; x ^= x >> 13; x *= 0xC2B2AE35u;
    return x ^ (x >> 16);
}

DEVICE unsigned key_after(unsigned key, unsigned salt, unsigned low, unsigned high, unsigned layer, unsigned step)
{
    key += salt;
    key = mixed(key ^ low) + salt;
    key = mixed(key ^ high) + salt;
    key = mixed(key ^ layer) + salt;
    return mixed(key ^ step) + salt;
}

"""


@dataclass(frozen=True)
class Kernel:
    """A kernel's text.

    `parameters` are (type, name) pairs, the type a pointer's, "unsigned" or "double"; `functions` are the formulas it
    calls, each by a name of its own in front, which keeps formulas of one name apart.
    """

    operation: str
    dtype: str
    parameters: tuple[tuple[str, str], ...]
    body: str
    functions: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        content = repr((self.dtype, self.parameters, self.body, self.functions))
        return f"{self.operation}_{hashlib.sha256(content.encode()).hexdigest()[:12]}"

    def source(self) -> str:
        """Its functions in a namespace of its own, then the kernel."""
        inner = "".join(f"namespace {prefix} {{\n{text}}}\n" for prefix, text in self.functions)
        given = ", ".join(f"{kind} {name}" for kind, name in self.parameters)
        opened = f"namespace {self.name}_ {{\n{inner}}}\n" if inner else ""
        using = f"    using namespace {self.name}_;\n" if inner else ""
        lines = "".join(f"    {line}\n" for line in self.body.splitlines())
        return f"{opened}KERNEL void {self.name}({given})\n{{\n{using}{lines}}}\n\n"


def common(dtype: str) -> str:
    """What all kernels of a precision share; the words of the machine stand before it."""
    return c_prelude(REALS[dtype], "DEVICE ") + BLOCK_PRELUDE + HASH


def module(kernels: Iterable[Kernel], dtype: str, words: str = CUDA) -> str:
    """One source with all these kernels, in an order of its own."""
    return words + common(dtype) + "".join(k.source() for k in sorted(kernels, key=lambda k: k.name))
