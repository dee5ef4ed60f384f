"""Dropout, with a mask that needs no memory."""

from __future__ import annotations

from typing import Any

from tinynet.formulas.vocabulary import Array
from tinynet.layers.base import Layer, Memory
from tinynet.operations import Operations
from tinynet.settings import real, whole


class Dropout(Layer):
    """In training a = x k / (1 - rate), each k drawn 0 with probability `rate`, else 1; in prediction a = x.

    Shapes: x and a (n, m). The mask is a function of (seed, layer, step, element), see `tinynet.random`, so every
    machine drops the same elements (Srivastava et al. 2014; scaled in training, as in Keras).

    Parameters
    ----------
    rate : the share that is dropped, at least 0 and below 1
    seed : decides the masks; default the model's own seed. The masks are not those of Keras
    input_shape : the number of columns of x, where this is the first layer
    """

    def __init__(
        self, rate: float, seed: int | None = None, *, input_shape: Any = None, name: str | None = None, **keras: Any
    ) -> None:
        super().__init__(input_shape=input_shape, name=name, **keras)
        self.seed = None if seed is None else whole("seed", seed, 0)
        self.rate = real("rate", rate, least=0.0, below=1.0)

    def seed_of(self, m: Memory) -> int:
        return m.seed if self.seed is None else self.seed

    def forward_arrays(self, n_in: int) -> dict[str, int]:
        return {"a": n_in}

    def forward(self, ops: Operations, m: Memory, x: Array, training: bool) -> Array:
        """a = x k / (1 - rate)."""
        if not training:
            return x
        ops.dropout(x, self.rate, self.seed_of(m), m.index, m.step, m.a)
        return m.a

    def backward(self, ops: Operations, m: Memory, x: Array, da: Array) -> Array | None:
        """dx = da k / (1 - rate), with the same k."""
        if m.dx is not None:
            ops.dropout(da, self.rate, self.seed_of(m), m.index, m.step, m.dx)
        return m.dx

    def config(self) -> dict[str, Any]:
        return {"rate": self.rate} | ({} if self.seed is None else {"seed": self.seed})
