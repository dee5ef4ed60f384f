"""Layer normalisation: every sample by itself, so that nothing leaks between the rows of a batch."""

from __future__ import annotations

from typing import Any

from tinynet.formulas.formula import Formula
from tinynet.formulas.rows import layer_normalization
from tinynet.formulas.vocabulary import Array
from tinynet.initializers import INITIALIZERS, Initializer
from tinynet.layers.base import Layer, Memory, Parameter
from tinynet.operations import Operations
from tinynet.settings import real


class LayerNormalization(Layer):
    """a = gamma x_hat + beta, x_hat each row of x with mean 0 and variance 1 (Ba, Kiros and Hinton 2016).

    Shapes: x and a (n, m), gamma and beta (m,).

    Parameters
    ----------
    epsilon : added to the variance; default 0.001, as in Keras
    beta_initializer, gamma_initializer : defaults "zeros" and "ones"
    input_shape : the number of columns of x, where this is the first layer
    """

    def __init__(
        self,
        epsilon: float = 0.001,
        beta_initializer: str | dict[str, Any] | Initializer = "zeros",
        gamma_initializer: str | dict[str, Any] | Initializer = "ones",
        *,
        input_shape: Any = None,
        name: str | None = None,
        **keras: Any,
    ) -> None:
        super().__init__(input_shape=input_shape, name=name, **keras)
        self.epsilon = real("epsilon", epsilon, least=0.0)
        self.f = Formula(layer_normalization, epsilon=self.epsilon)
        self.beta_initializer = INITIALIZERS.get(beta_initializer)
        self.gamma_initializer = INITIALIZERS.get(gamma_initializer)

    def parameters(self, n_in: int) -> dict[str, Parameter]:
        return {
            "gamma": Parameter((n_in,), self.gamma_initializer),
            "beta": Parameter((n_in,), self.beta_initializer),
        }

    def forward_arrays(self, n_in: int) -> dict[str, int]:
        return {"a": n_in}

    def backward_arrays(self, n_in: int) -> dict[str, int]:
        return {"dx_unasked": n_in, "da_x_hat": n_in}

    def forward(self, ops: Operations, m: Memory, x: Array, training: bool) -> Array:
        """a = gamma x_hat + beta."""
        ops.apply(self.f, [x, m.gamma, m.beta], [m.a])
        return m.a

    def backward(self, ops: Operations, m: Memory, x: Array, da: Array) -> Array | None:
        """dx through the row (see the formula),  dgamma = the sum of da x_hat,  dbeta = the sum of da."""
        assert self.f.gradient is not None
        dx = m.dx_unasked if m.dx is None else m.dx
        ops.apply(self.f.gradient, [da, x, m.gamma], [dx, m.da_x_hat])
        ops.column_sum(m.da_x_hat, m.dgamma)
        ops.column_sum(da, m.dbeta)
        return m.dx

    def config(self) -> dict[str, Any]:
        return {
            "epsilon": self.epsilon,
            "beta_initializer": INITIALIZERS.saved(self.beta_initializer),
            "gamma_initializer": INITIALIZERS.saved(self.gamma_initializer),
        }
