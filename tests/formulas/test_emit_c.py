"""The C that is printed for a formula computes what NumPy computes: compiled by gcc, for every formula, in float and
double, at NaN, infinities and denormals too.
"""

import ctypes
import shutil
import subprocess

import numpy as np
import pytest
from every_formula import EVERY, arguments, levels, name_of, other_scalars
from odd_formulas import ODD

from tinynet.formulas.emit import c_prelude, c_source
from tinynet.formulas.reader import read
from tinynet.formulas.unroll import unroll

needs_gcc = pytest.mark.skipif(not shutil.which("gcc"), reason="no gcc on this machine")
TYPES = {"float": np.float32, "double": np.float64}
POWERS = 10.0 ** np.arange(-44.0, 38.0)
GRID = np.concatenate([
    np.linspace(-120.0, 120.0, 4001), np.linspace(-2.0, 2.0, 4001), POWERS, -POWERS,
    [0.0, -0.0, np.inf, -np.inf, np.nan],
])  # fmt: skip


ROW_FORMULAS = [f for f in EVERY + ODD if read(f).is_row]
OTHERS = [f for f in EVERY + ODD if not read(f).is_row]


def each_function(f, real):
    """A C function `each_...` that applies the printed one to n elements, or to n rows of m."""
    unrolled, name = unroll(f, levels(f)), name_of(f)
    scalars = ", ".join(f"scalars[{i}]" for i in range(len(unrolled.scalars)))
    prepare = f"{name}_constants({scalars}, c);" if unrolled.constants else ""
    constants = [f"c[{i}]" for i in range(len(unrolled.constants))]
    if unrolled.is_row:
        strides = {"element": "m", "row": 1, "column": 0}
        places = [f"a[{i}] + i * {strides[levels(f).get(n, 'element')]}" for i, n in enumerate(unrolled.arrays)]
        results = [f"r[{i}] + i * {strides[level]}" for i, level in enumerate(unrolled.result_levels)]
        call = f"{name}_({', '.join([*places, *constants, *results, 'm'])});"
    else:
        places = [f"a[{i}][i]" for i in range(len(unrolled.arrays))]
        results = [f"r[{i}] + i" for i in range(1, len(unrolled.results))]
        call = f"r[0][i] = {name}_({', '.join([*places, *constants, *results])});"
    return (
        f"void each_{name}({real} *const *a, const double *scalars, {real} *const *r, long long n, long long m)\n"
        f"{{\n    double c[16];\n    (void)c, (void)scalars, (void)m;\n    {prepare}\n"
        f"    for (long long i = 0; i < n; i++) {{ {call} }}\n}}\n\n"
    )


@pytest.fixture(scope="module", params=TYPES)
def library(request, tmp_path_factory):
    """All formulas of the package in one shared library, and its precision."""
    real, folder = request.param, tmp_path_factory.mktemp("c")
    source = "#include <math.h>\n" + c_prelude(real)
    source += "".join(c_source(f, real, levels(f)) + each_function(f, real) for f in EVERY + ODD)
    (folder / "formulas.c").write_text(source)
    flags = ["-std=c99", "-O2", "-Wall", "-Werror", "-shared", "-fPIC"]
    subprocess.run(["gcc", *flags, "formulas.c", "-o", "formulas.so", "-lm"], cwd=folder, check=True)
    return ctypes.CDLL(str(folder / "formulas.so")), TYPES[real]


def pointers(arrays):
    return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))


def run_c(library, f, arrays, scalars, results, m=0):
    values = np.array([float(value) for value in (read(f).scalars | scalars).values()])
    n = results[0].shape[0] if m else results[0].size
    function = getattr(library, f"each_{name_of(f)}")
    function(pointers(arrays), ctypes.c_void_p(values.ctypes.data), pointers(results), *map(ctypes.c_longlong, (n, m)))
    return results


def run_numpy(f, arrays, scalars, precision, shapes):
    with np.errstate(all="ignore"):
        results = f(*arrays, **scalars)
    results = results if isinstance(results, tuple) else (results,)
    return [np.broadcast_to(np.asarray(r, precision), shape) for r, shape in zip(results, shapes, strict=True)]


def assert_same(found, expected, precision, scale=1.0, units=12):
    """NaN and infinities in the same places, the rest equal to some units in the last place of value or scale."""
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    infinite = np.isinf(expected)
    np.testing.assert_array_equal(found[infinite], expected[infinite])
    finite, eps = np.isfinite(expected), np.finfo(precision).eps
    error = abs(found[finite].astype(float) - expected[finite])
    scale = np.broadcast_to(scale, expected.shape)[finite]
    assert np.all(error <= units * eps * (abs(expected[finite].astype(float)) + scale))


def grid_for(f, precision, rng):
    """The grid as first argument, and as every other in some other order: all kinds of pairs meet."""
    arrays = [GRID.astype(precision)]
    arrays += [rng.permutation(arrays[0]) for _ in read(f).arrays[1:]]
    for name, array in zip(read(f).arrays, arrays, strict=True):
        if name in ("v", "square_norm"):
            np.abs(array, out=array)
    return arrays


