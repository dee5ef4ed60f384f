"""The same network in training twice: by NumPy, the reference, and by the GPU's kernels on an emulated device."""

import shutil

import numpy as np
from paired_training import distance, drawn_data, training

from tinynet.backends.cupy_emulator import EmulatedDriver
from tinynet.backends.cupy_training import CupyTraining
from tinynet.training import Training

COMPILER = shutil.which("g++")
TOLERANCE = {"float64": 1e-10, "float32": 1e-4}


class Case:
    """A network with its data; `note` finds its kernels, `agree` trains it on both machines."""

    def __init__(
        self, layers, columns, optimizer=lambda: "adam", loss="mse", dtype="float64", seed=0, rows=37, batch=8,
        epochs=4, x=None,
    ):  # fmt: skip
        self.given = (layers, columns, optimizer, loss, dtype, seed)
        self.rows, self.batch, self.epochs, self.x, self.dtype, self.seed = rows, batch, epochs, x, dtype, seed

    def paired(self, driver):
        model, ours = training(Training, *self.given)
        other, theirs = training(CupyTraining, *self.given, driver=driver)
        rng = np.random.default_rng(self.seed)
        outputs = ours.network.widths[-1]
        data = drawn_data(rng, self.rows, self.given[1], outputs, model.loss.name, self.dtype)
        if self.x is not None:
            data["X"] = np.ascontiguousarray(self.x(rng, self.rows), self.dtype)
        return model, ours, other, theirs, rng, data

    def note(self, driver):
        """The driver learns all kernels of the case, and carries nothing out."""
        *_, theirs, _, _ = self.paired(driver)
        for n in {min(self.batch, self.rows), self.rows % self.batch or self.batch}:
            theirs.machine("step", n)
        theirs.machine("evaluation", self.rows)

    def agree(self, driver, tolerance=None):
        """Parameters, slots, losses and outputs agree after `epochs` epochs, 20 steps by default."""
        tolerance = tolerance or TOLERANCE[self.dtype]
        model, ours, other, theirs, rng, data = self.paired(driver)
        outputs = [np.zeros((self.rows, ours.network.widths[-1]), self.dtype) for _ in range(4)]
        for _ in range(self.epochs):
            order = rng.permutation(self.rows)
            expected = ours.epoch(data, order, self.batch, outputs[0])
            found = theirs.epoch(data, order, self.batch, outputs[1])
            assert abs(found - expected) <= tolerance * max(1.0, abs(expected))
        assert distance(other.get_weights(), model.get_weights()) <= tolerance
        assert distance([theirs.optimizer.slots], [ours.optimizer.slots]) <= tolerance
        assert distance([outputs[1]], [outputs[0]]) <= tolerance
        assert theirs.network.step[0] == ours.network.step[0] == self.epochs * -(-self.rows // self.batch)
        expected, found = ours.mean_loss(data, self.batch, outputs[2]), theirs.mean_loss(data, self.batch, outputs[3])
        assert abs(found - expected) <= tolerance * max(1.0, abs(expected))
        assert distance([outputs[3]], [outputs[2]]) <= tolerance
        return other, theirs


def driver_for(cases, **options):
    """An emulated device that has the kernels of all these cases, compiled together."""
    driver = EmulatedDriver(**options)
    driver.noting = True
    for case in cases:
        case.note(driver)
    driver.noting = False
    for dtype, kernels in driver.kernels.items():
        if kernels:
            driver.compile(kernels, dtype)
    return driver
