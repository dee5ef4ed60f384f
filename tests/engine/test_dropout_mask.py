"""Dropout masks: chance without memory. What is kept depends on (seed, layer, step, element) and on nothing else."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinynet as tn
from tinynet.layers import Memory
from tinynet.operations import Operations
from tinynet.random import keep_mask, mixed, stream_key

few = settings(max_examples=50, deadline=None, derandomize=True, database=None)
seeds = st.integers(0, 2**63 - 1)
RATES = [0.01, 0.1, 0.25, 0.5, 0.8, 0.99]
MANY = (500, 400)
FIVE_SIGMA = 5.0  # chance alone goes beyond it once in 1.7 million tests; seeds are fixed, so a pass stays a pass


def count_is_fair(count, of, probability):
    """Whether a count of successes lies within five standard deviations of what is expected."""
    deviation = math.sqrt(of * probability * (1 - probability))
    return abs(count - of * probability) <= FIVE_SIGMA * deviation


@given(seeds, st.integers(1, 50), st.integers(0, 2**40), st.integers(1, 9), st.integers(1, 9))
@few
def test_the_same_question_has_the_same_answer(seed, layer, step, n, m):
    first = keep_mask((n, m), 0.5, seed, layer, step)
    assert first.shape == (n, m)
    assert first.dtype == bool
    assert np.array_equal(first, keep_mask((n, m), 0.5, seed, layer, step))


@given(seeds, st.integers(1, 9), st.integers(0, 9), st.integers(1, 40), st.integers(1, 9), st.data())
@few
def test_an_element_s_fate_depends_on_its_number_only(seed, layer, step, n, m, data):
    """Fewer rows are the first rows of more, and the shape does not matter: element 10 of (5, 3) is that of (3, 5)."""
    whole = keep_mask((n, m), 0.4, seed, layer, step)
    rows = data.draw(st.integers(1, n))
    assert np.array_equal(keep_mask((rows, m), 0.4, seed, layer, step), whole[:rows])
    assert np.array_equal(keep_mask((m, n), 0.4, seed, layer, step).ravel(), whole.ravel())


@given(seeds, st.floats(0, 0.99), st.floats(0, 0.99))
@few
def test_who_stays_at_a_high_rate_stays_at_a_lower_one(seed, one, other):
    low, high = sorted([one, other])
    assert not (keep_mask((20, 20), high, seed, 1, 1) & ~keep_mask((20, 20), low, seed, 1, 1)).any()


def test_nothing_is_dropped_at_rate_zero():
    assert keep_mask((300, 300), 0.0, 1, 1, 1).all()


@pytest.mark.parametrize("rate", RATES)
def test_the_share_kept_is_one_minus_rate_in_all_and_in_each_row_and_column(rate):
    for seed in range(5):
        kept = keep_mask(MANY, rate, seed, 1, 7)
        assert count_is_fair(kept.sum(), kept.size, 1 - rate)
        assert all(count_is_fair(kept[:, j].sum(), MANY[0], 1 - rate) for j in range(MANY[1]))
        assert all(count_is_fair(kept[i].sum(), MANY[1], 1 - rate) for i in range(MANY[0]))


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("shift", [(0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (2, 0), (16, 0), (0, 64), (256, 0)])
def test_neighbours_are_independent(rate, shift):
    """As many pairs are kept together as chance would keep, in every direction."""
    kept = keep_mask(MANY, rate, 11, 2, 3)
    other = np.roll(kept, shift, axis=(0, 1))
    assert count_is_fair((kept & other).sum(), kept.size, (1 - rate) ** 2)
    assert count_is_fair((~kept & ~other).sum(), kept.size, rate**2)


def chi_square(table):
    """Of a table of counts against independence of its two sides."""
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / table.sum()
    return float(((table - expected) ** 2 / expected).sum())


PLACES = {  # (seed, layer, step) pairs that a bad hash would mix up
    "steps": ((5, 1, 1), (5, 1, 2)),
    "far steps": ((5, 1, 1), (5, 1, 1 + 2**16)),
    "layers": ((5, 1, 1), (5, 2, 1)),
    "layer and step exchanged": ((5, 1, 2), (5, 2, 1)),
    "seeds": ((5, 1, 1), (6, 1, 1)),
    "high bits of the seed": ((5, 1, 1), (5 + 2**32, 1, 1)),
    "seed and layer exchanged": ((1, 5, 1), (5, 1, 1)),
    "zeros": ((0, 1, 0), (0, 0, 0)),
}


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_masks_of_different_steps_layers_and_seeds_are_independent(where, rate):
    one, other = (keep_mask(MANY, rate, *place) for place in PLACES[where])
    table = np.array([[(a & b).sum() for b in (other, ~other)] for a in (one, ~one)])
    assert chi_square(table) < 24  # one degree of freedom: chance alone exceeds it once in a million


def test_no_two_streams_among_many_have_the_same_key():
    keys = {stream_key(seed, layer, step) for seed in range(10) for layer in range(1, 11) for step in range(30)}
    assert len(keys) == 10 * 10 * 30


def test_streams_with_near_keys_are_no_rearrangements_of_each_other():
    """Element e of one stream would be element e ^ d of another, d the keys' difference, if one key were all."""
    keys = {step: stream_key(3, 1, step)[0] for step in range(3000)}
    by_high_bits = {}
    near = []
    for step, key in keys.items():
        other = by_high_bits.setdefault(key >> 16, step)
        near += [(step, other)] if other != step else []
    assert len(near) > 20
    elements = np.arange(2**16)
    for step, other in near[:20]:
        one, two = (keep_mask((2**16,), 0.5, 3, 1, s) for s in (step, other))
        moved = two[elements ^ (keys[step] ^ keys[other])]
        assert count_is_fair(int((one == moved).sum()), 2**16, 0.5)


