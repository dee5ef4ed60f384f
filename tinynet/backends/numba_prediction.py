"""Prediction by replay: forward alone, one row in microseconds, many rows in blocks over all cores."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet.backends import numba_frame as F
from tinynet.backends.numba_machine import Machine
from tinynet.backends.numba_training import block_for, threads_for, work_of
from tinynet.backends.recordings import record_forward
from tinynet.formulas.vocabulary import Array
from tinynet.network import Network
from tinynet.prediction import Prediction
from tinynet.recorder import array_pointer

ALONE = 64  # up to so many rows one thread predicts, and BLAS, which keeps to itself on so little, is not limited
LONGEST = 1 << 16  # rows at a time: the numbers of the rows are kept


class NumbaPrediction(Prediction):
    """As `Prediction`, which it replaces, by compiled code: one row in microseconds, many rows over all cores.

    Parameters
    ----------
    network : whose parameters are used, as they are at each call
    threads : how many threads share many rows; default by the work, see `threads_for`
    """

    def __init__(self, network: Network, threads: int | None = None) -> None:
        super().__init__(network)
        self.given_threads = threads
        self.program = record_forward(network)
        self.arrays = {"parameters": network.parameters, "gradients": network.gradients[:0]}
        self.order, self.loss = np.arange(LONGEST), np.zeros((64, 1))
        self.x, self.y = np.zeros((1, self.n_in), self.dtype), np.zeros((1, self.n_out), self.dtype)
        one = self.machine(1, 1)
        self.point(one.frames[0], self.x, self.y)
        self.one, self.one_shape = one, self.x.shape
        self.walk, self.one_frame, self.one_place = one.walk, one.frames[0], array_pointer(one.frames[0])
        self.alone: Machine | None = None
        self.together: Machine | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.network, self.given_threads)

    def machine(self, threads: int, rows: int) -> Machine:
        made = Machine(self.program, self.arrays, threads, rows, block_for(self.program, rows))
        for thread, f in enumerate(made.frames):
            f[F.ORDER_START], f[F.ALIVE], f[F.END] = array_pointer(self.order), 1, 1
            f[F.VALUES] = array_pointer(self.loss[thread])
        return made

    def __call__(self, x: Array, out: Array | None = None, rows: int = LONGEST) -> Array:
        """As `Prediction`'s; rows are pushed through the network in blocks that fit the cache, whatever `rows` says."""
        if x.__class__ is np.ndarray and x.shape == self.one_shape:
            np.copyto(self.x, x)
            self.one_frame[F.NEXT] = 0
            self.walk(None, self.one_place)
            if out is None:
                return self.y.copy()
            out[...] = self.y
            return out
        x = self.fitting(x)
        y = out if out is not None and out.flags.c_contiguous else np.empty((len(x), self.n_out), self.dtype)
        for start in range(0, len(x), LONGEST):
            self.many(x[start : start + LONGEST], y[start : start + LONGEST])
        if out is not None and out is not y:
            out[...] = y
            return out
        return y

    def point(self, f: Array, x: Array, y: Array) -> None:
        f[F.X], f[F.OUTPUTS] = array_pointer(x), array_pointer(y)
        f[F.BATCH] = f[F.ORDER_LENGTH] = len(x)
        f[F.NEXT] = 0

    def many(self, x: Array, y: Array) -> None:
        if len(x) <= ALONE:
            self.alone = self.alone or self.machine(1, ALONE)
            self.point(self.alone.frames[0], x, y)
            self.walk(None, array_pointer(self.alone.frames[0]))
            return
        if self.together is None:
            threads = self.given_threads or threads_for(work_of(self.program, LONGEST), LONGEST)
            self.together = self.machine(threads, LONGEST)
        for f in self.together.frames:
            self.point(f, x, y)
        self.together.run(1)
