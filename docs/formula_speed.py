"""How long a formula takes, as NumPy calls it and as numba compiles it: nanoseconds for each element."""

from __future__ import annotations

import ctypes
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from every_formula import arguments, levels

from tinynet.backends import missing
from tinynet.formulas.formula import Formula
from tinynet.formulas.unroll import unroll
from tinynet.recorder import Tensor, array_pointer

ROWS, COLUMNS = 256, 64
AT_LEAST = 0.001  # seconds in one measurement
TIMES = 7


def speeds(f: Callable[..., Any]) -> tuple[float, float | None]:
    """By NumPy and by numba, None where numba is not installed."""
    arrays = arguments(f, np.random.default_rng(0), (ROWS, COLUMNS), np.float32)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        by_numpy = best(lambda: f(*arrays))
        return by_numpy, None if missing("numba") else best(compiled(f, arrays))


def best(call: Callable[[], Any]) -> float:
    """The quickest of several: other work on the machine can only add time."""
    call()
    count, took = 1, 0.0
    while (took := timed(call, count)) < AT_LEAST:
        count = max(2 * count, int(count * AT_LEAST / max(took, 1e-9)))
    return 1e9 * min(timed(call, count) / count for _ in range(TIMES)) / (ROWS * COLUMNS)


def timed(call: Callable[[], Any], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        call()
    return time.perf_counter() - start


def compiled(f: Callable[..., Any], arrays: list[np.ndarray]) -> Callable[[], Any]:
    """The kernel that the backend makes of f, ready to be called on these arrays."""
    from tinynet.backends import numba_frame as F
    from tinynet.backends.numba_kernels import Doubles, apply

    results = unroll(f, levels(f)).result_levels
    outs = [np.empty((ROWS, 1 if level == "row" else COLUMNS), np.float32) for level in results]
    memory = {f"array{i}": array for i, array in enumerate([*arrays, *outs])}
    tensors = [
        Tensor(name, "work", (None, a.shape[1]) if a.ndim == 2 else a.shape, "float32") for name, a in memory.items()
    ]
    kernel = apply(Formula(f), tensors[: len(arrays)], tensors[len(arrays) :], False, {})
    numbers: list[np.ndarray] = []  # alive as long as the kernel: it knows addresses only

    def number(argument: Tensor | Doubles | int) -> int:
        if isinstance(argument, int):
            return argument
        if isinstance(argument, Tensor):
            return array_pointer(memory[argument.name])
        numbers.append(np.array(argument.values, np.float64))
        return array_pointer(numbers[-1])

    given = np.array([number(argument) for argument in kernel.arguments], np.int64)
    frame = np.zeros(F.LENGTH, np.int64)
    frame[F.ROWS] = ROWS
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(kernel.address("float32"))
    places = array_pointer(given), array_pointer(frame)

    def call() -> None:
        function(*places)

    call.keeps = given, frame, numbers, memory  # type: ignore[attr-defined]
    call()
    for out, wanted in zip(outs, as_tuple(f(*arrays)), strict=True):
        np.testing.assert_allclose(
            out, np.broadcast_to(wanted, out.shape), rtol=1e-4, atol=1e-4
        )  # what is timed is right
    return call


def as_tuple(results: Any) -> tuple[Any, ...]:
    return results if isinstance(results, tuple) else (results,)
