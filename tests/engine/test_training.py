"""The visible loop: it learns, its numbers mean what they say, it repeats bit for bit, it stops in time."""

import gc
import math
import tracemalloc

import numpy as np
import pytest

import tinynet as tn
from tinynet.training import KEPT_WORKSPACES

FLAT = 4096  # bytes, for counters and a history; 200 steps that kept a single number each would take more


def rows(n=64, columns=3, seed=0):
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((n, columns))
    return x, np.tanh(x @ generator.standard_normal((columns, 2)))


def made(optimizer="sgd", loss="mse", dtype="float64", dropout=0.0):
    tn.set_random_seed(7)
    layers = [tn.layers.Dense(8, "tanh", input_shape=[3]), tn.layers.Dropout(dropout), tn.layers.Dense(2)]
    model = tn.Sequential(layers, dtype=dtype)
    model.compile(optimizer, loss)
    return model


@pytest.mark.parametrize("optimizer", [
    tn.optimizers.SGD(0.1), tn.optimizers.SGD(0.05, momentum=0.9), tn.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    tn.optimizers.RMSprop(0.01), tn.optimizers.Adam(0.02), tn.optimizers.AdamW(0.02),
    tn.optimizers.Adam(0.02, clipnorm=0.5), tn.optimizers.SGD(0.2, clipvalue=0.1),
    tn.optimizers.SGD(0.2, global_clipnorm=1),
], ids=repr)  # fmt: skip
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_optimizer_learns_what_can_be_learned(optimizer, dtype):
    x, y = rows()
    model = made(tn.optimizers.OPTIMIZERS.get(tn.optimizers.OPTIMIZERS.saved(optimizer)), dtype=dtype)
    losses = model.fit(x, y, epochs=60, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < 0.05 * losses[0]
    assert np.mean(losses[-10:]) < np.mean(losses[10:20]) < losses[0]


def test_a_line_is_found_to_rounding():
    """Least squares by descent ends where the normal equations do."""
    generator = np.random.default_rng(1)
    x = generator.standard_normal((50, 2))
    y = x @ [2.0, -3.0] + 0.5 + 0.1 * generator.standard_normal(50)
    model = tn.Sequential([tn.layers.Dense(1, input_shape=[2])], dtype="float64")
    model.compile(tn.optimizers.SGD(0.2), "mse")
    model.fit(x, y, epochs=300, batch_size=50, verbose=0)
    expected, *_ = np.linalg.lstsq(np.c_[x, np.ones(50)], y, rcond=None)
    np.testing.assert_allclose(np.concatenate([w.ravel() for w in model.get_weights()]), expected, rtol=1e-12)


@pytest.mark.parametrize(("n", "batch"), [(10, 4), (9, 3), (5, 8), (7, 1), (11, 10)])
def test_the_loss_of_an_epoch_is_the_mean_over_rows_each_as_it_was_met(n, batch):
    """A ragged last batch counts by its rows, not as much as a full one."""
    x, y = rows(n)
    weights = np.linspace(0.5, 2, n)
    model, twin = made(tn.optimizers.SGD(0.3)), made(tn.optimizers.SGD(0.3))
    found = model.fit(x, y, epochs=1, batch_size=batch, shuffle=False, sample_weight=weights, verbose=0)
    total = 0.0
    for start in range(0, n, batch):
        part = slice(start, start + batch)
        error = ((twin.predict(x[part]) - y[part]) ** 2).mean(axis=1)
        total += math.fsum(weights[part] * error)
        twin.train_on_batch(x[part], y[part], sample_weight=weights[part])
    assert found.history["loss"] == [pytest.approx(total / n, rel=1e-12)]
    for a, b in zip(model.get_weights(), twin.get_weights(), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("batch", [1, 3, 7, 64, 1000])
def test_evaluation_is_the_mean_over_rows_whatever_the_batch(batch):
    x, y = rows()
    model = made()
    assert model.evaluate(x, y, batch_size=batch) == pytest.approx(np.mean((model.predict(x) - y) ** 2), rel=1e-12)


def test_evaluation_and_prediction_change_nothing():
    x, y = rows()
    model = made("adam", dropout=0.3)
    model.fit(x, y, epochs=2, verbose=0)
    network = model.network
    before = [network.parameters.copy(), model.optimizer.slots.copy(), network.step.copy()]
    model.evaluate(x, y)
    model.predict(x)
    after = [network.parameters, model.optimizer.slots, network.step]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_padding_between_parameters_stays_zero():
    """Each parameter begins on a cache line; what lies between is updated with it, and must stay 0."""
    x, y = rows()
    for optimizer in ("sgd", "rmsprop", "adam", "adamw"):
        model = made(optimizer)
        model.fit(x, y, epochs=3, verbose=0)
        network, used = model.network, sum(p.size for p in model.network.parameter_list())
        assert np.count_nonzero(network.parameters) <= used < network.size
        for p in network.parameter_list():
            p[...] = 0
        assert not network.parameters.any()


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_same_seed_gives_the_same_bits(optimizer, dtype):
    x, y = rows()
    runs = []
    for _ in range(2):
        model = made(optimizer, dtype=dtype, dropout=0.4)
        history = model.fit(x, y, epochs=4, batch_size=10, verbose=0)
        runs.append((history.history["loss"], [w.tobytes() for w in model.get_weights()]))
    assert runs[0] == runs[1]
    tn.set_random_seed(8)
    other = tn.Sequential([tn.layers.Dense(8, input_shape=[3])])
    other.build()
    assert other.get_weights()[0].tobytes() != runs[0][1][0]


def test_shuffling_gives_each_epoch_an_order_of_its_own_and_every_row_once():
    seen = []

    class Watched(tn.layers.Layer):
        def forward(self, ops, m, x, training):
            seen.extend(x[:, 0].tolist())
            return x

        def backward(self, ops, m, x, da):
            return da

    model = tn.Sequential([Watched(), tn.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.arange(50.0)[:, None]
    model.fit(x, np.zeros(50), epochs=2, batch_size=8, verbose=0)
    first, second = seen[:50], seen[50:]
    assert sorted(first) == sorted(second) == x[:, 0].tolist()
    assert first != second
    assert first != x[:, 0].tolist()


class PeakOfEachEpoch(tn.callbacks.Callback):
    """(memory in use after the epoch, its peak during the epoch), in bytes."""

    def __init__(self):
        self.found = []

    def on_epoch_end(self, epoch, logs=None):
        gc.collect()
        self.found.append(tracemalloc.get_traced_memory())
        tracemalloc.reset_peak()


@pytest.mark.parametrize("n", [3200, 3185])
def test_the_memory_of_a_long_fit_stays_flat(n):
    """Of 400 steps, the second and the last hundred need the same memory, ragged batches or not."""
    x, y = rows(n)
    model, watch = made("adam", dtype="float32", dropout=0.2), PeakOfEachEpoch()
    tracemalloc.start()
    try:
        model.fit(x, y, epochs=4, batch_size=32, callbacks=[watch], verbose=0)
    finally:
        tracemalloc.stop()
    assert int(model.network.step[0]) == 400
    (_, second, _, last) = watch.found
    assert last[0] - second[0] < FLAT
    assert last[1] - second[1] < FLAT


def test_batches_of_many_sizes_do_not_pile_up():
    x, y = rows(40)
    model = made()
    for n in [*range(1, 41), 1, 40]:
        model.train_on_batch(x[:n], y[:n])
    assert len(model._compiled().workspaces) <= KEPT_WORKSPACES


@pytest.mark.parametrize("optimizer", ["sgd", "adam", tn.optimizers.SGD(0.1, momentum=0.9, clipnorm=1.0)])
def test_a_step_that_is_not_finite_is_named_and_leaves_the_weights_of_the_step_before(optimizer):
    x, y = rows(40)
    y[25, 1] = 1e200  # its square is infinite in double
    model = made(optimizer)
    with pytest.raises(tn.NonFiniteError, match=r"at step 3 \(batch 3 of its epoch\)"):
        model.fit(x, y, epochs=2, batch_size=10, shuffle=False, verbose=0)
    twin = made(tn.optimizers.OPTIMIZERS.get(tn.optimizers.OPTIMIZERS.saved(model.optimizer)))
    twin.fit(x[:20], y[:20], epochs=1, batch_size=10, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), twin.get_weights(), strict=True):
        assert np.array_equal(a, b)
    assert np.array_equal(model.optimizer.slots, twin.optimizer.slots)
    model.fit(x[:20], y[:20], verbose=0)  # and it can go on


def test_a_loss_that_runs_away_is_stopped_with_weights_that_are_numbers():
    x, y = rows()
    model = made(tn.optimizers.SGD(50.0))
    with pytest.raises(tn.NonFiniteError, match=r"at step \d+ .*smaller learning rate"):
        model.fit(x * 100, y, epochs=2000, verbose=0)
    assert all(np.isfinite(w).all() for w in model.get_weights())
