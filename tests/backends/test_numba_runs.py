"""What surrounds the arithmetic: repeatability, callbacks, failures, threads, forked processes."""

import copy
import ctypes
import multiprocessing
import signal
import threading
import time
import warnings
import weakref

import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("scipy")
pytest.importorskip("threadpoolctl")

import threadpoolctl
from paired_training import agree, distance, drawn_data, training

import tinynet as tn
from tinynet import backends
from tinynet.activations import ACTIVATIONS
from tinynet.backends import numba_product_rows, numba_training
from tinynet.backends.numba_blas import one_blas_thread
from tinynet.backends.numba_kernels import Doubles, apply
from tinynet.backends.numba_machine import Machine
from tinynet.backends.numba_training import NumbaTraining, threads_for, work_of
from tinynet.formulas.formula import Formula
from tinynet.formulas.rows import product
from tinynet.layers import Dense, Dropout
from tinynet.recorder import Tensor
from tinynet.training import NonFiniteError, Training

COLUMNS, ROWS, BATCH = 6, 400, 32


def layers():
    return [Dense(16, "gelu"), Dropout(0.1), Dense(8, "tanh"), Dense(1)]


def started(cls=NumbaTraining, dtype="float32", **options):
    model, state = training(cls, layers, COLUMNS, lambda: "adam", "mse", dtype, 3, **options)
    return model, state, drawn_data(np.random.default_rng(0), ROWS, COLUMNS, 1, "mse", dtype)


def weights_after(epochs=3, **options):
    model, state, data = started(**options)
    for epoch in range(epochs):
        state.epoch(data, np.random.default_rng(epoch).permutation(ROWS), BATCH)
    return np.concatenate([w.ravel() for w in model.get_weights()])


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_repeated_runs_are_the_same_to_the_last_bit(threads, monkeypatch):
    first = weights_after(threads=threads)
    assert np.array_equal(weights_after(threads=threads), first)
    monkeypatch.setattr(numba_training, "CHUNK_SECONDS", 1e-9)  # however often compiled code pauses
    assert np.array_equal(weights_after(threads=threads), first)


