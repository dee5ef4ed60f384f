"""The real driver's own code, with a CuPy and a cuBLAS that stand in for NVIDIA's.

The cuBLAS is a C library with the prototypes of cuBLAS's documentation, so an argument in the wrong place or of the
wrong size shows; it multiplies as BLAS does. The CuPy compiles the CUDA source that it is given for the CPU.
"""

import contextlib
import ctypes
import re
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
from device_cases import OPTIMIZERS, codes_and_numbers, everything
from paired_devices import COMPILER, Case

from tinynet.backends import cupy_cuda
from tinynet.backends.cupy_cuda import CudaDriver
from tinynet.backends.cupy_draft import Place
from tinynet.backends.cupy_emulator import FLAGS, WORDS
from tinynet.backends.cupy_source import CUDA

pytestmark = pytest.mark.skipif(not COMPILER, reason="no C++ compiler (g++) to run the GPU's kernels on the CPU")

# cublas_v2.h in short: https://docs.nvidia.com/cuda/cublas/
BLAS = r"""
#include <stddef.h>
struct Context { void *stream, *workspace; size_t size; int math; };
template <class T> static void multiply(int ta, int tb, int m, int n, int k, T alpha, const T *a, int lda, const T *b,
                                        int ldb, T beta, T *c, int ldc)
{
    for (int j = 0; j < n; j++) for (int i = 0; i < m; i++) {
        T sum = 0;
        for (int p = 0; p < k; p++) sum += (ta ? a[p + (size_t) i * lda] : a[i + (size_t) p * lda])
                                         * (tb ? b[j + (size_t) p * ldb] : b[p + (size_t) j * ldb]);
        T &out = c[i + (size_t) j * ldc];
        out = alpha * sum + (beta == 0 ? 0 : beta * out);
    }
}
extern "C" {
int cublasCreate_v2(Context **handle) { *handle = new Context{0, 0, 0, 7}; return 0; }
int cublasSetStream_v2(Context *h, void *stream) { h->stream = stream; h->workspace = 0; return 0; }
int cublasSetWorkspace_v2(Context *h, void *workspace, size_t size)
{
    if ((size_t) workspace % 256) return 7;
    h->workspace = workspace; h->size = size; return 0;
}
int cublasSetMathMode(Context *h, int mode) { h->math = mode; return 0; }
int cublasGemmEx(Context *h, int ta, int tb, int m, int n, int k, const void *alpha, const void *a, int at, int lda,
                 const void *b, int bt, int ldb, const void *beta, void *c, int ct, int ldc, int compute, int algorithm)
{
    if (h->stream != (void *) 77 || !h->workspace || h->size != 33554432 || h->math) return 1;
    if (at != bt || at != ct || algorithm != -1) return 15;
    if (at == 0 && compute == 77) h->math = 0, *(float *) c = -77;  // a mark of TF32
    else if (at == 0 && compute == 68)
        multiply<float>(ta, tb, m, n, k, *(float *) alpha, (float *) a, lda, (float *) b, ldb, *(float *) beta,
                        (float *) c, ldc);
    else if (at == 1 && compute == 70)
        multiply<double>(ta, tb, m, n, k, *(double *) alpha, (double *) a, lda, (double *) b, ldb, *(double *) beta,
                         (double *) c, ldc);
    else return 15;
    return 0;
}
}
"""


class Stream:
    """A stream that carries everything out at once, but counts captures."""

    ptr = 77

    def __init__(self, non_blocking=False):
        assert non_blocking
        self.capturing = False

    def __enter__(self):
        return self

    def __exit__(self, *given):
        return None

    def synchronize(self):
        assert not self.capturing

    def begin_capture(self, mode):
        assert mode == "relaxed"
        self.capturing = True

    def end_capture(self):
        self.capturing = False
        return SimpleNamespace(launch=lambda stream: None)


class Allocated:
    def __init__(self, nbytes):
        self.raw = np.full(nbytes + 512, 0xFF, np.uint8)
        self.ptr = self.raw.ctypes.data + -self.raw.ctypes.data % 512


