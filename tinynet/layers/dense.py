"""The dense layer, the heart of the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinynet import activations, regularizers
from tinynet.formulas.formula import Formula
from tinynet.formulas.vocabulary import Array
from tinynet.initializers import INITIALIZERS, Initializer
from tinynet.layers.base import Layer, Memory, Parameter
from tinynet.operations import Operations
from tinynet.settings import whole


class Dense(Layer):
    """a = f(x W + b).

    Shapes: x (n, n_in), W (n_in, units), b (units,), z and a (n, units).

    Parameters
    ----------
    units : number of outputs
    activation : a name, or a formula with its derivative; default none, which is linear
    use_bias : whether b is there; default True
    kernel_initializer, bias_initializer : how W and b begin; defaults "glorot_uniform" and "zeros", as in Keras
    kernel_regularizer, bias_regularizer : penalties on W and b; default none
    input_shape : the number of columns of x, where this is the first layer; default: known from the data
    """

    def __init__(
        self,
        units: int,
        activation: activations.Given = None,
        use_bias: bool = True,
        kernel_initializer: str | dict[str, Any] | Initializer = "glorot_uniform",
        bias_initializer: str | dict[str, Any] | Initializer = "zeros",
        kernel_regularizer: str | dict[str, Any] | Formula | None = None,
        bias_regularizer: str | dict[str, Any] | Formula | None = None,
        *,
        input_shape: Any = None,
        name: str | None = None,
        **keras: Any,
    ) -> None:
        super().__init__(input_shape=input_shape, name=name, **keras)
        self.units = whole("units", units, 1)
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = INITIALIZERS.get(kernel_initializer)
        self.bias_initializer = INITIALIZERS.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)

    def build(self, n_in: int) -> int:
        return self.units

    def parameters(self, n_in: int) -> dict[str, Parameter]:
        found = {"W": Parameter((n_in, self.units), self.kernel_initializer, self.kernel_regularizer)}
        if self.use_bias:
            found["b"] = Parameter((self.units,), self.bias_initializer, self.bias_regularizer)
        return found

    def forward_arrays(self, n_in: int) -> dict[str, int]:
        return {"z": self.units, "a": self.units}

    def backward_arrays(self, n_in: int) -> dict[str, int]:
        return {"dz": self.units}

    def forward(self, ops: Operations, m: Memory, x: Array, training: bool) -> Array:
        """z = x W + b,  a = f(z)."""
        ops.gemm(x, m.W, m.z)
        if self.use_bias:
            ops.bias_activation(m.z, m.b, self.activation, m.a)
        else:
            ops.apply(self.activation, [m.z], [m.a])
        return m.a

    def backward(self, ops: Operations, m: Memory, x: Array, da: Array) -> Array | None:
        """dz = da f'(z), then as `backward_from_z`."""
        ops.activation_grad(da, m.z, m.a, self.activation, m.dz)
        return self.backward_from_z(ops, m, x, m.dz)

    def backward_from_z(self, ops: Operations, m: Memory, x: Array, dz: Array) -> Array | None:
        """dW = x^T dz,  db = the sum of the rows of dz,  dx = dz W^T."""
        ops.gemm(x, dz, m.dW, trans_a=True)
        if self.use_bias:
            ops.column_sum(dz, m.db)
        if m.dx is not None:
            ops.gemm(dz, m.W, m.dx, trans_b=True)
        return m.dx

    @property
    def final_activation(self) -> Formula:
        return self.activation

    def pre_activation(self, m: Memory, x: Array) -> Array:
        return m.z

    @property
    def kernel(self) -> Array:
        """W itself, once the model is built."""
        return self.variables["W"]

    @property
    def bias(self) -> Array | None:
        """b itself; None without bias."""
        return self.variables.get("b")

    def config(self) -> dict[str, Any]:
        return {
            "units": self.units,
            "activation": activations.saved(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": INITIALIZERS.saved(self.kernel_initializer),
            "bias_initializer": INITIALIZERS.saved(self.bias_initializer),
            "kernel_regularizer": regularizers.saved(self.kernel_regularizer),
            "bias_regularizer": regularizers.saved(self.bias_regularizer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom: Mapping[str, Any] = {}) -> Dense:
        own = {
            "activation": activations.get(config["activation"], custom),
            "kernel_regularizer": regularizers.get(config["kernel_regularizer"], custom),
            "bias_regularizer": regularizers.get(config["bias_regularizer"], custom),
        }
        return cls(**{**config, **own})
