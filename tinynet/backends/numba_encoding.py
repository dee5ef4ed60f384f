"""A program as numbers: for each thread a table of kernels' addresses with the addresses of what they work on.

Operations on samples come first, and every block of rows goes through them; sums over samples stay in gradients of the
thread's own. Then come the operations on parameters, once a step: each thread has a slice of the flat vectors and adds
up all threads' gradients there. Threads meet where one needs what others wrote: after the samples, after a number that
is taken from all gradients, after the update.
"""

from __future__ import annotations

import numpy as np

from tinynet.backends import numba_frame as F
from tinynet.backends import numba_kernels as kernels
from tinynet.backends.numba_kernels import Doubles, Kernel
from tinynet.backends.numba_memory import LINE, Shared
from tinynet.backends.numba_places import refuse
from tinynet.backends.numba_product_rows import Products
from tinynet.costs import reads, written_names
from tinynet.recorder import Row, Tensor, array_pointer

SOURCES = {"X": F.X, "T": F.T, "weights": F.WEIGHTS}


class Encoder(Products):
    """One thread's tables; `sample_rows` and `step_rows` are (rows, 3) numbers for the interpreter."""

    def __init__(self, shared: Shared, thread: int) -> None:
        super().__init__(shared, thread)
        self.lives = self.program.lifetimes()
        samples: list[tuple[int, Row]] = []
        steps: list[tuple[int, Row]] = []
        for index, row in enumerate(self.program.rows):
            (samples if any(t.per_row for t in row.tensors()) else steps).append((index, row))
        self.check(samples, steps)
        sample_rows = [code for self.index, row in samples for code in self.sample(row)]
        sample_rows.append(self.move("scatter", [self.program.output, self.columns(self.program.output)]))
        step_rows = []
        updates = any(row.operation == "update" for _, row in steps)
        sums = any(t.space == "gradients" for _, row in samples for t in row.tensors())
        if sums and shared.threads > 1:
            low, high = shared.slices[thread]
            others = [array_pointer(g) + low * self.itemsize for g in shared.gradients[1:]]
            mine = array_pointer(shared.gradients[0]) + low * self.itemsize
            step_rows.append(self.meeting())
            step_rows.append(self.move("reduce_gradients", [mine, high - low, len(others), *others]))
        step_rows += [code for self.index, row in steps for code in self.step(row)]
        if updates and shared.threads > 1:
            step_rows.append(self.meeting())
        self.sample_rows = np.array(sample_rows, np.int64).reshape(-1, 3)
        self.step_rows = np.array(step_rows, np.int64).reshape(-1, 3)

    def check(self, samples: list[tuple[int, Row]], steps: list[tuple[int, Row]]) -> None:
        """Refuse what a thread cannot do with a part of the batch, or what needs another order."""
        done: dict[str, int] = {name: index for index, row in steps for name in written_names(row)}
        for index, row in samples:
            for tensor in reads(row):
                if tensor.space == "gradients" and row.operation != "gemm":
                    raise refuse(row, f"it reads the gradient {tensor.name}, which is not summed yet")
                if tensor.name in done and done[tensor.name] < index and tensor.name != "value":
                    raise refuse(row, f"it reads {tensor.name}, which is ready only after all samples")

    def uses_blas(self) -> bool:
        return bool((self.sample_rows[:, 0] == F.BLAS).any())

    def meeting(self) -> tuple[int, int, int]:
        return F.MEET, 0, 0

    # Operations on samples

    def sample(self, row: Row) -> list[tuple[int, int, int]]:
        a = row.arguments
        shared: dict[str, str] = {}
        for tensor in row.tensors():
            if tensor.space == "gradients" and row.operation not in ("gemm", "column_sum", "embed_grad"):
                raise refuse(row, f"{tensor.name} is a sum over samples, and this operation is none")
        match row.operation:
            case "gather":
                return [self.move("gather", [SOURCES[a["source"].name], a["out"], self.columns(a["out"])])]
            case "gemm":
                return self.gemm(row)
            case "bias_activation" if self.index and self.bias_of(self.index - 1) is not None:
                return [self.called(kernels.apply(a["f"], [a["z"]], [a["a"]], False, shared))]
            case "bias_activation":
                keep_z = self.lives[a["z"]][1] > self.index
                return [self.called(kernels.bias_activation(a["z"], a["b"], a["f"], a["a"], keep_z, shared))]
            case "activation_grad":
                return [self.called(kernels.activation_grad(a["da"], a["z"], a["a"], a["f"], a["dz"], shared))]
            case "apply":
                odd = [t for t in a["arrays"] if len(t.shape) > 1 and not t.per_row]
                if odd or any(not t.per_row for t in a["outs"]):
                    raise refuse(row, "it mixes samples with what has no samples")
                return [self.called(kernels.apply(a["f"], a["arrays"], a["outs"], False, shared))]
            case "column_sum":
                return self.column_sum(row)
            case "loss_grad":
                return [self.called(kernels.loss_grad(a["f"], a["y"], a["t"], a["weight"], a["dy"]))]
            case "dropout":
                least, scale = min(round(a["rate"] * 2**32), 2**32 - 1), Doubles((1.0 / (1.0 - a["rate"]),))
                places = [a["x"], a["out"], self.columns(a["x"]), a["seed"], a["layer"], least, self.number(scale)]
                return [self.move("dropout", places)]
            case "embed":
                tables = self.tables(a["tables"], a["columns"])
                head = [a["x"], self.columns(a["x"]), a["out"], self.columns(a["out"])]
                return [self.move("embed", [*head, len(a["others"]), len(a["tables"]), *a["others"], *tables])]
            case "embed_grad":
                tables = self.tables(a["dtables"], a["columns"])
                for table in a["dtables"]:
                    self.sum_once(row, table)
                head = [a["x"], self.columns(a["x"]), a["da"], self.columns(a["da"]), len(a["others"])]
                dx = 0 if a["dx"] is None else a["dx"]
                return [self.move("embed_grad", [*head, len(a["dtables"]), dx, *a["others"], *tables])]
        raise refuse(row, "it is no operation on samples")

    def tables(self, tensors: list[Tensor], columns: list[int]) -> list[int]:
        """Address, rows, columns and the column of x that names a row, for each table."""
        found = []
        for tensor, column in zip(tensors, columns, strict=True):
            found += [self.address(tensor), int(tensor.shape[0] or 0), self.columns(tensor), column]
        return found

    # Operations on parameters

    def sliced(self, tensor: Tensor) -> tuple[int, int]:
        """Where this thread's slice of a parameter or gradient begins, in bytes, and its length."""
        low, high = self.shared.slices[self.thread]
        begin, end = max(low, tensor.offset), min(high, tensor.offset + tensor.size(1))
        arrays = {"gradients": self.shared.gradients[0], "parameters": self.shared.arrays["parameters"]}
        return array_pointer(arrays[tensor.space]) + begin * self.itemsize, max(0, end - begin)

    def on_slice(self, kernel: Kernel, of: Tensor) -> list[tuple[int, int, int]]:
        """The kernel on this thread's slice, all of whose flat arguments are cut alike; nothing for an empty slice."""
        count = self.sliced(of)[1]
        if not count:
            return []
        low = max(0, self.shared.slices[self.thread][0] - of.offset) * self.itemsize

        def number(argument: Tensor | Doubles | int) -> int:
            if isinstance(argument, Tensor) and argument.space in ("parameters", "gradients"):
                return self.sliced(argument)[0]
            if isinstance(argument, Tensor) and argument.space == "slots":
                return self.address(argument) + low
            return count if argument == -1 else self.number(argument)

        return [self.coded(F.CALL, kernel.address(self.dtype), [number(a) for a in kernel.arguments])]

    def step(self, row: Row) -> list[tuple[int, int, int]]:
        a = row.arguments
        match row.operation:
            case "regularize":
                return self.on_slice(kernels.regularize(a["f"], a["p"]), a["p"])
            case "regularize_grad":
                return self.on_slice(kernels.regularize_grad(a["f"], a["p"], a["dp"]), a["dp"])
            case "finite_guard":
                return self.from_all("finite_part", "finite_whole", a["gradients"], [])
            case "square_norm":
                return self.from_all("square_part", "square_whole", a["d"], [a["out"]])
            case "apply" if {t.space for t in row.tensors()} <= {"gradients", "parameters", "state"}:
                if any(kernels.is_row(f) for f in [a["f"]]):
                    raise refuse(row, "a formula of rows on parameters")
                return self.on_slice(kernels.apply(a["f"], a["arrays"], a["outs"], True, {}), a["outs"][0])
            case "advance":
                return [self.move("advance", [])]
            case "update":
                size = a["p"].size(1)
                slots = [
                    Tensor(f"slots{i}", "slots", (size,), self.dtype, i * size) for i in range(a["slots"].shape[0])
                ]
                return self.on_slice(kernels.update(a["rule"], a["p"], a["g"], slots, a["hyper"]), a["p"])
        raise refuse(row, "it is no operation on parameters")

    def from_all(self, part: str, whole: str, of: Tensor, out: list[Tensor | int]) -> list[tuple[int, int, int]]:
        """A number taken from all gradients: each thread's part, a meeting, and all parts together."""
        parts = array_pointer(self.shared.part(self.meetings))
        self.meetings += 1
        begin, count = self.sliced(of)
        rows = [self.move(part, [begin, count, parts + LINE * self.thread])]
        rows += [self.meeting()] if self.shared.threads > 1 else []
        return [*rows, self.move(whole, [parts, self.shared.threads, *out])]
