"""Embeddings of chosen columns: numbers and integer codes come in one row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.initializers import INITIALIZERS, Initializer
from tinynet.layers.base import Layer, Memory, Parameter
from tinynet.operations import Operations
from tinynet.settings import shown, whole


class Embedding(Layer):
    """a = the columns of x that hold numbers, as they are, then for each column that holds codes its learned vector.

    Shapes: x (n, k), a (n, k - codes + the sum of output_dim). A code c of the i-th chosen column becomes row c of
    the table E_i (input_dim_i, output_dim_i). It is the first layer of a model.

    Parameters
    ----------
    columns : which columns of x hold codes; a column counted from 0, or several
    input_dim : how many codes each of them has, 0 to input_dim - 1
    output_dim : the length of each one's vectors; one number serves them all
    embeddings_initializer : how the tables begin; default "uniform" within 0.05 of 0, as in Keras
    input_shape : the number of columns of x
    """

    def __init__(
        self,
        columns: int | Sequence[int],
        input_dim: int | Sequence[int],
        output_dim: int | Sequence[int],
        embeddings_initializer: str | dict[str, Any] | Initializer = "uniform",
        *,
        input_shape: Any = None,
        name: str | None = None,
        **keras: Any,
    ) -> None:
        super().__init__(input_shape=input_shape, name=name, **keras)
        try:
            self.columns = [whole("a column", column, 0) for column in several(columns)]
        except ValueError:
            self.columns = []
        if not self.columns or len(set(self.columns)) < len(self.columns):
            raise ValueError(f"columns are different numbers, counted from 0; given was {shown(columns)}")
        self.input_dim = one_each("input_dim", input_dim, len(self.columns))
        self.output_dim = one_each("output_dim", output_dim, len(self.columns))
        self.embeddings_initializer = INITIALIZERS.get(embeddings_initializer)

    def build(self, n_in: int) -> int:
        if max(self.columns) >= n_in:
            raise ValueError(f"Embedding chooses column {max(self.columns)}, but x has only columns 0 to {n_in - 1}")
        return len(self.others(n_in)) + sum(self.output_dim)

    def others(self, n_in: int) -> list[int]:
        """The columns that hold numbers."""
        return [column for column in range(n_in) if column not in self.columns]

    def check_codes(self, x: Array) -> None:
        """Raises ValueError where a chosen column of x (n, k) holds anything but whole numbers below its input_dim."""
        for column, count in zip(self.columns, self.input_dim, strict=True):
            codes = x[:, column]
            if count > 2 ** (np.finfo(x.dtype).nmant + 1):
                raise ValueError(f"{count} codes cannot be told apart in {x.dtype}; use a float64 model for Embedding")
            wrong = (codes != np.floor(codes)) | (codes < 0) | (codes >= count)
            if wrong.any():
                raise ValueError(
                    f"column {column} of x holds codes for Embedding, whole numbers from 0 to {count - 1}; "
                    f"{int(wrong.sum())} of {len(codes)} rows hold something else, first row {int(wrong.argmax())}"
                )

    def parameters(self, n_in: int) -> dict[str, Parameter]:
        sizes = zip(self.input_dim, self.output_dim, strict=True)
        return {f"E{i}": Parameter(size, self.embeddings_initializer) for i, size in enumerate(sizes, 1)}

    def forward_arrays(self, n_in: int) -> dict[str, int]:
        return {"a": self.build(n_in)}

    def tables(self, m: Memory, prefix: str) -> list[Array]:
        return [getattr(m, f"{prefix}{i}") for i in range(1, len(self.columns) + 1)]

    def forward(self, ops: Operations, m: Memory, x: Array, training: bool) -> Array:
        """a = [x_others, E_1[x_c1], E_2[x_c2], ...]."""
        ops.embed(x, self.tables(m, "E"), self.columns, self.others(x.shape[1]), m.a)
        return m.a

    def backward(self, ops: Operations, m: Memory, x: Array, da: Array) -> Array | None:
        """dE_i[c] = the sum of da's i-th part over the samples with code c;  dx = da for numbers, 0 for codes."""
        ops.embed_grad(x, da, self.columns, self.others(x.shape[1]), self.tables(m, "dE"), m.dx)
        return m.dx

    def config(self) -> dict[str, Any]:
        return {
            "columns": self.columns,
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "embeddings_initializer": INITIALIZERS.saved(self.embeddings_initializer),
        }


def several(given: Any) -> list[Any]:
    """One number, or several, as a list; a number of NumPy's, such as `codes.max() + 1`, is a number too."""
    if isinstance(given, np.ndarray):
        given = given.tolist()
    return list(given) if isinstance(given, (list, tuple, range)) else [given]


def one_each(what: str, given: int | Sequence[int], count: int) -> list[int]:
    """One whole number of at least 1 for each of `count` columns."""
    values = several(given)
    if not isinstance(given, (list, tuple, range, np.ndarray)):
        values *= count
    if len(values) != count:
        raise ValueError(f"{what} has one number for each of the {count} chosen columns; given were {len(values)}")
    return [whole(what, value, 1) for value in values]
