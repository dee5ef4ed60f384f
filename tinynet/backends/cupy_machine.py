"""A program at work on the device: encoded once, captured as graphs, replayed batch after batch.

Nothing in a graph changes from step to step, so a graph of many steps is the same calls many times over, and a launch
of it costs the host as much as a single one.
"""

from __future__ import annotations

from typing import Any

from tinynet.backends.cupy_draft import Launch
from tinynet.backends.cupy_driver import Driver, Gemm
from tinynet.backends.cupy_encoding import Encoder
from tinynet.backends.cupy_memory import State
from tinynet.program import Program

FIRST = 2  # steps before a graph is captured: cuBLAS and CUDA load what they need at first use, which allocates
TOGETHER = 16  # steps in one launch


class Machine:
    """A program for batches of n rows.

    Parameters
    ----------
    program : what each batch goes through
    n : rows of a batch
    state : the network on the device
    """

    def __init__(self, driver: Driver, program: Program, n: int, state: State) -> None:
        self.driver, self.n = driver, n
        self.encoder = Encoder(driver, program, n, state)  # owns the memory that the graphs speak of
        self.items = self.encoder.items
        driver.load({item.kernel for item in self.items if isinstance(item, Launch)}, program.output.dtype)
        self.graphs: dict[int, Any] = {}
        self.begun = 0

    def issue(self) -> None:
        """Ask for one batch, call by call."""
        for item in self.items:
            if isinstance(item, Gemm):
                self.driver.gemm(item)
            else:
                self.driver.launch(item)

    def graph(self, steps: int) -> Any:
        """So many batches as one graph."""
        if steps not in self.graphs:
            self.driver.begin_capture()
            try:
                for _ in range(steps):
                    self.issue()
            finally:
                made = self.driver.end_capture()
            self.graphs[steps] = made
        return self.graphs[steps]

    def run(self, batches: int) -> None:
        """Ask for so many batches; the device may still be at work when this returns."""
        while batches:
            if self.begun < FIRST:
                self.issue()
                self.begun, steps = self.begun + 1, 1
            else:
                steps = TOGETHER if batches >= TOGETHER else 1
                self.driver.replay(self.graph(steps))
            batches -= steps
