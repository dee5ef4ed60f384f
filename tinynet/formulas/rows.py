"""Further formulas of a row or of one parameter: layer normalisation, penalties, and a product for own layers."""

from tinynet.formulas.formula import derivative_of, gradient_of
from tinynet.formulas.vocabulary import row_mean, sign, sqrt


def row_deviation(x, *, epsilon=1e-3):
    """sqrt(variance of the row + epsilon)."""
    return sqrt(row_mean((x - row_mean(x)) ** 2) + epsilon)


def standardized(x, *, epsilon=1e-3):
    """Each row less its mean, over its deviation."""
    return (x - row_mean(x)) / row_deviation(x, epsilon=epsilon)


def layer_normalization(x, gamma, beta, *, epsilon=1e-3):
    """a = gamma x_hat + beta, x_hat each row of x with mean 0 and variance 1 (Ba, Kiros and Hinton 2016).

    gamma and beta are one number for each column. epsilon is Keras's.
    """
    x_hat = standardized(x, epsilon=epsilon)
    return gamma * x_hat + beta


@gradient_of(layer_normalization)
def layer_normalization_gradient(da, x, gamma, *, epsilon=1e-3):
    """dx = (dx_hat - mean(dx_hat) - x_hat mean(dx_hat x_hat)) / deviation, with dx_hat = da gamma; and da x_hat, whose
    sum over the samples is dgamma. (dbeta is the sum of da.)
    """
    x_hat = standardized(x, epsilon=epsilon)
    dx_hat = da * gamma
    dx = (dx_hat - row_mean(dx_hat) - x_hat * row_mean(dx_hat * x_hat)) / row_deviation(x, epsilon=epsilon)
    return dx, da * x_hat


def penalty(p, *, l1=0.0, l2=0.0):
    """l1 |p| + l2 p^2, summed over a parameter and added to the loss (Tikhonov 1943; Tibshirani 1996)."""
    return l1 * abs(p) + l2 * p**2


@derivative_of(penalty)
def penalty_derivative(p, *, l1=0.0, l2=0.0):
    """l1 sign(p) + 2 l2 p."""
    return l1 * sign(p) + 2.0 * l2 * p


def product(x, y):
    """x y, elementwise: for layers of one's own."""
    return x * y
