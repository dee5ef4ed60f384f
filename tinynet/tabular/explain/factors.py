"""The gradients of single samples as two factors a layer, and their inner products without any gradient being made.

A dense layer's gradient of sample i is the outer product of what entered, a_i, and dz_i. So of samples i and j

    <dW_i, dW_j> = (a_i . a_j) (dz_i . dz_j),

two matrix products for all pairs of two sets of samples. A bias enters as a 1 behind a_i. An embedding is a dense
layer without a bias behind a one-hot row, so there a_i . a_j is 1 for equal codes and 0 for others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tinynet.formulas.activations import linear
from tinynet.formulas.formula import Formula
from tinynet.formulas.vocabulary import Array
from tinynet.layers import Dense, Dropout, Embedding, Layer
from tinynet.losses import Objective
from tinynet.network import Network, Workspace
from tinynet.operations import Operations

UNFUSED = Objective(Formula(linear), fused=False)  # backward begins at the output; the loss plays no part


class Factor(NamedTuple):
    """One layer's part, of n samples: a (n, n_in, and 1 where there is a bias) or codes (n,), and dz (n, units)."""

    a: Array
    dz: Array


def in_double(layers: Sequence[Layer], columns: int, parameters: Sequence[Array]) -> Network:
    """The layers in double over memory of their own, without dropout, so that backward is that of prediction."""
    network = Network([layer for layer in layers if not isinstance(layer, Dropout)], columns, np.float64)
    for mine, theirs in zip(network.parameter_list(), parameters, strict=True):
        mine[...] = theirs
    return network


def forward(network: Network, x: Array) -> tuple[Workspace, Array]:
    """(what backward needs, z (n, outputs)) of rows x (n, columns), in double."""
    w = Workspace(network, len(x), True, network.widths[-1])
    return w, network.forward(Operations(), w, np.ascontiguousarray(x, np.float64), False).copy()


def factors(network: Network, w: Workspace, dz: Array) -> list[Factor]:
    """From the rows that `forward` left in w, and the gradient by what leaves the network, dz (n, outputs).

    Raises TypeError for a layer that learns and is neither Dense nor Embedding: it would be left out silently.
    """
    network.backward(Operations(), w, np.ascontiguousarray(dz), UNFUSED)
    found = []
    for i, (layer, m, x) in enumerate(zip(network.layers, w.memories, w.inputs, strict=True)):
        if isinstance(layer, Dense):
            a = np.column_stack([x, np.ones(len(x))]) if layer.use_bias else x
            found.append(Factor(a, m.dz))
        elif isinstance(layer, Embedding):
            da = w.input_gradients[i + 1]
            assert da is not None
            parts = np.split(da, np.cumsum([len(layer.others(x.shape[1])), *layer.output_dim])[:-1], axis=1)[1:]
            found += [Factor(x[:, column], part) for column, part in zip(layer.columns, parts, strict=True)]
        elif network.specifications[i]:
            raise TypeError(f"influence knows the gradients of Dense and Embedding, not of {type(layer).__name__}")
    return found


def products(some: Sequence[Factor], others: Sequence[Factor]) -> Array:
    """(n, m) the inner products of the gradients of n samples with those of m, over all layers."""
    total = np.zeros((len(some[0].dz), len(others[0].dz)))
    for f, g in zip(some, others, strict=True):
        alike = f.a @ g.a.T if f.a.ndim == 2 else f.a[:, None] == g.a
        total += alike * (f.dz @ g.dz.T)
    return total
