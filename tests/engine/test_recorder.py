"""Recording: it sees every operation, changes nothing, and refuses what a replay could not find again."""

import copy
import inspect

import numpy as np
import pytest
from drawn_networks import networks
from hypothesis import HealthCheck, given, settings
from programs_beside_direct import assert_same_bits, data_of, state_of, step_directly

import tinynet as tn
from tinynet.network import Workspace
from tinynet.operations import OPERATIONS, Operations
from tinynet.program import tensors_of
from tinynet.recorder import Recorder
from tinynet.step import training_step

quiet = {"deadline": None, "database": None, "derandomize": True, "suppress_health_check": [*HealthCheck]}


def test_the_recorder_has_the_methods_of_operations_each_its_own():
    public = {name for name, value in vars(Operations).items() if callable(value) and not name.startswith("_")}
    assert public == set(OPERATIONS)
    for name in public:
        assert vars(Recorder)[name] is not vars(Operations)[name], f"{name} runs without being written down"
        assert vars(Recorder)[name].__name__ == name
        assert vars(Recorder)[name].__doc__ == vars(Operations)[name].__doc__
    own = {name for name in vars(Recorder) if not name.startswith("_")} - public
    assert own == {"written"}  # how it writes; nothing that a layer could take for an operation


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_returns_nothing_and_says_what_it_does(name):
    operation = vars(Operations)[name]
    assert operation.__doc__
    assert inspect.signature(operation, eval_str=True).return_annotation is None


@given(networks(dtype="float32", optimizer="adam"))
@settings(max_examples=40, **quiet)
def test_recording_leaves_the_model_as_it_was(drawn):
    model = drawn.model
    model.fit(drawn.x, drawn.y, batch_size=3, epochs=1, sample_weight=drawn.weights, verbose=0)
    training = model._compiled()
    before, chance = state_of(training), copy.deepcopy(model.generator.bit_generator.state)
    layers = described(model.layers)
    for rows in (1, 4):
        str(model.program(rows))
        str(model.program(rows, training=False))
    assert_same_bits(state_of(training), before, "after recording")
    assert model.generator.bit_generator.state == chance
    assert described(model.layers) == layers


def described(layers):
    """Every attribute of every layer; of its parameters, which arrays they are."""
    return [
        {
            name: [*map(id, value.values())] if name == "variables" else repr(value)
            for name, value in vars(layer).items()
        }
        for layer in layers
    ]


@given(networks(dtype="float32", optimizer="adam"))
@settings(max_examples=40, **quiet)
def test_a_layer_keeps_nothing_of_a_batch(drawn):
    data, training = data_of(drawn.model, drawn.x, drawn.y, drawn.weights), drawn.model._compiled(drawn.x)
    before = described(drawn.model.layers)
    step_directly(training, data, np.arange(len(drawn.x)))
    drawn.model.predict(drawn.x)
    assert described(drawn.model.layers) == before
    assert "array(" not in str(before)


class Sealed:
    """Stands for an array, of which only the shape may be known: nobody can look into it or reckon with it."""

    def __init__(self, shape):
        self.shape = shape


class NamesOnly(Operations):
    """Writes down which operations are asked for, and does nothing; anything outside the table raises."""

    def __init__(self):
        self.asked = []

    def __getattribute__(self, name):
        if name in OPERATIONS:
            return lambda *given, **options: self.asked.append(name)
        if name in ("asked", "__class__"):
            return object.__getattribute__(self, name)
        raise AssertionError(f"a layer asked for {name}, which is no operation")


@given(networks(dtype="float32", optimizer="adam"))
@settings(max_examples=60, **quiet)
def test_layers_do_everything_by_operations(drawn):
    """A whole step runs on sealed arrays: nothing but the table ever reckons; and it asks for the recorded rows."""
    model = drawn.model
    training, ops = model._compiled(drawn.x), NamesOnly()
    network = training.network.copy()
    w = Workspace(network, len(drawn.x), True, training.target_columns)
    for m in w.memories:
        for name, value in vars(m).items():
            if isinstance(value, np.ndarray):
                setattr(m, name, Sealed(value.shape))
    for name in ("x", "t", "weight", "dy"):
        setattr(w, name, Sealed(getattr(w, name).shape))
    optimizer = training.optimizer.copy(network)
    training_step(ops, network, w, dict.fromkeys(("X", "T", "weights")), None, training.objective, optimizer)
    assert ops.asked == [row.operation for row in model.program(len(drawn.x)).rows]


class Strays(tn.layers.Layer):
    """Uses an array that is none of its memory, in the way named."""

    def __init__(self, way):
        super().__init__()
        self.way = way

    def forward_arrays(self, n_in):
        return {"a": n_in}

    def forward(self, ops, m, x, training):
        if self.way == "writes a new array":
            ops.apply(tn.Formula(tn.activations.tanh), [x], [np.empty_like(m.a)])
        elif self.way == "writes a slice":
            ops.dropout(x[:, :1], 0.5, m.seed, m.index, m.step, m.a[:, :1])
        elif self.way == "reads a new array":
            ops.gather(x.copy(), np.arange(len(x)), m.a)
        elif self.way == "reads a transposed view":
            ops.gemm(x.T, x, m.a)
        return m.a

    def backward(self, ops, m, x, da):
        return m.dx


STRAYING = {
    "writes a new array": "apply was given an array as 'outs'",
    "writes a slice": "dropout was given an array as 'x'",
    "reads a new array": "gather was given an array as 'source'",
    "reads a transposed view": "gemm was given an array as 'a'",
}


@pytest.mark.parametrize("way", STRAYING)
@pytest.mark.parametrize("training", [True, False])
def test_an_array_outside_the_memory_is_refused_with_its_operation(way, training):
    model = tn.Sequential([Strays(way), tn.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.build([3])
    with pytest.raises(ValueError, match=STRAYING[way]):
        model.program(3, training)


def test_each_row_can_be_looked_at_when_it_has_run():
    """`after` is called with the row and the arrays, right after each operation."""
    model = tn.Sequential([tn.layers.Dense(2, "relu", input_shape=[3])])
    network = model._built(np.ones((4, 3)))
    w = Workspace(network, 4, False)
    x, seen = np.ones((4, 3), np.float32), []
    recorder = Recorder(tensors_of(network, w, None, {"x": x}), after=lambda row, arrays: seen.append((row, arrays)))
    network.forward(recorder, w, x, False)
    assert [row.operation for row, _ in seen] == ["gemm", "bias_activation"]
    assert seen[0][1]["a"] is x
    assert seen[1][1]["a"] is w.memories[0].a
