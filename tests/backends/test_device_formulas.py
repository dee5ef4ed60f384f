"""Every formula, as the kernel that the GPU runs, on the emulated device against NumPy in float64."""

import numpy as np
import pytest
from every_formula_kernels import (
    COLUMNS,
    EVERY,
    ROWS,
    arguments,
    formula_kernels,
    launch_of,
    name_of,
    other_scalars,
)
from paired_devices import COMPILER

from tinynet.backends.cupy_draft import constants_of
from tinynet.backends.cupy_emulator import EmulatedDriver
from tinynet.backends.cupy_memory import Buffer
from tinynet.formulas.formula import Formula
from tinynet.formulas.reader import read
from tinynet.formulas.unroll import unroll
from tinynet.recorder import Tensor

pytestmark = pytest.mark.skipif(not COMPILER, reason="no C++ compiler (g++) to run the GPU's kernels on the CPU")


@pytest.fixture(scope="module", params=["float32", "float64"])
def device(request):
    driver = EmulatedDriver()
    driver.compile(formula_kernels(request.param), request.param)
    return driver, request.param


def run(driver, f, scalars, arrays, dtype):
    launch, given, outs = launch_of(f, scalars, dtype)
    buffers = {}
    for tensor, array in zip(given, arrays, strict=True):
        buffers[tensor.name] = Buffer(driver, array.nbytes)
        buffers[tensor.name].put(array)
    for tensor in outs:
        buffers[tensor.name] = Buffer(driver, tensor.nbytes(ROWS))
    places = [buffers[a.name].place if isinstance(a, Tensor) else a for a in launch.arguments]
    driver.launch(launch._replace(arguments=places))
    found = []
    for tensor in outs:
        found.append(np.empty(tensor.sizes(ROWS), dtype))
        buffers[tensor.name].take(found[-1])
    return found


def expected_of(f, scalars, arrays):
    with np.errstate(all="ignore"):
        results = f(*(array.astype(np.float64) for array in arrays), **scalars)
    return results if isinstance(results, tuple) else (results,)


@pytest.mark.parametrize("f", EVERY, ids=name_of)
def test_every_formula(device, f):
    driver, dtype = device
    for seed in range(3):
        arrays = arguments(f, np.random.default_rng(seed), (ROWS, COLUMNS), dtype)
        for scalars in ({}, other_scalars(f)):
            found = run(driver, f, scalars, arrays, dtype)
            for one, other in zip(found, expected_of(f, scalars, arrays), strict=True):
                scale = max(1.0, np.max(np.abs(other)))
                error = np.max(np.abs(one.astype(np.float64) - other)) / scale
                assert error <= (1e-13 if dtype == "float64" else 2e-6)


@pytest.mark.parametrize("spoiler", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("f", [f for f in EVERY if read(f).is_row], ids=name_of)
def test_a_row_keeps_nan_and_infinity(device, f, spoiler):
    driver, dtype = device
    arrays = arguments(f, np.random.default_rng(4), (ROWS, COLUMNS), dtype)
    arrays[0][2, 35] = spoiler
    for one, other in zip(run(driver, f, {}, arrays, dtype), expected_of(f, {}, arrays), strict=True):
        np.testing.assert_array_equal(np.isnan(one), np.isnan(other))
        np.testing.assert_array_equal(np.isinf(one), np.isinf(other))


@pytest.mark.parametrize("f", EVERY, ids=name_of)
def test_constants_are_what_the_printed_code_computes(f):
    """In float64 they are the scalars' arithmetic, in float32 the same, rounded."""
    double, single = (constants_of(Formula(f, **other_scalars(f)), dtype) for dtype in ("float64", "float32"))
    assert len(double) == len(unroll(f).constants)
    np.testing.assert_allclose(single, double, rtol=1e-7)
