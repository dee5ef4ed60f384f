"""Training by replay: the program of one step, recorded once, then carried out batch after batch in compiled code.

It has the face of `Training`. The network's parameters, its gradients, and the optimizer's slots and scalars are worked
on where they are; the step, the loss and the sign of life are copied in where an epoch begins and back where compiled
code pauses, about every 50 ms, so that Ctrl-C, progress and callbacks work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinynet.backends.numba_machine import Machine
from tinynet.backends.numba_product_rows import IN_CACHE
from tinynet.backends.recordings import record_evaluation
from tinynet.costs import flops
from tinynet.formulas.vocabulary import Array
from tinynet.losses import Objective
from tinynet.network import Network
from tinynet.optimizers import Optimizer
from tinynet.program import Program, record
from tinynet.recorder import array_pointer
from tinynet.settings import cores
from tinynet.training import NonFiniteError, Training

CHUNK_SECONDS = 0.05
SLOWEST = 1e9  # FLOPs a second, until the first stretch has been timed
KEPT_MACHINES = 4
# Of one step; with less, threads wait longer for each other's gradients than they save.
FLOPS_A_THREAD, ROWS_A_THREAD = 1_200_000, 48


def work_of(program: Program, batch: int) -> int:
    """The FLOPs of a step."""
    return sum(flops(row, batch) for row in program.rows)


def threads_for(work: int, batch: int) -> int:
    """How many threads share a step: by its size alone, never by a clock, since their number changes rounding."""
    return max(1, min(cores(), work // FLOPS_A_THREAD, batch // ROWS_A_THREAD))


def block_for(program: Program, rows: int) -> int:
    """How many of a thread's rows go through the network at a time.

    Products that need no packing are a fifth faster. Where no useful block is that small, packing pays only when many
    rows share it.
    """
    products = [row.arguments for row in program.rows if row.operation == "gemm"]
    widest = max((a["b"].size(1) for a in products if not a["b"].per_row), default=1)
    fits = IN_CACHE // widest
    most = 512 if fits < 64 or fits >= 512 else 1 << (fits.bit_length() - 1)
    return max(1, min(most, rows))


class NumbaTraining(Training):
    """As `Training`, which it replaces, by compiled code and over threads.

    Parameters
    ----------
    network, objective, optimizer, target_columns : as for `Training`
    threads : how many threads share a step; default by the step's size, see `threads_for`
    """

    def __init__(
        self, network: Network, objective: Objective, optimizer: Optimizer, target_columns: int,
        threads: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__(network, objective, optimizer, target_columns)
        self.given_threads = threads
        self.threads = threads or 1  # of the latest run
        self.programs: dict[str, Program] = {}
        self.work: dict[tuple[str, int], int] = {}  # FLOPs by program and batch size
        self.machines: dict[tuple[Any, ...], Machine] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Without what belongs to this process: machines are made anew where they are needed."""
        return {**vars(self), "machines": {}}

    def program(self, kind: str) -> Program:
        """The step, the gradient or the evaluation, recorded on a few rows: it is the same for any number of them."""
        if kind not in self.programs:
            if kind == "evaluation":
                found = record_evaluation(self.network, self.objective, 2, self.target_columns)
            else:
                optimizer = self.optimizer if kind == "step" else None
                found = record(self.network, self.objective, optimizer, 2, self.target_columns)
            self.programs[kind] = found
        return self.programs[kind]

    def machine(self, kind: str, batch: int) -> Machine:
        """A machine for this batch size, kept from epoch to epoch, over the arrays that are there now."""
        network, optimizer = self.network, self.optimizer
        assert optimizer.slots is not None
        arrays = {
            "parameters": network.parameters, "gradients": network.gradients,
            "slots": optimizer.slots, "hyper": optimizer.hyper, "decay_hyper": optimizer.decay_hyper,
        }  # fmt: skip
        program = self.program(kind)
        if (kind, batch) not in self.work:
            self.work[kind, batch] = work_of(program, batch)
        self.threads = self.given_threads or threads_for(self.work[kind, batch], batch)
        key = (kind, batch, self.threads, *(array_pointer(array) for array in arrays.values()))
        if key not in self.machines:
            while len(self.machines) >= KEPT_MACHINES:
                del self.machines[next(iter(self.machines))]
            block = block_for(program, -(-batch // self.threads))
            self.machines[key] = Machine(program, arrays, self.threads, batch, block)
        return self.machines[key]

    def prepare(self, batch_size: int) -> None:
        """Also records anew, so that what was set since in a layer or the optimizer (`rate`, `clipnorm`) is seen."""
        kept = self.programs.pop("step", None)
        if kept is not None and kept != self.program("step"):
            self.programs, self.machines, self.work = {}, {}, {}
        self.machine("step", batch_size)

    def ready(self, data: Mapping[str, Array]) -> dict[str, Array]:
        """The data as compiled code reads them: row after row, in the network's precision."""
        return {name: np.ascontiguousarray(data[name], self.network.dtype) for name in ("X", "T", "weights")}

    def epoch(
        self,
        data: Mapping[str, Array],
        order: Array,
        batch_size: int,
        outputs: Array | None = None,
        after_batch: Callable[[int, float], None] | None = None,
    ) -> float:
        """As `Training.epoch`; after_batch is called for every batch in order, when compiled code pauses behind it."""
        network, rows = self.network, len(order)
        batches = -(-rows // batch_size)
        if not rows:
            return super().epoch(data, order, batch_size, outputs, after_batch)
        batch_size = min(batch_size, rows)
        machine = self.machine("step", batch_size)
        said = None if outputs is None else np.require(outputs, network.dtype, ["C", "W"])
        machine.begin(network, self.ready(data), checked(order, len(data["X"])), said)
        done, chunk = 0, first_chunk(self.work["step", batch_size])
        while done < batches:
            start, end = time.perf_counter(), min(done + chunk, batches)
            if self.optimizer.schedule is not None:  # it is Python: the rates of a stretch are asked for before it
                step = int(network.step[0])
                machine.rates_of(done, [self.optimizer.schedule(step + i) for i in range(end - done)])
            try:
                reached = machine.run(end)
            finally:
                machine.finish(network)
                self.optimizer.follow_schedule(max(0, int(network.step[0]) - 1))  # what the latest step took
            elapsed = time.perf_counter() - start
            chunk = max(1, round((reached - done) * min(4.0, CHUNK_SECONDS / max(elapsed, 1e-6))))
            failed = not network.alive[0]
            if said is not None and said is not outputs and outputs is not None:
                outputs[order] = said[order]
            if after_batch is not None:
                losses = machine.values[:, done:reached].sum(axis=0)
                for batch in range(done, reached - failed):
                    after_batch(batch, float(losses[batch - done]) / min((batch + 1) * batch_size, rows))
            if failed:
                raise NonFiniteError(
                    f"the loss or a gradient is not finite at step {int(network.step[0])} (batch {reached} of its "
                    "epoch); the weights are those before it: try a smaller learning rate, clipnorm or scaled inputs"
                )
            done = reached
        machine.let_go()
        return float(network.value[0]) / rows

    def gradient(self, data: Mapping[str, Array]) -> float:
        return self.all_rows("gradient", data, None)

    def mean_loss(self, data: Mapping[str, Array], batch_size: int, outputs: Array) -> float:
        """As `Training.mean_loss`; all rows are one batch, since nothing is learned between them."""
        network, rows = self.network, len(data["X"])
        if not rows:
            return super().mean_loss(data, batch_size, outputs)
        said = np.require(outputs, network.dtype, ["C", "W"])
        loss = self.all_rows("evaluation", data, said)
        if said is not outputs:
            outputs[...] = said
        return loss

    def all_rows(self, kind: str, data: Mapping[str, Array], outputs: Array | None) -> float:
        """The mean loss of a program that is run once, with all rows as one batch."""
        network, rows = self.network, len(data["X"])
        machine = self.machine(kind, rows)
        machine.begin(network, self.ready(data), np.arange(rows), outputs)
        machine.run(1)
        machine.finish(network)
        machine.let_go()
        return float(network.value[0]) / rows


def first_chunk(work: int) -> int:
    """Batches for the first stretch of compiled code, at a speed that any machine reaches."""
    return max(1, int(CHUNK_SECONDS * SLOWEST / max(work, 1)))


def checked(order: Array, rows: int) -> Array:
    """The order as compiled code reads it, every number that of a row."""
    numbers = np.ascontiguousarray(order, np.int64)
    if numbers.min() < 0 or numbers.max() >= rows:
        raise IndexError(f"order names rows from {numbers.min()} to {numbers.max()}; there are {rows}")
    return numbers
