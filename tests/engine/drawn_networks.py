"""Hypothesis strategies for whole networks: any layers in any order, with data and a loss that fit them."""

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

import tinynet as tn
from tinynet.activations import ACTIVATIONS

# loss -> the activations its network may end in
ENDS = {
    "mean_squared_error": tuple(ACTIVATIONS),
    "mean_absolute_error": tuple(ACTIVATIONS),
    "huber": tuple(ACTIVATIONS),
    "quantile": tuple(ACTIVATIONS),
    "poisson": ("softplus", "sigmoid", "softmax"),
    "gamma": ("linear", "tanh", "softplus", "elu"),
    "binary_crossentropy": ("sigmoid", "softmax", "from logits"),
    "categorical_crossentropy": ("softmax", "sigmoid", "softplus", "from logits"),
    "sparse_categorical_crossentropy": ("softmax", "sigmoid", "softplus", "from logits"),
}
OPTIONS = {"huber": {"delta": 0.7}, "quantile": {"q": 0.2}}
PENALTIES = (None, None, None, "l1", "l2", "l1_l2", {"l1": 0.1, "l2": 0.3})


class Drawn(NamedTuple):
    """A compiled model and data for it."""

    model: tn.Sequential
    x: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None


def targets(loss, end, rows, outputs, generator):
    """Targets that the loss can have; probabilities as often as plain classes."""
    if loss == "sparse_categorical_crossentropy":
        return generator.integers(outputs, size=rows)
    if loss == "categorical_crossentropy":
        return generator.dirichlet(np.ones(outputs), rows)
    if loss == "binary_crossentropy":
        return generator.uniform(0, 1, (rows, outputs)).round(generator.integers(2))
    if loss in ("poisson", "gamma"):
        return generator.integers(4, size=(rows, outputs)).astype(float)
    return generator.standard_normal((rows, outputs))


@st.composite
def hidden_layers(draw, depth):
    """Dense layers, with any of the other layers between them."""
    widths, names = st.integers(1, 7), st.sampled_from(tuple(ACTIVATIONS))
    layers = []
    for _ in range(depth):
        if draw(st.booleans()):
            layers.append(tn.layers.Dense(draw(widths), draw(names), draw(st.booleans()),
                                          kernel_regularizer=draw(st.sampled_from(PENALTIES)),
                                          bias_initializer="normal"))  # fmt: skip
        else:
            layers += [tn.layers.Dense(draw(widths)), tn.layers.Activation(draw(names))]
        if draw(st.integers(0, 2)) == 0:
            layers.append(tn.layers.LayerNormalization(gamma_initializer=tn.initializers.RandomUniform(0.5, 1.5)))
        if draw(st.integers(0, 2)) == 0:
            layers.append(tn.layers.Dropout(draw(st.sampled_from([0.0, 0.1, 0.5]))))
    return layers


@st.composite
def networks(draw, dtype="float64", losses=tuple(ENDS), optimizer="sgd"):
    """One to four Dense layers and what may stand between them, a loss that fits, and rows of data."""
    loss = draw(st.sampled_from(losses))
    end = draw(st.sampled_from(ENDS[loss]))
    rows, columns, seed = draw(st.integers(1, 8)), draw(st.integers(1, 5)), draw(st.integers(0, 2**32))
    outputs = draw(st.integers(1, 4))
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((rows, columns))
    layers = draw(hidden_layers(draw(st.integers(0, 3))))
    if draw(st.integers(0, 3)) == 0:
        codes = draw(st.lists(st.integers(0, columns - 1), min_size=1, max_size=2, unique=True))
        counts = [draw(st.integers(1, 4)) for _ in codes]
        x[:, codes] = generator.integers(counts, size=(rows, len(codes)))
        layers.insert(0, tn.layers.Embedding(codes, counts, draw(st.integers(1, 3)), "random_normal"))
    last = "linear" if end == "from logits" else end
    if draw(st.booleans()):
        layers.append(tn.layers.Dense(outputs, last, draw(st.booleans())))
    else:
        layers += [tn.layers.Dense(outputs), tn.layers.Activation(last)]
    tn.set_random_seed(seed)
    model = tn.Sequential(layers, dtype=dtype)
    options = {"from_logits": True} if end == "from logits" else OPTIONS.get(loss, {})
    model.compile(optimizer, {"name": loss, **options})
    weights = generator.uniform(0, 2, rows) * (generator.random(rows) > 0.2) if draw(st.booleans()) else None
    return Drawn(model, x, targets(loss, end, rows, outputs, generator), weights)
