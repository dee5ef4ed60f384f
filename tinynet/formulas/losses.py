"""Losses of an output y and a target t, each directly above its derivative with respect to y.

An elementwise loss is the term under the mean: a sample's loss is the mean of f(y_j, t_j) over its m outputs. A row
loss (the categorical ones) gives one number for the whole row. In both cases the batch's loss is the mean over the
samples, each multiplied with its weight; the operation `loss_grad` takes these means.

The `..._from_logits` losses take the z before a last sigmoid or softmax. There the calculus cancels: dz = a - t.
"""

from tinynet.formulas.activations import sigmoid, softmax, softplus
from tinynet.formulas.formula import derivative_of
from tinynet.formulas.vocabulary import column_index, exp, log, maximum, minimum, row_max, row_sum, sign, where


def mean_squared_error(y, t):
    """(y - t)^2 (Legendre 1805, Gauss 1809)."""
    return (y - t) ** 2


@derivative_of(mean_squared_error)
def mean_squared_error_derivative(y, t):
    """2 (y - t)."""
    return 2.0 * (y - t)


def mean_absolute_error(y, t):
    """|y - t| (Laplace 1774)."""
    return abs(y - t)


@derivative_of(mean_absolute_error)
def mean_absolute_error_derivative(y, t):
    """sign(y - t), and 0 at the kink y = t."""
    return sign(y - t)


def huber(y, t, *, delta=1.0):
    """e^2 / 2 where e = |y - t| is at most delta, else delta (e - delta / 2) (Huber 1964)."""
    e = abs(y - t)
    return where(e <= delta, 0.5 * e**2, delta * (e - 0.5 * delta))


@derivative_of(huber)
def huber_derivative(y, t, *, delta=1.0):
    """y - t, held between -delta and delta."""
    return maximum(minimum(y - t, delta), -delta)


def quantile(y, t, *, q=0.5):
    """q (t - y) where t > y, else (1 - q) (y - t): least at the q-quantile (Koenker and Bassett 1978)."""
    return maximum(q * (t - y), (1.0 - q) * (y - t))


@derivative_of(quantile)
def quantile_derivative(y, t, *, q=0.5):
    """1 - q where y > t, else -q."""
    return where(y > t, 1.0 - q, -q)


def poisson(y, t, *, epsilon=1e-7):
    """y - t ln y, for counts t of mean y > 0: the negative log-likelihood without its constant ln t!.

    epsilon is added inside the logarithm, as Keras does.
    """
    return y - t * log(y + epsilon)


@derivative_of(poisson)
def poisson_derivative(y, t, *, epsilon=1e-7):
    """1 - t / y."""
    return 1.0 - t / (y + epsilon)


def poisson_log_link(y, t):
    """e^y - t y, for counts t of mean e^y: poisson with a log link (McCullagh and Nelder 1989, chapter 6)."""
    return exp(y) - t * y


@derivative_of(poisson_log_link)
def poisson_log_link_derivative(y, t):
    """e^y - t."""
    return exp(y) - t


def gamma(y, t):
    """t e^-y + y, for positive amounts t of mean e^y (log link): the negative log-likelihood of a gamma distribution,
    over its shape and without its constants (McCullagh and Nelder 1989, chapter 8).
    """
    return t * exp(-y) + y


@derivative_of(gamma)
def gamma_derivative(y, t):
    """1 - t e^-y."""
    return 1.0 - t * exp(-y)


def held_inside(y, *, epsilon=1e-7):
    """y held between epsilon and 1 - epsilon, so that neither ln y nor ln(1 - y) is infinite."""
    return minimum(maximum(y, epsilon), 1.0 - epsilon)


def binary_crossentropy(y, t, *, epsilon=1e-7):
    """-t ln y - (1 - t) ln(1 - y), y a probability held between epsilon and 1 - epsilon as in Keras (Good 1952)."""
    p = held_inside(y, epsilon=epsilon)
    return -t * log(p) - (1.0 - t) * log(1.0 - p)


@derivative_of(binary_crossentropy)
def binary_crossentropy_derivative(y, t, *, epsilon=1e-7):
    """(y - t) / (y (1 - y)), and 0 where y is held back."""
    p = held_inside(y, epsilon=epsilon)
    return where(p == y, (p - t) / (p * (1.0 - p)), 0.0)


def binary_crossentropy_from_logits(y, t):
    """ln(1 + e^y) - t y: binary cross-entropy of the probability sigmoid(y)."""
    return softplus(y) - t * y


@derivative_of(binary_crossentropy_from_logits)
def binary_crossentropy_from_logits_derivative(y, t):
    """sigmoid(y) - t."""
    return sigmoid(y) - t


def categorical_crossentropy(y, t, *, epsilon=1e-7):
    """-sum_j t_j ln p_j with p = y / sum_k y_k, held between epsilon and 1 - epsilon as in Keras."""
    p = held_inside(y / row_sum(y), epsilon=epsilon)
    return -row_sum(t * log(p))


@derivative_of(categorical_crossentropy)
def categorical_crossentropy_derivative(y, t, *, epsilon=1e-7):
    """(g_j - sum_k g_k p_k) / sum_k y_k, with g = -t / p, and 0 where p is held back."""
    total = row_sum(y)
    p = y / total
    g = where(held_inside(p, epsilon=epsilon) == p, -t / p, 0.0)
    return (g - row_sum(g * p)) / total


def categorical_crossentropy_from_logits(y, t):
    """-sum_j t_j ln softmax(y)_j."""
    shifted = y - row_max(y)
    return row_sum(t * (log(row_sum(exp(shifted))) - shifted))


@derivative_of(categorical_crossentropy_from_logits)
def categorical_crossentropy_from_logits_derivative(y, t):
    """softmax(y) sum_k t_k - t."""
    return softmax(y) * row_sum(t) - t


def one_hot(y, t):
    """A row as wide as y with 1 in column t, a class number, and 0 elsewhere."""
    return where(column_index(y) == t, 1.0, 0.0)


def sparse_categorical_crossentropy(y, t, *, epsilon=1e-7):
    """Categorical cross-entropy with the target as a class number t, shape (n, 1), counted from 0."""
    return categorical_crossentropy(y, one_hot(y, t), epsilon=epsilon)


@derivative_of(sparse_categorical_crossentropy)
def sparse_categorical_crossentropy_derivative(y, t, *, epsilon=1e-7):
    """As for categorical cross-entropy, of the one-hot target."""
    return categorical_crossentropy_derivative(y, one_hot(y, t), epsilon=epsilon)


def sparse_categorical_crossentropy_from_logits(y, t):
    """-ln softmax(y)_t for the class number t, shape (n, 1)."""
    return categorical_crossentropy_from_logits(y, one_hot(y, t))


@derivative_of(sparse_categorical_crossentropy_from_logits)
def sparse_categorical_crossentropy_from_logits_derivative(y, t):
    """softmax(y) - 1 in column t, softmax(y) elsewhere."""
    return categorical_crossentropy_from_logits_derivative(y, one_hot(y, t))
