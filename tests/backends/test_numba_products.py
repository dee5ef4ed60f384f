"""The products of small matrices that the numba backend does itself, beside NumPy's in double."""

import ctypes

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")
from tinynet.backends import numba_code, numba_compiler, numba_products
from tinynet.backends import numba_frame as F

TOLERANCE = {"float32": 2e-5, "float64": 1e-13}
AROUND = 7.0  # stands before and behind the result, and must stay


def call(name, dtype, arguments, fresh=1, rows=0):
    called(numba_code.address_of_template("numba_products", name, dtype), arguments, fresh, rows)


def called(address, arguments, fresh=1, rows=0):
    frame = np.zeros(F.LENGTH, np.int64)
    frame[F.FRESH], frame[F.ROWS] = fresh, rows
    numbers = np.array(arguments, np.int64)
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(address)
    function(numbers.ctypes.data, frame.ctypes.data)


def drawn(dtype, rows, inner, columns, seed):
    generator = np.random.default_rng(seed)
    left = generator.standard_normal((rows, inner)).astype(dtype)
    right = generator.standard_normal((inner, columns)).astype(dtype)
    memory = np.full(rows * columns + 32, AROUND, dtype)
    out = memory[16:-16].reshape(rows, columns)
    out[...] = generator.standard_normal(out.shape)
    return left, right, memory, out


def agrees(memory, out, expected, inner):
    dtype = out.dtype.name
    assert np.abs(out - expected).max(initial=0) <= TOLERANCE[dtype] * (1 + inner)
    assert (memory[:16] == AROUND).all()
    assert (memory[-16:] == AROUND).all()


SIZES = st.integers(0, 40)


@pytest.fixture(scope="module", params=[(32, 2), (64, 4)], ids=["16 short registers", "32 long registers"])
def registers(request):
    """The kernels for a processor with these registers; a processor with others runs them, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numba_products, "shape", lambda: request.param)
        numba_products.across.cache_clear()
        numba_products.down.cache_clear()
        key = f"product_of_{request.param}"
        code = numba_compiler.machine_code(key, "numba_products", "product", "float32")
    numba_products.across.cache_clear()
    numba_products.down.cache_clear()
    return numba_code.loaded(key, code)


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 20), st.integers(0, 9), st.integers(1, 150), st.booleans())
def test_every_tile_of_either_kind_of_processor(registers, rows, inner, columns, add):
    left, right, memory, out = drawn("float32", rows, inner, columns, rows + 21 * inner)
    expected = left.astype(np.float64) @ right + (out if add else 0)
    head = [rows, inner, columns, out.ctypes.data, columns * 4, left.ctypes.data, inner * 4, 4]
    start = (out.ctypes.data, columns * 4, 0) if add else (0, 0, 0)
    called(registers, [*head, right.ctypes.data, columns * 4, *start])
    agrees(memory, out, expected, inner)


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(("float32", "float64")), SIZES, SIZES, st.integers(1, 40), st.booleans(), st.booleans())
def test_samples_times_weights_and_sums_over_samples(dtype, rows, inner, columns, transposed, add):
    left, right, memory, out = drawn(dtype, rows, inner, columns, rows + 41 * inner)
    expected = left.astype(np.float64) @ right + (out if add else 0)
    size = out.itemsize
    stored = np.ascontiguousarray(left.T) if transposed else left
    steps = (size, rows * size) if transposed else (inner * size, size)
    head = [rows, inner, columns, out.ctypes.data, columns * size]
    start = (out.ctypes.data, columns * size, 0) if add else (0, 0, 0)
    call("product", dtype, [*head, stored.ctypes.data, *steps, right.ctypes.data, columns * size, *start])
    agrees(memory, out, expected, inner)


@settings(deadline=None, max_examples=80)
@given(st.sampled_from(("float32", "float64")), SIZES, st.integers(0, 80), st.booleans())
def test_one_column(dtype, rows, inner, add):
    left, right, memory, out = drawn(dtype, rows, inner, 1, rows + 41 * inner)
    expected = left.astype(np.float64) @ right + (out if add else 0)
    size = out.itemsize
    head = [rows, inner, 1, out.ctypes.data, size, left.ctypes.data, inner * size, size, right.ctypes.data, size]
    call("product_with_column", dtype, [*head, *((out.ctypes.data, size, 0) if add else (0, 0, 0))])
    agrees(memory, out, expected, inner)


@pytest.mark.parametrize("template", ["product", "product_with_column"])
def test_what_the_frame_says(template):
    """The rows of a block are the frame's, and sums over blocks begin anew in a fresh step."""
    left, right, memory, out = drawn("float32", 9, 5, 1, 0)
    before, product = out.copy(), left @ right
    head = [out.ctypes.data, 4, left.ctypes.data, 20, 4, right.ctypes.data, 4, out.ctypes.data, 4, 1]
    call(template, "float32", [F.FRAME_ROWS, 5, 1, *head], fresh=0, rows=7)
    agrees(memory, out, np.concatenate([before[:7] + product[:7], before[7:]]), 5)
    call(template, "float32", [F.FRAME_ROWS, 5, 1, *head], fresh=1, rows=9)
    agrees(memory, out, product, 5)


@pytest.mark.parametrize("columns", [1, 3, 8, 16])
def test_nan_and_infinity_go_through_as_in_numpy(columns):
    left, right, _, out = drawn("float32", 6, 4, columns, 1)
    left[0, 0], left[2, 1], left[3, 2] = np.nan, np.inf, 0.0
    right[2, 0] = np.inf
    with np.errstate(invalid="ignore"):
        expected = left @ right
    template = "product_with_column" if columns == 1 else "product"
    size, width = 4, 4 * columns
    head = [6, 4, columns, out.ctypes.data, width, left.ctypes.data, 16, size, right.ctypes.data, width, 0, 0, 0]
    call(template, "float32", head)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(("float32", "float64")), SIZES, SIZES, st.integers(1, 40))
def test_a_bias_is_added_to_every_row(dtype, rows, inner, columns):
    left, right, memory, out = drawn(dtype, rows, inner, columns, rows)
    bias = np.linspace(-1, 1, columns).astype(dtype)
    template = "product_with_column" if columns == 1 else "product"
    size, width = out.itemsize, columns * out.itemsize
    head = [rows, inner, columns, out.ctypes.data, width, left.ctypes.data, inner * size, size]
    call(template, dtype, [*head, right.ctypes.data, width, bias.ctypes.data, 0, 0])
    agrees(memory, out, left.astype(np.float64) @ right + bias, inner)
