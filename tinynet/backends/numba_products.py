"""Products of small matrices: a kernel of this backend's own, where a BLAS spends its time on preparing.

    out (rows, columns) = left (rows, inner) right (inner, columns) + start (rows, columns), or (columns,), or nothing

The product is cut into tiles of a few rows by one or two vectors of columns. A tile's sums stay in registers while it
walks along `inner`: each step loads the vectors of `right` once, and multiplies each by one number of each row of
`left` (Goto and van de Geijn 2008, "Anatomy of high-performance matrix multiplication", without the packing, since what
comes here fits into the cache). Steps between rows are given, so that x^T dz is the same tile as x W.

A single column is a scalar product for each row, with vectors along `inner` instead.
"""

from __future__ import annotations

import functools
import platform
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import carray, types
from numba.core import cgutils
from numba.extending import intrinsic

from tinynet.backends import numba_frame as F
from tinynet.backends.numba_compiler import inline
from tinynet.backends.numba_words import words

LENGTH = F.LENGTH

whole, byte = ir.IntType(64), ir.IntType(8)


def number(value: int) -> Any:
    return ir.Constant(whole, value)


@functools.cache
def fused() -> bool:
    """Whether the processor multiplies and adds in one instruction; only old ones of x86 do not."""
    return platform.machine().lower() not in ("x86_64", "amd64") or bool(get_host_cpu_features().get("fma"))


def shape() -> tuple[int, int]:
    """(bytes of a vector, vectors side by side in the widest tile): what the processor's registers hold of sums.

    AVX-512 has 32 registers of 64 bytes, AVX2 16 of 32 bytes; a machine with shorter ones takes several for a vector.
    Measured on a Xeon (Cascade Lake), float32, one thread, GFLOP/s of (32, 2) and (64, 4): 23 and 22 at 32 x 16 x 16,
    57 and 100 at 32 x 64 x 128, 65 and 139 at 128 x 256 x 256.
    """
    return (64, 4) if get_host_cpu_features().get("avx512f") else (32, 2)


class Vectors:
    """What a kernel in LLVM's language does with vectors of `lanes` numbers."""

    def __init__(self, builder: Any, dtype: str, lanes: int) -> None:
        self.builder, self.lanes = builder, lanes
        self.real = ir.FloatType() if dtype == "float32" else ir.DoubleType()
        self.size = 4 if dtype == "float32" else 8
        self.kind = ir.VectorType(self.real, lanes)

    def zero(self) -> Any:
        """A place for a vector, 0 at first, which the compiler keeps in a register."""
        place = cgutils.alloca_once(self.builder, self.kind)
        self.builder.store(ir.Constant(self.kind, None), place)
        return place

    def pointer(self, address: Any, kind: Any) -> Any:
        return self.builder.inttoptr(address, kind.as_pointer())

    def load(self, address: Any) -> Any:
        found = self.builder.load(self.pointer(address, self.kind))
        found.align = self.size
        return found

    def store(self, value: Any, address: Any) -> None:
        self.builder.store(value, self.pointer(address, self.kind)).align = self.size

    def spread(self, address: Any) -> Any:
        """The number at an address, in every lane."""
        one = self.builder.load(self.pointer(address, self.real))
        lane = ir.IntType(32)
        nothing = ir.Constant(self.kind, ir.Undefined)
        first = self.builder.insert_element(nothing, one, ir.Constant(lane, 0))
        return self.builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(lane, self.lanes), None))

    def add_product(self, place: Any, x: Any, y: Any) -> None:
        """place += x y, in one instruction where the machine has it."""
        if fused():
            kind = ir.FunctionType(self.kind, [self.kind] * 3)
            name = f"llvm.fma.v{self.lanes}f{8 * self.size}"
            both = cgutils.get_or_insert_function(self.builder.module, kind, name)
            total = self.builder.call(both, [x, y, self.builder.load(place)])
        else:
            total = self.builder.fadd(self.builder.load(place), self.builder.fmul(x, y))
        self.builder.store(total, place)


