"""What every contestant is given: the same network, rows, targets, initial weights and orders of rows."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from math import sqrt

import numpy as np

from tinynet.formulas.vocabulary import Array


@dataclass(frozen=True)
class Problem:
    """A dense network with relu inside and one output, mean squared error, Adam, and the rows it is trained on."""

    columns: int
    hidden: tuple[int, ...]
    batch: int
    rows: int

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.columns, *self.hidden, 1)

    @property
    def network(self) -> str:
        return "-".join(map(str, self.sizes))

    def __str__(self) -> str:
        return f"{self.network}, batch {self.batch}"

    @property
    def flops(self) -> int:
        """Of the matrix products of one epoch: x W and x^T dz for every layer, dz W^T for all but the first."""
        products = [(3 if layer else 2) * n * m for layer, (n, m) in enumerate(itertools.pairwise(self.sizes))]
        return 2 * self.rows * sum(products)

    def data(self) -> tuple[Array, Array]:
        """Rows (rows, columns) and targets (rows, 1), a smooth function of the first two columns."""
        x = np.random.default_rng(0).standard_normal((self.rows, self.columns)).astype(np.float32)
        return x, (2 * x[:, :1] + np.sin(x[:, 1:2])).astype(np.float32)

    def weights(self) -> list[Array]:
        """W, b, W, b, ... to begin with (Glorot and Bengio 2010)."""
        generator, found = np.random.default_rng(1), list[Array]()
        for n, m in itertools.pairwise(self.sizes):
            limit = sqrt(6 / (n + m))
            found += [generator.uniform(-limit, limit, (n, m)).astype(np.float32), np.zeros(m, np.float32)]
        return found

    def order(self, epoch: int) -> Array:
        return np.random.default_rng(epoch).permutation(self.rows)


PROBLEMS = (
    Problem(10, (16, 16), 32, 16_384), Problem(64, (128, 64), 32, 16_384), Problem(64, (128, 64), 256, 16_384),
    Problem(64, (128, 64), 1024, 16_384), Problem(256, (1024, 1024), 1024, 4_096),
)  # fmt: skip
RATE, BETA_1, BETA_2, EPSILON = 1e-3, 0.9, 0.999, 1e-7  # Adam's, as in Keras
