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
from tinynet.backends import numba_moves as moves
from tinynet.backends import numba_products as products
from tinynet.backends.numba_blas import gemm_address
from tinynet.backends.numba_compiler import address_of_template
from tinynet.backends.numba_kernels import Doubles, Kernel
from tinynet.backends.numba_memory import LINE, Shared
from tinynet.backends.numba_words import words
from tinynet.costs import reads, written_names
from tinynet.formulas.vocabulary import Array
from tinynet.network import aligned_zeros
from tinynet.recorder import Row, Tensor, array_pointer

SOURCES = {"X": F.X, "T": F.T, "weights": F.WEIGHTS}


class UnsupportedError(NotImplementedError):
    """A program does what this backend cannot replay."""


def refuse(row: Row, why: str) -> UnsupportedError:
    return UnsupportedError(f'backend "numba" cannot replay {row.operation}: {why}; backend="numpy" can')


class Encoder:
    """One thread's tables; `sample_rows` and `step_rows` are (rows, 3) numbers for the interpreter."""

    def __init__(self, shared: Shared, thread: int) -> None:
        self.shared, self.thread, self.program = shared, thread, shared.program
        self.dtype, self.itemsize = shared.dtype.name, shared.dtype.itemsize
        self.frame = aligned_zeros((F.LENGTH,), np.int64)
        self.work = aligned_zeros((shared.plan.nbytes + LINE,), np.uint8)
        self.square_norm = aligned_zeros((8,), shared.dtype)
        self.kept: list[Array] = []
        self.meetings = 0
        self.lives = self.program.lifetimes()
        self.index = 0
        samples: list[tuple[int, Row]] = []
        steps: list[tuple[int, Row]] = []
        self.summed: set[str] = set()
        for index, row in enumerate(self.program.rows):
            (samples if any(t.per_row for t in row.tensors()) else steps).append((index, row))
        self.check(samples, steps)
        sample_rows = [code for self.index, row in samples for code in self.sample(row)]
        sample_rows.append(self.move(moves.scatter, [self.program.output, self.columns(self.program.output)]))
        step_rows = []
        updates = any(row.operation == "update" for _, row in steps)
        sums = any(t.space == "gradients" for _, row in samples for t in row.tensors())
        if sums and shared.threads > 1:
            low, high = shared.slices[thread]
            others = [array_pointer(g) + low * self.itemsize for g in shared.gradients[1:]]
            mine = array_pointer(shared.gradients[0]) + low * self.itemsize
            step_rows.append(self.meeting())
            step_rows.append(self.move(moves.reduce_gradients, [mine, high - low, len(others), *others]))
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

    # Arguments

    def columns(self, tensor: Tensor) -> int:
        return int(tensor.shape[-1] or 1)

    def address(self, tensor: Tensor) -> int:
        """Where a tensor begins for this thread."""
        if tensor.space == "work":
            return array_pointer(self.work) + self.shared.plan.offsets[tensor.name]
        if tensor.space == "gradients":
            return array_pointer(self.shared.gradients[self.thread]) + tensor.offset * self.itemsize
        if tensor.name == "square_norm":
            return array_pointer(self.square_norm)
        if tensor.space == "state" and tensor.name not in ("hyper", "decay_hyper"):
            place = {"step": F.STEP, "value": F.VALUE, "alive": F.ALIVE, "total": F.TOTAL}[tensor.name]
            return array_pointer(self.frame) + 8 * place
        name = tensor.space if tensor.space in ("parameters", "slots") else tensor.name
        return array_pointer(self.shared.arrays[name]) + tensor.offset * self.itemsize

    def number(self, argument: Tensor | Doubles | int) -> int:
        if isinstance(argument, Tensor):
            return self.address(argument)
        if isinstance(argument, Doubles):
            return self.shared.pool.address("float64", *argument.values)
        return argument

    def coded(self, kind: int, function: int, arguments: list[int]) -> tuple[int, int, int]:
        kept = np.array([*arguments, 0], np.int64)
        self.kept.append(kept)
        return kind, function, array_pointer(kept)

    def move(self, template: object, arguments: list[Tensor | int]) -> tuple[int, int, int]:
        function = address_of_template(template, self.dtype, words)  # type: ignore[arg-type]
        return self.coded(F.CALL, function, [self.number(argument) for argument in arguments])

    def called(self, kernel: Kernel) -> tuple[int, int, int]:
        return self.coded(F.CALL, kernel.address(self.dtype), [self.number(a) for a in kernel.arguments])

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
                return [self.move(moves.gather, [SOURCES[a["source"].name], a["out"], self.columns(a["out"])])]
            case "gemm":
                return self.gemm(row)
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
                self.sum_once(row, a["out"])
                return [self.move(moves.column_sum, [a["d"], a["out"], self.columns(a["d"])])]
            case "loss_grad":
                return [self.called(kernels.loss_grad(a["f"], a["y"], a["t"], a["weight"], a["dy"]))]
            case "dropout":
                least, scale = min(round(a["rate"] * 2**32), 2**32 - 1), Doubles((1.0 / (1.0 - a["rate"]),))
                places = [a["x"], a["out"], self.columns(a["x"]), a["seed"], a["layer"], least, self.number(scale)]
                return [self.move(moves.dropout, places)]
            case "embed":
                tables = self.tables(a["tables"], a["columns"])
                head = [a["x"], self.columns(a["x"]), a["out"], self.columns(a["out"])]
                return [self.move(moves.embed, [*head, len(a["others"]), len(a["tables"]), *a["others"], *tables])]
            case "embed_grad":
                tables = self.tables(a["dtables"], a["columns"])
                for table in a["dtables"]:
                    self.sum_once(row, table)
                head = [a["x"], self.columns(a["x"]), a["da"], self.columns(a["da"]), len(a["others"])]
                dx = 0 if a["dx"] is None else a["dx"]
                return [self.move(moves.embed_grad, [*head, len(a["dtables"]), dx, *a["others"], *tables])]
        raise refuse(row, "it is no operation on samples")

    def tables(self, tensors: list[Tensor], columns: list[int]) -> list[int]:
        """Address, rows, columns and the column of x that names a row, for each table."""
        found = []
        for tensor, column in zip(tensors, columns, strict=True):
            found += [self.address(tensor), int(tensor.shape[0] or 0), self.columns(tensor), column]
        return found

    def sum_once(self, row: Row, out: Tensor) -> None:
        """A sum over samples that begins anew in each step may be taken once a step."""
        if out.space != "gradients":
            raise refuse(row, f"it sums samples into {out.name}, which is no gradient")
        if out.name in self.summed:
            raise refuse(row, f"{out.name} is summed a second time in the same step")
        self.summed.add(out.name)

    def gemm(self, row: Row) -> list[tuple[int, int, int]]:
        """out = a b, by a kernel of our own where the product is small, else by BLAS."""
        a, b, out = (row.arguments[name] for name in ("a", "b", "out"))
        trans_a, trans_b, accumulate = (row.arguments.get(name, False) for name in ("trans_a", "trans_b", "accumulate"))
        if out.per_row and a.per_row and not trans_a and not b.per_row:
            rows, inner, add = products.FRAME_ROWS, self.columns(a), int(accumulate)
        elif not out.per_row and a.per_row and trans_a and b.per_row and not trans_b and out.space == "gradients":
            rows, inner, add = self.columns(a), products.FRAME_ROWS, products.OUTER_BLOCKS
            if accumulate:
                add = 1
                if out.name not in self.summed:
                    raise refuse(row, f"it adds to {out.name}, in which nothing is summed yet")
            else:
                self.sum_once(row, out)
        else:
            raise refuse(row, "it is neither samples times parameters nor a sum over samples")
        place, before = self.address(b), []
        small = self.shared.block * self.columns(a) * self.columns(out if trans_a else b) <= products.LARGEST
        if trans_b and 1 in b.shape:  # a matrix of one row or column is its own transpose in memory
            trans_b = False
        elif trans_b and small:
            copy = aligned_zeros(b.sizes(1), self.shared.dtype)
            self.kept.append(copy)
            before = [self.move(moves.transpose, [b, array_pointer(copy), *b.sizes(1)])]
            place, trans_b = array_pointer(copy), False
        shape = rows, inner, self.columns(out)
        if small:
            return [*before, self.own_product(shape, self.address(a), self.columns(a), trans_a, place, out, add)]
        width = self.columns(a) if trans_b else shape[2]  # of b as it lies in memory now
        return [self.blas(shape, self.address(a), self.columns(a), trans_a, place, width, trans_b, out, add)]

    def own_product(
        self, shape: tuple[int, int, int], a: int, width: int, trans_a: bool, b: int, out: Tensor, add: int
    ) -> tuple[int, int, int]:
        """`a` is (n, width), or its transpose is taken; `b` is as it enters, (inner, columns)."""
        rows, inner, columns = shape
        size = self.itemsize
        arguments = [rows, inner, columns, self.address(out), columns * size]
        if columns > 1:
            steps = (size, width * size) if trans_a else (width * size, size)
            return self.product(products.product, [*arguments, a, *steps, b, columns * size, add])
        if not trans_a:
            return self.product(products.product_with_column, [*arguments, a, width * size, size, b, size, add])
        # A column of sums lies in memory as a row does: out^T (1, width) = b^T (1, n) a (n, width).
        turned = [1, inner, width, self.address(out), width * size, b, 0, size, a, width * size, add]
        return self.product(products.product, turned)

    def product(self, template: object, arguments: list[int]) -> tuple[int, int, int]:
        return self.coded(F.CALL, address_of_template(template, self.dtype, products.scope), arguments)  # type: ignore[arg-type]

    def blas(
        self, shape: tuple[int, int, int], a: int, a_width: int, trans_a: bool, b: int, b_width: int, trans_b: bool,
        out: Tensor, add: int,
    ) -> tuple[int, int, int]:  # fmt: skip
        """BLAS counts columns first, so it sees every matrix transposed: it is asked for out^T = b^T a^T."""
        pool, frame = self.shared.pool, array_pointer(self.frame)

        def whole(n: int) -> int:
            return frame + 8 * F.ROWS if n == products.FRAME_ROWS else pool.address("int64", n)

        one, zero = pool.address(self.dtype, 1.0), pool.address(self.dtype, 0.0)
        fresh = frame + 8 * (F.BETA32 if self.dtype == "float32" else F.BETA64)
        beta = {0: zero, 1: one, products.OUTER_BLOCKS: fresh}[add]
        letters = [pool.address("int64", ord("T" if trans else "N")) for trans in (trans_b, trans_a)]
        rows, inner, columns = shape
        pointers = [
            *letters, whole(columns), whole(rows), whole(inner), one, b, whole(b_width), a, whole(a_width), beta,
            self.address(out), whole(columns),
        ]  # fmt: skip
        return self.coded(F.BLAS, gemm_address(self.dtype), pointers)

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
                return self.from_all(moves.finite_part, moves.finite_whole, a["gradients"], [])
            case "square_norm":
                return self.from_all(moves.square_part, moves.square_whole, a["d"], [a["out"]])
            case "apply" if {t.space for t in row.tensors()} <= {"gradients", "parameters", "state"}:
                if any(kernels.is_row(f) for f in [a["f"]]):
                    raise refuse(row, "a formula of rows on parameters")
                return self.on_slice(kernels.apply(a["f"], a["arrays"], a["outs"], True, {}), a["outs"][0])
            case "advance":
                return [self.move(moves.advance, [])]
            case "update":
                size = a["p"].size(1)
                slots = [
                    Tensor(f"slots{i}", "slots", (size,), self.dtype, i * size) for i in range(a["slots"].shape[0])
                ]
                return self.on_slice(kernels.update(a["rule"], a["p"], a["g"], slots, a["hyper"]), a["p"])
        raise refuse(row, "it is no operation on parameters")

    def from_all(self, part: object, whole: object, of: Tensor, out: list[Tensor | int]) -> list[tuple[int, int, int]]:
        """A number taken from all gradients: each thread's part, a meeting, and all parts together."""
        parts = array_pointer(self.shared.part(self.meetings))
        self.meetings += 1
        begin, count = self.sliced(of)
        rows = [self.move(part, [begin, count, parts + LINE * self.thread])]
        rows += [self.meeting()] if self.shared.threads > 1 else []
        return [*rows, self.move(whole, [parts, self.shared.threads, *out])]
