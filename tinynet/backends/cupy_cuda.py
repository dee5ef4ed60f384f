"""The real device: CuPy for memory, kernels and graphs, and a thin binding of our own to cuBLAS.

CuPy refuses cuBLAS while a stream is captured, so `cublasGemmEx` is called through ctypes, on a handle of our own with
a workspace of our own: cuBLAS would else allocate one in the middle of a capture. TF32 is off unless asked for. Numbers
of cuBLAS's enumerations are from its documentation (https://docs.nvidia.com/cuda/cublas/).
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any

import numpy as np

from tinynet.backends.cupy_draft import Launch, Place
from tinynet.backends.cupy_driver import Gemm
from tinynet.backends.cupy_source import Kernel, module
from tinynet.formulas.vocabulary import Array

REAL_TYPES = {"float32": 0, "float64": 1}  # CUDA_R_32F, CUDA_R_64F
COMPUTE_TYPES = {"float32": 68, "float64": 70}  # CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_64F
TF32 = 77  # CUBLAS_COMPUTE_32F_FAST_TF32: factors are rounded to 10 bits, sums are float32
OPERATIONS = {False: 0, True: 1}  # CUBLAS_OP_N, CUBLAS_OP_T
DEFAULT_ALGORITHM, DEFAULT_MATH = -1, 0  # CUBLAS_GEMM_DEFAULT; CUBLAS_DEFAULT_MATH, in which TF32 is off
WORKSPACE = 32 << 20  # bytes; what cuBLAS recommends for Hopper, and more than older ones want
EXTRA = "pip install 'tinynet[gpu12]' for a driver of CUDA 12, 'tinynet[gpu13]' for CUDA 13"
NOT_INSTALLED = f"CuPy is not installed: {EXTRA}"


class Blas:
    """cuBLAS on one stream; with `tf32`, products of float32 take the quicker, coarser way of tensor cores."""

    def __init__(self, library: ctypes.CDLL, stream: int, workspace: int, tf32: bool = False) -> None:
        self.library = library
        self.compute = COMPUTE_TYPES | ({"float32": TF32} if tf32 else {})
        self.handle = ctypes.c_void_p()
        self.call("cublasCreate_v2", ctypes.byref(self.handle))
        self.call("cublasSetStream_v2", self.handle, ctypes.c_void_p(stream))
        # after the stream, which puts the workspace back to cuBLAS's own
        self.call("cublasSetWorkspace_v2", self.handle, ctypes.c_void_p(workspace), ctypes.c_size_t(WORKSPACE))
        self.call("cublasSetMathMode", self.handle, ctypes.c_int(DEFAULT_MATH))
        numbers = {"float32": ctypes.c_float, "float64": ctypes.c_double}
        self.numbers = {dtype: {v: kind(v) for v in (0.0, 1.0)} for dtype, kind in numbers.items()}

    def call(self, name: str, *arguments: Any) -> None:
        function = getattr(self.library, name)
        function.restype = ctypes.c_int
        status = function(*arguments)
        if status:
            raise RuntimeError(f"{name} of cuBLAS failed with status {status}")

    def gemm(self, g: Gemm) -> None:
        one, beta = self.numbers[g.dtype][1.0], self.numbers[g.dtype][1.0 if g.accumulate else 0.0]
        kind, whole, pointer = ctypes.c_int(REAL_TYPES[g.dtype]), ctypes.c_int, ctypes.c_void_p
        self.call(
            "cublasGemmEx", self.handle, whole(OPERATIONS[g.trans_a]), whole(OPERATIONS[g.trans_b]),
            whole(g.m), whole(g.n), whole(g.k), ctypes.byref(one),
            pointer(g.a.address), kind, whole(g.lda), pointer(g.b.address), kind, whole(g.ldb), ctypes.byref(beta),
            pointer(g.c.address), kind, whole(g.ldc), whole(self.compute[g.dtype]), whole(DEFAULT_ALGORITHM),
        )  # fmt: skip


class CudaDriver:
    """A `Driver` on this process's current GPU, with a stream of its own. `cuda_driver()` gives the one there is."""

    def __init__(self, cupy: Any, blas_path: str, tf32: bool = False) -> None:
        self.cupy, self.runtime, self.tf32 = cupy, cupy.cuda.runtime, tf32
        self.device = cupy.cuda.Device()
        self.stream = cupy.cuda.Stream(non_blocking=True)
        self.owned: dict[int, Any] = {}
        self.functions: dict[str, Any] = {}
        self.modules: list[Any] = []
        self.blas = Blas(ctypes.CDLL(blas_path), self.stream.ptr, self.allocate(WORKSPACE), tf32)

    def __str__(self) -> str:
        name = self.runtime.getDeviceProperties(self.device.id)["name"].decode()
        precision = ", TF32" if self.tf32 else ""
        return f"{name}, CUDA {self.runtime.runtimeGetVersion()}, CuPy {self.cupy.__version__}{precision}"

    def allocate(self, nbytes: int) -> int:
        with self.device, self.stream:
            memory = self.cupy.cuda.alloc(nbytes)
        self.owned[int(memory.ptr)] = memory
        return int(memory.ptr)

    def free(self, address: int) -> None:
        self.owned.pop(address, None)

    def free_bytes(self) -> int:
        with self.device:
            free, _ = self.runtime.memGetInfo()
            return int(free) + int(self.cupy.get_default_memory_pool().free_bytes())

    def upload(self, address: int, array: Array) -> None:
        with self.device:
            kind = self.runtime.memcpyHostToDevice
            self.runtime.memcpyAsync(address, array.ctypes.data, array.nbytes, kind, self.stream.ptr)
            self.stream.synchronize()  # the array may be changed or freed after this

    def download(self, address: int, out: Array) -> None:
        with self.device:
            kind = self.runtime.memcpyDeviceToHost
            self.runtime.memcpyAsync(out.ctypes.data, address, out.nbytes, kind, self.stream.ptr)
            self.stream.synchronize()

    def load(self, kernels: Iterable[Kernel], dtype: str) -> None:
        missing = {k for k in kernels if k.name not in self.functions}
        if missing:
            with self.device:
                made = self.cupy.RawModule(code=module(missing, dtype), backend="nvrtc", options=("-std=c++17",))
                self.functions |= {k.name: made.get_function(k.name) for k in missing}
            self.modules.append(made)

    def launch(self, launch: Launch) -> None:
        kinds = (kind for kind, _ in launch.kernel.parameters)
        arguments = tuple(passed(kind, a) for kind, a in zip(kinds, launch.arguments, strict=True))
        with self.device, self.stream:
            self.functions[launch.kernel.name]((launch.grid,), (launch.block,), arguments)

    def gemm(self, product: Gemm) -> None:
        with self.device:
            self.blas.gemm(product)

    def begin_capture(self) -> None:
        with self.device:
            self.stream.begin_capture(self.runtime.streamCaptureModeRelaxed)

    def end_capture(self) -> Any:
        with self.device:
            return self.stream.end_capture()

    def replay(self, graph: Any) -> None:
        with self.device:
            graph.launch(self.stream)

    def wait(self) -> None:
        with self.device:
            self.stream.synchronize()


