"""The interpreter: one compiled function, the same for every network, that walks a program over the batches of a run.

Every thread walks it with its own frame: its slice of the rows of each batch, pushed through the network in blocks of
rows that stay in the cache, then its slice of the parameters. The threads meet at barriers, which are rows of the
program. It takes no lock, allocates nothing and cannot fail; it stops at the end of its batches, after a step that is
not finite, or when a sign to give up is seen at a barrier.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import carray, types
from numba.core import cgutils
from numba.extending import intrinsic

from tinynet.backends import numba_frame as F
from tinynet.backends.numba_compiler import (
    call_kernel,
    call_plain,
    call_pointers,
    fetch_add,
    inline,
    load_acquire,
    pointer_to,
)

integers, doubles, floats = pointer_to(types.int64), pointer_to(types.float64), pointer_to(types.float32)
SPINS = 100  # before a waiting thread offers its core to another; a pause may take 140 cycles
PAUSES = {  # LLVM's names of the instruction by which a core is told that a loop only waits
    "x86_64": ("llvm.x86.sse2.pause", []), "amd64": ("llvm.x86.sse2.pause", []),
    "aarch64": ("llvm.aarch64.hint", [1]), "arm64": ("llvm.aarch64.hint", [1]),
}  # fmt: skip


@intrinsic
def relax(typing_context: Any) -> Any:
    """Tell the core that this is a waiting loop, so that it spares its neighbour."""

    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        name, numbers = PAUSES.get(platform.machine().lower(), ("", []))
        if name:
            values = [ir.Constant(ir.IntType(32), number) for number in numbers]
            kind = ir.FunctionType(ir.VoidType(), [value.type for value in values])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, name), values)
        return context.get_dummy_value()

    return types.void(), build


def control_word(change: Callable[[Any, Any], Any], typing: Any) -> Any:
    """Reads x86's word of floating-point settings, and writes it changed; nothing on another processor."""

    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        word = ir.IntType(32)
        if platform.machine().lower() not in ("x86_64", "amd64"):
            return ir.Constant(word, 0)
        place = cgutils.alloca_once(builder, word)
        kind = ir.FunctionType(ir.VoidType(), [word.as_pointer()])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse.stmxcsr"), [place])
        old = builder.load(place)
        builder.store(change(builder, [old, *values]), place)
        builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse.ldmxcsr"), [place])
        return old

    return typing, build


@intrinsic
def flush_denormals(typing_context: Any) -> Any:
    """From now on this thread takes numbers below 1e-38 (float64: 1e-308) for 0; returns the settings before.

    They cost a hundred times as much as others, and Adam's averages of a gradient that has become 0 stay there forever.
    """
    flags = ir.Constant(ir.IntType(32), 0x8040)  # results, and operands
    return control_word(lambda builder, values: builder.or_(values[0], flags), types.int32())


@intrinsic
def put_back(typing_context: Any, settings: Any) -> Any:
    """The settings that `flush_denormals` found."""
    return control_word(lambda builder, values: values[1], types.int32(types.int32))


@inline
def meet(f):
    """Wait until all threads have come here; False where they are to give up."""
    f[F.TARGET] += f[F.THREADS]
    fetch_add(f[F.COUNTER], 1)
    spins = 0
    while load_acquire(f[F.COUNTER]) < f[F.TARGET]:
        if load_acquire(f[F.COUNTER] + F.BESIDE) != 0:
            return False
        spins += 1
        if spins > SPINS:
            call_plain(f[F.YIELD])
        else:
            relax()
    return True


@inline
def walk(rows, count, f, frame):
    """Carry out rows of (kind, address, address of the arguments); False where the threads are to give up."""
    for r in range(count):
        kind = rows[r, 0]
        if kind == F.CALL:
            call_kernel(rows[r, 1], rows[r, 2], frame)
        elif kind == F.BLAS:
            call_pointers(rows[r, 1], rows[r, 2])
        elif not meet(f):
            return False
    return True


@inline
def run(f):
    frame = f[F.SELF]
    total, beta32 = carray(doubles(frame), F.LENGTH), carray(floats(frame), 2 * F.LENGTH)
    sample_rows = carray(integers(f[F.SAMPLE_ROWS]), (f[F.SAMPLE_COUNT], 3))
    step_rows = carray(integers(f[F.STEP_ROWS]), (f[F.STEP_COUNT], 3))
    thread, threads, block = f[F.THREAD], f[F.THREADS], f[F.BLOCK]
    while f[F.NEXT] < f[F.END]:
        start = f[F.NEXT] * f[F.BATCH]
        size = min(f[F.BATCH], f[F.ORDER_LENGTH] - start)
        low, high = size * thread // threads, size * (thread + 1) // threads
        total[F.TOTAL] = size
        f[F.FRESH] = 1
        beta32[2 * F.BETA32], total[F.BETA64] = 0.0, 0.0
        while low < high or f[F.FRESH]:  # once at least: it clears the gradients of a thread without rows
            f[F.ROWS], f[F.FIRST_ROW] = min(high - low, block), low
            f[F.ORDER] = f[F.ORDER_START] + 8 * (start + low)
            if not walk(sample_rows, f[F.SAMPLE_COUNT], f, frame):
                f[F.STATUS] = 1
                return
            f[F.FRESH] = 0
            beta32[2 * F.BETA32], total[F.BETA64] = 1.0, 1.0
            low += block
        if not walk(step_rows, f[F.STEP_COUNT], f, frame):
            f[F.STATUS] = 1
            return
        noted = carray(doubles(f[F.VALUES]), f[F.NEXT] + 1)
        noted[f[F.NEXT]] = total[F.VALUE]
        f[F.NEXT] += 1
        if not f[F.ALIVE]:
            return


def scope(dtype: str) -> dict[str, Any]:
    """It leaves nothing open."""
    return {}


def interpreter(unused_, frame_):
    """One thread's run, from batch NEXT to batch END."""
    settings = flush_denormals()
    run(carray(frame_, F.LENGTH))
    put_back(settings)
