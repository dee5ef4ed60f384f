"""Prediction by replay: forward alone, one row in microseconds, many rows in blocks over all cores.

The network's parameters are read where they are, so what training does to them is seen at once.
"""

from __future__ import annotations

import numpy as np

from tinynet.backends import numba_frame as F
from tinynet.backends.numba_machine import Machine
from tinynet.backends.numba_training import block_for, threads_for, work_of
from tinynet.backends.recordings import record_forward
from tinynet.formulas.vocabulary import Array
from tinynet.network import Network
from tinynet.recorder import array_pointer

ALONE = 64  # up to so many rows one thread predicts, and BLAS, which keeps to itself on so little, is not limited
LONGEST = 1 << 16  # rows at a time: the numbers of the rows are kept


class Prediction:
    """y (n, n_out) from x (n, n_in) by compiled code; one object serves one thread at a time.

    Parameters
    ----------
    network : whose parameters are used, as they are at each call
    threads : how many threads share many rows; default by the work, see `threads_for`
    """

    def __init__(self, network: Network, threads: int | None = None) -> None:
        self.network, self.given_threads = network, threads
        self.dtype, self.n_in, self.n_out = network.dtype, network.widths[0], network.widths[-1]
        self.program = record_forward(network)
        self.arrays = {"parameters": network.parameters, "gradients": network.gradients[:0]}
        self.order, self.loss = np.arange(LONGEST), np.zeros((64, 1))
        self.alone = self.machine(1, ALONE)
        self.frame, self.place = self.alone.frames[0], array_pointer(self.alone.frames[0])
        self.walk = self.alone.walk
        self.together: Machine | None = None

    def machine(self, threads: int, rows: int) -> Machine:
        made = Machine(self.program, self.arrays, threads, rows, block_for(self.program, rows))
        for thread, f in enumerate(made.frames):
            f[F.ORDER_START], f[F.ALIVE], f[F.END] = array_pointer(self.order), 1, 1
            f[F.VALUES] = array_pointer(self.loss[thread])
        return made

    def __call__(self, x: Array) -> Array:
        """The outputs for x, in the network's precision."""
        x = np.ascontiguousarray(x, self.dtype)
        if x.ndim != 2 or x.shape[1] != self.n_in:
            raise ValueError(f"x has {self.n_in} columns for each row; its shape is {x.shape}")
        y = np.empty((len(x), self.n_out), self.dtype)
        if len(x) <= ALONE:
            if len(x):
                self.point(self.frame, x, y)
                self.walk(None, self.place)
            return y
        for start in range(0, len(x), LONGEST):
            self.many(x[start : start + LONGEST], y[start : start + LONGEST])
        return y

    def point(self, f: Array, x: Array, y: Array) -> None:
        f[F.X], f[F.OUTPUTS] = array_pointer(x), array_pointer(y)
        f[F.BATCH] = f[F.ORDER_LENGTH] = len(x)
        f[F.NEXT] = 0

    def many(self, x: Array, y: Array) -> None:
        if self.together is None:
            threads = self.given_threads or threads_for(work_of(self.program, LONGEST), LONGEST)
            self.together = self.machine(threads, LONGEST)
        for f in self.together.frames:
            self.point(f, x, y)
        self.together.run(1)

    def in_place(self) -> tuple[Array, Array]:
        """(x (1, n_in), y (1, n_out)) for `again`: fill x, call `again()`, read y. The quickest way for one row."""
        self.x, self.y = np.zeros((1, self.n_in), self.dtype), np.zeros((1, self.n_out), self.dtype)
        one = self.machine(1, 1)
        self.point(one.frames[0], self.x, self.y)
        self.one, self.one_frame, self.one_place = one, one.frames[0], array_pointer(one.frames[0])
        return self.x, self.y

    def again(self) -> None:
        """y of `in_place` from its x."""
        self.one_frame[F.NEXT] = 0
        self.walk(None, self.one_place)
