"""A model trained directly beside a replay of its program over memory of its own; every bit must agree."""

import numpy as np

from tinynet.data import sample_weights
from tinynet.data import targets as checked_targets
from tinynet.network import Workspace
from tinynet.operations import Operations
from tinynet.program import Replay
from tinynet.step import training_step

STATE = ("parameters", "gradients", "slots", "hyper", "decay_hyper", "step", "value", "alive")


def data_of(model, x, y, weights=None):
    """The arrays that a step gathers its rows from, in the model's precision."""
    training = model._compiled(x)
    outputs, dtype = training.network.widths[-1], model.dtype
    return {
        "X": np.ascontiguousarray(x, dtype),
        "T": checked_targets(y, len(x), model.loss, outputs, dtype),
        "weights": sample_weights(weights, len(x), dtype),
    }


def state_of(training):
    """What a step changes, as copies."""
    network, optimizer = training.network, training.optimizer
    live = {name: getattr(optimizer if name in ("slots", "hyper", "decay_hyper") else network, name) for name in STATE}
    return {name: array.copy() for name, array in live.items()}


def same_bits(a, b):
    """Equal in shape, precision and every bit: NaN is like NaN, and 0 unlike -0."""
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def assert_same_bits(found, expected, what):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert same_bits(found[name], array), f"{what}: {name} differs by {np.abs(found[name] - array).max()}"


def step_directly(training, data, order):
    """One training step as `fit` takes it; returns the outputs."""
    w = Workspace(training.network, len(order), True, training.target_columns)
    with np.errstate(all="ignore"):
        objective, optimizer = training.objective, training.optimizer
        return training_step(Operations(), training.network, w, data, order, objective, optimizer)


def assert_replay_is_direct(model, x, y, weights=None, steps=3, batch=None, what=""):
    """Some full batches and a ragged one, directly and replayed from the same start."""
    data, training = data_of(model, x, y, weights), model._compiled(x)
    rows, batch = len(x), batch or len(x)
    program, state = model.program(batch), state_of(training)
    generator = np.random.default_rng(0)
    for n in [batch] * steps + [max(1, batch // 2)]:
        order = generator.integers(rows, size=n)
        outputs = step_directly(training, data, order)
        replayed = Replay(program, state, n).run({**data, "order": order})
        assert same_bits(replayed, outputs), f"{what}: the outputs of {n} rows differ"
        assert_same_bits(state, state_of(training), what)
    return program
