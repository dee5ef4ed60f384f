"""Every formula a second time, apart from the package: from its definition in the literature, in decimals of 60 digits.

An update rule is written without averages that are carried on: the parameter after all gradients so far, as a sum over
them. So a rule that carries the wrong thing on, or counts its steps wrongly, differs from what stands here.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal, localcontext
from functools import partial
from typing import Any

import numpy as np
from every_formula import UPDATES, arguments, other_scalars

from tinynet.formulas.formula import scalar_defaults
from tinynet.formulas.reader import read

DIGITS, STEPS, ROWS = 60, 40, 12
ONE, HALF = Decimal(1), Decimal("0.5")

# Activations, of one number.


def linear(z):
    return z


def relu(z):
    return z if z > 0 else z * 0


def leaky_relu(z, negative_slope):
    return z if z > 0 else negative_slope * z


def elu(z, alpha):
    return z if z > 0 else alpha * (z.exp() - 1)


def sigmoid(z):
    return z.exp() / (1 + z.exp())


def tanh(z):
    return ((2 * z).exp() - 1) / ((2 * z).exp() + 1)


def softplus(z):
    return (1 + z.exp()).ln()


def silu(z):
    return z * sigmoid(z)


def gelu(z):
    """z Phi(z), by Phi(z) = 1/2 + phi(z) (z + z^3 / 3 + z^5 / (3 5) + ...) and Machin's formula for pi."""
    pi = 4 * (4 * arctan_of_one_over(5) - arctan_of_one_over(239))
    density = (-z * z / 2).exp() / (2 * pi).sqrt()
    term, total, odd = z, z, 1
    while abs(term) > Decimal(10) ** -DIGITS:
        odd += 2
        term *= z * z / odd
        total += term
    return z * (HALF + density * total)


def arctan_of_one_over(n):
    return sum((-ONE) ** k / ((2 * k + 1) * Decimal(n) ** (2 * k + 1)) for k in range(DIGITS))


# Losses of one output y and its target t: negative log-likelihoods, and distances.


def mean_squared_error(y, t):
    return y * y - 2 * y * t + t * t


def mean_absolute_error(y, t):
    return max(y, t) - min(y, t)


def huber(y, t, delta):
    e = abs(y - t)
    return e * e / 2 if e <= delta else delta * e - delta * delta / 2


def quantile(y, t, q):
    return q * (t - y) if t > y else (1 - q) * (y - t)


def poisson(y, t, epsilon):
    return y - ((y + epsilon) ** t).ln()


def poisson_log_link(y, t):
    return y.exp() - t * y


def gamma(y, t):
    return t / y.exp() + y


def held_inside(y, epsilon):
    return sorted([epsilon, y, 1 - epsilon])[1]


def binary_crossentropy(y, t, epsilon):
    p = held_inside(y, epsilon)
    return -(p**t * (1 - p) ** (1 - t)).ln()


def binary_crossentropy_from_logits(y, t):
    return -(sigmoid(y) ** t * (1 - sigmoid(y)) ** (1 - t)).ln()


# Penalties and the like, of one number of each array.


def penalty(p, l1, l2):
    return l1 * max(p, -p) + l2 * p * p


def product(x, y):
    """A quarter of the difference of two squares."""
    return ((x + y) ** 2 - (x - y) ** 2) / 4


def clip_by_value(g, limit):
    return sorted([-limit, g, limit])[1]


def clip_by_norm(g, square_norm, limit):
    return g if square_norm <= limit * limit else limit * g / square_norm.sqrt()


def moving_average(average, value, rate):
    return value + rate * (average - value)


def adam_step(m, v, learning_rate, beta_1, beta_2, epsilon, step):
    """Both averages corrected, as in the paper's Algorithm 1; epsilon is not, as in the text before its Section 2.1."""
    m_hat, v_hat = m / (1 - beta_1**step), v / (1 - beta_2**step)
    return learning_rate * m_hat / (v_hat.sqrt() + epsilon / (1 - beta_2**step).sqrt())


# Of a row, as a list.


def softmax(z):
    return [ONE / sum((other - own).exp() for other in z) for own in z]


def categorical_crossentropy(y, t, epsilon):
    return [-sum(target * held_inside(p / sum(y), epsilon).ln() for p, target in zip(y, t, strict=True))]


def categorical_crossentropy_from_logits(y, t):
    return [-sum(target * p.ln() for p, target in zip(softmax(y), t, strict=True))]


def one_hot(y, t):
    row = [Decimal(0)] * len(y)
    row[int(t[0])] = ONE
    return row


def sparse_categorical_crossentropy(y, t, epsilon):
    return [-held_inside(y[int(t[0])] / sum(y), epsilon).ln()]


def sparse_categorical_crossentropy_from_logits(y, t):
    return [-softmax(y)[int(t[0])].ln()]


def row_deviation(x, epsilon):
    """By half of the mean square of all pairs' differences, which is the variance."""
    pairs = [(one - other) ** 2 for one in x for other in x]
    return [(sum(pairs) / (2 * len(pairs)) + epsilon).sqrt()]


def standardized(x, epsilon):
    return [(one - sum(x) / len(x)) / row_deviation(x, epsilon)[0] for one in x]


def layer_normalization(x, gamma, beta, epsilon):
    return [g * one + b for one, g, b in zip(standardized(x, epsilon), gamma, beta, strict=True)]


OF_ROWS = (
    softmax, categorical_crossentropy, categorical_crossentropy_from_logits, one_hot, sparse_categorical_crossentropy,
    sparse_categorical_crossentropy_from_logits, row_deviation, standardized, layer_normalization,
)  # fmt: skip