@functools.cache
def tile(dtype: str, rows: int, vectors: int, lanes: int) -> Any:
    """A tile of `rows` by `vectors` x `lanes` columns, for compiled code; all steps are in bytes."""

    @intrinsic
    def multiply(
        typing_context: Any, out: Any, out_step: Any, left: Any, row_step: Any, inner_step: Any,
        right: Any, right_step: Any, inner: Any, start: Any, start_step: Any,
    ) -> Any:  # fmt: skip
        def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            out, out_step, left, row_step, inner_step, right, right_step, inner, start, start_step = values
            v = Vectors(builder, dtype, lanes)
            sums = [[v.zero() for _ in range(vectors)] for _ in range(rows)]

            def moved(address: Any, step: Any, times: Any) -> Any:
                return builder.add(address, builder.mul(step, times))

            def columns(address: Any) -> list[Any]:
                return [builder.add(address, number(k * lanes * v.size)) for k in range(vectors)]

            lefts = [moved(left, row_step, number(r)) for r in range(rows)]
            with cgutils.for_range(builder, inner, intp=whole) as loop:
                vectors_now = [v.load(place) for place in columns(moved(right, right_step, loop.index))]
                along = builder.mul(inner_step, loop.index)
                for r in range(rows):
                    x = v.spread(builder.add(lefts[r], along))
                    for k in range(vectors):
                        v.add_product(sums[r][k], x, vectors_now[k])
            with builder.if_then(builder.icmp_signed("!=", start, number(0))):
                for r in range(rows):
                    for total, place in zip(sums[r], columns(moved(start, start_step, number(r))), strict=True):
                        builder.store(builder.fadd(builder.load(total), v.load(place)), total)
            for r in range(rows):
                for total, place in zip(sums[r], columns(moved(out, out_step, number(r))), strict=True):
                    v.store(builder.load(total), place)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 10), build

    return multiply


@functools.cache
def dot(dtype: str, rows: int, lanes: int) -> Any:
    """out (rows, 1) = left (rows, inner) right (inner, 1), along `inner` in vectors; steps in bytes."""

    @intrinsic
    def multiply(
        typing_context: Any, out: Any, out_step: Any, left: Any, row_step: Any, right: Any, inner: Any,
        start: Any, start_step: Any,
    ) -> Any:  # fmt: skip
        def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            out, out_step, left, row_step, right, inner, start, start_step = values
            v, one = Vectors(builder, dtype, lanes), Vectors(builder, dtype, 1)
            sums, rest = [v.zero() for _ in range(rows)], [one.zero() for _ in range(rows)]
            lefts = [builder.add(left, builder.mul(row_step, number(r))) for r in range(rows)]
            whole_vectors = builder.sdiv(inner, number(lanes))
            for w, places, first, count in (
                (v, sums, number(0), whole_vectors),
                (one, rest, builder.mul(whole_vectors, number(lanes)), builder.srem(inner, number(lanes))),
            ):
                with cgutils.for_range(builder, count, intp=whole) as loop:
                    offset = builder.mul(builder.add(first, builder.mul(loop.index, number(w.lanes))), number(w.size))
                    y = w.load(builder.add(right, offset))
                    for r in range(rows):
                        w.add_product(places[r], w.load(builder.add(lefts[r], offset)), y)
            name = f"llvm.vector.reduce.fadd.v{lanes}f{8 * v.size}"
            reduce = cgutils.get_or_insert_function(builder.module, ir.FunctionType(v.real, [v.real, v.kind]), name)
            places = [builder.add(out, builder.mul(out_step, number(r))) for r in range(rows)]
            for r in range(rows):
                after = builder.extract_element(builder.load(rest[r]), ir.Constant(ir.IntType(32), 0))
                total = builder.call(reduce, [after, builder.load(sums[r])], fastmath=("reassoc",))
                builder.store(
                    builder.insert_element(builder.load(rest[r]), total, ir.Constant(ir.IntType(32), 0)), rest[r]
                )
            with builder.if_then(builder.icmp_signed("!=", start, number(0))):
                for r in range(rows):
                    before = one.load(builder.add(start, builder.mul(start_step, number(r))))
                    builder.store(builder.fadd(builder.load(rest[r]), before), rest[r])
            for r in range(rows):
                one.store(builder.load(rest[r]), places[r])
            return context.get_dummy_value()

        return types.void(*[types.int64] * 8), build

    return multiply


