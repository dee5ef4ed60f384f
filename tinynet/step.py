"""One training step: the way of a batch, from gathered rows to updated parameters."""

from __future__ import annotations

from collections.abc import Mapping

from tinynet.formulas.vocabulary import Array
from tinynet.losses import Objective
from tinynet.network import Network, Workspace
from tinynet.operations import Operations
from tinynet.optimizers import Optimizer


def training_step(
    ops: Operations, network: Network, w: Workspace, data: Mapping[str, Array], order: Array,
    objective: Objective, optimizer: Optimizer | None,
) -> Array:  # fmt: skip
    """One step of gradient descent on the rows of `data` that `order` names; returns the outputs y (n, n_out).

    Without an optimizer it ends with the gradients.
    """
    ops.gather(data["X"], order, w.x)
    ops.gather(data["T"], order, w.t)
    ops.gather(data["weights"], order, w.weight)
    y = network.forward(ops, w, w.x, training=True)
    d = network.loss_and_gradient(ops, w, y, objective)
    network.backward(ops, w, d, objective)
    if optimizer is not None:
        optimizer.update(ops, network)
    return y
