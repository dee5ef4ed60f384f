"""The operations that layers use, against plain definitions: loops over elements, summed exactly."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynet.activations import ACTIVATIONS
from tinynet.formulas.formula import Formula
from tinynet.formulas.rows import layer_normalization, product
from tinynet.operations import Operations

ops = Operations()
sizes = st.integers(1, 7)
precisions = st.sampled_from([np.float32, np.float64])
seeds = st.integers(0, 2**32)
few = settings(max_examples=30, deadline=None, derandomize=True, database=None)

TEXTBOOK = {  # each activation of one number, as textbooks write it
    "linear": lambda z: z,
    "relu": lambda z: z if z > 0 else 0.0,
    "leaky_relu": lambda z: z if z > 0 else 0.2 * z,
    "elu": lambda z: z if z > 0 else math.exp(z) - 1,
    "gelu": lambda z: z * 0.5 * math.erfc(-z / math.sqrt(2)),
    "silu": lambda z: z / (1 + math.exp(-z)),
    "tanh": lambda z: (math.exp(z) - math.exp(-z)) / (math.exp(z) + math.exp(-z)),
    "sigmoid": lambda z: math.exp(z) / (1 + math.exp(z)),
    "softplus": lambda z: math.log(1 + math.exp(z)),
}


def drawn(seed, *shape, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def close(found, expected, scale=1.0):
    """Within a few roundings of numbers about as large as `scale`."""
    tolerance = 64 * float(np.finfo(found.dtype).eps) * max(1.0, scale)
    np.testing.assert_allclose(found, np.array(expected, np.float64).reshape(found.shape), tolerance, tolerance)


def softmax_of_row(row):
    exponentials = [math.exp(z) for z in row]
    return [e / math.fsum(exponentials) for e in exponentials]


@given(sizes, sizes, sizes, seeds, precisions)
@few
def test_gather_copies_the_rows_named(rows, n, m, seed, dtype):
    source = drawn(seed, rows, m, dtype=dtype)
    order = np.random.default_rng(seed).integers(rows, size=n)
    out = np.empty((n, m), dtype)
    ops.gather(source, order, out)
    assert [list(row) for row in out] == [list(source[i]) for i in order]


@given(sizes, sizes, sizes, st.booleans(), st.booleans(), st.booleans(), seeds, precisions)
@few
def test_gemm_is_the_sum_of_products(n, k, m, trans_a, trans_b, accumulate, seed, dtype):
    a = drawn(seed, *((k, n) if trans_a else (n, k)), dtype=dtype)
    b = drawn(seed + 1, *((m, k) if trans_b else (k, m)), dtype=dtype)
    out = drawn(seed + 2, n, m, dtype=dtype)
    before = out.copy()
    ops.gemm(a, b, out, trans_a, trans_b, accumulate)
    for i, j in np.ndindex(n, m):
        terms = [float(a[q, i] if trans_a else a[i, q]) * float(b[j, q] if trans_b else b[q, j]) for q in range(k)]
        expected = math.fsum(terms) + (float(before[i, j]) if accumulate else 0.0)
        assert abs(out[i, j] - expected) <= 16 * np.finfo(dtype).eps * (1 + math.fsum(map(abs, terms)))


def test_gemm_replaces_what_was_there_even_if_it_was_nan():
    out = np.full((2, 2), np.nan)
    ops.gemm(np.eye(2), np.ones((2, 2)), out)
    assert (out == 1).all()


@pytest.mark.parametrize("name", TEXTBOOK)
@given(n=sizes, m=sizes, seed=seeds, dtype=precisions)
@few
def test_bias_activation_adds_b_to_every_row_and_applies_f(name, n, m, seed, dtype):
    z, b = drawn(seed, n, m, dtype=dtype), drawn(seed + 1, m, dtype=dtype)
    a, before = np.full((n, m), np.nan, dtype), z.copy()
    ops.bias_activation(z, b, Formula(ACTIVATIONS[name]), a)
    for i, j in np.ndindex(n, m):
        assert z[i, j] == before[i, j] + b[j]
    close(a, [TEXTBOOK[name](float(value)) for value in z.ravel()], 8.0)


@given(sizes, sizes, seeds, precisions)
@few
def test_softmax_of_a_row_through_bias_activation(n, m, seed, dtype):
    z, a = drawn(seed, n, m, dtype=dtype), np.empty((n, m), dtype)
    ops.bias_activation(z, np.zeros(m, dtype), Formula(ACTIVATIONS["softmax"]), a)
    close(a, [softmax_of_row(row.tolist()) for row in z])


def test_every_activation_has_a_textbook_form_here():
    assert set(TEXTBOOK) | {"softmax"} == set(ACTIVATIONS)


@pytest.mark.parametrize("name", TEXTBOOK)
@given(n=sizes, m=sizes, seed=seeds, dtype=precisions)
@few
def test_activation_grad_is_da_times_the_slope(name, n, m, seed, dtype):
    f = Formula(ACTIVATIONS[name])
    z = drawn(seed, n, m, dtype=dtype)
    z = np.where(np.abs(z) < 0.01, 0.5, z).astype(dtype)  # off the kinks
    da, dz = drawn(seed + 1, n, m, dtype=dtype), np.full((n, m), np.nan, dtype)
    ops.activation_grad(da, z, f(z).astype(dtype), f, dz)
    h = 1e-3

    def slope(x):
        near, far = (TEXTBOOK[name](x + s * h) - TEXTBOOK[name](x - s * h) for s in (1, 2))
        return (8 * near - far) / (12 * h)

    expected = [float(d) * slope(float(x)) for d, x in zip(da.ravel(), z.ravel(), strict=True)]
    np.testing.assert_allclose(dz.ravel(), expected, rtol=1e-5, atol=2e-6 if dtype is np.float32 else 1e-10)


@given(sizes, sizes, seeds, precisions)
@few
def test_activation_grad_of_softmax_is_its_whole_jacobian(n, m, seed, dtype):
    f, z, da = Formula(ACTIVATIONS["softmax"]), drawn(seed, n, m, dtype=dtype), drawn(seed + 1, n, m, dtype=dtype)
    dz = np.full((n, m), np.nan, dtype)
    ops.activation_grad(da, z, f(z), f, dz)
    for i in range(n):
        a = np.array(softmax_of_row(z[i].tolist()))
        jacobian = np.diag(a) - np.outer(a, a)
        np.testing.assert_allclose(dz[i], jacobian @ da[i].astype(float), atol=64 * np.finfo(dtype).eps)


def test_activation_grad_refuses_a_formula_without_derivative_by_name():
    def bent(z):
        return z * 2.0

    x = np.ones((1, 1))
    with pytest.raises(TypeError, match=r"bent.*derivative_of\(bent\)"):
        ops.activation_grad(x, x, x, Formula(bent), x)


@given(sizes, sizes, seeds, precisions)
@few
def test_apply_takes_rows_and_columns_and_several_results(n, m, seed, dtype):
    x, gamma, beta = (drawn(seed + i, *s, dtype=dtype) for i, s in enumerate([(n, m), (m,), (m,)]))
    a = np.empty((n, m), dtype)
    ops.apply(Formula(layer_normalization), [x, gamma, beta], [a])
    for i in range(n):
        row = [float(value) for value in x[i]]
        mean = math.fsum(row) / m
        deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in row) / m + 1e-3)
        expected = [(row[j] - mean) / deviation * float(gamma[j]) + float(beta[j]) for j in range(m)]
        close(a[i], expected, 40.0)

    da, dx, da_x_hat = drawn(seed + 3, n, m, dtype=dtype), np.empty((n, m), dtype), np.empty((n, m), dtype)
    gradient = Formula(layer_normalization).gradient
    alone = gradient(da, x, gamma)
    ops.apply(gradient, [da, x, gamma], [dx, da_x_hat])
    assert np.array_equal(dx, alone[0])
    assert np.array_equal(da_x_hat, alone[1])


def test_apply_refuses_a_wrong_number_of_results():
    with pytest.raises(ValueError, match="argument"):
        ops.apply(Formula(product), [np.ones((2, 2)), np.ones((2, 2))], [np.empty((2, 2)), np.empty((2, 2))])


@given(sizes, sizes, seeds, precisions)
@few
def test_column_sum(n, m, seed, dtype):
    d, out = drawn(seed, n, m, dtype=dtype), np.full(m, np.nan, dtype)
    ops.column_sum(d, out)
    close(out, [math.fsum(float(value) for value in d[:, j]) for j in range(m)], 20.0)


@given(sizes, sizes, sizes, st.integers(1, 3), seeds, precisions)
@few
def test_embed_puts_numbers_first_then_each_code_s_row(n, codes, width, others, seed, dtype):
    generator = np.random.default_rng(seed)
    k = others + 2
    columns = [int(c) for c in generator.permutation(k)[:2]]
    left = [c for c in range(k) if c not in columns]
    x = generator.standard_normal((n, k)).astype(dtype)
    x[:, columns] = generator.integers(codes, size=(n, 2))
    tables = [drawn(seed + 1, codes, width, dtype=dtype), drawn(seed + 2, codes, width + 1, dtype=dtype)]
    out = np.full((n, len(left) + 2 * width + 1), np.nan, dtype)
    ops.embed(x, tables, columns, left, out)
    for i in range(n):
        expected = [x[i, c] for c in left]
        for table, column in zip(tables, columns, strict=True):
            expected += list(table[int(x[i, column])])
        assert list(out[i]) == expected

    da, dx = drawn(seed + 3, *out.shape), np.full(x.shape, np.nan)
    dtables = [np.full(table.shape, np.nan) for table in tables]
    ops.embed_grad(x, da, columns, left, dtables, dx)
    for column, start, dtable in zip(columns, (len(left), len(left) + width), dtables, strict=True):
        for code, j in np.ndindex(*dtable.shape):
            named = math.fsum(da[i, start + j] for i in range(n) if x[i, column] == code)
            assert abs(dtable[code, j] - named) <= 1e-14 * (1 + np.abs(da).sum())
    assert np.array_equal(dx[:, left], da[:, : len(left)])
    assert (dx[:, columns] == 0).all()
    ops.embed_grad(x, da, columns, left, dtables, None)  # nobody asks for dx


@pytest.mark.parametrize("name", [*ACTIVATIONS])
def test_results_may_lie_over_arguments(name):
    """Elementwise, and whole rows too: what is read is read before the first element is written."""
    f, z, da, b = Formula(ACTIVATIONS[name]), drawn(0, 5, 3), drawn(1, 5, 3), drawn(2, 3)
    apart_z, apart = z.copy(), np.empty((5, 3))
    ops.bias_activation(apart_z, b, f, apart)
    over = z.copy()
    ops.bias_activation(over, b, f, over)
    assert np.array_equal(over, apart)

    dz, over_da, over_z, over_a = np.empty((5, 3)), da.copy(), apart_z.copy(), apart.copy()
    ops.activation_grad(da, apart_z, apart, f, dz)
    ops.activation_grad(over_da, apart_z, apart, f, over_da)
    ops.activation_grad(da, over_z, apart, f, over_z)
    ops.activation_grad(da, apart_z, over_a, f, over_a)
    for result in (over_da, over_z, over_a):
        assert np.array_equal(result, dz)

    rows = apart.copy()
    ops.apply(f, [rows], [rows])
    assert np.array_equal(rows, f(apart))


@pytest.mark.parametrize("name", [*ACTIVATIONS])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_goes_through_every_activation(name, dtype):
    z = np.array([[0.5, np.nan, -1.0]], dtype)
    a, dz = np.zeros((1, 3), dtype), np.zeros((1, 3), dtype)
    f = Formula(ACTIVATIONS[name])
    ops.bias_activation(z, np.zeros(3, dtype), f, a)
    assert np.isnan(a[0, 1])
    ops.activation_grad(np.full((1, 3), np.nan, dtype), np.ones((1, 3), dtype), f(np.ones((1, 3), dtype)), f, dz)
    assert np.isnan(dz).all()
