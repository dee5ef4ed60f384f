"""Training by numba agrees with NumPy's, for every layer, activation, loss, optimizer and precision."""

import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("scipy")
pytest.importorskip("threadpoolctl")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paired_training import agree, last_activation

import tinynet as tn
from tinynet.activations import ACTIVATIONS
from tinynet.backends import numba_product_rows
from tinynet.formulas.formula import derivative_of
from tinynet.formulas.rows import product
from tinynet.formulas.vocabulary import exp, log1p, tanh, where
from tinynet.layers import Activation, Dense, Dropout, Embedding, LayerNormalization

LOSSES = [
    "mean_squared_error", "mean_absolute_error", "huber", "quantile", "poisson", "gamma", "binary_crossentropy",
    "categorical_crossentropy", "sparse_categorical_crossentropy",
]  # fmt: skip
OPTIMIZERS = {
    "sgd": lambda: tn.optimizers.SGD(0.05),
    "momentum": lambda: tn.optimizers.SGD(0.05, momentum=0.9),
    "nesterov": lambda: tn.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "rmsprop": lambda: tn.optimizers.RMSprop(),
    "rmsprop with momentum": lambda: tn.optimizers.RMSprop(momentum=0.9),
    "adam": lambda: tn.optimizers.Adam(0.01),
    "adamw": lambda: tn.optimizers.AdamW(0.01),
    "amsgrad": lambda: tn.optimizers.Adam(0.02, beta_2=0.7, amsgrad=True, weight_decay=0.1),
    "clipvalue": lambda: tn.optimizers.Adam(0.01, clipvalue=0.01),
    "clipnorm": lambda: tn.optimizers.SGD(0.05, clipnorm=0.1),
    "global_clipnorm": lambda: tn.optimizers.SGD(0.05, global_clipnorm=0.1),
}
precisions = pytest.mark.parametrize("dtype", ["float32", "float64"])


@precisions
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation(activation, threads, dtype):
    agree(lambda: [Dense(9, activation), Dense(4, activation), Dense(2)], 5, dtype=dtype, threads=threads)


@precisions
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss(loss, dtype):
    agree(lambda: [Dense(7, "tanh"), Dense(3, last_activation(loss))], 5, loss=loss, dtype=dtype)


@precisions
@pytest.mark.parametrize("loss", LOSSES[-3:])
def test_every_loss_of_probabilities_without_fusion(loss, dtype):
    """A layer behind the last activation keeps the loss from being taken on logits."""
    agree(lambda: [Dense(3, last_activation(loss)), Dropout(0.0)], 5, loss=loss, dtype=dtype)


@precisions
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer(optimizer, threads, dtype):
    agree(lambda: [Dense(7, "tanh"), Dense(2)], 5, OPTIMIZERS[optimizer], dtype=dtype, threads=threads)


@pytest.mark.nightly
@precisions
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_with_every_loss_and_optimizer(activation, loss, dtype):
    for optimizer in OPTIMIZERS.values():
        agree(
            lambda: [Dense(6, activation), LayerNormalization(), Dropout(0.2), Dense(3, last_activation(loss))],
            5, optimizer, loss, dtype,
        )  # fmt: skip


def codes_and_numbers(rng, rows):
    return np.column_stack([rng.integers(0, 4, rows), rng.standard_normal(rows), rng.integers(0, 3, rows)])


@precisions
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_layer_together(threads, dtype):
    def layers():
        return [
            Embedding([0, 2], [4, 3], [3, 2]), Dense(8, "gelu", use_bias=False, kernel_regularizer="l1_l2"),
            Dropout(0.3), LayerNormalization(), Activation("silu"), Dense(6, bias_regularizer="l2"),
            Activation("softmax"), Dense(2),
        ]  # fmt: skip

    agree(layers, 3, OPTIMIZERS["global_clipnorm"], dtype=dtype, threads=threads, x=codes_and_numbers)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("threads", [1, 2])
