"""The operations around the loss and the update, against the definitions in books, written as loops."""

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynet.formulas import losses, updates
from tinynet.formulas.formula import Formula
from tinynet.formulas.rows import penalty
from tinynet.operations import OPERATIONS, Operations, hyper_names

ops = Operations()
sizes = st.integers(1, 7)
seeds = st.integers(0, 2**32)
precisions = st.sampled_from([np.float32, np.float64])
few = settings(max_examples=30, deadline=None, derandomize=True, database=None)

SIXTEEN = (
    "gather gemm bias_activation activation_grad apply column_sum loss_grad dropout embed embed_grad regularize "
    "regularize_grad square_norm finite_guard advance update"
)


def test_the_table_is_closed():
    assert sorted(OPERATIONS) == sorted(SIXTEEN.split())


def log_sum_exp(row):
    greatest = max(row)
    return greatest + math.log(math.fsum(math.exp(z - greatest) for z in row))


# loss of one sample: y and t are lists of numbers
def mean(terms):
    return math.fsum(terms) / len(terms)


SAMPLE_LOSS = {
    "mean_squared_error": lambda y, t: mean([(p - q) ** 2 for p, q in zip(y, t, strict=True)]),
    "mean_absolute_error": lambda y, t: mean([abs(p - q) for p, q in zip(y, t, strict=True)]),
    "huber": lambda y, t: mean(
        [e * e / 2 if e <= 1 else e - 0.5 for e in (abs(p - q) for p, q in zip(y, t, strict=True))]
    ),
    "gamma": lambda y, t: mean([q / math.exp(p) + p for p, q in zip(y, t, strict=True)]),
    "binary_crossentropy_from_logits": lambda y, t: mean(
        [-q * math.log(1 / (1 + math.exp(-p))) - (1 - q) * math.log(1 / (1 + math.exp(p)))
         for p, q in zip(y, t, strict=True)]
    ),
    "categorical_crossentropy_from_logits": lambda y, t: math.fsum(
        q * (log_sum_exp(y) - p) for p, q in zip(y, t, strict=True)
    ),
    "sparse_categorical_crossentropy_from_logits": lambda y, t: log_sum_exp(y) - y[int(t[0])],
}  # fmt: skip


def batch_of(name, n, m, seed, dtype):
    generator = np.random.default_rng(seed)
    y = generator.standard_normal((n, m)).astype(dtype)
    t = generator.uniform(0.1, 0.9, (n, m)) + (0 if "crossentropy" in name else 3 * generator.integers(-1, 2, (n, m)))
    if name.startswith("sparse"):
        t = generator.integers(m, size=(n, 1))
    return y, t.astype(dtype), generator.uniform(0, 2, (n, 1)).astype(dtype)


@pytest.mark.parametrize("name", SAMPLE_LOSS)
@given(n=sizes, m=sizes, rest=st.integers(0, 5), seed=seeds, dtype=precisions)
@few
def test_loss_grad_is_value_and_gradient_of_the_weighted_sum_over_the_whole_batch(name, n, m, rest, seed, dtype):
    """The rows may be a slice of a larger batch: the gradient is divided by the batch's rows, not the slice's."""
    y, t, weight = batch_of(name, n, m, seed, dtype)
    total, value, dy = np.array([float(n + rest)]), np.array([10.0]), np.full((n, m), np.nan, dtype)
    ops.loss_grad(Formula(getattr(losses, name)), y, t, weight, total, dy, value)
    rows = [(y[i].astype(float).tolist(), t[i].astype(float).tolist(), float(weight[i, 0])) for i in range(n)]
    expected = 10.0 + math.fsum(w * SAMPLE_LOSS[name](p, q) for p, q, w in rows)
    assert value[0] == pytest.approx(expected, rel=3e-6 if dtype is np.float32 else 1e-13)
    h = 1e-4
    for i, j in np.ndindex(n, m):
        p, q, w = rows[i]
        if name in ("mean_absolute_error", "huber") and min(abs(abs(p[j] - q[j]) - k) for k in (0, 1)) < 2 * h:
            continue  # a kink

        def moved(by, p=p, q=q, j=j):
            return SAMPLE_LOSS[name]([*p[:j], p[j] + by, *p[j + 1 :]], q)

        slope = (8 * (moved(h) - moved(-h)) - (moved(2 * h) - moved(-2 * h))) / (12 * h)
        tolerance = 1e-6 if dtype is np.float32 else 1e-10
        assert dy[i, j] == pytest.approx(w * slope / (n + rest), abs=tolerance, rel=tolerance * 10)


