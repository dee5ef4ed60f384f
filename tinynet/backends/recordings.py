"""What the replaying backends record besides a training step: an evaluation, and a prediction from given rows."""

from __future__ import annotations

import numpy as np

from tinynet.losses import Objective
from tinynet.network import Network, Workspace
from tinynet.program import Program, Replay, own_layers, raise_unless_same, rows_to_record, tensors_of
from tinynet.recorder import Recorder


def record_evaluation(network: Network, objective: Objective, batch: int, target_columns: int) -> Program:
    """The program of the loss of a batch that is not trained on: forward as in prediction, and the loss."""
    network = network.copy()
    w = Workspace(network, batch, True, target_columns)
    sizes = {"X": network.widths[0], "T": target_columns, "weights": 1}
    data = {name: np.zeros((batch, columns), network.dtype) for name, columns in sizes.items()}
    order = np.arange(batch)
    recorder = Recorder(tensors_of(network, w, None, {**data, "order": order}))
    with np.errstate(all="ignore"):
        for name, out in (("X", w.x), ("T", w.t), ("weights", w.weight)):
            recorder.gather(data[name], order, out)
        y = network.forward(recorder, w, w.x, training=False)
        network.loss_and_gradient(recorder, w, y, objective)
    return Program(recorder.rows, batch, recorder.tensors[id(y)])


def record_forward(network: Network) -> Program:
    """The program of a prediction, from the rows as they are given; raises as `tinynet.program.record`."""
    network = network.copy()
    w = Workspace(network, 2, True)
    data, order = {"X": rows_to_record(network, 2)}, np.arange(2)
    recorder = Recorder(tensors_of(network, w, None, {**data, "order": order}))
    with np.errstate(all="ignore"):
        recorder.gather(data["X"], order, w.x)
        y = network.forward(recorder, w, w.x, training=False)
    program = Program(recorder.rows, 2, recorder.tensors[id(y)])
    if own_layers(network):
        again = Replay(program, {"parameters": network.parameters}).run({**data, "order": order})
        raise_unless_same(network, [(again, y)])
    return program