def fake_cupy(folder):
    """As much of CuPy as the driver uses."""

    class RawModule:
        def __init__(self, code, backend, options):
            assert backend == "nvrtc"
            assert options == ("-std=c++17",)
            assert code.startswith(CUDA)
            source = code.replace(CUDA, WORDS)
            for name, given in re.findall(r"^KERNEL void (\w+)\((.*)\)$", code, re.MULTILINE):
                kinds = [parameter.rpartition(" ")[0] for parameter in given.split(", ")]
                passed = ", ".join(f"*({kind} *) a[{i}]" for i, kind in enumerate(kinds))
                source += (
                    f'extern "C" void run_{name}(void **a, unsigned grid, unsigned block) {{ gridDim.x = grid; '
                    f"blockDim.x = block; for (blockIdx.x = 0; blockIdx.x < grid; blockIdx.x++) {name}({passed}); }}\n"
                )
            file = folder / f"{abs(hash(code))}.cpp"
            file.write_text(source)
            subprocess.run([COMPILER, *FLAGS, file, "-o", file.with_suffix(".so")], check=True)
            self.library = ctypes.CDLL(str(file.with_suffix(".so")))

        def get_function(self, name):
            run = getattr(self.library, f"run_{name}")

            def called(grid, block, arguments):
                assert all(isinstance(a, (np.uint64, np.uint32, np.float64)) for a in arguments)
                kept = [np.array(a) for a in arguments]
                run((ctypes.c_void_p * len(kept))(*(a.ctypes.data for a in kept)), *map(ctypes.c_uint, grid + block))

            return called

    def memcpy(to, origin, nbytes, kind, stream):
        assert stream == 77
        assert kind in ("up", "down")
        ctypes.memmove(to, origin, nbytes)

    runtime = SimpleNamespace(
        memcpyHostToDevice="up", memcpyDeviceToHost="down", memcpyAsync=memcpy, streamCaptureModeRelaxed="relaxed",
        memGetInfo=lambda: (1 << 30, 1 << 31), getDeviceCount=lambda: 1, runtimeGetVersion=lambda: 12090,
        getDeviceProperties=lambda number: {"name": b"Imaginary GPU"},
    )  # fmt: skip

    class Device(contextlib.nullcontext):
        id = 0

    cuda = SimpleNamespace(runtime=runtime, Device=Device, Stream=Stream, alloc=Allocated)
    pool = SimpleNamespace(free_bytes=lambda: 0)
    return SimpleNamespace(cuda=cuda, RawModule=RawModule, get_default_memory_pool=lambda: pool, __version__="14")


@pytest.fixture(scope="module")
def blas(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blas")
    (folder / "blas.cpp").write_text(BLAS)
    subprocess.run([COMPILER, "-shared", "-fPIC", "-O1", folder / "blas.cpp", "-o", folder / "blas.so"], check=True)
    return str(folder / "blas.so")


@pytest.fixture
def driver(blas, tmp_path):
    return CudaDriver(fake_cupy(tmp_path), blas)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_trains_as_numpy_does(driver, dtype, monkeypatch):
    from tinynet.backends import cupy_machine

    monkeypatch.setattr(cupy_machine, "FIRST", 10**9)  # this CuPy's graphs are empty: every step is asked for by itself
    case = Case(everything, 3, OPTIMIZERS["global_clipnorm"], dtype=dtype, x=codes_and_numbers, epochs=2)
    case.agree(driver)
    assert str(driver) == "Imaginary GPU, CUDA 12090, CuPy 14"


def test_captures_and_replays(driver):
    case = Case(everything, 3, dtype="float32", x=codes_and_numbers)
    *_, theirs, _, data = case.paired(driver)
    theirs.epoch(data, np.arange(37), 8)  # 2 steps eagerly, two replays, 1 ragged step eagerly
    assert set(theirs.machines["step", 8].graphs) == {1}
    driver.wait()


def test_tf32_is_off_unless_asked_for(blas, tmp_path):
    from tinynet.backends.cupy_driver import Gemm

    a, b, c = np.float32([3]), np.float32([5]), np.float32([0])
    places = [Place(array.ctypes.data, 4) for array in (a, b, c)]
    product = Gemm("float32", False, False, 1, 1, 1, places[0], 1, places[1], 1, False, places[2], 1)
    exact, coarse = (CudaDriver(fake_cupy(tmp_path), blas, tf32) for tf32 in (False, True))
    exact.gemm(product)
    assert c == 15
    assert "TF32" not in str(exact)
    coarse.gemm(product)
    assert c == -77
    assert str(coarse).endswith(", TF32")


def test_a_failing_blas_says_which_call_and_status(driver):
    driver.blas.call("cublasSetMathMode", driver.blas.handle, ctypes.c_int(3))
    from tinynet.backends.cupy_driver import Gemm

    place = Place(0, 0)
    with pytest.raises(RuntimeError, match="cublasGemmEx of cuBLAS failed with status 1"):
        driver.gemm(Gemm("float32", False, False, 1, 1, 1, place, 1, place, 1, False, place, 1))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("cudaErrorInsufficientDriver: CUDA driver version is insufficient", "there is no NVIDIA driver, or one older"),
        ("cudaErrorUnknown: unknown error", r"CUDA does not start \(cudaErrorUnknown: unknown error\)"),
        (0, "there is no NVIDIA GPU on this machine"),
        (1, "cuBLAS is not found: pip install 'tinynet"),
    ],
)
def test_what_is_missing(monkeypatch, tmp_path, error, words):
    cupy = fake_cupy(tmp_path)

    def count():
        if isinstance(error, str):
            raise RuntimeError(error)
        return error

    cupy.cuda.runtime.getDeviceCount = count
    monkeypatch.setitem(__import__("sys").modules, "cupy", cupy)
    monkeypatch.setattr(cupy_cuda, "find_spec", lambda name: object())
    monkeypatch.setattr(cupy_cuda, "blas_path", lambda: "/nowhere/libcublas.so")
    assert re.match(words, cupy_cuda.lacking())


def test_the_driver_of_this_process(monkeypatch, tmp_path, blas):
    monkeypatch.setitem(__import__("sys").modules, "cupy", fake_cupy(tmp_path))
    monkeypatch.setattr(cupy_cuda, "find_spec", lambda name: object())
    monkeypatch.setattr(cupy_cuda, "blas_path", lambda: blas)
    assert cupy_cuda.lacking() is None
    assert isinstance(cupy_cuda.cuda_driver.__wrapped__(), CudaDriver)
