"""Layers: every gradient against differences, widths, and what else their docstrings promise."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinynet as tn
from tinynet.activations import ACTIVATIONS
from tinynet.formulas.formula import derivative_of
from tinynet.formulas.vocabulary import tanh
from tinynet.layers import LAYERS
from tinynet.network import Network, Workspace
from tinynet.operations import Operations

AIM = 1e-9
few = settings(max_examples=6, deadline=None, derandomize=True, database=None)
widths = st.integers(1, 6)
seeds = st.integers(0, 2**32)

GIVEN = [*ACTIVATIONS, {"name": "elu", "alpha": 0.3}, {"name": "leaky_relu", "negative_slope": 0.01}]
given_name = lambda given: given if isinstance(given, str) else f"{given['name']} otherwise"  # noqa: E731


@pytest.mark.parametrize("activation", GIVEN, ids=given_name)
@pytest.mark.parametrize("use_bias", [True, False], ids=["with bias", "without bias"])
@given(n_in=widths, units=widths, rows=widths, seed=seeds)
@few
def test_dense_gradients(activation, use_bias, n_in, units, rows, seed):
    layer = tn.layers.Dense(units, activation, use_bias)
    report = tn.check_layer(layer, n_in, rows, tolerance=AIM, seed=seed)
    assert [check.tensor for check in report.checks] == (["W", "b", "x"] if use_bias else ["W", "x"])
    assert all(check.compared + check.at_kinks == size for check, size in zip(
        report.checks, [n_in * units, *([units] if use_bias else []), rows * n_in], strict=True
    ))  # fmt: skip


@pytest.mark.parametrize("activation", GIVEN, ids=given_name)
@given(n_in=widths, rows=widths, seed=seeds)
@few
def test_activation_gradients(activation, n_in, rows, seed):
    tn.check_layer(tn.layers.Activation(activation), n_in, rows, tolerance=AIM, seed=seed)


@given(st.floats(0, 0.95), widths, widths, seeds)
@few
def test_dropout_gradients(rate, n_in, rows, seed):
    tn.check_layer(tn.layers.Dropout(rate), n_in, rows, tolerance=AIM, seed=seed)


@given(st.floats(1e-3, 1.0), st.integers(1, 8), widths, seeds)
@few
def test_layer_normalization_gradients(epsilon, n_in, rows, seed):
    report = tn.check_layer(tn.layers.LayerNormalization(epsilon), n_in, rows, tolerance=1e-7, seed=seed)
    assert [check.tensor for check in report.checks] == ["gamma", "beta", "x"]


@given(st.integers(1, 5), widths, st.integers(2, 4), st.integers(1, 8), seeds, st.data())
@few
def test_embedding_gradients(codes, output, n_in, rows, seed, data):
    columns = data.draw(st.lists(st.integers(0, n_in - 1), min_size=1, unique=True))
    layer = tn.layers.Embedding(columns, codes, output)
    report = tn.check_layer(layer, n_in, rows, tolerance=AIM, seed=seed)
    assert [check.tensor for check in report.checks] == [f"E{i + 1}" for i in range(len(columns))] + ["x"]
    assert report.checks[-1].compared == rows * (n_in - len(columns))  # codes cannot change a little


@pytest.mark.parametrize("kind", ["l1", "l2", "l1_l2", {"l1": 0.3, "l2": 0.1}], ids=str)
@pytest.mark.parametrize("where", ["kernel_regularizer", "bias_regularizer"])
def test_penalties_are_part_of_the_loss_and_of_its_gradient(kind, where):
    tn.set_random_seed(1)
    layers = [
        tn.layers.Dense(4, "tanh", bias_initializer="normal", **{where: kind}, input_shape=[3]),
        tn.layers.Dense(2, bias_initializer="normal", **{where: kind}),
    ]
    model = tn.Sequential(layers, dtype="float64")
    model.compile("sgd", "mse")
    generator = np.random.default_rng(0)
    x, t = generator.standard_normal((5, 3)), generator.standard_normal((5, 2))
    tn.gradcheck(model, x, t, tolerance=AIM)
    penalised = model.get_weights()[0 if where[0] == "k" else 1 :: 2]
    factors = {"l1": (0.01, 0), "l2": (0, 0.01), "l1_l2": (0.01, 0.01)}.get(str(kind), (0.3, 0.1))
    penalty = sum(factors[0] * np.abs(p).sum() + factors[1] * (p * p).sum() for p in penalised)
    error = np.mean((model.predict(x) - t) ** 2)
    assert model.evaluate(x, t, batch_size=2) == pytest.approx(error + penalty, rel=1e-12)  # once, not once a batch


# ------------------------------------------------------------------------------------------- shapes and meaning


@given(n_in=widths, units=widths, rows=widths)
@few
def test_widths(n_in, units, rows):
    outputs = {
        tn.layers.Dense(units): units,
        tn.layers.Activation("relu"): n_in,
        tn.layers.Dropout(0.5): n_in,
        tn.layers.LayerNormalization(): n_in,
        tn.layers.Embedding(0, 3, units): n_in - 1 + units,
    }
    assert {type(layer) for layer in outputs} == set(LAYERS.values())
    for layer, width in outputs.items():
        network = Network([layer], n_in, np.float32)
        assert network.widths == [n_in, width]
        x = np.zeros((rows, n_in), np.float32)
        for training in (True, False):
            y = network.forward(Operations(), Workspace(network, rows, training), x, training)
            assert y.shape == (rows, width)
            assert y.dtype == np.float32


@pytest.mark.parametrize("units", [0, -1, 2.5, True, "3"])
def test_units_that_are_none_are_refused(units):
    with pytest.raises(ValueError, match="units is a whole number of at least 1"):
        tn.layers.Dense(units)


@pytest.mark.parametrize("make", [
    lambda: tn.layers.Dense(5, "gelu"), lambda: tn.layers.Dense(5, "softmax"), tn.layers.LayerNormalization,
    lambda: tn.layers.Embedding([0, 2], [3, 3], [2, 4]),
], ids=["Dense", "Dense softmax", "LayerNormalization", "Embedding"])  # fmt: skip
def test_rows_do_not_see_each_other(make):
    """The output of some rows is that part of the output of all: nothing leaks from sample to sample."""
    generator = np.random.default_rng(0)
    network = Network([make()], 4, np.float64, generator)
    x = generator.integers(3, size=(20, 4)).astype(float)
    whole = network.forward(Operations(), Workspace(network, 20, False), x, False)
    for rows in (slice(0, 1), slice(3, 11)):
        part = network.forward(Operations(), Workspace(network, len(x[rows]), False), x[rows], False)
        np.testing.assert_allclose(part, whole[rows], rtol=1e-14)


@given(st.integers(2, 9), widths, st.floats(-5, 5), st.floats(0.5, 5), seeds)
@few
def test_layer_normalization_forgets_a_row_s_mean_and_size(n_in, rows, shift, scale, seed):
    network = Network([tn.layers.LayerNormalization(epsilon=0.0)], n_in, np.float64, np.random.default_rng(0))
    x = np.random.default_rng(seed).standard_normal((rows, n_in))
    a, other = (
        network.forward(Operations(), Workspace(network, rows, False), given, False).copy()
        for given in (x, scale * x + shift)
    )
    np.testing.assert_allclose(a.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose((a**2).mean(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(other, a, rtol=1e-8, atol=1e-8)


CONFIGURED = [
    tn.layers.Dense(3),
    tn.layers.Dense(
        4, {"name": "elu", "alpha": 0.5}, False, "he_normal", kernel_regularizer=tn.regularizers.L1L2(0.1, 0.2)
    ),
    tn.layers.Dense(2, "gelu", True, "lecun_uniform", tn.initializers.Constant(0.5), bias_regularizer="l1"),
    tn.layers.Activation({"name": "leaky_relu", "negative_slope": 0.05}),
    tn.layers.Dropout(0.35),
    tn.layers.LayerNormalization(0.02, "normal", "he_uniform"),
    tn.layers.Embedding([2, 0], [3, 5], [2, 4], tn.initializers.RandomNormal(0.1, 0.2)),
]


@pytest.mark.parametrize("layer", CONFIGURED, ids=lambda layer: type(layer).__name__)
def test_a_layer_comes_back_from_its_configuration_as_plain_json(layer):
    again = type(layer).from_config(json.loads(json.dumps(layer.config())), {})
    assert again.config() == layer.config()
    programs, weights = [], []
    for one in (layer, again):
        tn.set_random_seed(9)
        model = tn.Sequential([one, tn.layers.Dense(1)])
        model.build([4])
        model.compile("adam", "mse")
        programs.append(str(model.program()))
        weights.append(model.get_weights())
    assert programs[0] == programs[1]
    assert all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))


# ---------------------------------------------------------------------------------------------- of one's own


def bent(z, *, much=0.3):
    """z + much tanh z: an activation of one's own."""
    return z + much * tanh(z)


