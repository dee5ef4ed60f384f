"""An activation as a layer of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinynet import activations
from tinynet.formulas.formula import Formula
from tinynet.formulas.vocabulary import Array
from tinynet.layers.base import Layer, Memory
from tinynet.operations import Operations


class Activation(Layer):
    """a = f(z), where z (n, m) is the layer's input and a (n, m).

    Parameters
    ----------
    activation : a name, or a formula with its derivative
    input_shape : the number of columns of z, where this is the first layer
    """

    def __init__(
        self, activation: activations.Given, *, input_shape: Any = None, name: str | None = None, **keras: Any
    ) -> None:
        super().__init__(input_shape=input_shape, name=name, **keras)
        self.activation = activations.get(activation)

    def forward_arrays(self, n_in: int) -> dict[str, int]:
        return {"a": n_in}

    def forward(self, ops: Operations, m: Memory, x: Array, training: bool) -> Array:
        """a = f(z)."""
        ops.apply(self.activation, [x], [m.a])
        return m.a

    def backward(self, ops: Operations, m: Memory, x: Array, da: Array) -> Array | None:
        """dz = da f'(z)."""
        if m.dx is not None:
            ops.activation_grad(da, x, m.a, self.activation, m.dx)
        return m.dx

    @property
    def final_activation(self) -> Formula:
        return self.activation

    def pre_activation(self, m: Memory, x: Array) -> Array:
        return x

    def backward_from_z(self, ops: Operations, m: Memory, x: Array, dz: Array) -> Array | None:
        """The layer's input is z itself."""
        return dz

    def config(self) -> dict[str, Any]:
        return {"activation": activations.saved(self.activation)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom: Mapping[str, Any] = {}) -> Activation:
        return cls(activations.get(config["activation"], custom))