def test_after_batch_is_told_what_numpy_tells(monkeypatch):
    monkeypatch.setattr(numba_training, "CHUNK_SECONDS", 1e-4)
    told = []
    for cls, options in ((Training, {}), (NumbaTraining, {"threads": 2})):
        _, state, data = started(cls, "float64", **options)
        notes = []
        state.epoch(data, np.arange(ROWS), BATCH, after_batch=lambda *note, notes=notes: notes.append(note))
        told.append(notes)
    expected, found = told
    assert [batch for batch, _ in found] == list(range(-(-ROWS // BATCH)))
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_the_learning_rate_is_read_where_it_is_set():
    model, state, data = started()
    before = model.get_weights()
    state.epoch(data, np.arange(ROWS), BATCH)
    changed = model.get_weights()
    state.optimizer.learning_rate = 1e-30
    state.epoch(data, np.arange(ROWS), BATCH)
    assert distance(changed, before) > 1e-3
    assert distance(model.get_weights(), changed) < 1e-7


@pytest.mark.parametrize("seconds", [1e-9, 0.05])
def test_a_schedule_sets_the_rate_of_every_step(seconds, monkeypatch):
    monkeypatch.setattr(numba_training, "CHUNK_SECONDS", seconds)
    rate = tn.schedules.ExponentialDecay(0.05, 7, 0.5)
    agree(lambda: [Dense(4, "tanh"), Dense(1)], 3, lambda: tn.optimizers.Adam(rate))
    _, ours, data = started(Training)
    _, theirs, _ = started()
    for state in (ours, theirs):
        state.optimizer.schedule = rate
        state.epoch(data, np.arange(ROWS), BATCH)
    assert ours.optimizer.learning_rate == theirs.optimizer.learning_rate == rate(12)


def test_arrays_in_any_layout_and_precision():
    model, state, data = started()
    state.epoch(data, np.arange(ROWS), BATCH)
    other, theirs, _ = started()
    odd = {name: np.asfortranarray(array.astype(np.float64)) for name, array in data.items()}
    outputs = np.zeros((ROWS, 2))[:, :1]
    theirs.epoch(odd, np.arange(ROWS, dtype=np.int32), BATCH, outputs)
    assert np.array_equal(model.get_weights()[0], other.get_weights()[0])
    assert outputs.all()


def test_rows_that_are_not_there_are_refused():
    _, state, data = started()
    with pytest.raises(IndexError, match="from 0 to 400; there are 400"):
        state.epoch(data, np.array([0, ROWS]), 2)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_step_that_is_not_finite_is_named_and_undone(wrong, threads):
    said = []
    for cls, options in ((Training, {}), (NumbaTraining, {"threads": threads})):
        model, state, data = started(cls, "float64", **options)
        data["T"][100] = wrong
        seen = []
        with pytest.raises(NonFiniteError) as error:
            state.epoch(data, np.arange(ROWS), BATCH, after_batch=lambda batch, loss, seen=seen: seen.append(batch))
        said.append((str(error.value), seen, model.get_weights()))
        state.epoch({**data, "T": np.zeros((ROWS, 1))}, np.arange(ROWS), BATCH)  # and it goes on from there
    assert said[0][:2] == said[1][:2]
    assert distance(said[1][2], said[0][2]) < 1e-10


GRID = np.concatenate(
    [np.linspace(-120, 120, 1001), np.linspace(-2, 2, 1001), 10.0 ** np.arange(-44, 38.0),
     -(10.0 ** np.arange(-44, 38.0)), [0.0, -0.0, np.inf, -np.inf, np.nan]]
)  # fmt: skip


def by_kernel(formula, *arrays):
    """The formula of flat arrays, by its kernel."""
    dtype = arrays[0].dtype.name
    tensors = [Tensor(f"x{i}", "work", (None, 1), dtype) for i in range(len(arrays) + 1)]
    out = np.empty_like(arrays[0])
    places = dict(zip(tensors, [*arrays, out], strict=True))
    kernel = apply(formula, tensors[:-1], tensors[-1:], False, {})
    kept = [np.array(a.values or (0.0,)) if isinstance(a, Doubles) else None for a in kernel.arguments]
    numbers = [
        places[a].ctypes.data if isinstance(a, Tensor) else k.ctypes.data if k is not None else a
        for a, k in zip(kernel.arguments, kept, strict=True)
    ]
    arguments, frame = np.array(numbers, np.int64), np.zeros(64, np.int64)
    frame[0] = len(out)
    call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(kernel.address(dtype))
    call(arguments.ctypes.data, frame.ctypes.data)
    return out


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "softmax"])
def test_kernels_keep_nan_infinities_and_the_smallest_numbers(name, dtype):
    f = Formula(ACTIVATIONS[name])
    with np.errstate(all="ignore"):
        x = GRID.astype(dtype)
        a = f(x)
        slope = np.broadcast_to(f.derivative(x, a), x.shape).astype(dtype)
    eps, tiny = np.finfo(dtype).eps, np.finfo(dtype).tiny
    # where a formula subtracts numbers near 1, as 1 - a^2 does, what is left is as exact as they are
    near_one = 12 * eps if name in ("gelu", "silu") else 12 * tiny
    np.testing.assert_allclose(by_kernel(f, x), a, rtol=24 * eps, atol=near_one)
    np.testing.assert_allclose(by_kernel(f.derivative, x, a), slope, rtol=24 * eps, atol=12 * eps)


def test_blas_limits_are_counted_and_left_as_they_were_found(monkeypatch):
    monkeypatch.setattr(numba_product_rows, "LARGEST", 0)  # BLAS is loaded, and held to one thread, where it is used

    def limits():
        return [pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]

    _, state, data = started(threads=2)
    state.epoch(data, np.arange(ROWS), BATCH)
    before = limits()
    with one_blas_thread:
        with one_blas_thread:
            assert set(limits()) == {1}
        assert set(limits()) == {1}
        state.epoch(data, np.arange(ROWS), BATCH)
        assert set(limits()) == {1}
    assert limits() == before
    with pytest.raises(NonFiniteError):
        state.epoch({**data, "T": data["T"] * np.nan}, np.arange(ROWS), BATCH)
    assert limits() == before


def test_two_fits_at_once():
    expected = weights_after(threads=2)
    found = {}
    both = [threading.Thread(target=lambda name=name: found.update({name: weights_after(threads=2)})) for name in "ab"]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert np.array_equal(found["a"], expected)
    assert np.array_equal(found["b"], expected)


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_a_worker_that_fails_releases_the_others(failing, monkeypatch):
    model, state, data = started(threads=3)
    state.epoch(data, np.arange(ROWS), BATCH)
    before = model.get_weights()
    machine = next(iter(state.machines.values()))
    real = machine.walk

    def walk(nothing, frame):
        if frame == machine.frames[failing].ctypes.data:
            raise MemoryError("planted")
        real(nothing, frame)

    monkeypatch.setattr(machine, "walk", walk)
    with pytest.raises(MemoryError, match="planted"):
        state.epoch(data, np.arange(ROWS), BATCH)
    assert distance(model.get_weights(), before) == 0
    monkeypatch.undo()
    state.epoch(data, np.arange(ROWS), BATCH)
    assert np.array_equal(np.concatenate([w.ravel() for w in model.get_weights()]), weights_twice())


def weights_twice():
    model, state, data = started(threads=3)
    for _ in range(2):
        state.epoch(data, np.arange(ROWS), BATCH)
    return np.concatenate([w.ravel() for w in model.get_weights()])


def test_a_thread_that_cannot_start_is_an_error_and_no_wait(monkeypatch):
    _, state, data = started(threads=3)

    class Full:
        def __init__(self):
            self.calls = 0

        def submit(self, *arguments):
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Machine, "workers", lambda self: Full())
    with pytest.raises(RuntimeError, match="start new thread"):
        state.epoch(data, np.arange(ROWS), BATCH)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer that interrupts")
