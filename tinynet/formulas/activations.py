"""Activations a = f(z), each directly above its derivative.

An elementwise derivative f'(z, a) uses whichever of z and a is handy; a layer multiplies it with da. Softmax is a
formula of a whole row: in its place stands the gradient taken back, dz = g(da, z, a).
"""

from math import pi

from tinynet.formulas import vocabulary
from tinynet.formulas.formula import derivative_of, gradient_of
from tinynet.formulas.vocabulary import erf, exp, expm1, log1p, maximum, minimum, row_max, row_sum, where


def linear(z):
    """a = z: no activation."""
    return z


@derivative_of(linear)
def linear_derivative(z, a):
    """da/dz = 1."""
    return 1.0


def relu(z):
    """a = max(z, 0), the rectified linear unit (Nair and Hinton 2010)."""
    return maximum(z, 0.0)


@derivative_of(relu)
def relu_derivative(z, a):
    """da/dz = 1 where a > 0, else 0; taken as 0 at the kink z = 0 too."""
    return where(a > 0.0, 1.0, 0.0)


def leaky_relu(z, *, negative_slope=0.2):
    """a = z where z > 0, else negative_slope z (Maas, Hannun and Ng 2013; the default slope is Keras 3's)."""
    return where(z > 0.0, z, negative_slope * z)


@derivative_of(leaky_relu)
def leaky_relu_derivative(z, a, *, negative_slope=0.2):
    """da/dz = 1 where z > 0, else negative_slope."""
    return where(z > 0.0, 1.0, negative_slope)


def elu(z, *, alpha=1.0):
    """a = z where z > 0, else alpha (e^z - 1) (Clevert, Unterthiner and Hochreiter 2016)."""
    return where(z > 0.0, z, alpha * expm1(minimum(z, 0.0)))


@derivative_of(elu)
def elu_derivative(z, a, *, alpha=1.0):
    """da/dz = 1 where z > 0, else alpha e^z."""
    return where(z > 0.0, 1.0, alpha * exp(minimum(z, 0.0)))


def sigmoid(z):
    """a = 1 / (1 + e^-z), the logistic function (Verhulst 1845)."""
    return 1.0 / (1.0 + exp(-z))


@derivative_of(sigmoid)
def sigmoid_derivative(z, a):
    """da/dz = a (1 - a)."""
    return a * (1.0 - a)


def tanh(z):
    """a = tanh z, the hyperbolic tangent."""
    return vocabulary.tanh(z)


@derivative_of(tanh)
def tanh_derivative(z, a):
    """da/dz = 1 - a^2."""
    return 1.0 - a**2


def softplus(z):
    """a = ln(1 + e^z), written so that it cannot overflow (Dugas et al. 2001)."""
    return log1p(exp(-abs(z))) + maximum(z, 0.0)


@derivative_of(softplus)
def softplus_derivative(z, a):
    """da/dz = sigmoid(z)."""
    return sigmoid(z)


def silu(z):
    """a = z sigmoid(z), also called swish (Elfwing, Uchibe and Doya 2018; Hendrycks and Gimpel 2016)."""
    return z * sigmoid(z)


@derivative_of(silu)
def silu_derivative(z, a):
    """da/dz = s (1 + z (1 - s)) with s = sigmoid(z)."""
    s = sigmoid(z)
    return s * (1.0 + z * (1.0 - s))


def gelu(z):
    """a = z Phi(z), Phi the standard normal distribution function (Hendrycks and Gimpel 2016); exact, by erf."""
    return 0.5 * z * (1.0 + erf(z / 2.0**0.5))


@derivative_of(gelu)
def gelu_derivative(z, a):
    """da/dz = Phi(z) + z phi(z), phi the standard normal density."""
    return 0.5 * (1.0 + erf(z / 2.0**0.5)) + z * exp(-0.5 * z**2) / (2.0 * pi) ** 0.5


def softmax(z):
    """a_j = e^(z_j) / sum_k e^(z_k) over each row (Bridle 1990); the row's greatest z is taken off first, so that no
    exponential overflows.
    """
    u = exp(z - row_max(z))
    return u / row_sum(u)


@gradient_of(softmax)
def softmax_gradient(da, z, a):
    """dz_j = a_j (da_j - sum_k da_k a_k)."""
    return a * (da - row_sum(da * a))
