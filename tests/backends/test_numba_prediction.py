"""Prediction by numba says what the network says, for one row and for many; compiling ahead of time."""

import copy

import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("scipy")
pytest.importorskip("threadpoolctl")

from paired_training import distance, training

from tinynet.backends.numba_prediction import ALONE, LONGEST, NumbaPrediction
from tinynet.backends.numba_training import NumbaTraining
from tinynet.backends.numba_warmup import warmup
from tinynet.layers import Dense, Dropout, Embedding, LayerNormalization
from tinynet.network import Workspace
from tinynet.operations import Operations


def network(dtype="float32"):
    layers = [
        Embedding(0, 4, 3), Dense(16, "gelu"), Dropout(0.5), LayerNormalization(), Dense(8, "relu"),
        Dense(3, "softmax"),
    ]  # fmt: skip
    return training(NumbaTraining, lambda: layers, 5, lambda: "adam", "categorical_crossentropy", dtype, 0)[1].network


def rows(n, dtype="float32"):
    rng = np.random.default_rng(n)
    return np.column_stack([rng.integers(0, 4, n), rng.standard_normal((n, 4))]).astype(dtype)


def by_numpy(found, x):
    return found.forward(Operations(), Workspace(found, len(x), False), x, training=False)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("threads", [None, 1, 3])
@pytest.mark.parametrize("n", [1, 2, ALONE, ALONE + 1, 1000, LONGEST + 5])
def test_any_number_of_rows(n, threads, dtype):
    found, x = network(dtype), rows(n, dtype)
    assert distance([NumbaPrediction(found, threads)(x)], [by_numpy(found, x)]) < (
        1e-12 if dtype == "float64" else 1e-5
    )


def test_no_rows_and_rows_that_do_not_fit():
    found = network()
    predict = NumbaPrediction(found)
    assert predict(rows(0)).shape == (0, 3)
    with pytest.raises(ValueError, match="x has 5 columns"):
        predict(np.zeros((2, 4)))


def test_parameters_are_those_of_the_moment_and_layouts_are_any():
    found = network()
    predict, x = NumbaPrediction(found), np.asfortranarray(rows(10, "float64"))
    before = predict(x)
    found.parameters[:] *= 0.5
    assert distance([predict(x)], [by_numpy(found, x.astype("float32"))]) < 1e-5
    assert distance([predict(x)], [before]) > 1e-3


def test_nan_stays_in_its_row():
    found, x = network(), rows(200)
    expected = NumbaPrediction(found)(x)
    x[7, 2] = np.nan
    y = NumbaPrediction(found)(x)
    assert np.isnan(y[7]).all()
    assert np.array_equal(np.delete(y, 7, 0), np.delete(expected, 7, 0))


@pytest.mark.parametrize("n", [1, 7, 100])
def test_into_an_array_of_any_layout(n):
    found, x = network(), rows(n)
    predict = NumbaPrediction(found)
    expected = predict(x)
    for out in (np.empty((n, 3), "float32"), np.empty((3, n), "float32").T, np.empty((n, 6), "float32")[:, ::2]):
        assert predict(x, out) is out
        assert np.array_equal(out, expected)


def test_a_copy_has_memory_of_its_own():
    found, x = network(), rows(9)
    predict = NumbaPrediction(found)
    twin = copy.copy(predict)
    assert twin.x is not predict.x
    assert np.array_equal(twin(x), predict(x))


def test_warmup_says_what_it_compiles():
    said = []
    warmup(("float32",), said.append)
    assert "float32, activation relu" in said
    assert len(said) > 20


def test_the_library_is_found_the_long_way_too(monkeypatch):
    from tinynet.backends import numba_blas

    known = numba_blas.gemm_address("float32")
    monkeypatch.setattr(numba_blas, "EXTENSION_SUFFIXES", [])
    for cached in (numba_blas.blas_module, numba_blas.gemm_address):
        cached.cache_clear()
    assert numba_blas.gemm_address("float32") == known
