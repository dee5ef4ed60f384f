"""The device's memory: buffers that are freed with their owner, and what stays there of a network in training."""

from __future__ import annotations

import weakref
from collections.abc import Mapping

import numpy as np

from tinynet.backends import cupy_frame as F
from tinynet.backends.cupy_draft import Place
from tinynet.backends.cupy_driver import Driver
from tinynet.formulas.vocabulary import Array
from tinynet.network import Network
from tinynet.optimizers import Optimizer
from tinynet.program import Program
from tinynet.recorder import Tensor

CONSTANTS = 64  # of an update rule, at most
SHARE = 0.8  # of the free memory that data may take before they are streamed
STREAMED_BYTES = 64 << 20  # of the data on the device at a time, where they do not fit


class Buffer:
    """So many bytes on the device, with anything in them; freed when nobody holds it any more."""

    def __init__(self, driver: Driver, nbytes: int) -> None:
        self.driver, self.nbytes = driver, max(8, nbytes)
        self.address = driver.allocate(self.nbytes)
        weakref.finalize(self, driver.free, self.address).atexit = False

    @property
    def place(self) -> Place:
        return Place(self.address, self.nbytes)

    def put(self, array: Array, start: int = 0) -> None:
        """Copy the array here, `start` bytes from the beginning."""
        assert start + array.nbytes <= self.nbytes
        self.driver.upload(self.address + start, np.ascontiguousarray(array))

    def take(self, out: Array, start: int = 0) -> None:
        """Fill `out` from here; all that was asked of the device is done by then."""
        assert start + out.nbytes <= self.nbytes
        assert out.flags.c_contiguous
        self.driver.download(self.address + start, out)


class Work:
    """The arrays of a batch, all in one buffer, as the program's plan has them."""

    def __init__(self, driver: Driver, program: Program, n: int) -> None:
        self.n, self.plan = n, program.plan(n)
        self.buffer = Buffer(driver, self.plan.nbytes)

    def place(self, tensor: Tensor) -> Place:
        return Place(self.buffer.address + self.plan.offsets[tensor.name], tensor.nbytes(self.n))


class State:
    """The flat vectors, the frame, and the numbers of a step; the network on the host is copied here and back."""

    def __init__(self, driver: Driver, network: Network, optimizer: Optimizer) -> None:
        self.driver, self.network, self.optimizer = driver, network, optimizer
        assert optimizer.slots is not None
        self.itemsize = network.dtype.itemsize
        self.parameters, self.gradients = (Buffer(driver, network.parameters.nbytes) for _ in range(2))
        self.slots = Buffer(driver, optimizer.slots.nbytes)
        self.hyper, self.constants = Buffer(driver, optimizer.hyper.nbytes), Buffer(driver, 8 * CONSTANTS)
        self.decay_hyper = Buffer(driver, optimizer.decay_hyper.nbytes)
        self.value, self.square_norm = Buffer(driver, 8), Buffer(driver, 8)
        self.frame = Buffer(driver, 8 * F.LENGTH)
        self.kept: dict[str, Buffer] = {}
        self.gradients.put(network.flat())  # nobody writes between parameters, and the guard sums all of it

    def sized(self, name: str, nbytes: int) -> Buffer:
        """A buffer by name, made anew where it is too small."""
        if name not in self.kept or self.kept[name].nbytes < nbytes:
            self.kept.pop(name, None)
            self.kept[name] = Buffer(self.driver, nbytes)
        return self.kept[name]

    def put_network(self, with_slots: bool = True) -> None:
        """Parameters, and slots where asked, as they are on the host."""
        self.parameters.put(self.network.parameters)
        if with_slots and self.optimizer.slots is not None and self.optimizer.slots.size:
            self.slots.put(self.optimizer.slots)

    def take_network(self) -> None:
        """The host's parameters, gradients and slots, as they are here."""
        self.parameters.take(self.network.parameters)
        self.gradients.take(self.network.gradients)
        if self.optimizer.slots is not None and self.optimizer.slots.size:
            self.slots.take(self.optimizer.slots)

    def put_frame(self, numbers: Mapping[int, int]) -> None:
        """The whole frame; what is not named is 0."""
        frame = np.zeros(F.LENGTH, np.int64)
        for place, number in numbers.items():
            frame[place] = number
        self.frame.put(frame)

    def put_number(self, place: int, number: int) -> None:
        """One number of the frame."""
        self.frame.put(np.array([number], np.int64), 8 * place)

    def take_frame(self) -> Array:
        frame = np.zeros(F.LENGTH, np.int64)
        self.frame.take(frame)
        return frame

    def begin(self, addresses: Mapping[int, int]) -> None:
        """Ready for batch 0 of an epoch: the network's step, nothing lost yet, and where the data are."""
        self.value.put(np.zeros(1))
        self.put_frame({F.STEP: int(self.network.step[0]), F.ALIVE: 1, **addresses})


class Table:
    """Data on the device: all rows where they fit, else some batches at a time.

    Parameters
    ----------
    data : X, T and weights, (rows, columns) each; T and weights may be missing in prediction
    batch : rows of a batch, of which whole ones are streamed
    """

    PLACES = {"X": F.X, "T": F.T, "weights": F.WEIGHTS}  # noqa: RUF012

    def __init__(self, state: State, data: Mapping[str, Array], batch: int, columns_out: int) -> None:
        self.state, self.data, self.dtype = state, data, state.network.dtype
        self.rows, self.columns_out = len(data["X"]), columns_out
        columns = columns_out + sum(data[name].shape[1] for name in self.PLACES if name in data)
        a_row = columns * self.dtype.itemsize + 8
        self.resident = self.rows * a_row <= SHARE * state.driver.free_bytes()
        self.batches = max(1, STREAMED_BYTES // (a_row * batch))  # in one portion
        room = self.rows if self.resident else self.batches * batch
        self.buffers = {name: Buffer(state.driver, room * data[name].shape[1] * self.dtype.itemsize)
                        for name in self.PLACES if name in data}  # fmt: skip
        self.order = Buffer(state.driver, 8 * room)
        self.outputs = Buffer(state.driver, room * columns_out * self.dtype.itemsize)
        if self.resident:
            for name, buffer in self.buffers.items():
                buffer.put(np.asarray(data[name], self.dtype))
        else:
            self.order.put(np.arange(room, dtype=np.int64))

    def addresses(self, outputs: bool) -> dict[int, int]:
        """What the frame says of it."""
        found = {self.PLACES[name]: buffer.address for name, buffer in self.buffers.items()}
        return found | {F.ORDER: self.order.address, F.OUTPUTS: self.outputs.address if outputs else 0}

    def put_order(self, order: Array) -> None:
        if self.resident:
            self.order.put(order)

    def bring(self, rows: Array) -> None:
        """The rows of the next batches, where not all are here."""
        if not self.resident:
            for name, buffer in self.buffers.items():
                buffer.put(np.asarray(self.data[name][rows], self.dtype))
            self.state.put_number(F.PLACE, 0)

    def take_outputs(self, rows: Array, outputs: Array, whole: bool) -> None:
        """outputs[rows] = what was said of them; `whole` when the epoch is over."""
        if self.resident and whole:
            said = np.empty((self.rows, self.columns_out), self.dtype)
            self.outputs.take(said)
            outputs[rows] = said[rows]
        elif not self.resident and len(rows):
            said = np.empty((len(rows), self.columns_out), self.dtype)
            self.outputs.take(said)
            outputs[rows] = said
