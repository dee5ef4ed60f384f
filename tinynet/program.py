"""Programs: what one training step, or one prediction, does, as a recorded list of operations over one memory plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinynet.costs import flops, reads, written_names
from tinynet.formulas.vocabulary import Array
from tinynet.layers import Embedding
from tinynet.losses import Objective
from tinynet.network import LINE, Network, Workspace, aligned_zeros, numbered
from tinynet.operations import Operations
from tinynet.optimizers import Optimizer
from tinynet.recorder import Recorder, Row, Tensor, array_pointer, shown
from tinynet.step import training_step


def tensors_of(
    network: Network, w: Workspace, optimizer: Optimizer | None, given: Mapping[str, Array]
) -> dict[int, Tensor]:
    """id of every array that a step may touch -> the tensor it is. `given` are the arrays with the data."""
    named: dict[int, Tensor] = {}

    def add(array: Array, name: str, space: str, shape: tuple[int | None, ...] | None = None, offset: int = 0) -> None:
        named[id(array)] = Tensor(name, space, array.shape if shape is None else shape, array.dtype.name, offset)

    for name, array in w.batch_arrays.items():
        add(array, name, "work", (None, *array.shape[1:]))
    for space, flat in (("parameters", network.parameters), ("gradients", network.gradients)):
        add(flat, space, space)
    for index, views in enumerate(network.views, 1):
        for name, view in views.items():
            base, space = (network.parameters, "parameters")
            if name.startswith("d") and name[1:] in views:
                base, space = (network.gradients, "gradients")
            offset = (array_pointer(view) - array_pointer(base)) // network.dtype.itemsize
            add(view, numbered(name, index), space, offset=offset)
    for name in ("step", "value", "alive"):
        add(getattr(network, name), name, "state")
    add(w.total, "total", "state")
    if optimizer is not None and optimizer.slots is not None and optimizer.square_norm is not None:
        add(optimizer.slots, "slots", "slots")
        add(optimizer.no_slots, "no_slots", "slots")
        add(optimizer.hyper, "hyper", "state")
        add(optimizer.decay_hyper, "decay_hyper", "state")
        add(optimizer.square_norm, "square_norm", "state")
    for name, array in given.items():
        add(array, name, "data", (None, *array.shape[1:]))
    return named


@dataclass(frozen=True)
class Plan:
    """Where each work tensor begins in one piece of memory, in bytes, and how large that piece is."""

    offsets: dict[str, int]
    nbytes: int


@dataclass
class Program:
    """A recorded list of operations.

    `rows` is what is replayed, `batch` the number of rows it was recorded with, and `output` the tensor that holds y
    when it has run. `print(program)` lists it.
    """

    rows: list[Row]
    batch: int
    output: Tensor

    def work(self) -> list[Tensor]:
        """The tensors that the program's own memory holds, in the order of their first use."""
        return list(dict.fromkeys(t for row in self.rows for t in row.tensors() if t.space == "work"))

    def lifetimes(self) -> dict[Tensor, tuple[int, int]]:
        """For each work tensor, the first row that writes it and the last that needs it."""
        lives: dict[Tensor, tuple[int, int]] = {}
        for index, row in enumerate(self.rows):
            for tensor in [*reads(row), *(t for t in row.tensors() if t.name in written_names(row))]:
                if tensor.space == "work":
                    lives[tensor] = (lives.get(tensor, (index, index))[0], index)
        if self.output in lives:
            lives[self.output] = (lives[self.output][0], len(self.rows))
        return lives

    def plan(self, n: int | None = None) -> Plan:
        """Places for n rows (default the whole batch): tensors whose lifetimes do not meet share memory.

        Larger tensors are placed first, each at the lowest place that is free for as long as it lives.
        """
        n = self.batch if n is None else n
        lives = self.lifetimes()
        placed: list[tuple[int, int, int, int]] = []  # first row, last row, begin, end
        offsets: dict[str, int] = {}
        for tensor in sorted(lives, key=lambda t: (-t.nbytes(n), lives[t])):
            first, last = lives[tensor]
            size = -(-tensor.nbytes(n) // LINE) * LINE
            begin = 0
            for other_first, other_last, low, high in sorted(placed, key=lambda p: p[2]):
                if first <= other_last and other_first <= last and begin < high and low < begin + size:
                    begin = high
            offsets[tensor.name] = begin
            placed.append((first, last, begin, begin + size))
        return Plan(offsets, max((end for *_, end in placed), default=0))

    def describe(self, n: int | None = None) -> Iterator[tuple[Row, int, int]]:
        """(row, FLOPs, bytes of its tensors) of every operation, for n rows."""
        n = self.batch if n is None else n
        for row in self.rows:
            yield row, flops(row, n), sum(t.nbytes(n) for t in row.tensors() if t.name not in ("X", "T", "weights"))

    def __str__(self) -> str:
        rows = list(self.describe())
        lines = [f"{'FLOPs':>13}  {'bytes':>11}  operation         arguments, n = {self.batch}"]
        for row, work, nbytes in rows:
            flags = [name for name, value in row.arguments.items() if value is True]
            arguments = [shown(v) for v in row.arguments.values() if not isinstance(v, bool)] + flags
            lines.append(f"{work:>13,}  {nbytes:>11,}  {row.operation:<17} {', '.join(arguments)}")
        lines.append(
            f"{sum(f for _, f, _ in rows):>13,}  {sum(b for *_, b in rows):>11,}  in all; the batch's own arrays "
            f"share {self.plan().nbytes:,} bytes"
        )
        return "\n".join(lines)


def record(
    network: Network, objective: Objective, optimizer: Optimizer | None, batch: int, target_columns: int
) -> Program:
    """The program of one training step on `batch` rows; without an optimizer it ends with the gradients.

    The step is carried out, on a copy of the network and on rows of zeros, and written down while it runs.

    Raises
    ------
    ValueError : where a layer of one's own computes something that is no operation, which a replay would leave out
    """
    network = network.copy()
    optimizer = None if optimizer is None else optimizer.copy(network)
    w = Workspace(network, batch, True, target_columns)
    data = {"X": rows_to_record(network, batch), "T": np.zeros((batch, target_columns)), "weights": np.ones((batch, 1))}
    data = {name: array.astype(network.dtype) for name, array in data.items()}
    order = np.arange(batch)
    start = {name: array.copy() for name, array in state_of(network, optimizer).items()}
    recorder = Recorder(tensors_of(network, w, optimizer, {**data, "order": order}))
    with np.errstate(all="ignore"):
        y = training_step(recorder, network, w, data, order, objective, optimizer)
    program = Program(recorder.rows, batch, recorder.tensors[id(y)])
    if own_layers(network):
        again = Replay(program, start).run({**data, "order": order})
        raise_unless_same(network, [(again, y), (start["gradients"], network.gradients)])
    return program


def own_layers(network: Network) -> list[str]:
    """The layers' classes that are not this package's."""
    return [type(layer).__name__ for layer in network.layers if not type(layer).__module__.startswith("tinynet.")]


def rows_to_record(network: Network, n: int) -> Array:
    """Rows of zeros; with layers of one's own of random numbers, so that a replay that leaves something out is seen."""
    x = np.zeros((n, network.widths[0]), network.dtype)
    if own_layers(network):
        codes = network.layers[0].columns if isinstance(network.layers[0], Embedding) else []
        numbers = [column for column in range(network.widths[0]) if column not in codes]
        x[:, numbers] = np.random.default_rng(0).standard_normal((n, len(numbers)))
    return x


def raise_unless_same(network: Network, pairs: Iterable[tuple[Array, Array]]) -> None:
    """Raises ValueError where a replay differs from what was recorded, in any bit."""
    if not all(np.array_equal(again, first, equal_nan=True) for again, first in pairs):
        kinds = " or ".join(dict.fromkeys(own_layers(network)))
        raise ValueError(
            f"{kinds} computes something beside its operations (NumPy on arrays of m?), so a replay of them gives "
            "other numbers: write each line of forward and backward as a call of "
            "ops, or take backend='numpy'"
        )


def state_of(network: Network, optimizer: Optimizer | None) -> dict[str, Array]:
    """The flat vectors and the state that a replay of a step works on, by name."""
    kept = [(network, name) for name in ("parameters", "gradients", "step", "value", "alive")]
    if optimizer is not None:
        kept += [(optimizer, name) for name in ("slots", "hyper", "decay_hyper", "square_norm")]  # type: ignore[misc]
    return {name: getattr(owner, name) for owner, name in kept}


def record_prediction(network: Network, batch: int) -> Program:
    """The program of one prediction of `batch` rows: forward alone."""
    network = network.copy()
    w = Workspace(network, batch, False)
    x = np.zeros((batch, network.widths[0]), network.dtype)
    recorder = Recorder(tensors_of(network, w, None, {"x": x}))
    with np.errstate(all="ignore"):
        y = network.forward(recorder, w, x, training=False)
    return Program(recorder.rows, batch, recorder.tensors[id(y)])


class Replay:
    """A program carried out by NumPy over its own memory plan.

    Parameters
    ----------
    program : what to carry out
    state : the flat vectors and the state by name: parameters, gradients, slots, hyper, decay_hyper, step, value,
        alive, ...
    n : the number of rows of a batch; default the program's
    """

    def __init__(self, program: Program, state: Mapping[str, Array], n: int | None = None) -> None:
        self.program, self.state, self.ops = program, dict(state), Operations()
        self.n = program.batch if n is None else n
        plan = program.plan(self.n)
        memory = aligned_zeros((plan.nbytes,), np.uint8)
        self.arrays: dict[Tensor, Array] = {}
        for tensor in program.work():
            begin = plan.offsets[tensor.name]
            part = memory[begin : begin + tensor.nbytes(self.n)]
            self.arrays[tensor] = part.view(tensor.dtype).reshape(tensor.sizes(self.n))
        self.state.setdefault("total", np.full(1, float(self.n)))
        self.state.setdefault("square_norm", np.zeros(1, program.output.dtype))
        self.state.setdefault("no_slots", np.zeros((0, 1), program.output.dtype))

    def array(self, tensor: Tensor, given: Mapping[str, Array]) -> Array:
        if tensor.space == "work":
            return self.arrays[tensor]
        if tensor.space == "data":
            return given[tensor.name]
        if tensor.space in ("parameters", "gradients"):
            flat = self.state[tensor.space]
            return flat[tensor.offset : tensor.offset + tensor.size(self.n)].reshape(tensor.sizes(self.n))
        return self.state[tensor.name]

    def run(self, given: Mapping[str, Array]) -> Array:
        """One step, or one prediction; `given` holds the data by name: X, T, weights and order, or x. Returns y."""
        with np.errstate(all="ignore"):
            for row in self.program.rows:
                self.carry_out(row, given)
        return self.array(self.program.output, given)

    def carry_out(self, row: Row, given: Mapping[str, Array]) -> None:
        """One operation, on this memory."""

        def filled(value: Any) -> Any:
            if isinstance(value, Tensor):
                return self.array(value, given)
            return [filled(item) for item in value] if isinstance(value, list) else value

        getattr(self.ops, row.operation)(**{name: filled(value) for name, value in row.arguments.items()})
