"""What is recorded is what is run: replaying a program is bit-identical to direct execution."""

import numpy as np
import pytest
from drawn_networks import ENDS, networks, targets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from programs_beside_direct import assert_replay_is_direct, same_bits

import tinynet as tn
from tinynet.activations import ACTIVATIONS
from tinynet.costs import reads
from tinynet.layers import LAYERS
from tinynet.losses import LOSSES
from tinynet.network import Workspace
from tinynet.operations import Operations
from tinynet.optimizers import OPTIMIZERS
from tinynet.program import Replay, record_prediction

ROWS, OUTPUTS = 6, 3
HIDDEN = {
    "Dense": lambda: tn.layers.Dense(4, "gelu", kernel_regularizer="l1_l2", bias_regularizer="l2"),
    "Dense without bias": lambda: tn.layers.Dense(4, "softmax", use_bias=False),
    "Activation": lambda: tn.layers.Activation("silu"),
    "Dropout": lambda: tn.layers.Dropout(0.4),
    "LayerNormalization": tn.layers.LayerNormalization,
    "Embedding": lambda: tn.layers.Embedding([0, 2], [2, 3], [1, 2]),
}
OPTIMIZER = {
    "sgd": lambda **clip: tn.optimizers.SGD(0.1, **clip),
    "momentum": lambda **clip: tn.optimizers.SGD(0.1, momentum=0.9, **clip),
    "nesterov": lambda **clip: tn.optimizers.SGD(0.1, momentum=0.9, nesterov=True, **clip),
    "rmsprop": lambda **clip: tn.optimizers.RMSprop(**clip),
    "rmsprop with momentum": lambda **clip: tn.optimizers.RMSprop(momentum=0.5, **clip),
    "adam": lambda **clip: tn.optimizers.Adam(**clip),
    "adamw": lambda **clip: tn.optimizers.AdamW(**clip),
}
CLIPPING = [{}, {"clipvalue": 0.01}, {"clipnorm": 0.05}, {"global_clipnorm": 0.1}]
quiet = {"deadline": None, "database": None, "derandomize": True, "suppress_health_check": [*HealthCheck]}


def test_everything_that_has_a_name_is_here():
    assert {type(make()) for make in HIDDEN.values()} == set(LAYERS.values())
    assert {type(make()) for make in OPTIMIZER.values()} == set(OPTIMIZERS.known.values())
    assert {type(LOSSES.get(name)) for name in ENDS} == set(LOSSES.known.values())


def rows_for(loss, end):
    generator = np.random.default_rng(8)
    x = generator.standard_normal((ROWS, 4))
    x[:, 0], x[:, 2] = [0, 1, 1, 0, 0, 1], [0, 2, 1, 1, 2, 2]
    return x, targets(loss, end, ROWS, OUTPUTS, generator), generator.uniform(0, 2, ROWS)


def stack(hidden, end):
    last = tn.layers.Dense(OUTPUTS, "linear" if end == "from logits" else end)
    between = [tn.layers.Dense(4, "tanh")] if not isinstance(hidden, (tn.layers.Dense, tn.layers.Embedding)) else []
    return [*between, hidden, last]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", ENDS)
def test_every_layer_with_every_loss_and_optimizer(loss, dtype):
    """Losses fused with the last activation and not; each way of clipping in turn."""
    turn = 0
    ends = [*dict.fromkeys((ENDS[loss][0], ENDS[loss][-1]))]
    for end in ends:
        x, y, weights = rows_for(loss, end)
        for kind, hidden in HIDDEN.items():
            for name, optimizer in OPTIMIZER.items():
                turn += 1
                tn.set_random_seed(turn)
                model = tn.Sequential(stack(hidden(), end), dtype=dtype)
                options = {"from_logits": True} if end == "from logits" else {}
                model.compile(optimizer(**CLIPPING[turn % 4]), {"name": loss, **options})
                assert_replay_is_direct(model, x, y, weights, steps=2, what=f"{kind}, {loss} of {end}, {name}")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", OPTIMIZER)
