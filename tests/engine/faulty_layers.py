"""Faults that people make in a backward pass, one in each of these formulas and layers."""

import tinynet as tn
from tinynet.formulas.formula import Formula, derivative_of, gradient_of
from tinynet.formulas.rows import row_deviation, standardized
from tinynet.formulas.vocabulary import exp, row_max, row_sum, tanh


def bent(z):
    """tanh, with a derivative wrong by 0.05 %."""
    return tanh(z)


@derivative_of(bent)
def bent_derivative(z, a):
    return 1.0005 * (1.0 - a**2)


def upside_down(z):
    """tanh, with the wrong sign."""
    return tanh(z)


@derivative_of(upside_down)
def upside_down_derivative(z, a):
    return a**2 - 1.0


def crossless(z):
    """softmax, whose gradient forgets that each output depends on every z of the row."""
    u = exp(z - row_max(z))
    return u / row_sum(u)


@gradient_of(crossless)
def crossless_gradient(da, z, a):
    return da * a * (1.0 - a)


class ForgottenBias(tn.layers.Dense):
    def backward_from_z(self, ops, m, x, dz):
        ops.gemm(x, dz, m.dW, trans_a=True)
        if m.dx is not None:
            ops.gemm(dz, m.W, m.dx, trans_b=True)
        return m.dx


class ForgottenLastBias(tn.layers.Dense):
    """Leaves one element of db as it was."""

    def backward_from_z(self, ops, m, x, dz):
        kept = m.db[-1]
        dx = super().backward_from_z(ops, m, x, dz)
        m.db[-1] = kept
        return dx


class MeanBias(tn.layers.Dense):
    """db is the mean over the rows where it should be the sum: loss_grad has divided already."""

    def backward_from_z(self, ops, m, x, dz):
        dx = super().backward_from_z(ops, m, x, dz)
        m.db[...] = dz.mean(axis=0)
        return dx


class TransposedWeight(tn.layers.Dense):
    def backward_from_z(self, ops, m, x, dz):
        super().backward_from_z(ops, m, x, dz)
        if m.dx is not None:
            ops.gemm(dz, m.W, m.dx)
        return m.dx


class UntransposedInput(tn.layers.Dense):
    """dW = dz^T x, which is dW transposed."""

    def backward_from_z(self, ops, m, x, dz):
        dx = super().backward_from_z(ops, m, x, dz)
        ops.gemm(dz, x, m.dW, trans_a=True)
        return dx


class OtherMask(tn.layers.Dropout):
    def backward(self, ops, m, x, da):
        ops.dropout(da, self.rate, m.seed, m.index + 1, m.step, m.dx)
        return m.dx


class UnscaledMask(tn.layers.Dropout):
    """Drops the same elements, and forgets 1 / (1 - rate)."""

    def backward(self, ops, m, x, da):
        dx = super().backward(ops, m, x, da)
        dx *= 1.0 - self.rate
        return dx


def meanless(x, gamma, beta, *, epsilon=1e-3):
    """Layer normalisation, whose gradient takes mean and deviation for constants."""
    return gamma * standardized(x, epsilon=epsilon) + beta


@gradient_of(meanless)
def meanless_gradient(da, x, gamma, *, epsilon=1e-3):
    return da * gamma / row_deviation(x, epsilon=epsilon), da * standardized(x, epsilon=epsilon)


class Meanless(tn.layers.LayerNormalization):
    def __init__(self):
        super().__init__()
        self.f = Formula(meanless)


class LastOfEachCode(tn.layers.Embedding):
    """Writes the gradient of a code's samples over each other, where it should add them."""

    def backward(self, ops, m, x, da):
        dx = super().backward(ops, m, x, da)
        m.dE1[...] = 0
        m.dE1[x[:, 0].astype(int)] = da[:, -m.dE1.shape[1] :]
        return dx


class NothingLeft(tn.layers.Dense):
    """Forgets to return dx."""

    def backward(self, ops, m, x, da):
        super().backward(ops, m, x, da)


def slack(y, t):
    return (y - t) ** 2


@derivative_of(slack)
def slack_derivative(y, t):
    return 2.001 * (y - t)


def bent_penalty(p, *, l2=0.1):
    return l2 * p**2


@derivative_of(bent_penalty)
def bent_penalty_derivative(p, *, l2=0.1):
    return l2 * p


# what is wrong -> (a layer with that fault, the tensors whose gradient is wrong, as a pattern)
FAULTS = {
    "a derivative wrong by 0.05 %": (lambda: tn.layers.Dense(4, bent), "[Wbx]"),
    "the same in an Activation": (lambda: tn.layers.Activation(bent), "x"),
    "a wrong sign": (lambda: tn.layers.Dense(4, upside_down), "[Wbx]"),
    "a missing softmax cross term": (lambda: tn.layers.Dense(4, crossless), "[Wbx]"),
    "a forgotten bias gradient": (lambda: ForgottenBias(4), "b"),
    "one forgotten element of it": (lambda: ForgottenLastBias(4), "b"),
    "a bias gradient divided by the rows": (lambda: MeanBias(4), "b"),
    "a transposed weight in dx": (lambda: TransposedWeight(4), "x"),
    "a transposed dW": (lambda: UntransposedInput(4), "W"),
    "another dropout mask in backward": (lambda: OtherMask(0.5), "x"),
    "an unscaled dropout mask in backward": (lambda: UnscaledMask(0.5), "x"),
    "layer normalisation without its means": (Meanless, "x"),
}
