"""Functions that step outside the vocabulary of formulas, each in one way."""

import math

import numpy as np

from tinynet.formulas import activations, losses, updates
from tinynet.formulas.vocabulary import exp, sqrt, where

TABLE = np.ones(3)
FLAG = True
NOTHING = math.nan


def arctan(z):
    return np.arctan(z)


def branch(z):
    if z > 0:
        return z
    return 0.0


def choice(z):
    return z if z > 0 else 0.0


def loop(z):
    for _ in range(3):
        z = z * z
    return z


def local_lambda(z):
    f = lambda x: x  # noqa: E731
    return f(z)


def comprehension(z):
    return sum([z for _ in "ab"])


def unknown_array(z):
    return z + TABLE


def unknown_name(z):
    return z + missing  # noqa: F821


def other_module(z):
    return math.exp(z)


def method(z):
    return z.sum()


def item(z):
    return z[0]


def attribute(z):
    return z.T


def word_with_keyword(z):
    return exp(z, dtype=float)


def too_many(z):
    return exp(z, z)


def second_assignment(z):
    a = z
    a = a * z
    return a + z


def assigned_argument(z):
    z = z + 1.0
    return z * z


def assigned_word(z):
    exp = z + 1.0  # noqa: F841
    return z


def unpacked(z):
    a, b = z, z
    return a + b


def augmented(z):
    a = z
    a += z
    return a


def no_return(z):
    a = z  # noqa: F841


def bare_return(z):
    return


def empty_return(z):
    return ()


def only_words(z):
    """Nothing else."""


def returned_comparison(z):
    return z > 0.0


def multiplied_comparison(z):
    return z * (z > 0.0)


def negated_comparison(z):
    return where(-(z > 0.0), z, 0.0)


def squared_comparison(z):
    return (z > 0.0) ** 2


def compared_comparison(z):
    return where((z > 0.0) == (z > 1.0), z, 0.0)


def chained_comparison(z):
    return where(0.0 < z < 1.0, z, 0.0)


def both_comparisons(z):
    return where(z > 0.0 and z < 1.0, z, 0.0)


def condition_of_a_number(z):
    return where(z, z, 0.0)


def truth(z):
    return z + True


def global_truth(z):
    return z + FLAG


def text(z):
    return z + "1"


def imaginary(z):
    return z + 1j


def not_finite(z):
    return z + NOTHING


def modulo(z):
    return z % 2.0


def inverted(z):
    return ~z


def root_of_a_scalar(z, *, alpha=2.0):
    return z * sqrt(alpha)


def tuple_helper(z):
    return updates.sgd_momentum(z, z, z)


def calls_with_few(z):
    return losses.huber(z)


def calls_with_a_wrong_scalar(z):
    return activations.elu(z, beta=1.0)


def calls_with_an_array_as_scalar(z):
    return activations.elu(z, alpha=z)


def starred(z):
    return exp(*z)


def scalar_without_default(z, *, alpha):
    return alpha * z


def scalar_of_text(z, *, alpha="1"):
    return alpha * z


def scalar_of_truth(z, *, alpha=True):
    return alpha * z


def array_with_default(z, t=1.0):
    return z * t


def many(*z):
    return z


def keywords(z, **scalars):
    return z


def positional(z, /):
    return z


def itself(z):
    return itself(z)


def one_way(z):
    return other_way(z)


def other_way(z):
    return one_way(z)


def real(z):
    return z


def calls_real(z):
    return real(z)


async def waits(z):
    return z