def passed(kind: str, argument: Any) -> np.generic:
    """An argument in the size that the kernel reads."""
    if isinstance(argument, Place):
        return np.uintp(argument.address)
    return np.uint32(argument) if kind == "unsigned" else np.float64(argument)


def nvrtc_missing() -> str | None:
    """What keeps this machine from compiling kernels, which needs no GPU; None where nothing does."""
    if find_spec("cupy") is None:
        return NOT_INSTALLED
    try:
        from cupy_backends.cuda.libs import nvrtc

        nvrtc.getVersion()
    except Exception:  # a wheel for another machine, or no library behind it
        return f"NVRTC, NVIDIA's compiler, is not found: {EXTRA}"
    return None


def compiled_by_nvrtc(kernels: Iterable[Kernel], dtype: str, architecture: int) -> bytes:
    """The machine code of the kernels for sm_`architecture`. Raises AssertionError with the compiler's log."""
    from cupy_backends.cuda.libs import nvrtc

    program = nvrtc.createProgram(module(kernels, dtype), "kernels.cu", (), ())
    try:
        nvrtc.compileProgram(program, (f"--gpu-architecture=sm_{architecture}", "-std=c++17"))
        code: bytes = nvrtc.getCUBIN(program)
    except Exception as error:  # NVRTCError, which is found only where NVRTC is
        raise AssertionError(f"NVRTC refuses the kernels: {error}\n{nvrtc.getProgramLog(program)[:4000]}") from None
    finally:
        nvrtc.destroyProgram(program)
    return code


def blas_path() -> str:
    """Where cuBLAS lies, among NVIDIA's wheels or in the system."""
    from cuda.pathfinder import load_nvidia_dynamic_lib

    return str(load_nvidia_dynamic_lib("cublas").abs_path)


def lacking() -> str | None:
    """What keeps this machine from training on a GPU, in one clause; None where nothing does."""
    if find_spec("cupy") is None:
        return NOT_INSTALLED
    try:
        import cupy
    except Exception as error:  # as it comes where its wheel is for another machine
        return f"CuPy cannot be imported ({str(error).splitlines()[0]})"
    try:
        devices = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # CuPy's own kinds, which differ between its versions
        known = "InsufficientDriver" in str(error)
        return "there is no NVIDIA driver, or one older than the installed CuPy wants" if known else (
            f"CUDA does not start ({str(error).splitlines()[0]})"
        )  # fmt: skip
    if not devices:
        return "there is no NVIDIA GPU on this machine"
    try:
        ctypes.CDLL(blas_path())
    except Exception:
        return f"cuBLAS is not found: {EXTRA}"
    return None


def require() -> None:
    """Raises ImportError where CuPy is not installed, RuntimeError where no GPU can be used, with what is missing."""
    why = lacking()
    if why:
        raise (ImportError if why == NOT_INSTALLED else RuntimeError)(f"backend 'cupy' cannot be used: {why}")


@functools.cache
def cuda_driver(tf32: bool = False) -> CudaDriver:
    """The driver of this process; another one for TF32."""
    require()
    import cupy

    return CudaDriver(cupy, blas_path(), tf32)