# Update rules: the parameter p after the gradients, from the first to the last.


def sgd(p, gradients, learning_rate):
    return p - learning_rate * sum(gradients)


def sgd_momentum(p, gradients, learning_rate, momentum):
    """Each gradient moves p again and again, momentum times as far each time: a geometric series so far."""
    last = len(gradients)
    return p - learning_rate * sum(g * series(momentum, last - i) for i, g in enumerate(gradients))


def sgd_nesterov(p, gradients, learning_rate, momentum):
    """p is where Nesterov's method takes its gradients: one step of its own momentum ahead."""
    last = len(gradients)
    return p - learning_rate * sum(g * series(momentum, last - i + 1) for i, g in enumerate(gradients))


def rmsprop(p, gradients, learning_rate, rho, epsilon):
    return p - sum(rmsprop_steps(gradients, learning_rate, rho, epsilon))


def rmsprop_momentum(p, gradients, learning_rate, rho, momentum, epsilon):
    steps = rmsprop_steps(gradients, learning_rate, rho, epsilon)
    return p - sum(step * series(momentum, len(steps) - i) for i, step in enumerate(steps))


def adam(p, gradients, learning_rate, beta_1, beta_2, epsilon):
    return p - sum(adam_steps(gradients, learning_rate, beta_1, beta_2, epsilon, lambda squares: squares[-1]))


def adam_amsgrad(p, gradients, learning_rate, beta_1, beta_2, epsilon):
    return p - sum(adam_steps(gradients, learning_rate, beta_1, beta_2, epsilon, max))


def decay(p, gradients, learning_rate, weight_decay):
    return p * (1 - learning_rate * weight_decay) ** len(gradients)


def series(ratio, terms):
    """1 + ratio + ratio^2 + ..., so many terms."""
    return (1 - ratio**terms) / (1 - ratio)


def averages(values, rate):
    """(1 - rate) (v_t + rate v_(t-1) + rate^2 v_(t-2) + ...) for every t."""
    return [(1 - rate) * sum(rate ** (t - i) * values[i] for i in range(t + 1)) for t in range(len(values))]


def rmsprop_steps(gradients, learning_rate, rho, epsilon):
    squares = averages([g * g for g in gradients], rho)
    return [learning_rate * g / (v + epsilon).sqrt() for g, v in zip(gradients, squares, strict=True)]


def adam_steps(gradients, learning_rate, beta_1, beta_2, epsilon, chosen):
    means, squares = averages(gradients, beta_1), averages([g * g for g in gradients], beta_2)
    settings = learning_rate, beta_1, beta_2, epsilon
    return [adam_step(m, chosen(squares[: t + 1]), *settings, Decimal(t + 1)) for t, m in enumerate(means)]


def oracle_of(function: Callable[..., Any]) -> Callable[..., Any]:
    """What stands here under the formula's name."""
    found: Callable[..., Any] = globals()[function.__name__]
    return found


def agreement(f: Callable[..., Any], run: Callable[..., Any] | None = None) -> tuple[float, int]:
    """(|found - expected| / |expected| in the 2-norm, how many numbers) for the default scalars and for others.

    `run` is what is called in place of the formula f: a wrong one, to see that it is found.
    """
    found: list[float] = []
    expected: list[Decimal] = []
    defaults = scalar_defaults(f)
    with localcontext() as context:
        context.prec = DIGITS
        for seed, scalars in enumerate([defaults, other_scalars(f)] if defaults else [defaults]):
            compared = after_each_step if is_rule(f) else of_arguments
            for ours, theirs in compared(f, run or f, np.random.default_rng(seed), scalars):
                found += np.ravel(ours).tolist()
                expected += theirs
        errors = [Decimal(ours) - theirs for ours, theirs in zip(found, expected, strict=True)]
        size = sum(theirs**2 for theirs in expected).sqrt()
        return float(sum(error**2 for error in errors).sqrt() / size), len(found)


def is_rule(f: Callable[..., Any]) -> bool:
    return f in UPDATES and read(f).arrays[:2] == ("p", "g")


def of_arguments(f: Any, run: Any, generator: Any, scalars: dict[str, float]) -> Iterator[tuple[Any, list[Decimal]]]:
    """(the formula's row, the oracle's) for rows of arguments."""
    arrays = [np.broadcast_to(array, (ROWS, array.shape[-1])) for array in arguments(f, generator, (ROWS, 5))]
    exact = partial(oracle_of(f), **{name: Decimal(value) for name, value in scalars.items()})
    for i, ours in enumerate(np.asarray(run(*arrays, **scalars))):
        row = [[Decimal(value) for value in array[i].tolist()] for array in arrays]
        yield ours, exact(*row) if oracle_of(f) in OF_ROWS else [exact(*one) for one in zip(*row, strict=True)]


def after_each_step(f: Any, run: Any, generator: Any, scalars: dict[str, float]) -> Iterator[tuple[Any, list[Decimal]]]:
    """(the rule's parameter, the oracle's) after each of the first steps, for gradients drawn at random."""
    p, slots = 0.75, [0.0] * (len(read(f).arrays) - 2)
    exact = {name: Decimal(value) for name, value in scalars.items() if name != "step"}
    start, seen = Decimal(p), []
    for step, g in enumerate(generator.standard_normal(STEPS).tolist(), 1):
        counted = {"step": float(step)} if "step" in scalars else {}
        results = run(p, g, *slots, **(scalars | counted))
        p, *slots = results if isinstance(results, tuple) else (results,)
        seen.append(Decimal(g))
        yield p, [oracle_of(f)(start, seen, **exact)]
