"""A program at work: encoded once, then run for some batches at a time by as many threads as it was encoded for."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from typing import Any

import numpy as np

from tinynet.backends import numba_frame as F
from tinynet.backends.numba_blas import one_blas_thread
from tinynet.backends.numba_code import address_of_template
from tinynet.backends.numba_encoding import Encoder
from tinynet.backends.numba_memory import Shared
from tinynet.formulas.vocabulary import Array
from tinynet.network import Network, aligned_zeros
from tinynet.program import Program
from tinynet.recorder import array_pointer

Walk = Callable[[None, int], None]


def walk() -> Walk:
    """The interpreter as a function of Python's; Python's other threads run while it does."""
    kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
    return kind(address_of_template("numba_interpreter", "interpreter", ""))


def yield_address() -> int:
    """The address of the system's function that offers the core to another thread."""
    if sys.platform == "win32":
        function = ctypes.windll.kernel32.SwitchToThread
    else:
        function = ctypes.CDLL(None).sched_yield
    return int(ctypes.cast(function, ctypes.c_void_p).value or 0)


class Machine:
    """A program, encoded for a number of threads and a batch size.

    Parameters
    ----------
    program : what to carry out for each batch
    arrays : parameters, gradients, and what else of slots and hyper the program names; they are worked on in place
    threads : how many threads work on it
    batch : rows of a batch; the last may have fewer
    block : how many rows go through the network at a time
    """

    def __init__(self, program: Program, arrays: dict[str, Array], threads: int, batch: int, block: int) -> None:
        self.threads, self.batch = threads, batch
        self.shared = Shared(program, arrays, threads, block, batch // threads)
        self.encoders = [Encoder(self.shared, thread) for thread in range(threads)]
        self.frames = [encoder.frame for encoder in self.encoders]
        self.counter = aligned_zeros((2 * F.BESIDE // 8,), np.int64)
        self.blas = one_blas_thread if any(encoder.uses_blas() for encoder in self.encoders) else nullcontext()
        self.walk = walk()
        self.pool: ThreadPoolExecutor | None = None
        self.process = 0
        for thread, encoder in enumerate(self.encoders):
            f = encoder.frame
            f[F.SELF], f[F.COUNTER], f[F.YIELD] = array_pointer(f), array_pointer(self.counter), yield_address()
            f[F.SAMPLE_ROWS], f[F.SAMPLE_COUNT] = array_pointer(encoder.sample_rows), len(encoder.sample_rows)
            f[F.STEP_ROWS], f[F.STEP_COUNT] = array_pointer(encoder.step_rows), len(encoder.step_rows)
            f[F.THREAD], f[F.THREADS], f[F.BATCH], f[F.BLOCK] = thread, threads, batch, block

    def begin(self, network: Network, data: dict[str, Array], order: Array, outputs: Array | None) -> None:
        """Make ready for batch 0 of `order`: the state is the network's, sums of losses are 0."""
        self.counter[...] = 0
        self.values = np.zeros((self.threads, -(-len(order) // self.batch)))
        self.rates: Array | None = None
        self.given: Any = (data, order, outputs)  # alive as long as addresses of them are about
        for f in self.frames:
            f[F.STEP], f[F.ALIVE], f[F.VALUE] = network.step[0], 1, 0  # the bits of 0.0 are 0
            f[F.X], f[F.T], f[F.WEIGHTS] = (array_pointer(data[name]) for name in ("X", "T", "weights"))
            f[F.OUTPUTS] = 0 if outputs is None else array_pointer(outputs)
            f[F.ORDER_START], f[F.ORDER_LENGTH] = array_pointer(order), len(order)
            f[F.VALUES] = array_pointer(self.values[f[F.THREAD]])
            f[F.NEXT] = f[F.STATUS] = f[F.TARGET] = f[F.RATES] = 0

    def let_go(self) -> None:
        """Forget the data, which may be large: a trained model does not keep them."""
        self.given = None
        for f in self.frames:
            f[F.X] = f[F.T] = f[F.WEIGHTS] = f[F.OUTPUTS] = f[F.ORDER_START] = 0

    def rates_of(self, first: int, rates: list[float]) -> None:
        """The learning rates of the batches from `first` on."""
        if self.rates is None:
            self.rates = np.zeros(self.values.shape[1])
            for f in self.frames:
                f[F.RATES] = array_pointer(self.rates)
        self.rates[first : first + len(rates)] = rates

    def run(self, end: int) -> int:
        """Go on to batch `end`, or to the first step that is not finite; returns how many batches are done."""
        for f in self.frames:
            f[F.END] = end
        with self.blas:
            if self.threads == 1:
                self.walk(None, array_pointer(self.frames[0]))
            else:
                self.run_together()
        return int(self.frames[0][F.NEXT])

    def run_together(self) -> None:
        """All threads at once, this one among them; where one fails, the others are released and it is raised here."""
        others: list[Future[None]] = []
        try:
            pool = self.workers()
            others.extend(pool.submit(self.part, thread) for thread in range(1, self.threads))
            self.part(0)
        finally:
            if len(others) < self.threads - 1 or sys.exc_info()[0] is not None:
                self.counter[F.BESIDE // 8] = 1
            wait(others)
        for other in others:
            other.result()

    def part(self, thread: int) -> None:
        try:
            self.walk(None, array_pointer(self.frames[thread]))
        except BaseException:
            self.counter[F.BESIDE // 8] = 1
            raise

    def workers(self) -> ThreadPoolExecutor:
        """Threads that wait for work between runs; a forked process has none of its parent's, and makes its own."""
        if self.pool is None or self.process != os.getpid():
            self.pool, self.process = ThreadPoolExecutor(self.threads - 1), os.getpid()
        return self.pool

    def finish(self, network: Network) -> None:
        """Give the network its state back: the step, the sum of all threads' losses, and whether all was finite."""
        network.step[0] = self.frames[0][F.STEP]
        network.alive[0] = self.frames[0][F.ALIVE]
        network.value[0] = sum(float(f.view(np.float64)[F.VALUE]) for f in self.frames)