def test_products_by_blas(threads, dtype, monkeypatch):
    """What is too large for the products of this backend's own goes to BLAS; here everything is."""

    asked = []
    real = numba_product_rows.gemm_address
    monkeypatch.setattr(numba_product_rows, "LARGEST", 0)
    monkeypatch.setattr(numba_product_rows, "gemm_address", lambda dtype: asked.append(dtype) or real(dtype))
    agree(lambda: [Dense(7, "relu"), LayerNormalization(), Dense(5, "tanh"), Dense(1)], 4, threads=threads, dtype=dtype)
    agree(lambda: [Dense(20, "silu"), Dropout(0.3), Dense(2)], 3, threads=threads, dtype=dtype, rows=50, batch=50)
    assert set(asked) == {dtype}


def test_dropout_drops_the_same_elements_in_any_slice_of_a_batch():
    agree(lambda: [Dropout(0.5), Dense(5, "relu"), Dropout(0.2), Dense(1)], 4, threads=3, rows=101, batch=50, seed=7)


@pytest.mark.parametrize(("rows", "batch"), [(1, 1), (2, 32), (33, 32), (64, 32), (5, 2)])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_ragged_last_batches_and_threads_without_rows(threads, rows, batch):
    agree(lambda: [Dense(5, "tanh"), LayerNormalization(), Dense(1)], 3, threads=threads, rows=rows, batch=batch)


def test_blocks_of_rows_add_up():
    """More rows a thread than one block takes."""
    agree(lambda: [Dense(16, "tanh"), Dense(1)], 8, threads=2, rows=2500, batch=2000)


def layer_of(width):
    return st.one_of(
        st.builds(
            lambda f, bias, penalty: lambda: Dense(width, f, use_bias=bias, kernel_regularizer=penalty),
            st.sampled_from(sorted(ACTIVATIONS)), st.booleans(), st.sampled_from([None, "l1", "l2"]),
        ),
        st.builds(lambda f: lambda: Activation(f), st.sampled_from(["tanh", "elu", "softmax"])),
        st.just(lambda: Dropout(0.25)),
        st.just(lambda: LayerNormalization()),
    )  # fmt: skip


@given(
    layers=st.lists(st.integers(1, 12).flatmap(layer_of), max_size=4), loss=st.sampled_from(LOSSES),
    optimizer=st.sampled_from(sorted(OPTIMIZERS)), dtype=st.sampled_from(["float32", "float64"]),
    threads=st.integers(1, 3), outputs=st.integers(1, 4), columns=st.integers(1, 6), seed=st.integers(0, 2**20),
)  # fmt: skip
@settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
def test_drawn_networks(layers, loss, optimizer, dtype, threads, outputs, columns, seed):
    agree(
        lambda: [*(make() for make in layers), Dense(outputs, last_activation(loss))],
        columns, OPTIMIZERS[optimizer], loss, dtype, threads, seed,
    )  # fmt: skip


def mish(z):
    return z * tanh(log1p(exp(z)))


@derivative_of(mish)
def mish_derivative(z, a):
    w = tanh(log1p(exp(z)))
    return w + z * (1.0 - w**2) / (1.0 + exp(-z))


def pinball(y, t, *, below=0.8):
    return where(t > y, below * (t - y), (1.0 - below) * (y - t))


@derivative_of(pinball)
def pinball_derivative(y, t, *, below=0.8):
    return where(t > y, -below, 1.0 - below)


class Scale(tn.layers.Layer):
    """a = x s, one s for each column."""

    def parameters(self, n_in):
        return {"s": tn.layers.Parameter((n_in,), tn.initializers.Ones())}

    def forward_arrays(self, n_in):
        return {"a": n_in}

    def backward_arrays(self, n_in):
        return {"da_x": n_in}

    def forward(self, ops, m, x, training):
        ops.apply(tn.Formula(product), [x, m.s], [m.a])
        return m.a

    def backward(self, ops, m, x, da):
        ops.apply(tn.Formula(product), [da, x], [m.da_x])
        ops.column_sum(m.da_x, m.ds)
        if m.dx is not None:
            ops.apply(tn.Formula(product), [da, m.s], [m.dx])
        return m.dx


@precisions
def test_an_activation_a_loss_and_a_layer_of_ones_own(dtype):
    loss = tn.losses.Loss(tn.Formula(pinball, below=0.7))
    agree(lambda: [Dense(6, mish), Scale(), Dense(2)], 4, loss=loss, dtype=dtype)
