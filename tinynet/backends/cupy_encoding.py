"""A program as a list of launches and products over the device's memory, for one number of rows.

Neighbours are joined where that saves a launch: the three gathers of a batch, the bias and its activation, the
gradient of an elementwise activation and the sum of its columns, the step's count and the optimizer's constants.
"""

from __future__ import annotations

import numpy as np

from tinynet.backends import cupy_kernels as kernels
from tinynet.backends import cupy_moves as moves
from tinynet.backends.cupy_draft import MOST, Launch, Place, is_row
from tinynet.backends.cupy_driver import Driver, Gemm
from tinynet.backends.cupy_memory import CONSTANTS, Buffer, State, Work
from tinynet.costs import written_names
from tinynet.formulas.unroll import unroll
from tinynet.program import Program
from tinynet.recorder import Row, Tensor

Item = Launch | Gemm


class UnsupportedError(NotImplementedError):
    """A program does what this backend cannot replay."""


def refuse(row: Row, why: str) -> UnsupportedError:
    return UnsupportedError(f'backend "cupy" cannot replay {row.operation}: {why}; backend="numpy" can')


class Encoder:
    """`items`, in the order in which the device is to carry them out.

    Parameters
    ----------
    program : what a batch goes through
    n : its rows
    state : what the program finds on the device besides its own arrays
    """

    def __init__(self, driver: Driver, program: Program, n: int, state: State) -> None:
        self.driver, self.program, self.n, self.state = driver, program, n, state
        self.dtype, self.itemsize = program.output.dtype, np.dtype(program.output.dtype).itemsize
        self.work = Work(driver, program, n)
        self.lives = program.lifetimes()
        self.kept: list[Buffer] = []
        self.done: set[int] = set()  # the numbers of rows that an earlier item does as well
        self.items: list[Item] = []
        self.ended = False
        self.used_constants = 0  # by the updates so far
        for self.index, row in enumerate(program.rows):
            if self.index not in self.done:
                try:
                    self.items += [self.placed(item) for item in self.encoded(row)]
                except UnsupportedError:
                    raise
                except (ValueError, NotImplementedError) as error:
                    raise refuse(row, str(error)) from None
        if not self.ended:
            self.items += [self.placed(item) for item in self.at_the_end()]
            self.items.append(moves.next_batch(state.frame.place, state.value.place, n, self.dtype))

    # Memory

    def place(self, tensor: Tensor) -> Place:
        if tensor.space == "work":
            return self.work.place(tensor)
        if tensor.name == "square_norm":
            return Place(self.state.square_norm.address, self.itemsize)
        buffers = {"parameters": self.state.parameters, "gradients": self.state.gradients, "slots": self.state.slots}
        if tensor.space not in buffers:
            raise ValueError(f"it uses {tensor.name}, which only the engine's own operations may")
        return Place(buffers[tensor.space].address + tensor.offset * self.itemsize, tensor.nbytes(self.n))

    def placed(self, item: Item) -> Item:
        if isinstance(item, Gemm):
            return item
        return item._replace(arguments=[self.place(a) if isinstance(a, Tensor) else a for a in item.arguments])

    def partials(self, count: int) -> Place:
        """Room for so many doubles."""
        self.kept.append(Buffer(self.driver, 8 * count))
        return self.kept[-1].place

    def numbers(self, numbers: list[list[int]] | list[int]) -> Place:
        """Whole numbers that a kernel looks up."""
        array = np.array(numbers, np.int64)
        self.kept.append(Buffer(self.driver, array.nbytes))
        self.kept[-1].put(array)
        return self.kept[-1].place

    # Operations

    def encoded(self, row: Row) -> list[Item]:
        a, n, dtype = row.arguments, self.n, self.dtype
        frame, value = self.state.frame.place, self.state.value.place
        match row.operation:
            case "gather":
                return [self.gathers()]
            case "gemm":
                return [self.gemm(row)]
            case "bias_activation":
                keep_z = self.lives.get(a["z"], (0, self.index + 1))[1] > self.index
                return [kernels.bias_activation(a["z"], a["b"], a["f"], a["a"], keep_z, n, dtype)]
            case "activation_grad":
                later = self.later_sum(row)
                if later is None:
                    if a["f"].derivative is None and a["f"].gradient is None:
                        raise refuse(row, f"activation {a['f'].name} has no derivative")
                    return [kernels.activation_grad(a["da"], a["z"], a["a"], a["f"], a["dz"], n, dtype)]
                out = self.program.rows[later].arguments["out"]
                self.done.add(later)
                given = (a["da"], a["z"], a["a"], a["f"], a["dz"], out, n, dtype, self.partials)
                return [*moves.activation_grad_and_sum(*given)]
            case "apply":
                return [kernels.apply(a["f"], a["arrays"], a["outs"], n, dtype)]
            case "column_sum":
                return [*moves.column_sum(a["d"], a["out"], n, dtype, self.partials)]
            case "loss_grad":
                tensors = (a["y"], a["t"], a["weight"], a["dy"])
                return [*kernels.loss_grad(a["f"], *tensors, value, frame, n, dtype, self.partials)]
            case "dropout":
                return [moves.dropout(a["x"], a["rate"], a["seed"], a["layer"], a["out"], frame, n, dtype)]
            case "embed":
                return [self.embed(row)]
            case "embed_grad":
                return self.embed_grad(row)
            case "regularize":
                return [*kernels.regularize(a["f"], a["p"], value, frame, n, dtype, self.partials)]
            case "regularize_grad":
                return [kernels.regularize_grad(a["f"], a["p"], a["dp"], dtype)]
            case "square_norm":
                return [*moves.square_norm(a["d"], self.place(a["out"]), dtype, self.partials)]
            case "finite_guard":
                return [*moves.finite_guard(value, a["gradients"], frame, dtype, self.partials)]
            case "advance":
                return self.advance(row)
            case "update":
                constants, first = self.state.constants.place, self.used_constants
                self.used_constants += len(unroll(a["rule"]).constants)
                return [kernels.update(a["rule"], a["p"], a["g"], a["slots"], frame, constants, first, dtype)]
        raise refuse(row, "it is not known here")

    def gathers(self) -> Launch:
        """This row and those behind it that gather too."""
        pairs = []
        for index in range(self.index, len(self.program.rows)):
            row = self.program.rows[index]
            if row.operation != "gather":
                break
            source, order = row.arguments["source"], row.arguments["order"]
            if source.name not in moves.SOURCES or order.name != "order":
                raise refuse(row, f"it gathers {source.name} by {order.name}; known are the data in the batch's order")
            pairs.append((source.name, row.arguments["out"]))
            self.done.add(index)
        return moves.gather(pairs, self.state.frame.place, self.n, self.dtype)

    def later_sum(self, row: Row) -> int | None:
        """The number of the row that sums the columns of this gradient, where it may as well be done now."""
        dz, f = row.arguments["dz"], row.arguments["f"]
        if f.derivative is None or is_row(f.derivative):
            return None
        for index in range(self.index + 1, len(self.program.rows)):
            other = self.program.rows[index]
            if other.operation == "column_sum" and other.arguments["d"] == dz:
                out = other.arguments["out"]
                between = [t for r in self.program.rows[self.index : index] for t in r.tensors()]
                touched = any(t == out or t.name == "gradients" for t in between)
                return index if out.space == "gradients" and not touched else None
            if dz.name in written_names(other):
                return None
        return None

    def gemm(self, row: Row) -> Gemm:
        """cuBLAS counts columns first, so it sees every matrix transposed: it is asked for out^T = b^T a^T."""
        a, b, out = (row.arguments[name] for name in ("a", "b", "out"))
        trans_a, trans_b, accumulate = (
            bool(row.arguments.get(name, False)) for name in ("trans_a", "trans_b", "accumulate")
        )
        sizes = [t.sizes(self.n) for t in (a, b, out)]
        if any(len(size) != 2 for size in sizes):
            raise refuse(row, "its arrays are not all matrices")
        height, inner = sizes[0][::-1] if trans_a else sizes[0]
        if max(max(size) for size in sizes) > MOST:
            raise refuse(row, f"a matrix has more than {MOST} rows or columns")
        return Gemm(
            self.dtype, trans_b, trans_a, sizes[2][1], height, inner, self.place(b), sizes[1][1],
            self.place(a), sizes[0][1], accumulate, self.place(out), sizes[2][1],
        )  # fmt: skip

    def columns(self, tables: list[Tensor], columns: list[int]) -> list[list[int]]:
        """For each column of each table: where it begins, the column of x with the codes, how many, how far apart."""
        found = []
        for table, column in zip(tables, columns, strict=True):
            count, width = table.sizes(1)
            address = self.place(table).address
            found += [[address + j * self.itemsize, column, count, width] for j in range(width)]
        return found

    def embed(self, row: Row) -> Launch:
        a = row.arguments
        described = [[0, column, 0, 0] for column in a["others"]] + self.columns(a["tables"], a["columns"])
        return moves.embed(a["x"], a["out"], self.numbers(described), self.n, self.dtype)

    def embed_grad(self, row: Row) -> list[Item]:
        a, start = row.arguments, len(row.arguments["others"])
        described = self.numbers(self.columns(a["dtables"], a["columns"]))
        most = max(int(t.shape[0] or 0) for t in a["dtables"])
        items: list[Item] = [moves.embed_grad(a["x"], a["da"], described, most, start, self.n, self.dtype)]
        if a["dx"] is not None:
            places = [-1] * int(a["dx"].shape[-1] or 1)
            for place, column in enumerate(a["others"]):
                places[column] = place
            items.append(moves.spread(a["da"], a["dx"], self.numbers(places), self.n, self.dtype))
        return items

    def at_the_end(self) -> list[Item]:
        """When all is said of the batch's rows."""
        return [moves.scatter(self.program.output, self.state.frame.place, self.n, self.dtype)]

    def advance(self, row: Row) -> list[Item]:
        """The batch ends here: what is left is the update of parameters, whose constants are taken now."""
        rest = self.program.rows[self.index + 1 :]
        if not rest or any(r.operation != "update" for r in rest):
            raise refuse(row, "it stands anywhere but right before the updates, which come last")
        if sum(len(unroll(r.arguments["rule"]).constants) for r in rest) > CONSTANTS:
            raise refuse(rest[-1], f"the rules have more than {CONSTANTS} constants")
        self.ended = True
        hyper = {"hyper": self.state.hyper.place, "decay_hyper": self.state.decay_hyper.place}
        rules = [(r.arguments["rule"], hyper[r.arguments["hyper"].name]) for r in rest]
        places = (self.state.frame.place, self.state.value.place, self.state.constants.place)
        return [*self.at_the_end(), kernels.constants(rules, *places, self.n, self.dtype)]