@given(n=st.integers(2, 7), m=sizes, seed=seeds)
@few
def test_a_sample_of_weight_zero_is_as_if_it_were_not_there(n, m, seed):
    f = Formula(losses.mean_squared_error)
    y, t, weight = batch_of("mean_squared_error", n, m, seed, np.float64)
    weight[0] = 0.0
    dy, value = np.full((n, m), np.nan), np.zeros(1)
    ops.loss_grad(f, y, t, weight, np.array([float(n)]), dy, value)
    rest, value_of_rest = np.full((n - 1, m), np.nan), np.zeros(1)
    ops.loss_grad(f, y[1:], t[1:], weight[1:], np.array([float(n)]), rest, value_of_rest)
    assert (dy[0] == 0).all()
    assert np.array_equal(dy[1:], rest)
    assert value[0] == pytest.approx(value_of_rest[0], rel=1e-14)


def test_value_is_summed_in_double():
    """A float32 sum would lose each 1 beside 2^24."""
    y, value = np.zeros((2, 1), np.float32), np.array([2.0**24])
    one = np.ones((2, 1), np.float32)
    for _ in range(5):
        ops.loss_grad(Formula(losses.mean_squared_error), y, one, one, np.array([2.0]), y.copy(), value)
    assert value[0] == 2.0**24 + 10


def test_a_loss_without_derivative_is_refused_by_name():
    def bent(y, t):
        return y - t

    x = np.ones((1, 1))
    with pytest.raises(TypeError, match=r"bent.*derivative_of\(bent\)"):
        ops.loss_grad(Formula(bent), x, x, x, np.ones(1), x, np.ones(1))
    with pytest.raises(TypeError, match=r"bent.*derivative_of\(bent\)"):
        ops.regularize_grad(Formula(bent), x, x)


@given(st.lists(sizes, min_size=1, max_size=3), st.floats(0, 1), st.floats(0, 1), seeds, precisions)
@few
def test_regularize_adds_the_penalty_times_total_and_its_gradient(shape, l1, l2, seed, dtype):
    p = np.random.default_rng(seed).standard_normal(shape).astype(dtype)
    f, value, dp = Formula(penalty, l1=l1, l2=l2), np.array([5.0]), np.full(shape, 3.0, dtype)
    ops.regularize(f, p, np.array([4.0]), value)
    ops.regularize_grad(f, p, dp)
    elements = [float(x) for x in p.ravel()]
    expected = 5.0 + 4.0 * math.fsum(l1 * abs(x) + l2 * x * x for x in elements)
    rounding = 32 * float(np.finfo(dtype).eps)
    assert value[0] == pytest.approx(expected, rel=rounding)
    slopes = [3.0 + l1 * math.copysign(1, x) + 2 * l2 * x for x in elements]
    assert dp.ravel() == pytest.approx(slopes, rel=rounding, abs=rounding)


@given(st.lists(sizes, min_size=1, max_size=3), seeds, precisions)
@few
def test_square_norm(shape, seed, dtype):
    d, out = np.random.default_rng(seed).standard_normal(shape).astype(dtype), np.full(1, np.nan, dtype)
    ops.square_norm(d, out)
    expected = math.fsum(float(x) ** 2 for x in d.ravel())
    assert out[0] == pytest.approx(expected, rel=2 * float(np.finfo(dtype).eps))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["value", "gradient", "two gradients"])
def test_finite_guard_sees_each_number_that_is_not_finite_and_never_forgets(dtype, bad, where):
    value, gradients, alive = np.array([1.5]), np.ones(9, dtype), np.ones(1, np.int64)
    ops.finite_guard(value, gradients, alive)
    assert alive[0] == 1
    if where == "value":
        value[0] = bad
    else:
        gradients[4] = bad
        gradients[6] = -bad if where == "two gradients" else 1  # infinities of both signs
    with np.errstate(all="ignore"):
        ops.finite_guard(value, gradients, alive)
    assert alive[0] == 0
    ops.finite_guard(np.zeros(1), np.zeros(9, dtype), alive)
    assert alive[0] == 0


def test_finite_guard_takes_large_numbers_for_finite():
    alive = np.ones(1, np.int64)
    ops.finite_guard(np.array([1e300]), np.full(1000, 1e35, np.float32), alive)
    assert alive[0] == 1


def test_advance_adds_one():
    step = np.array([41])
    ops.advance(step)
    assert step.tolist() == [42]


# ------------------------------------------------------------------ the update rules, one number at a time


def textbook_sgd(p, gradients, *, learning_rate):
    for g in gradients:
        p -= learning_rate * g
    return p


def textbook_momentum(p, gradients, *, learning_rate, momentum):
    velocity = 0.0
    for g in gradients:
        velocity = momentum * velocity + g
        p -= learning_rate * velocity
    return p


