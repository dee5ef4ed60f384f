"""Parameters, gradients and slots: one flat vector each, of which layers hold views; and what clipping does to them."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinynet as tn
from tinynet.network import LINE, Network, aligned_zeros
from tinynet.operations import Operations

few = settings(max_examples=30, deadline=None, derandomize=True, database=None)


def address(array):
    return array.__array_interface__["data"][0]


@given(st.lists(st.integers(1, 40), min_size=2, max_size=5), st.sampled_from([np.float32, np.float64]))
@few
def test_every_parameter_and_gradient_begins_on_a_cache_line_of_its_flat_vector(widths, dtype):
    network = Network([tn.layers.Dense(m) for m in widths[1:]], widths[0], dtype, np.random.default_rng(0))
    for flat, parts in ((network.parameters, network.parameter_list()), (network.gradients, network.gradient_list())):
        ends = address(flat)
        for part in parts:
            assert part.dtype == dtype
            assert np.shares_memory(part, flat)
            assert address(part) % LINE == 0
            assert address(part) >= ends
            ends = address(part) + part.nbytes
        assert ends <= address(flat) + flat.nbytes
    shapes = [shape for n_in, units in pairwise(widths) for shape in ((n_in, units), (units,))]
    assert [p.shape for p in network.parameter_list()] == shapes  # kernel, bias, layer by layer, as in Keras


@given(st.lists(st.integers(0, 30), max_size=3), st.sampled_from([np.float32, np.float64, np.uint8, np.int64]))
@few
def test_aligned_zeros(shape, dtype):
    found = aligned_zeros(tuple(shape), dtype)
    assert found.shape == tuple(shape)
    assert found.dtype == dtype
    assert not found.any()
    assert address(found) % LINE == 0 or found.size == 0


def test_a_copy_has_memory_of_its_own_and_the_same_numbers():
    tn.set_random_seed(0)
    layers = [tn.layers.Dense(3, "tanh"), tn.layers.Dropout(0.5), tn.layers.Dense(1)]
    model = tn.Sequential(layers)
    model.compile("adam", "mse")
    x = np.ones((4, 2), np.float32)
    model.fit(x, np.zeros(4), epochs=3, verbose=0)
    network = model.network
    for dtype in (None, np.float64):
        other = network.copy(dtype)
        assert other.dtype == (dtype or np.float32)
        assert (other.seed, int(other.step[0])) == (network.seed, 3)
        for mine, theirs in zip(network.parameter_list(), other.parameter_list(), strict=True):
            assert np.array_equal(mine, theirs)
            theirs[...] = 0
        assert network.parameters.any()


# ---------------------------------------------------------------------------------------------------- clipping


def two_gradients(seed, scale):
    generator = np.random.default_rng(seed)
    return generator.standard_normal((2, 3)) * scale, generator.standard_normal((3, 4)) * scale


def norm(*arrays):
    return float(np.sqrt(sum((array**2).sum() for array in arrays)))


def taken(one, other, **limits):
    """What an SGD step of learning rate 1 takes from parameters of zero, given their gradients."""
    network = Network([tn.layers.Dense(3, use_bias=False), tn.layers.Dense(4, use_bias=False)], 2, np.float64)
    optimizer = tn.optimizers.SGD(1.0, **limits)
    optimizer.bind(network)
    for part, gradient in zip(network.gradient_list(), (one, other), strict=True):
        part[...] = gradient
    optimizer.update(Operations(), network)
    return [-p for p in network.parameter_list()]


@given(st.integers(0, 2**32), st.sampled_from([0.01, 1.0, 100.0]), st.floats(0.1, 5))
@few
def test_clipping_shortens_what_is_too_long_and_leaves_the_rest(seed, scale, limit):
    one, other = two_gradients(seed, scale)
    for found, g in zip(taken(one, other, clipvalue=limit), (one, other), strict=True):
        assert np.array_equal(found, [[min(max(x, -limit), limit) for x in row] for row in g])
    for found, g in zip(taken(one, other, clipnorm=limit), (one, other), strict=True):
        np.testing.assert_allclose(found, g * min(1.0, limit / norm(g)), rtol=1e-14)
    together = min(1.0, limit / norm(one, other))
    for found, g in zip(taken(one, other, global_clipnorm=limit), (one, other), strict=True):
        np.testing.assert_allclose(found, g * together, rtol=1e-14)


def test_gradients_of_zero_are_not_divided_by_their_norm():
    zeros = np.zeros((2, 3)), np.zeros((3, 4))
    for limits in ({"clipnorm": 1.0}, {"global_clipnorm": 1.0}):
        assert not any(found.any() for found in taken(*zeros, **limits))


@pytest.mark.parametrize("limits", [{"clipnorm": 0}, {"clipvalue": -1}, {"clipnorm": 1, "global_clipnorm": 1}], ids=str)
def test_limits_that_are_none_are_refused(limits):
    with pytest.raises(ValueError, match="clip"):
        tn.optimizers.SGD(**limits)