def test_every_optimizer_with_every_way_of_clipping(name, dtype):
    x, y, weights = rows_for("huber", "linear")
    for clipping in CLIPPING:
        model = tn.Sequential([tn.layers.Dense(5, "tanh"), tn.layers.Dense(OUTPUTS)], dtype=dtype)
        model.compile(OPTIMIZER[name](**clipping), "huber")
        assert_replay_is_direct(model, x, y, weights, steps=5, what=str(clipping))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_in_both_places(name):
    """The plan gives the memory of z or a away where a derivative does not read it."""
    x, y, weights = rows_for("mean_squared_error", "linear")
    for layers in (
        [tn.layers.Dense(4, name), tn.layers.Dense(4, name), tn.layers.Dense(OUTPUTS, name)],
        [tn.layers.Activation(name), tn.layers.Dense(4), tn.layers.Activation(name), tn.layers.Dense(OUTPUTS)],
        [tn.layers.Activation(name), tn.layers.Activation(name), tn.layers.Dense(OUTPUTS, name, use_bias=False)],
    ):
        model = tn.Sequential(layers)
        model.compile("sgd", "mse")
        assert_replay_is_direct(model, x, y, weights)


@given(st.data(), st.sampled_from(["float32", "float64"]), st.sampled_from([*OPTIMIZER]), st.sampled_from(CLIPPING))
@settings(max_examples=100, **quiet)
def test_drawn_networks(data, dtype, optimizer, clipping):
    drawn = data.draw(networks(dtype=dtype, optimizer=OPTIMIZER[optimizer](**clipping)))
    assert_replay_is_direct(drawn.model, drawn.x, drawn.y, drawn.weights)


@given(networks(dtype="float32"), st.integers(1, 9))
@settings(max_examples=60, **quiet)
def test_predictions_of_drawn_networks(drawn, n):
    """For other numbers of rows than it was recorded with, too."""
    network = drawn.model._built(drawn.x)
    program = record_prediction(network, 4)
    x = np.resize(drawn.x, (n, drawn.x.shape[1])).astype(np.float32)
    direct = network.forward(Operations(), Workspace(network, n, False), x, False)
    assert same_bits(Replay(program, {"parameters": network.parameters}, n).run({"x": x}), direct)
    assert same_bits(drawn.model.predict(x), direct)
    assert all(row.operation != "dropout" for row in program.rows)


@pytest.mark.parametrize("layer", [tn.layers.Dropout(0.5), tn.layers.LayerNormalization(), tn.layers.Activation("elu")])
def test_a_prediction_may_begin_with_any_operation_or_hold_none(layer):
    network = tn.Sequential([layer])._built(x := np.ones((2, 3), np.float32))
    program = record_prediction(network, 2)
    direct = network.forward(Operations(), Workspace(network, 2, False), x, False)
    assert same_bits(Replay(program, {"parameters": network.parameters}).run({"x": x}), direct)


class Residual(tn.layers.Layer):
    """a = x + x W: products are added to what is there."""

    def parameters(self, n_in):
        return {"W": tn.layers.Parameter((n_in, n_in), tn.initializers.GlorotUniform())}

    def forward_arrays(self, n_in):
        return {"a": n_in}

    def forward(self, ops, m, x, training):
        ops.apply(tn.Formula(tn.activations.linear), [x], [m.a])
        ops.gemm(x, m.W, m.a, accumulate=True)
        return m.a

    def backward(self, ops, m, x, da):
        ops.gemm(x, da, m.dW, trans_a=True)
        if m.dx is not None:
            ops.apply(tn.Formula(tn.activations.linear), [da], [m.dx])
            ops.gemm(da, m.W, m.dx, trans_b=True, accumulate=True)
        return m.dx


def test_a_layer_that_adds_to_what_is_there():
    tn.check_layer(Residual(), 4, tolerance=1e-9)
    x, y, weights = rows_for("mean_squared_error", "linear")
    model = tn.Sequential([Residual(), Residual(), tn.layers.Dense(OUTPUTS)])
    model.compile("adam", "mse")
    program = assert_replay_is_direct(model, x, y, weights)
    (added, *_) = (row for row in program.rows if row.arguments.get("accumulate"))
    assert added.arguments["out"] in reads(added)


def test_a_step_that_is_not_finite_is_replayed_as_it_was():
    """The guard is one of the operations: the replay leaves the weights alone as well."""
    model = tn.Sequential([tn.layers.Dense(3, "relu"), tn.layers.Dense(OUTPUTS)])
    model.compile(tn.optimizers.Adam(clipnorm=1.0), "mse")
    x, y, _ = rows_for("mean_squared_error", "linear")
    model.build([4])
    before = [w.copy() for w in model.get_weights()]
    assert_replay_is_direct(model, x, y * 1e37)
    assert all(same_bits(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert model.network.alive[0] == 0