def textbook_nesterov(p, gradients, *, learning_rate, momentum):
    """Looks ahead, in the variable p + momentum m."""
    velocity = 0.0
    for g in gradients:
        velocity = momentum * velocity + g
        p -= learning_rate * (g + momentum * velocity)
    return p


def textbook_rmsprop(p, gradients, *, learning_rate, rho, epsilon, momentum=0.0):
    square, velocity = 0.0, 0.0
    for g in gradients:
        square = rho * square + (1 - rho) * g * g
        velocity = momentum * velocity + g / math.sqrt(square + epsilon)
        p -= learning_rate * velocity
    return p


def textbook_adam(p, gradients, *, learning_rate, beta_1, beta_2, epsilon, amsgrad=False):
    """With corrected moments, as in algorithm 1; there epsilon is the other form's over sqrt(1 - beta_2^t)."""
    peak = 0.0
    for t in range(1, len(gradients) + 1):
        m = (1 - beta_1) * math.fsum(g * beta_1 ** (t - 1 - i) for i, g in enumerate(gradients[:t]))
        v = (1 - beta_2) * math.fsum(g * g * beta_2 ** (t - 1 - i) for i, g in enumerate(gradients[:t]))
        peak = max(peak, v) if amsgrad else v
        m_hat, v_hat = m / (1 - beta_1**t), peak / (1 - beta_2**t)
        p -= learning_rate * m_hat / (math.sqrt(v_hat) + epsilon / math.sqrt(1 - beta_2**t))
    return p


def textbook_decay(p, gradients, *, learning_rate, weight_decay):
    return p * (1 - learning_rate * weight_decay) ** len(gradients)


RULES = {
    "sgd": (updates.sgd, textbook_sgd, 0),
    "sgd_momentum": (updates.sgd_momentum, textbook_momentum, 1),
    "sgd_nesterov": (updates.sgd_nesterov, textbook_nesterov, 1),
    "rmsprop": (updates.rmsprop, textbook_rmsprop, 1),
    "rmsprop_momentum": (updates.rmsprop_momentum, textbook_rmsprop, 2),
    "adam": (updates.adam, textbook_adam, 2),
    "adam_amsgrad": (updates.adam_amsgrad, partial(textbook_adam, amsgrad=True), 3),
    "decay": (updates.decay, textbook_decay, 0),
}


@pytest.mark.parametrize("name", RULES)
@given(size=st.integers(1, 9), steps=st.integers(1, 6), seed=seeds, dtype=precisions)
@few
def test_update_is_the_rule_of_the_books(name, size, steps, seed, dtype):
    function, textbook, slot_count = RULES[name]
    rule = Formula(function, learning_rate=0.05, **({"beta_2": 0.6} if "amsgrad" in name else {}))  # so that v falls
    hyper = np.array([rule.scalars[scalar] for scalar in hyper_names(rule)])
    generator = np.random.default_rng(seed)
    p, slots = generator.standard_normal(size).astype(dtype), np.zeros((slot_count, size), dtype)
    gradients = generator.standard_normal((steps, size)).astype(dtype)
    start, step, alive = p.copy(), np.zeros(1, np.int64), np.ones(1, np.int64)
    for g in gradients:
        ops.advance(step)
        kept = g.copy()
        ops.update(rule, p, g, slots, hyper, step, alive)
        assert np.array_equal(g, kept)
    scalars = {scalar: value for scalar, value in rule.scalars.items() if scalar != "step"}
    for i in range(size):
        expected = textbook(float(start[i]), [float(g) for g in gradients[:, i]], **scalars)
        tolerance = 2e-6 if dtype is np.float32 else 1e-13
        assert p[i] == pytest.approx(expected, rel=tolerance, abs=tolerance * steps)


@pytest.mark.parametrize("name", RULES)
def test_update_does_nothing_where_alive_is_zero(name):
    function, _, slot_count = RULES[name]
    rule = Formula(function)
    hyper = np.array([rule.scalars[scalar] for scalar in hyper_names(rule)])
    p, slots = np.array([1.0, -2.0]), np.full((slot_count, 2), 0.25)
    for g in (np.ones(2), np.full(2, np.nan)):
        ops.update(rule, p, g, slots, hyper, np.array([3]), np.zeros(1, np.int64))
        assert p.tolist() == [1.0, -2.0]
        assert (slots == 0.25).all()


def test_update_takes_what_hyper_says_now():
    rule, p = Formula(updates.sgd, learning_rate=0.5), np.array([1.0])
    ops.update(rule, p, np.ones(1), np.zeros((0, 1)), np.array([0.25]), np.ones(1), np.ones(1))
    assert p[0] == 0.75