ARGUMENTS = "out_step, left, row_step, inner_step, right{}, right_step, inner, start, start_step"


@functools.cache
def across(dtype: str) -> Callable[..., None]:
    """All of a product, in strips of columns as wide as still fit, each by tiles as high as still fit."""
    size = 4 if dtype == "float32" else 8
    nbytes, most = shape()
    full = nbytes // size
    # Each height takes time to compile.
    strips = [(most, full, (6, 2, 1)), (1, full, (8, 4, 1)), (1, full // 2, (4, 1)), (1, 1, (4, 1))]
    names: dict[str, Any] = {}
    text = f"def across(rows, columns, out, {ARGUMENTS.format('')}):\n    j = 0\n"
    for vectors, lanes, heights in strips:
        width = vectors * lanes
        text += f"    while j + {width} <= columns:\n        i = 0\n        here = start + {size} * j if start else 0\n"
        for height in heights:
            name = f"tile{height}x{width}"
            names[name] = tile(dtype, height, vectors, lanes)
            given = f"out + i * out_step + {size} * j, {ARGUMENTS}".replace("left", "left + i * row_step")
            given = given.replace("start, ", "here + i * start_step, ")
            text += f"        while i + {height} <= rows:\n            {name}({given.format(f' + {size} * j')})\n"
            text += f"            i += {height}\n"
        text += f"        j += {width}\n"
    exec(text, names)
    return inline(names["across"])  # type: ignore[no-any-return]


@functools.cache
def down(dtype: str) -> Callable[..., None]:
    """All of a product with one column."""
    full = shape()[0] // (4 if dtype == "float32" else 8)
    names = {"dot4": dot(dtype, 4, full), "dot1": dot(dtype, 1, full)}
    text = "def down(rows, out, out_step, left, row_step, right, inner, start, start_step):\n    i = 0\n"
    for height in (4, 1):
        text += (
            f"    while i + {height} <= rows:\n"
            f"        dot{height}(out + i * out_step, out_step, left + i * row_step, row_step, right, inner,"
            f" start + i * start_step, start_step)\n"
            f"        i += {height}\n"
        )
    exec(text, names)
    return inline(names["down"])  # type: ignore[no-any-return]


def scope(dtype: str) -> dict[str, Any]:
    return {**words(dtype), "across": across(dtype), "down": down(dtype)}


def product(a_: Any, f_: Any) -> None:
    """out = left right + start; a = rows, inner, columns, out, the step between its rows, left, its steps between rows
    and along inner, right, the step between its rows, start or 0, the step between its rows (0 for a row that is added
    to each), whether it is added only after a step's first block. Steps are in bytes; a number of rows of FRAME_ROWS is
    that of the block."""
    a, f = carray(a_, 13), carray(f_, LENGTH)
    rows = f[F.ROWS] if a[0] == F.FRAME_ROWS else a[0]
    inner = f[F.ROWS] if a[1] == F.FRAME_ROWS else a[1]
    added = 0 if a[12] and f[F.FRESH] else 1
    across(rows, a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], inner, a[10] * added, a[11] * added)


def product_with_column(a_: Any, f_: Any) -> None:
    """As `product` with one column, both of whose operands lie one number after the other along `inner`."""
    a, f = carray(a_, 13), carray(f_, LENGTH)
    rows = f[F.ROWS] if a[0] == F.FRAME_ROWS else a[0]
    added = 0 if a[12] and f[F.FRESH] else 1
    down(rows, a[3], a[4], a[5], a[6], a[8], a[1], a[10] * added, a[11] * added)
