"""Forward alone: y from x, as quick as the machine allows, for one row or many."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.network import Network, Workspace
from tinynet.operations import Operations

ROWS = 1024  # that go through the network together: enough for BLAS, few enough for the cache
KEPT = 4  # sizes of batches whose memory is kept


class Prediction:
    """y (n, n_out) from x (n, n_in), by NumPy; one object serves one thread at a time.

    The network's parameters are read where they are, so what training does to them is seen at once.

    Parameters
    ----------
    network : whose parameters are used, as they are at each call
    """

    def __init__(self, network: Network) -> None:
        self.network, self.dtype = network, network.dtype
        self.n_in, self.n_out = network.widths[0], network.widths[-1]
        self.ops = Operations()
        self.kept: dict[int, Workspace] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy of it has memory of its own."""
        return type(self), (self.network,)

    def __call__(self, x: Array, out: Array | None = None, rows: int = ROWS) -> Array:
        """The outputs for x, in the network's precision; nothing is asked of x but its columns.

        Parameters
        ----------
        x : (n, n_in) numbers
        out : (n, n_out) in the network's precision, where y is written to; default a new array
        rows : how many go through the network together
        """
        x = self.fitting(x)
        n = len(x)
        if out is None:
            out = np.empty((n, self.n_out), self.dtype)
        with np.errstate(all="ignore"):
            for start in range(0, n, rows):
                part = x[start : start + rows]
                w = self.workspace(len(part))
                out[start : start + rows] = self.network.forward(self.ops, w, part, training=False)
        if n > rows:
            self.kept.clear()  # a table that went through in parts leaves no memory behind
        return out

    def fitting(self, x: Array) -> Array:
        """x in the network's precision, row after row."""
        x = np.ascontiguousarray(x, self.dtype)
        if x.ndim != 2 or x.shape[1] != self.n_in:
            raise ValueError(f"x has {self.n_in} columns for each row; its shape is {x.shape}")
        return x

    def workspace(self, n: int) -> Workspace:
        """Memory for n rows, kept for the next call of that size where it is not large."""
        w = self.kept.get(n)
        if w is None:
            w = Workspace(self.network, n, False)
            if n <= ROWS:
                if len(self.kept) == KEPT:
                    self.kept.clear()
                self.kept[n] = w
        return w