def test_one_bit_of_the_number_changes_half_of_the_bits_of_the_hash():
    x = np.random.default_rng(0).integers(2**32, size=4000, dtype=np.uint32)
    for bit in range(32):
        changed = mixed(x) ^ mixed(x ^ np.uint32(1 << bit))
        for place in range(32):
            assert count_is_fair(int(((changed >> np.uint32(place)) & np.uint32(1)).sum()), len(x), 0.5)


@given(st.sampled_from(RATES), seeds, st.sampled_from([np.float32, np.float64]))
@few
def test_what_stays_is_scaled_and_what_goes_is_zero(rate, seed, dtype):
    x = np.random.default_rng(0).standard_normal((20, 10)).astype(dtype)
    out = np.full_like(x, np.nan)
    Operations().dropout(x, rate, seed, 3, np.array([9]), out)
    kept = keep_mask(x.shape, rate, seed, 3, 9)
    assert (out[~kept] == 0).all()
    np.testing.assert_allclose(out[kept], x[kept] / (1 - rate), rtol=2 * np.finfo(dtype).eps)
    Operations().dropout(x, rate, seed, 3, np.array([9]), x)  # over its own argument
    assert np.array_equal(x, out)


@pytest.mark.parametrize("rate", RATES)
def test_the_mean_is_kept(rate):
    x, out = np.full(MANY, 2.0), np.empty(MANY)
    Operations().dropout(x, rate, 0, 1, np.array([1]), out)
    deviation = 2.0 * math.sqrt(rate / (1 - rate) / x.size)
    assert abs(out.mean() - 2.0) <= FIVE_SIGMA * deviation


def test_backward_drops_what_forward_dropped_and_prediction_drops_nothing():
    layer, x = tn.layers.Dropout(0.3), np.ones((50, 8))
    m = Memory(index=4, seed=17, step=np.array([5]), a=np.full(x.shape, np.nan))
    m.dx = np.full(x.shape, np.nan)
    a = layer.forward(Operations(), m, x, training=True)
    dx = layer.backward(Operations(), m, x, x)
    assert np.array_equal(a, dx)
    assert 0 < (a == 0).sum() < a.size
    assert layer.forward(Operations(), m, x, training=False) is x


def test_every_step_of_training_has_a_mask_of_its_own_and_predict_has_none():
    tn.set_random_seed(3)
    model = tn.Sequential([tn.layers.Dropout(0.5, input_shape=[64]), tn.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((4, 64))
    masks = []
    for _ in range(3):
        model.forward(x)
        first = model.batch()["a1"].copy()
        model.forward(x)  # the same step again: the same mask
        assert np.array_equal(model.batch()["a1"], first)
        masks.append(first)
        model.train_on_batch(x, np.zeros(4))
    assert not np.array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[1], masks[2])
    assert np.array_equal(model.predict(x), model.predict(x))
    W, b = model.get_weights()
    np.testing.assert_allclose(model.predict(x), x @ W + b, rtol=1e-5)


@pytest.mark.parametrize("rate", [1.0, -0.1, 1.5, math.nan])
def test_rates_that_are_none_are_refused(rate):
    with pytest.raises(ValueError, match="rate is at least 0 and below 1"):
        tn.layers.Dropout(rate)
