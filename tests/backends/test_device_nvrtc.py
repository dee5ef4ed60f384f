"""NVIDIA's own compiler takes every kernel for every architecture; it needs neither a GPU nor a driver."""

import pytest
from device_cases import cases
from every_formula_kernels import formula_kernels

from tinynet.backends.cupy_cuda import compiled_by_nvrtc, nvrtc_missing
from tinynet.backends.cupy_emulator import EmulatedDriver
from tinynet.backends.cupy_source import Kernel
from tinynet.gpu_check import ARCHITECTURES

pytestmark = pytest.mark.skipif(nvrtc_missing() is not None, reason="no NVRTC here: make test-gpu-less installs it")


@pytest.fixture(scope="module", params=["float32", "float64"])
def kernels(request):
    driver = EmulatedDriver()
    driver.noting = True
    for case in cases(request.param).values():
        case.note(driver)
    return driver.kernels[request.param] | formula_kernels(request.param), request.param


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_kernel_compiles(kernels, architecture):
    known, dtype = kernels
    assert len(known) > 100
    code = compiled_by_nvrtc(known, dtype, architecture)
    assert code[:4] == b"\x7fELF"
    for kernel in known:
        assert kernel.name.encode() in code


def test_a_kernel_that_is_no_cuda_is_refused():
    wrong = Kernel("wrong", "float32", (("float *", "x"),), "x[0] = threadIdx.w;")
    with pytest.raises(AssertionError, match='class "uint3" has no member "w"'):
        compiled_by_nvrtc({wrong}, "float32", 90)