@needs_gcc
@pytest.mark.parametrize("scalars_of", [lambda f: {}, other_scalars], ids=["defaults", "others"])
@pytest.mark.parametrize("f", OTHERS, ids=name_of)
def test_elementwise_formulas_and_update_rules(library, f, scalars_of):
    library, precision = library
    arrays, scalars = grid_for(f, precision, np.random.default_rng(1)), scalars_of(f)
    with np.errstate(invalid="ignore", over="ignore"):
        sizes = np.max([np.nan_to_num(abs(array.astype(float)), posinf=0.0) for array in arrays], axis=0)
    shapes = [arrays[0].shape] * len(read(f).results)
    found = run_c(library, f, arrays, scalars, [np.empty_like(arrays[0]) for _ in shapes])
    for result, expected in zip(found, run_numpy(f, arrays, scalars, precision, shapes), strict=True):
        assert_same(result, expected, precision, scale=1.0 + sizes)


@needs_gcc
@pytest.mark.parametrize("m", [1, 3, 17])
@pytest.mark.parametrize("f", ROW_FORMULAS, ids=name_of)
def test_row_formulas(library, f, m):
    library, precision = library
    for seed in range(5):
        arrays = arguments(f, np.random.default_rng(seed), (9, m), precision)
        for scalars in ({}, other_scalars(f)):
            shapes = [(9, 1 if level == "row" else m) for level in unroll(f, levels(f)).result_levels]
            expected = run_numpy(f, arrays, scalars, precision, shapes)
            found = run_c(library, f, arrays, scalars, [np.empty(shape, precision) for shape in shapes], m)
            for result, wanted in zip(found, expected, strict=True):
                # layer normalisation divides by a deviation, 1 / sqrt(epsilon) at most
                assert_same(result, wanted, precision, scale=np.max(abs(wanted), initial=1.0))


@needs_gcc
@pytest.mark.parametrize("spoiler", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("f", ROW_FORMULAS, ids=name_of)
def test_a_row_keeps_nan_and_infinity(library, f, spoiler):
    library, precision = library
    arrays = arguments(f, np.random.default_rng(2), (2, 5), precision)
    arrays[0][0, 3] = spoiler
    shapes = [(2, 1 if level == "row" else 5) for level in unroll(f, levels(f)).result_levels]
    found = run_c(library, f, arrays, {}, [np.empty(shape, precision) for shape in shapes], 5)
    for result, wanted in zip(found, run_numpy(f, arrays, {}, precision, shapes), strict=True):
        assert_same(result, wanted, precision)


@needs_gcc
def test_a_result_may_be_written_over_an_argument(library):
    library, precision = library
    for f in ROW_FORMULAS:
        arrays = arguments(f, np.random.default_rng(3), (4, 6), precision)
        shapes = [(4, 1 if level == "row" else 6) for level in unroll(f, levels(f)).result_levels]
        expected = run_c(library, f, arrays, {}, [np.empty(shape, precision) for shape in shapes], 6)
        over = [np.empty(shape, precision) for shape in shapes]
        for i, (array, shape) in enumerate(zip(arrays, shapes, strict=False)):
            over[i] = array if array.shape == shape else over[i]
        for result, wanted in zip(run_c(library, f, arrays, {}, over, 6), expected, strict=True):
            np.testing.assert_array_equal(result, wanted)


@needs_gcc
def test_adam_in_c_walks_with_adam_in_numpy(library):
    """A thousand steps; the scalars of each step are computed by the printed code."""
    library, precision = library
    f = next(f for f in EVERY if name_of(f) == "adam")
    rng = np.random.default_rng(4)
    ours = [rng.standard_normal(50).astype(precision), *np.zeros((2, 50), precision)]
    c = [array.copy() for array in ours]
    for step in range(1, 1001):
        g = rng.standard_normal(50).astype(precision)
        ours = f(ours[0], g, *ours[1:], step=float(step))
        run_c(library, f, [c[0], g, *c[1:]], {"step": float(step)}, c)
    assert_same(c[0], ours[0], precision, units=50)


def test_scalar_arithmetic_is_done_once_and_in_double():
    text = c_source(next(f for f in EVERY if name_of(f) == "adam"), "float")
    constants, _, element = text.partition("static inline float adam_(")
    assert constants.count("pow(") == 3
    assert "pow" not in element
    assert "double" not in element
    division = c_source(next(f for f in EVERY if name_of(f) == "gelu"), "float")
    assert division.count("/") == 0  # a product with 1 / sqrt 2, taken in double
    assert "0.70710677f" in division


def test_cuda_asks_for_device_functions():
    for f in EVERY + ODD:
        text = c_source(f, "float", levels(f), qualifier="__device__ inline ")
        assert text.count("__device__ inline ") == 1 + bool(unroll(f, levels(f)).constants)
        assert "static" not in text
    assert c_prelude("double", "__device__ inline ").count("__device__ inline double ") == 5


@pytest.mark.skipif(not shutil.which("nvcc"), reason="no nvcc on this machine")
@pytest.mark.parametrize("real", TYPES)
def test_cuda_compiles(real, tmp_path):
    source = c_prelude(real, "__device__ inline ")
    for f in EVERY + ODD:
        source += c_source(f, real, levels(f), qualifier="__device__ inline ")
        source += each_function(f, real).replace("void each", "__global__ void each", 1)
    (tmp_path / "formulas.cu").write_text(source)
    command = ["nvcc", "-cubin", "-arch=sm_90", "-Werror", "all-warnings", "formulas.cu", "-o", "formulas.cubin"]
    subprocess.run(command, cwd=tmp_path, check=True)
