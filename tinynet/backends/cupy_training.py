"""Training on the device: the program of one step, recorded once, captured as a graph, replayed batch after batch.

It has the face of `Training`. The host's network is the truth between epochs: its parameters and slots are copied to
the device where an epoch begins and back where it ends, or where somebody looks in between; all else stays there. A
mapping of data is copied once and taken to stay as it is; give a new mapping for other data.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from threading import RLock
from typing import Any

import numpy as np

from tinynet.backends import cupy_frame as F
from tinynet.backends.cupy_driver import Driver
from tinynet.backends.cupy_machine import Machine
from tinynet.backends.cupy_memory import State, Table
from tinynet.backends.recordings import record_evaluation, record_forward
from tinynet.formulas.vocabulary import Array
from tinynet.losses import Objective
from tinynet.network import Network
from tinynet.optimizers import Optimizer
from tinynet.prediction import Prediction
from tinynet.program import Program, record
from tinynet.training import NonFiniteError, Training

STRETCH_SECONDS = 0.05  # between pauses, where Ctrl-C, progress and callbacks have their turn
FIRST_STRETCH = 64  # batches, until one has been timed
TRANSFER_SHARE = 10  # a pause that copies the network is at most one part in so many
EVALUATED_ROWS = 8192  # at a time, where nothing is learned between them
KEPT_MACHINES, KEPT_TABLES = 8, 2  # tables: of training and of validation
one_at_a_time = RLock()  # a process has one stream; a graph is captured from all that is asked of it


class CupyTraining(Training):
    """As `Training`, which it replaces, on an NVIDIA GPU.

    Parameters
    ----------
    network, objective, optimizer, target_columns : as for `Training`
    driver : the door to the device; default this process's GPU
    """

    def __init__(
        self, network: Network, objective: Objective, optimizer: Optimizer, target_columns: int,
        driver: Driver | None = None,
    ) -> None:  # fmt: skip
        super().__init__(network, objective, optimizer, target_columns)
        self.forget()
        self.given_driver = driver
        self.programs: dict[str, Program] = {}

    def forget(self) -> None:
        """Nothing is on the device."""
        self.on_device: State | None = None
        self.machines: dict[tuple[str, int], Machine] = {}
        self.tables: dict[int, tuple[Mapping[str, Array], int, Table]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Without what belongs to this process: it is made anew where it is needed."""
        left_out = {"on_device", "machines", "tables", "given_driver"}
        return {name: value for name, value in vars(self).items() if name not in left_out}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.given_driver = None
        self.forget()

    @property
    def state(self) -> State:
        """The network on the device."""
        if self.on_device is None:
            driver = self.given_driver
            if driver is None:
                from tinynet.backends.cupy_cuda import cuda_driver

                driver = cuda_driver()
            self.on_device = State(driver, self.network, self.optimizer)
        return self.on_device

    def program(self, kind: str) -> Program:
        """The step, the evaluation or the prediction, as recorded on a few rows: it is the same for any number."""
        if kind not in self.programs:
            if kind == "step":
                found = record(self.network, self.objective, self.optimizer, 2, self.target_columns)
            elif kind == "evaluation":
                found = record_evaluation(self.network, self.objective, 2, self.target_columns)
            else:
                found = record_forward(self.network)
            self.programs[kind] = found
        return self.programs[kind]

    def machine(self, kind: str, n: int) -> Machine:
        """A machine for batches of n rows, kept from epoch to epoch."""
        if (kind, n) in self.machines:
            self.machines[kind, n] = self.machines.pop((kind, n))  # the latest stands last
        else:
            while len(self.machines) >= KEPT_MACHINES:
                del self.machines[next(iter(self.machines))]
            self.machines[kind, n] = Machine(self.state.driver, self.program(kind), n, self.state)
        return self.machines[kind, n]

    def prepare(self, batch_size: int) -> None:
        """Also records anew, so that what was set since in a layer or the optimizer (`rate`, `clipnorm`) is seen."""
        kept = self.programs.pop("step", None)
        if kept is not None and kept != self.program("step"):
            self.programs, self.machines = {}, {}
        self.machine("step", batch_size)

    def table(self, data: Mapping[str, Array], batch: int) -> Table:
        """The data on the device; a mapping that was there is not copied again."""
        known = self.tables.pop(id(data), None)
        if known is None or (known[1] != batch and not known[2].resident):
            while len(self.tables) >= KEPT_TABLES:
                del self.tables[next(iter(self.tables))]
            known = None  # its memory is free before new memory is asked for
            known = data, batch, Table(self.state, data, batch, self.network.widths[-1])
        self.tables[id(data)] = known
        return known[2]

    def epoch(
        self,
        data: Mapping[str, Array],
        order: Array,
        batch_size: int,
        outputs: Array | None = None,
        after_batch: Callable[[int, float], None] | None = None,
    ) -> float:
        """As `Training.epoch`; after_batch is called for every batch in order, when the device pauses behind it."""
        rows = len(order)
        if not rows:
            return super().epoch(data, order, batch_size, outputs, after_batch)
        with one_at_a_time:
            return self.epoch_of(data, checked(order, len(data["X"])), min(batch_size, rows), outputs, after_batch)

    def epoch_of(
        self, data: Mapping[str, Array], order: Array, batch_size: int, outputs: Array | None,
        after_batch: Callable[[int, float], None] | None,
    ) -> float:  # fmt: skip
        network, state, rows = self.network, self.state, len(order)
        batches = -(-rows // batch_size)
        table = self.table(data, batch_size)
        table.put_order(order)
        values = state.sized("values", 8 * batches)
        rates = state.sized("rates", 8 * batches) if self.optimizer.schedule is not None else None
        network.value[...], network.alive[...] = 0.0, 1
        addresses = table.addresses(outputs is not None) | {F.VALUES: values.address}
        state.begin(addresses | ({} if rates is None else {F.RATES: rates.address}))
        state.put_network()
        done, stretch = 0, FIRST_STRETCH
        while done < batches:
            start, end = time.perf_counter(), min(done + stretch, batches)
            if not table.resident:
                end = min(end, done + table.batches)
            if rates is not None and self.optimizer.schedule is not None:
                step = int(network.step[0])
                own = [self.optimizer.schedule(step + i) for i in range(end - done)]
                rates.put(np.array(own), 8 * done)
            state.hyper.put(self.optimizer.hyper)
            state.decay_hyper.put(self.optimizer.decay_hyper)
            part = order[done * batch_size : end * batch_size]
            table.bring(part)
            transfer = 0.0
            try:
                self.run("step", batch_size, done, end, rows)
            finally:
                frame = state.take_frame()  # waits for the device
                before = time.perf_counter()
                failed = not frame[F.ALIVE]
                reached = int(frame[F.FAILED] if failed else frame[F.BATCH])
                network.step[0], network.alive[0] = frame[F.STEP], frame[F.ALIVE]
                if failed or reached != end or end == batches or after_batch is not None:
                    state.take_network()
                    transfer = time.perf_counter() - before
                self.optimizer.follow_schedule(max(0, int(network.step[0]) - 1))  # what the latest step took
            elapsed = before - start
            wanted = max(STRETCH_SECONDS, TRANSFER_SHARE * transfer)
            stretch = max(1, round((end - done) * min(4.0, wanted / max(elapsed, 1e-6))))
            losses = np.empty(end - done)
            values.take(losses, 8 * done)
            network.value[0] = losses[reached - done - 1]
            if outputs is not None:
                whole = end == batches or failed
                table.take_outputs(order[: reached * batch_size] if table.resident else part, outputs, whole)
            if after_batch is not None:
                for batch in range(done, reached - failed):
                    after_batch(batch, float(losses[batch - done]) / min((batch + 1) * batch_size, rows))
                if not failed and end < batches:  # what callbacks did to the network counts
                    state.put_network()
            if failed:
                raise NonFiniteError(
                    f"the loss or a gradient is not finite at step {int(network.step[0])} (batch {reached} of its "
                    "epoch); the weights are those before it: try a smaller learning rate, clipnorm or scaled inputs"
                )
            done = end
        return float(network.value[0]) / rows

    def run(self, kind: str, batch: int, done: int, end: int, rows: int) -> None:
        """Batches `done` to `end`, the last of which may have fewer rows."""
        full = min(end, rows // batch)
        if full > done:
            self.machine(kind, batch).run(full - done)
        if end > full:
            self.machine(kind, rows % batch).run(1)

    def mean_loss(self, data: Mapping[str, Array], batch_size: int, outputs: Array) -> float:
        """As `Training.mean_loss`, in batches of a size of its own: nothing is learned between them."""
        network, rows = self.network, len(data["X"])
        if not rows:
            return super().mean_loss(data, batch_size, outputs)
        with one_at_a_time:
            self.without_learning("evaluation", data, outputs)
            value = np.empty(1)
            self.state.value.take(value)
        network.value[0] = value[0]
        return float(value[0]) / rows

    def predictor(self) -> Prediction:
        """What predicts with the network on the device."""
        return CupyPrediction(self)

    def predicted(self, x: Array, out: Array) -> None:
        """out (rows, n_out) = what the network says of x (rows, n_in)."""
        if len(x):
            with one_at_a_time:
                self.without_learning("prediction", {"X": x}, out)

    def without_learning(self, kind: str, data: Mapping[str, Array], outputs: Array) -> None:
        """All rows in their order, and what is said of them."""
        rows, state = len(data["X"]), self.state
        batch = min(rows, EVALUATED_ROWS)
        order = np.arange(rows)
        passing = kind == "prediction"
        table = Table(state, data, batch, self.network.widths[-1]) if passing else self.table(data, batch)
        table.put_order(order)
        state.begin(table.addresses(True))
        state.put_network(with_slots=False)
        batches, done = -(-rows // batch), 0
        while done < batches:
            end = batches if table.resident else min(done + table.batches, batches)
            part = order[done * batch : end * batch]
            table.bring(part)
            self.run(kind, batch, done, end, rows)
            table.take_outputs(part if not table.resident else order, outputs, end == batches)
            done = end
        state.driver.wait()


class CupyPrediction(Prediction):
    """As `Prediction`, which it replaces, on the device of a training."""

    def __init__(self, training: CupyTraining) -> None:
        super().__init__(training.network)
        self.training = training

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.training,)

    def __call__(self, x: Array, out: Array | None = None, rows: int = EVALUATED_ROWS) -> Array:
        x = self.fitting(x)
        y = np.empty((len(x), self.n_out), self.dtype) if out is None else out
        self.training.predicted(x, y)
        return y


def checked(order: Array, rows: int) -> Array:
    """The order as the device reads it, every number that of a row."""
    numbers = np.ascontiguousarray(order, np.int64)
    if numbers.min() < 0 or numbers.max() >= rows:
        raise IndexError(f"order names rows from {numbers.min()} to {numbers.max()}; there are {rows}")
    return numbers
