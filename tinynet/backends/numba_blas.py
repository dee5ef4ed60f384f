"""SciPy's BLAS by address, and its threads held at one while a program's own threads run.

SciPy brings a BLAS of its own, beside NumPy's, with a pool of threads of its own. The limit belongs to the whole
process, so runs that overlap count: the first sets it, the last puts back what it found.
"""

from __future__ import annotations

import functools
import threading
from importlib import import_module
from types import TracebackType
from typing import Any

from numba.extending import get_cython_function_address

NAMES = {"float32": "sgemm", "float64": "dgemm"}


@functools.cache
def gemm_address(dtype: str) -> int:
    """The address of sgemm or dgemm, with Fortran's arguments: 13 pointers."""
    return int(get_cython_function_address("scipy.linalg.cython_blas", NAMES[dtype]))


@functools.cache
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController

    import_module("scipy.linalg.cython_blas")  # first: only a library that is loaded is seen

    return ThreadpoolController().select(user_api="blas")


class OneBlasThread:
    """`with one_blas_thread:` BLAS computes in the thread that calls it."""

    def __init__(self) -> None:
        self.lock, self.count, self.limit = threading.Lock(), 0, None

    def __enter__(self) -> None:
        with self.lock:
            if self.count == 0:
                self.limit = _controller().limit(limits=1)
            self.count += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self.lock:
            self.count -= 1
            if self.count == 0 and self.limit is not None:
                self.limit.restore_original_limits()
                self.limit = None


one_blas_thread = OneBlasThread()