@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_between_stretches_of_compiled_code(threads):
    model, state, data = started(threads=threads)
    state.epoch(data, np.arange(ROWS), BATCH)
    order = np.tile(np.arange(ROWS), 50_000)  # much longer than anybody waits

    def interrupt(*_):
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    start = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            state.epoch(data, order, BATCH)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert time.monotonic() - start < 5
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert state.network.step[0] > 13
    assert np.isfinite(state.epoch(data, np.arange(ROWS), BATCH))


def test_copies_and_pickles_leave_the_machines_behind():
    _, state, data = started(threads=2)
    state.epoch(data, np.arange(ROWS), BATCH)
    twin = copy.deepcopy(state)
    assert not twin.machines
    assert twin.epoch(data, np.arange(ROWS), BATCH) == state.epoch(data, np.arange(ROWS), BATCH)


def trained_in_child(results):
    results.put(weights_after(threads=2))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork")
def test_a_forked_process_trains_too():
    expected = weights_after(threads=2)
    _, state, data = started(threads=2)
    state.epoch(data, np.arange(ROWS), BATCH)  # workers wait in this process
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    child = context.Process(target=trained_in_child, args=(results,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a process with threads forks is the point
        child.start()
    found = results.get(timeout=60)
    child.join()
    assert np.array_equal(found, expected)


def test_the_rule_for_threads_knows_the_size_of_a_step_alone(monkeypatch):
    monkeypatch.setattr(numba_training, "cores", lambda: 8)
    small, _, _ = started()
    program = small.program(32)
    assert threads_for(work_of(program, 32), 32) == 1
    assert threads_for(work_of(program, 1 << 20), 1 << 20) == 8
    monkeypatch.setattr(numba_training, "cores", lambda: 2)
    assert threads_for(work_of(program, 1 << 20), 1 << 20) == 2
    _, state, data = started()
    state.epoch(data, np.arange(ROWS), BATCH)
    assert state.threads == 1


def test_choose():
    assert backends.choose("numpy") == (Training, "numpy")
    assert backends.choose("numba") == backends.choose("auto") == (NumbaTraining, "numba")
    with pytest.raises(ValueError, match="'auto', 'numpy', 'numba' or 'cupy'; given was 'torch'"):
        backends.choose("torch")


def test_choose_where_numba_is_missing(monkeypatch):
    monkeypatch.setattr(backends, "find_spec", lambda name: None if name == "scipy" else name)
    assert backends.choose("auto") == (Training, "numpy")
    with pytest.raises(ImportError, match=r"needs scipy.*tinynet\[fast\]"):
        backends.choose("numba")


class Odd(tn.layers.Layer):
    """A layer whose backward does what a part of the batch cannot tell."""

    def __init__(self, backward):
        super().__init__()
        self.does = backward

    def parameters(self, n_in):
        return {name: tn.layers.Parameter((n_in,), tn.initializers.Ones()) for name in ("s", "r")}

    def forward(self, ops, m, x, training):
        return x

    def backward(self, ops, m, x, da):
        self.does(ops, m, x, da)
        return da


def summed_twice(ops, m, x, da):
    ops.column_sum(da, m.ds)
    ops.column_sum(da, m.ds)


def read_too_early(ops, m, x, da):
    ops.column_sum(da, m.ds)
    ops.apply(tn.Formula(product), [x, m.ds], [da])


def summed_elsewhere(ops, m, x, da):
    ops.column_sum(da, m.s)


@pytest.mark.parametrize(
    ("does", "words"),
    [
        (summed_twice, "column_sum: ds2 is summed a second time"),
        (read_too_early, "apply: it reads the gradient ds2, which is not summed yet"),
        (summed_elsewhere, "column_sum: it sums samples into s2, which is no gradient"),
    ],
)
def test_what_numba_cannot_replay_is_refused_by_name(does, words):
    _, state = training(NumbaTraining, lambda: [Dense(1), Odd(does)], 1, lambda: "sgd", "mse", "float32", 0)
    data = drawn_data(np.random.default_rng(0), 1, 1, 1, "mse", "float32")
    with pytest.raises(NotImplementedError, match=words):
        state.machine("step", 1)
    with pytest.raises(NotImplementedError, match='backend="numpy" can'):
        state.epoch(data, np.arange(1), 1)
    assert state.network.step[0] == 0


def test_numbers_below_the_normal_ones_are_as_ever_outside():
    """Compiled training takes them for 0, since processors are slow at them; Python's thread does not."""
    _, state, data = started(threads=1)
    state.epoch(data, np.arange(ROWS), BATCH)
    assert np.float32(1e-30) * np.float32(1e-10) > 0
    assert (np.full(64, 1e-40, np.float32) * np.float32(0.5)).all()


def test_a_gradient_that_has_become_zero_does_not_slow_training_down():
    """Adam's averages of it go down to numbers that processors are slow at, and would stay there."""
    layers = lambda: [Dense(64, "relu"), Dense(64, "relu"), Dense(1)]  # noqa: E731
    _, state = training(NumbaTraining, layers, 32, lambda: "adam", "mse", "float32", 0, threads=1)
    data = drawn_data(np.random.default_rng(0), ROWS, 32, 1, "mse", "float32")
    order = np.tile(np.arange(ROWS), 20)

    def seconds():
        start = time.process_time()
        state.epoch(data, order, BATCH)
        return time.process_time() - start

    state.epoch(data, order, BATCH)
    usual = min(seconds() for _ in range(3))
    state.optimizer.slots[:] = 1e-40
    state.network.parameters[:] = 0  # relu is dead everywhere but in the last bias
    assert min(seconds() for _ in range(3)) < 2 * usual


def test_a_model_that_was_trained_holds_no_data():
    """Neither the rows that it learned from nor those that it was judged by, even before garbage is collected."""
    model = tn.Sequential([Dense(4, "tanh", input_shape=[COLUMNS]), Dense(1)])
    model.compile("adam", "mse", backend="numba")
    given = [np.ones(shape, np.float32) for shape in ((ROWS, COLUMNS), (ROWS, 1), (9, COLUMNS), (9, 1))]
    watched = [weakref.ref(array) for array in given]
    model.fit(given[0], given[1], validation_data=(given[2], given[3]), epochs=2, verbose=0)
    model.evaluate(given[0], given[1], verbose=0)
    del given
    assert [ref() for ref in watched] == [None] * 4