@derivative_of(bent)
def bent_derivative(z, a, *, much=0.3):
    return 1.0 + much * (1.0 - tanh(z) ** 2)


def test_an_activation_of_one_s_own_in_every_place():
    for layer in (tn.layers.Dense(3, bent), tn.layers.Activation(tn.Formula(bent, much=2.0))):
        tn.check_layer(layer, 4, tolerance=AIM)
    config = tn.layers.Dense(3, tn.Formula(bent, much=2.0)).config()
    assert tn.layers.Dense.from_config(config, {"bent": bent}).activation == tn.Formula(bent, much=2.0)
    with pytest.raises(ValueError, match="no activation named 'bent'"):
        tn.layers.Dense.from_config(config, {})


class Own(tn.layers.Layer):
    """A layer of one's own whose arrays have the names given."""

    def __init__(self, *names, parameter="p"):
        super().__init__()
        self.names, self.parameter = names, parameter

    def parameters(self, n_in):
        return {self.parameter: tn.layers.Parameter((n_in,), tn.initializers.Ones())}

    def forward_arrays(self, n_in):
        return dict.fromkeys(self.names, n_in)

    def forward(self, ops, m, x, training):
        return x

    def backward(self, ops, m, x, da):
        return da


CLASHES = {
    "parameter": [Own("p")],
    "gradient": [Own("dp")],
    "step": [Own("step")],
    "index": [Own("index")],
    "dx": [Own(parameter="x")],
    "gradient that the next layer leaves": [Own("da"), tn.layers.Dense(1)],
}


@pytest.mark.parametrize("layers", CLASHES.values(), ids=CLASHES)
def test_two_arrays_of_one_name_are_refused(layers):
    with pytest.raises(ValueError, match="another name"):
        Workspace(Network(layers, 3, np.float32), 4, True)


def test_names_that_end_in_a_number_are_told_apart():
    network = Network([Own("z1"), *(tn.layers.Dense(1) for _ in range(11))], 3, np.float32)
    assert {"z1_1", "z2", "z11", "z12"} <= set(Workspace(network, 4, True).batch_arrays)
