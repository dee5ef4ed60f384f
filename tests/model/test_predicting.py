"""Predictions are the same from any thread, in any block, by any of the three calls."""

import sys
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tinynet as tn


def new(dtype="float32"):
    tn.set_random_seed(0)
    layers = [
        tn.layers.Embedding([0], [5], [3], input_shape=[6]), tn.layers.Dense(16, "gelu"), tn.layers.Dropout(0.5),
        tn.layers.LayerNormalization(), tn.layers.Dense(8, "tanh"), tn.layers.Dense(3, "softmax"),
    ]  # fmt: skip
    model = tn.Sequential(layers, dtype=dtype)
    model.build()
    return model


def rows(n, seed=1):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 6))
    x[:, 0] = rng.integers(0, 5, n)
    return x


def test_many_threads_at_once_say_what_one_says():
    """Each thread has rows of its own, in sizes that share memory, and is switched away from as often as can be."""
    model, sizes = new(), [1, 7, 64, 300, 1500]
    tables = [[rows(n, seed) for n in sizes] for seed in range(8)]
    alone = [[model.predict(x) for x in own] for own in tables]
    start = threading.Barrier(8)

    def work(seed):
        order = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), [40, 40, 40, 20, 5]))
        start.wait()
        return all((model.predict(tables[seed][i]) == alone[seed][i]).all() for i in order)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(work, range(8)))
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.parametrize(("dtype", "rtol"), [("float32", 1e-5), ("float64", 1e-13)])
def test_blocks_say_what_single_rows_say(dtype, rtol):
    model, x = new(dtype), rows(2500)
    single = np.concatenate([model.predict(row[None, :]) for row in x[:200]])
    whole = model.predict(x)
    np.testing.assert_allclose(whole[:200], single, rtol=rtol)
    for size in (1, 7, 1024, 2500, 10**6):
        np.testing.assert_allclose(model.predict(x, batch_size=size), whole, rtol=rtol)
    np.testing.assert_allclose(model.predict_on_batch(x), whole, rtol=rtol)
    np.testing.assert_allclose(model(x), whole, rtol=rtol)


def test_results_are_the_callers_own():
    model, x = new(), rows(10)
    first = model.predict(x)
    kept = first.copy()
    model.predict(rows(10) * 0.0)
    assert (first == kept).all()
    first[...] = 7.0
    assert (model.predict(x) == kept).all()


def test_new_weights_are_seen_at_once():
    model, x = new(), rows(5)
    before = model.predict(x)
    model.set_weights([0.5 * w for w in model.get_weights()])
    assert (model.predict(x) != before).any()
    model.build()  # anew
    assert model.predict(x).shape == before.shape


def test_x_is_never_written_to():
    model, x = new("float64"), rows(50)
    model.compile("sgd", "sparse_categorical_crossentropy")
    y = np.arange(50) % 3
    x.setflags(write=False)
    y.setflags(write=False)
    model.predict(x)
    model.fit(x, y, epochs=2, verbose=0)
    model.evaluate(x, y)
    model(x, training=True)
    model.forward(x)


def test_a_large_table_leaves_no_memory_behind():
    model = new()
    tracemalloc.start()
    model.predict(rows(9))  # what the first call makes once
    before = tracemalloc.get_traced_memory()[0]
    model.predict(rows(5000))
    left = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert left < 50_000
