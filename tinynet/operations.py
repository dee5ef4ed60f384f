"""The closed table of operations and what each does, in NumPy. All that layers, losses and optimizers do is here.

An operation writes into its last arguments, allocates nothing that outlives it, and never waits for anything. `n` is
the batch size, `m` a number of columns. Layers get this object (or one with the same methods) handed to them; a call
runs at once on the arrays it is given, so a breakpoint in any layer shows the batch's numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinynet.formulas.formula import Formula
from tinynet.formulas.vocabulary import Array
from tinynet.random import keep_mask


class Operations:
    """The reference execution. Each method is one operation; its signature is the contract for every backend."""

    def gather(self, source: Array, order: Array, out: Array) -> None:
        """out (n, m) = the rows of source (rows, m) that order (n,) names."""
        np.take(source, order, axis=0, out=out, mode="clip")  # `order` is ours; "raise" would buffer a copy of out

    def gemm(
        self, a: Array, b: Array, out: Array, trans_a: bool = False, trans_b: bool = False, accumulate: bool = False
    ) -> None:
        """out (n, m) = a (n, k) b (k, m), either operand transposed on request; added to out if `accumulate`."""
        a, b = a.T if trans_a else a, b.T if trans_b else b
        if accumulate:
            out += a @ b
        else:
            np.matmul(a, b, out=out)

    def bias_activation(self, z: Array, b: Array, f: Formula, a: Array) -> None:
        """z (n, m) += b (m,), then a (n, m) = f(z)."""
        z += b
        a[...] = f(z)

    def activation_grad(self, da: Array, z: Array, a: Array, f: Formula, dz: Array) -> None:
        """dz (n, m) = da f'(z, a); for an activation of whole rows, the gradient taken back through the row."""
        if f.derivative is not None:
            np.multiply(da, f.derivative(z, a), out=dz, casting="same_kind")
        elif f.gradient is not None:
            dz[...] = f.gradient(da, z, a)
        else:
            raise TypeError(f"activation {f.name} has no derivative; declare one with @derivative_of({f.name})")

    def apply(self, f: Formula, arrays: Sequence[Array], outs: Sequence[Array]) -> None:
        """outs = f(*arrays): any formula, of arrays (n, m), of one number a row (n, 1) or a column (m,)."""
        results = f(*arrays)
        for out, result in zip(outs, results if isinstance(results, tuple) else (results,), strict=True):
            out[...] = result

    def column_sum(self, d: Array, out: Array) -> None:
        """out (m,) = the sum over the rows of d (n, m)."""
        np.add.reduce(d, axis=0, out=out)

    def loss_grad(self, f: Formula, y: Array, t: Array, weight: Array, total: Array, dy: Array, value: Array) -> None:
        """value (1,) += sum_i weight_i loss_i, and dy (n, m) = the gradient of that sum over `total`.

        An elementwise loss is the mean of f(y_ij, t_ij) over the m outputs of row i, a row loss is f of the row.
        weight (n, 1) weighs the samples; total (1,) is the number of rows of the whole batch, which a slice of it
        cannot know.
        """
        if f.derivative is None:
            raise TypeError(f"loss {f.name} has no derivative; declare one with @derivative_of({f.name})")
        terms = f(y, t)
        outputs = terms.shape[1]
        value += np.sum(weight * terms, dtype=np.float64) / outputs
        np.multiply(f.derivative(y, t), weight / (float(total[0]) * outputs), out=dy, casting="same_kind")

    def dropout(self, x: Array, rate: float, seed: int, layer: int, step: Array, out: Array) -> None:
        """out (n, m) = x / (1 - rate) where the mask of (seed, layer, step) keeps an element, else 0.

        Forward and backward ask for the same mask, so none is stored.
        """
        np.multiply(x, keep_mask(x.shape, rate, seed, layer, int(step[0])), out=out)
        out *= 1.0 / (1.0 - rate)

    def embed(
        self, x: Array, tables: Sequence[Array], columns: Sequence[int], others: Sequence[int], out: Array
    ) -> None:
        """out = the `others` columns of x (n, k) as they are, then for each of `columns` the row of its table (c, d)
        that x names there.
        """
        start = len(others)
        np.take(x, others, axis=1, out=out[:, :start], mode="clip")
        for table, column in zip(tables, columns, strict=True):
            end = start + table.shape[1]
            np.take(table, x[:, column].astype(np.intp), axis=0, out=out[:, start:end], mode="clip")
            start = end

    def embed_grad(
        self,
        x: Array,
        da: Array,
        columns: Sequence[int],
        others: Sequence[int],
        dtables: Sequence[Array],
        dx: Array | None,
    ) -> None:
        """Each dtable (c, d) = the sum of da over the samples that named a row; dx gets da of the other columns."""
        start = len(others)
        for dtable, column in zip(dtables, columns, strict=True):
            end = start + dtable.shape[1]
            dtable[...] = 0.0
            np.add.at(dtable, x[:, column].astype(np.intp), da[:, start:end])
            start = end
        if dx is not None:
            dx[...] = 0.0
            dx[:, others] = da[:, : len(others)]

    def regularize(self, f: Formula, p: Array, total: Array, value: Array) -> None:
        """value (1,) += total times the sum of f over the parameter p (any shape)."""
        value += float(total[0]) * np.sum(f(p), dtype=np.float64)

    def regularize_grad(self, f: Formula, p: Array, dp: Array) -> None:
        """dp += f'(p)."""
        if f.derivative is None:
            raise TypeError(f"penalty {f.name} has no derivative; declare one with @derivative_of({f.name})")
        np.add(dp, f.derivative(p), out=dp, casting="same_kind")

    def square_norm(self, d: Array, out: Array) -> None:
        """out (1,) = the sum of the squares of d (any shape)."""
        out[0] = np.sum(np.square(d, dtype=np.float64))

    def finite_guard(self, value: Array, gradients: Array, alive: Array) -> None:
        """alive (1,) = 0 from the first step whose loss or gradients are not finite; `update` then does nothing."""
        alive *= bool(np.isfinite(value[0]) and np.isfinite(np.add.reduce(gradients)))  # NaN and infinity outlive a sum

    def advance(self, step: Array) -> None:
        """step (1,) += 1."""
        step += 1

    def update(self, rule: Formula, p: Array, g: Array, slots: Array, hyper: Array, step: Array, alive: Array) -> None:
        """p (P,) and slots (s, P) = rule(p, g, *slots), in place; nothing where alive is 0.

        hyper holds the rule's scalars in order, in double; a rule that has the scalar `step` is given the step.
        """
        if not alive[0]:
            return
        scalars = dict(zip(hyper_names(rule), hyper.tolist(), strict=True))
        if "step" in rule.scalars:
            scalars["step"] = float(step[0])
        results = rule.function(p, g, *slots, **scalars)
        new, *rest = results if isinstance(results, tuple) else (results,)
        p[...] = new
        for slot, value in zip(slots, rest, strict=True):
            slot[...] = value


OPERATIONS = tuple(name for name in vars(Operations) if not name.startswith("_"))


def hyper_names(rule: Formula) -> list[str]:
    """The scalars of an update rule that stay as they are from step to step, unless somebody sets them."""
    return [name for name in rule.scalars if name != "step"]
