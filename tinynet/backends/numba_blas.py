"""SciPy's BLAS by address, and its threads held at one while a program's own threads run.

SciPy brings a BLAS of its own, beside NumPy's, with a pool of threads of its own. The limit belongs to the whole
process, so runs that overlap count: the first sets it, the last puts back what it found.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = {"float32": "sgemm", "float64": "dgemm"}
MODULE = "scipy.linalg.cython_blas"


@functools.cache
def blas_module() -> Any:
    """SciPy's module of BLAS functions, loaded by itself where that works: all of scipy.linalg takes 0.15 s more."""
    import scipy

    folder = Path(scipy.__file__).parent / "linalg"
    try:
        file = next(
            str(folder / f"cython_blas{end}") for end in EXTENSION_SUFFIXES if (folder / f"cython_blas{end}").exists()
        )
        loader = ExtensionFileLoader(MODULE, file)
        spec = spec_from_file_location(MODULE, file, loader=loader)
        assert spec is not None
        module = module_from_spec(spec)
        loader.exec_module(module)
    except (StopIteration, ImportError, AssertionError):
        return import_module(MODULE)
    return module


@functools.cache
def gemm_address(dtype: str) -> int:
    """The address of sgemm or dgemm, with Fortran's arguments: 13 pointers."""
    capsule = blas_module().__pyx_capi__[NAMES[dtype]]
    name, pointer = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return int(pointer(capsule, name(capsule)))


@functools.cache
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController

    blas_module()  # first: only a library that is loaded is seen

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
