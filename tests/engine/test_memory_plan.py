"""The memory plan: tensors share memory only where one is no longer needed when the other begins."""

from itertools import combinations

import numpy as np
from drawn_networks import networks
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from programs_beside_direct import assert_same_bits, data_of, same_bits, state_of, step_directly

import tinynet as tn
from tinynet.costs import ADDS_TO, WRITES, reads, tensors_in
from tinynet.network import LINE
from tinynet.operations import OPERATIONS, Operations
from tinynet.optimizers import OPTIMIZERS
from tinynet.program import Replay

quiet = {"deadline": None, "database": None, "derandomize": True, "suppress_health_check": [*HealthCheck]}
optimizers = st.sampled_from(["sgd", "rmsprop", "adam", "adamw"])


def with_optimizer(drawn, name):
    drawn.model.compile(OPTIMIZERS.get({"name": name, "clipnorm": 0.5}), drawn.model.loss)
    return drawn


def touches(program):
    """Tensor -> the first and the last row in which it stands at all; a plain upper bound of its life."""
    found = {}
    for index, row in enumerate(program.rows):
        for tensor in row.tensors():
            if tensor.space == "work":
                found[tensor] = (found.get(tensor, (index,))[0], index)
    return found


@given(networks(), st.integers(1, 50))
@settings(max_examples=100, **quiet)
def test_tensors_alive_together_have_places_of_their_own(drawn, n):
    drawn.model.build([drawn.x.shape[1]])
    for training in (True, False):
        program = drawn.model.program(n, training)
        lives, plan = program.lifetimes(), program.plan()
        assert set(lives) == set(program.work())
        for one, other in combinations(lives, 2):
            if lives[one][0] <= lives[other][1] and lives[other][0] <= lives[one][1]:
                begin, end = (plan.offsets[t.name] for t in (one, other))
                assert begin + one.nbytes(n) <= end or end + other.nbytes(n) <= begin, (one, other)
        for tensor, (first, last) in touches(program).items():
            assert lives[tensor][0] == first
            assert lives[tensor][1] <= last or tensor == program.output
        assert all(plan.offsets[t.name] + t.nbytes(n) <= plan.nbytes for t in lives)
        assert all(offset % LINE == 0 for offset in plan.offsets.values())
        assert len(plan.offsets) == len(lives)


@given(networks(dtype="float32"), optimizers)
@settings(max_examples=60, **quiet)
def test_memory_that_the_plan_calls_free_is_never_read(drawn, name):
    """Before each operation, everything that no living tensor owns is filled with NaN; the step is the same."""
    model, x, y, weights = with_optimizer(drawn, name)
    data, training = data_of(model, x, y, weights), model._compiled(x)
    program, state, order = model.program(len(x)), state_of(training), np.arange(len(x))
    outputs = step_directly(training, data, order)
    replay = Replay(program, state)
    lives, rows = program.lifetimes(), program.rows
    given = {**data, "order": order}
    with np.errstate(all="ignore"):
        for index in range(len(rows)):
            kept = [replay.arrays[t] for t, (first, last) in lives.items() if first < index <= last]
            copies = [array.copy() for array in kept]
            for array in replay.arrays.values():
                array[...] = np.nan
            for array, copy in zip(kept, copies, strict=True):
                array[...] = copy
            run_row(rows[index], replay, given)
    assert same_bits(replay.array(program.output, given), outputs)
    assert_same_bits(state, state_of(training), "after one step")


def run_row(row, replay, given):
    """One operation of a replay."""

    def filled(value):
        if isinstance(value, list):
            return [filled(item) for item in value]
        return replay.array(value, given) if hasattr(value, "space") else value

    getattr(Operations(), row.operation)(**{name: filled(value) for name, value in row.arguments.items()})


@given(networks(dtype="float32"), optimizers)
@settings(max_examples=60, **quiet)
def test_operations_write_what_is_said_and_read_what_is_said(drawn, name):
    """One operation at a time: what it is not said to read may be NaN, what it is not said to write stays."""
    model, x, y, weights = with_optimizer(drawn, name)
    data = {**data_of(model, x, y, weights), "order": np.arange(len(x))}
    program, state = model.program(len(x)), state_of(model._compiled(x))
    replay = Replay(program, state)
    replay.arrays = {t: array.copy() for t, array in replay.arrays.items()}  # no sharing here
    with np.errstate(all="ignore"):
        for row in program.rows:
            arrays = {t: replay.array(t, data) for t in row.tensors()}
            written = {t for argument in WRITES[row.operation] for t in tensors_in(row.arguments.get(argument))}
            before = {t: array.copy() for t, array in arrays.items()}
            run_row(row, replay, data)
            after = {t: array.copy() for t, array in arrays.items()}
            assert all(same_bits(after[t], before[t]) for t in arrays if t not in written), row
            for tensor, array in arrays.items():
                array[...] = before[tensor]
                if tensor not in reads(row) and array.dtype.kind == "f":
                    array[...] = np.nan
            run_row(row, replay, data)
            assert all(same_bits(arrays[t], after[t]) for t in written), row
            for tensor, array in arrays.items():
                array[...] = after[tensor]


def test_every_operation_says_what_it_writes():
    assert set(WRITES) == set(OPERATIONS)
    assert all(set(more) <= set(WRITES[operation]) for operation, more in ADDS_TO.items())


def test_a_derivative_that_reads_only_a_leaves_the_memory_of_z():
    """tanh' = 1 - a^2: as soon as a is there, z is free; gelu' reads z, which lives until its own way back."""

    def last_row_of_z(activation):
        model = tn.Sequential([tn.layers.Dense(8, activation, input_shape=[8]), tn.layers.Dense(8)])
        model.compile("sgd", "mse")
        program = model.program(16)
        (z,) = (t for t in program.work() if t.name == "z1")
        return program.rows[program.lifetimes()[z][1]].operation

    assert last_row_of_z("tanh") == "bias_activation"
    assert last_row_of_z("gelu") == "activation_grad"


def test_the_plan_is_smaller_than_all_tensors_together():
    layers = [tn.layers.Dense(64, "relu", input_shape=[30]), *(tn.layers.Dense(64, "tanh") for _ in range(4))]
    model = tn.Sequential([*layers, tn.layers.Dense(1)])
    model.compile("adam", "mse")
    for training, share in ((True, 0.75), (False, 0.4)):
        program = model.program(128, training)
        together = sum(t.nbytes(128) for t in program.work())
        assert program.plan().nbytes < share * together
        alive = [0] * (len(program.rows) + 1)
        for tensor, (first, last) in program.lifetimes().items():
            for row in range(first, last + 1):
                alive[row] += tensor.nbytes(128)
        assert program.plan().nbytes >= max(alive)  # no plan can need less
        assert program.plan().nbytes <= 1.25 * max(alive)
