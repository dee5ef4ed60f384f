"""Networks that together go through every kernel: each layer, activation, loss, optimizer, clipping and odd shape."""

import numpy as np
from paired_devices import Case
from paired_training import last_activation

import tinynet as tn
from tinynet.activations import ACTIVATIONS
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
    "clipvalue": lambda: tn.optimizers.Adam(0.01, clipvalue=0.01),
    "clipnorm": lambda: tn.optimizers.SGD(0.05, clipnorm=0.1),
    "global_clipnorm": lambda: tn.optimizers.SGD(0.05, global_clipnorm=0.1),
    "a schedule": lambda: tn.optimizers.Adam(tn.schedules.CosineDecay(0.02, 15)),
}


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


def codes_and_numbers(rng, rows):
    return np.column_stack([rng.integers(0, 4, rows), rng.standard_normal(rows), rng.integers(0, 3, rows)])


def everything():
    return [
        Embedding([0, 2], [4, 3], [3, 2]), Dense(8, "gelu", use_bias=False, kernel_regularizer="l1_l2"), Dropout(0.3),
        LayerNormalization(), Activation("silu"), Dense(6, bias_regularizer="l2"), Activation("softmax"), Dense(2),
    ]  # fmt: skip


def cases(dtype):
    """name -> case."""
    found = {}
    for f in ACTIVATIONS:
        found[f"activation {f}"] = Case(lambda f=f: [Dense(9, f), Dense(4, f), Dense(2)], 5, dtype=dtype)
    for loss in LOSSES:
        last = last_activation(loss)
        found[f"loss {loss}"] = Case(lambda last=last: [Dense(7, "tanh"), Dense(3, last)], 5, loss=loss, dtype=dtype)
    for loss in LOSSES[-3:]:
        last = last_activation(loss)
        found[f"{loss} not fused"] = Case(lambda last=last: [Dense(3, last), Dropout(0.0)], 5, loss=loss, dtype=dtype)
    for name, optimizer in OPTIMIZERS.items():
        found[f"optimizer {name}"] = Case(lambda: [Dense(7, "tanh"), Dense(2)], 5, optimizer, dtype=dtype)
    clipped = OPTIMIZERS["global_clipnorm"]
    found["every layer"] = Case(everything, 3, clipped, dtype=dtype, x=codes_and_numbers)
    found["dropout twice"] = Case(
        lambda: [Dropout(0.5), Dense(5, "relu"), Dropout(0.2), Dense(1)], 4, rows=101, batch=50, seed=7, dtype=dtype
    )
    found["own things"] = Case(
        lambda: [Dense(6, mish), Scale(), Dense(2)], 4, loss=tn.losses.Loss(tn.Formula(pinball, below=0.7)), dtype=dtype
    )
    for rows, batch in [(1, 1), (2, 32), (33, 32), (64, 32), (5, 2)]:
        found[f"{rows} rows by {batch}"] = Case(
            lambda: [Dense(5, "tanh"), LayerNormalization(), Dense(1)], 3, rows=rows, batch=batch, dtype=dtype
        )
    # more than one block: of elements, of rows with 256 threads, of parts of a sum over samples
    found["wide"] = Case(
        lambda: [LayerNormalization(), Dense(200, "softmax"), Dense(150, "softmax")], 40, rows=70, batch=64, epochs=2,
        loss="categorical_crossentropy", dtype=dtype,
    )  # fmt: skip
    found["tall"] = Case(
        lambda: [Dense(40, "tanh", kernel_regularizer="l2"), LayerNormalization(), Dense(33)], 35, clipped,
        rows=1700, batch=1100, epochs=2, dtype=dtype,
    )  # fmt: skip
    return found
