"""The visible loop: epochs of batches, each batch one step; and the mean loss of data that is not trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.losses import Objective
from tinynet.network import Network, Workspace
from tinynet.operations import Operations
from tinynet.optimizers import Optimizer
from tinynet.step import training_step

KEPT_WORKSPACES = 4  # the full batch, the last partial one, and the same of validation


class NonFiniteError(ArithmeticError):
    """The loss or a gradient became NaN or infinite; the weights are those of the step before."""


class Training:
    """A network in training: what is minimised, by which optimizer, in which memory."""

    def __init__(self, network: Network, objective: Objective, optimizer: Optimizer, target_columns: int) -> None:
        self.network, self.objective, self.optimizer = network, objective, optimizer
        self.target_columns = target_columns
        self.ops = Operations()
        self.workspaces: dict[int, Workspace] = {}

    def prepare(self, batch_size: int) -> None:
        """Make ready what steps of so many rows need; raises where this machine cannot carry them out."""
        self.workspace(batch_size)

    def workspace(self, n: int) -> Workspace:
        """The memory for a batch of n rows, kept from step to step."""
        if n not in self.workspaces:
            while len(self.workspaces) >= KEPT_WORKSPACES:
                del self.workspaces[next(iter(self.workspaces))]
            self.workspaces[n] = Workspace(self.network, n, True, self.target_columns)
        return self.workspaces[n]

    def epoch(
        self,
        data: Mapping[str, Array],
        order: Array,
        batch_size: int,
        outputs: Array | None = None,
        after_batch: Callable[[int, float], None] | None = None,
    ) -> float:
        """One step for every batch of `order`; returns the mean loss of the epoch's rows, each as it was met.

        Parameters
        ----------
        data : X (rows, n_in), T (rows, columns), weights (rows, 1)
        order : which rows, in which order; the last batch may be smaller
        outputs : (rows, n_out), filled with what the network said of each row when it was trained on it
        after_batch : called with the batch's number, from 0, and the mean loss of the rows so far

        Raises
        ------
        NonFiniteError : naming the step
        """
        network = self.network
        network.value[...], network.alive[...] = 0.0, 1
        for batch, start in enumerate(range(0, len(order), batch_size)):
            rows = order[start : start + batch_size]
            with np.errstate(all="ignore"):  # NaN and infinity are looked for once a step, by finite_guard
                y = training_step(
                    self.ops, network, self.workspace(len(rows)), data, rows, self.objective, self.optimizer
                )
            if not network.alive[0]:
                raise NonFiniteError(
                    f"the loss or a gradient is not finite at step {int(network.step[0])} (batch {batch + 1} of its "
                    "epoch); the weights are those before it: try a smaller learning rate, clipnorm or scaled inputs"
                )
            if outputs is not None:
                outputs[rows] = y
            if after_batch is not None:
                after_batch(batch, float(network.value[0]) / (start + len(rows)))
        return float(network.value[0]) / len(order)

    def gradient(self, data: Mapping[str, Array]) -> float:
        """The mean loss of all rows as one batch of a training; `network.gradients` becomes its gradient."""
        network, rows = self.network, len(data["X"])
        network.value[...] = 0.0
        with np.errstate(all="ignore"):
            training_step(self.ops, network, self.workspace(rows), data, np.arange(rows), self.objective, None)
        return float(network.value[0]) / rows

    def mean_loss(self, data: Mapping[str, Array], batch_size: int, outputs: Array) -> float:
        """The mean loss of all rows without training on them; `outputs` (rows, n_out) is filled."""
        network, rows = self.network, len(data["X"])
        network.value[...] = 0.0
        with np.errstate(all="ignore"):
            for start in range(0, rows, batch_size):
                part = np.arange(start, min(start + batch_size, rows))
                w = self.workspace(len(part))
                for name, out in (("X", w.x), ("T", w.t), ("weights", w.weight)):
                    self.ops.gather(data[name], part, out)
                outputs[part] = y = network.forward(self.ops, w, w.x, training=False)
                network.loss_and_gradient(self.ops, w, y, self.objective)
        return float(network.value[0]) / rows
