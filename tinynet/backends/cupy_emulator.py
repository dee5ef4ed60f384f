"""A stand-in for the GPU: every call is checked as CUDA would want it, and carried out on the CPU.

The kernels' text is the same; a C++ compiler reads it with other words for EACH_THREAD and MEET. Threads take turns
within a phase, forwards or backwards: what depends on their order differs between the two. Memory is the C library's,
so that the sanitizers see it. Products go through NumPy, column by column as cuBLAS reads them.
"""

from __future__ import annotations

import ctypes
import hashlib
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tinynet.backends.cupy_draft import Launch, Place
from tinynet.backends.cupy_driver import Gemm
from tinynet.backends.cupy_source import Kernel, module
from tinynet.formulas.vocabulary import Array

WORDS = """\
#include <math.h>
#include <stddef.h>
struct Dimension { unsigned x; };
static Dimension threadIdx, blockIdx, blockDim, gridDim;
static int backwards;
extern "C" void set_backwards(int chosen) { backwards = chosen; }
static inline unsigned turn(unsigned t) { return backwards ? blockDim.x - 1 - t : t; }
#define DEVICE static inline
#define KERNEL extern "C"
#define SHARED static
#define EACH_THREAD for (unsigned turn_ = 0; turn_ < blockDim.x && (threadIdx.x = turn(turn_), true); turn_++)
#define MEET
#define MINUS_INFINITY (-INFINITY)
"""
FLAGS = ["-std=c++17", "-O0", "-fno-strict-aliasing", "-ffp-contract=off", "-w", "-shared", "-fPIC"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g1"]
LIMITS = {"threads": 1024, "grid": 2**31 - 1}
KINDS = {"unsigned": ctypes.c_uint, "double": ctypes.c_double}


class FaultError(AssertionError):
    """A call that a GPU would refuse, or that would do something else than is meant."""


def runner(kernel: Kernel) -> str:
    """A C function that runs a whole grid of the kernel, block after block."""
    given = ", ".join(f"*({kind} *) a[{i}]" for i, (kind, _) in enumerate(kernel.parameters))
    return (
        f'extern "C" void run_{kernel.name}(void **a, unsigned grid, unsigned block)\n{{\n'
        "    gridDim.x = grid; blockDim.x = block;\n    for (unsigned b = 0; b < grid; b++) {\n"
        f"        blockIdx.x = backwards ? grid - 1 - b : b; {kernel.name}({given});\n    }}\n}}\n\n"
    )


def compile_for_cpu(kernels: Iterable[Kernel], dtype: str, folder: Path, compiler: str, sanitize: bool) -> ctypes.CDLL:
    """A library with these kernels; kept in the folder under the name of its content."""
    known = sorted(set(kernels), key=lambda k: k.name)
    source = module(known, dtype, WORDS) + "".join(map(runner, known))
    flags = FLAGS + (SANITIZERS if sanitize else [])
    name = hashlib.sha256((source + " ".join(flags)).encode()).hexdigest()[:24]
    library = folder / f"{name}.so"
    if not library.exists():
        text = folder / f"{name}.cpp"
        text.write_text(source)
        done = subprocess.run([compiler, *flags, str(text), "-o", str(library)], capture_output=True, text=True)
        if done.returncode:
            raise FaultError(f"{compiler} refuses the kernels:\n{done.stderr[:4000]}")
    return ctypes.CDLL(str(library))


class EmulatedDriver:
    """A `Driver` without a GPU.

    Parameters
    ----------
    free : how much memory it says it has
    backwards : whether threads and blocks take turns from the last to the first
    sanitize : compile under the address and undefined-behaviour sanitizers, which the process must have loaded
    folder : where compiled kernels are kept; default a temporary one
    compiler : the C++ compiler
    """

    def __init__(
        self, free: int = 1 << 30, backwards: bool = False, sanitize: bool = False, folder: Path | None = None,
        compiler: str = "g++",
    ) -> None:  # fmt: skip
        self.free_now, self.backwards, self.sanitize, self.compiler = free, backwards, sanitize, compiler
        self.folder = folder or Path(tempfile.mkdtemp())
        if folder is None:
            weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self.memory: dict[int, int] = {}  # address -> bytes
        self.kernels: dict[str, set[Kernel]] = {"float32": set(), "float64": set()}
        self.functions: dict[str, Callable[..., None]] = {}
        self.captured: list[Callable[[], None]] | None = None
        self.noting = False  # only note which kernels are loaded
        self.calls: dict[str, int] = {}
        libc = ctypes.CDLL(None)
        self.malloc, self.release = libc.malloc, libc.free
        self.malloc.restype, self.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
        self.release.restype, self.release.argtypes = None, [ctypes.c_void_p]

    # Checks

    def note(self, call: str, allowed_in_capture: bool = False) -> None:
        if self.captured is not None and not allowed_in_capture:
            raise FaultError(f"{call} while a graph is captured")
        self.calls[call] = self.calls.get(call, 0) + 1

    def inside(self, place: Place, what: str) -> None:
        """Raises where a place does not lie in one piece of memory that is owned."""
        for address, nbytes in self.memory.items():
            if address <= place.address and place.address + place.nbytes <= address + nbytes:
                return
        raise FaultError(f"{what}: {place.nbytes} bytes at {place.address:#x} lie in no memory that is owned")

    # Memory

    def allocate(self, nbytes: int) -> int:
        self.note("allocate")
        address = int(self.malloc(nbytes))
        self.memory[address] = nbytes
        ctypes.memset(address, 0xFF, nbytes)  # NaN: nobody may rely on zeros
        return address

    def free(self, address: int) -> None:
        del self.memory[address]
        self.release(address)

    def free_bytes(self) -> int:
        return self.free_now

    def upload(self, address: int, array: Array) -> None:
        self.note("upload")
        self.inside(Place(address, array.nbytes), "upload")
        if not array.flags.c_contiguous:
            raise FaultError("upload of an array with gaps")
        ctypes.memmove(address, array.ctypes.data, array.nbytes)

    def download(self, address: int, out: Array) -> None:
        self.note("download")
        self.inside(Place(address, out.nbytes), "download")
        if not out.flags.c_contiguous:
            raise FaultError("download to an array with gaps")
        ctypes.memmove(out.ctypes.data, address, out.nbytes)

    # Kernels

    def load(self, kernels: Iterable[Kernel], dtype: str) -> None:
        self.note("load")
        missing = {k for k in kernels if k.name not in self.functions}
        self.kernels[dtype] |= missing
        if missing and not self.noting:
            self.compile(missing, dtype)

    def compile(self, kernels: Iterable[Kernel], dtype: str) -> None:
        known = list(kernels)
        library = compile_for_cpu(known, dtype, self.folder, self.compiler, self.sanitize)
        library.set_backwards(int(self.backwards))
        for kernel in known:
            self.functions[kernel.name] = getattr(library, f"run_{kernel.name}")

    def launch(self, launch: Launch) -> None:
        self.note("launch", allowed_in_capture=True)
        kernel, grid, block, arguments, items = launch
        if len(arguments) != len(kernel.parameters):
            raise FaultError(f"{kernel.name} takes {len(kernel.parameters)} arguments; given were {len(arguments)}")
        if not (0 < block <= LIMITS["threads"] and block % 32 == 0 and 0 < grid <= LIMITS["grid"]):
            raise FaultError(f"{kernel.name}: no GPU launches {grid} blocks of {block} threads")
        looping = "gridDim.x" in kernel.body or "k += blockDim.x" in kernel.body
        if not looping and grid * block < items:
            raise FaultError(f"{kernel.name}: {grid} blocks of {block} threads do not cover {items} elements")
        values: list[Any] = []
        places: list[tuple[Place, str]] = []
        for (kind, name), argument in zip(kernel.parameters, arguments, strict=True):
            if kind.endswith("*"):
                if not isinstance(argument, Place):
                    raise FaultError(f"{kernel.name}: {name} is a pointer; given was {argument!r}")
                self.inside(argument, f"{kernel.name}: {name}")
                aligned = 4 if kind.startswith(("float", "const float")) else 8
                if argument.address % aligned:
                    raise FaultError(f"{kernel.name}: {name} is not aligned")
                places.append((argument, f"{kernel.name}: {name}"))
                values.append(ctypes.c_void_p(argument.address))
            else:
                if isinstance(argument, Place) or (kind == "unsigned" and not isinstance(argument, int)):
                    raise FaultError(f"{kernel.name}: {name} is {kind}; given was {argument!r}")
                values.append(KINDS[kind](argument))  # type: ignore[arg-type]
        pointers = (ctypes.c_void_p * len(values))(*(ctypes.addressof(value) for value in values))

        def run() -> None:
            for place, what in places:
                self.inside(place, what)
            _ = values  # alive as long as their addresses are about
            self.functions[kernel.name](pointers, ctypes.c_uint(grid), ctypes.c_uint(block))

        self.do(run)

    def gemm(self, product: Gemm) -> None:
        self.note("gemm", allowed_in_capture=True)
        dtype, trans_a, trans_b, m, n, k, a, lda, b, ldb, accumulate, c, ldc = product
        stored = {"a": (a, lda, (k, m) if trans_a else (m, k)), "b": (b, ldb, (n, k) if trans_b else (k, n)),
                  "c": (c, ldc, (m, n))}  # fmt: skip
        views: dict[str, Array] = {}
        for name, (place, apart, (rows, columns)) in stored.items():
            itemsize = np.dtype(dtype).itemsize
            if apart < max(1, rows):
                raise FaultError(f"gemm: columns of {name} have {rows} numbers and begin {apart} apart")
            used = ((columns - 1) * apart + rows) * itemsize
            if used > place.nbytes:
                raise FaultError(f"gemm: {name} reaches over {used} bytes; it has {place.nbytes}")
            self.inside(place, f"gemm: {name}")
            raw = (ctypes.c_char * used).from_address(place.address)
            flat = np.frombuffer(raw, np.dtype(dtype))  # type: ignore[call-overload]
            views[name] = np.lib.stride_tricks.as_strided(flat, (rows, columns), (itemsize, apart * itemsize))
        overlap = any(p.address < c.address + c.nbytes and c.address < p.address + p.nbytes for p in (a, b))
        if overlap:
            raise FaultError("gemm: the result lies over an operand")
        left = views["a"].T if trans_a else views["a"]
        right = views["b"].T if trans_b else views["b"]

        def run() -> None:
            for name, place in (("a", a), ("b", b), ("c", c)):
                self.inside(place, f"gemm: {name}")
            with np.errstate(all="ignore"):
                found = left @ right
                views["c"][...] = views["c"] + found if accumulate else found

        self.do(run)

    def do(self, run: Callable[[], None]) -> None:
        if self.captured is not None:
            self.captured.append(run)
        elif not self.noting:
            run()

    # Graphs

    def begin_capture(self) -> None:
        self.note("begin_capture")
        self.captured = []

    def end_capture(self) -> list[Callable[[], None]]:
        if self.captured is None:
            raise FaultError("end_capture without begin_capture")
        found, self.captured = self.captured, None
        return found

    def replay(self, graph: list[Callable[[], None]]) -> None:
        self.note("replay")
        if not self.noting:
            for run in graph:
                run()

    def wait(self) -> None:
        self.note("wait")
