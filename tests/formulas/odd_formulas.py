"""Formulas that nobody should write, to try the printers with."""

import numpy as np

from tinynet.formulas.vocabulary import exp, row_max, row_mean, row_sum, sqrt, where

LARGE = -3.0


def sign(z):
    """Named like a word."""
    return z / 2.0


def odd_names(j, m, real, double, *, c0=2.0, value=3.0, β=0.5):
    """Names of the printers' own, of C, and of another alphabet."""
    third = 1 / 3
    result0 = sign(j) + np.sign(j) - (LARGE) * m**3 + where(c0 > value, real, double / c0)
    return result0 - -real * β ** (0.5 * 3.0) + sqrt(double) + double**0.5 + m**third + (-LARGE) * m


def first(z):
    s = exp(z)
    return s * s


def second(z):
    s = first(z) + z
    return s * s


def same_names(z):
    """Steps of one name in three formulas, and one formula called twice."""
    s = second(z) + first(2.0 * z)
    return s * s + first(z)


def mixed_levels(x, offset):
    """Results of both levels; a sum over what is one number a row already."""
    return exp(x - row_max(x)) + row_sum(offset) * 1.0, row_mean(x), offset


ODD = [odd_names, same_names, mixed_levels]
