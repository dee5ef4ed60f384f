"""The ladder of proofs for the GPU backend: how far this machine can climb, and what it found on the way.

(a) layers reach past nothing but the table of operations; (b) every call to the device is one that CUDA would take;
(c) NVIDIA's compiler takes every kernel for every architecture; (d) the kernels, compiled for the CPU, train as NumPy
does; (e) the GPU itself does. Each rung runs where what it needs is there.
"""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tinynet import optimizers
from tinynet.activations import ACTIVATIONS
from tinynet.backends.cupy_driver import Driver
from tinynet.backends.cupy_emulator import EmulatedDriver
from tinynet.backends.cupy_source import Kernel
from tinynet.backends.cupy_training import CupyTraining
from tinynet.formulas.vocabulary import Array
from tinynet.layers import Activation, Dense, Dropout, Embedding, Layer, LayerNormalization
from tinynet.losses import LOSSES
from tinynet.models import Sequential
from tinynet.operations import OPERATIONS, Operations
from tinynet.progress import Progress
from tinynet.random import set_random_seed
from tinynet.training import Training

TOLERANCE = {"float64": 1e-10, "float32": 1e-4}  # of weights and outputs after 20 steps, relative in the 2-norm
SLOPE_TOLERANCE = 1e-6  # of a directional derivative in float64
ARCHITECTURES = (75, 80, 86, 89, 90, 100, 120)
REPLAYS, DRAWN = 10_000, 60  # of a GPU
ENDS = {"binary_crossentropy": "sigmoid", "categorical_crossentropy": "softmax",
        "sparse_categorical_crossentropy": "softmax", "poisson": "softplus"}  # fmt: skip
RULES: dict[str, Callable[[], optimizers.Optimizer]] = {
    "sgd": lambda: optimizers.SGD(0.05, clipvalue=0.5),
    "momentum": lambda: optimizers.SGD(0.02, momentum=0.9, clipnorm=0.5),
    "nesterov": lambda: optimizers.SGD(0.02, momentum=0.9, nesterov=True),
    "rmsprop": lambda: optimizers.RMSprop(0.01),
    "rmsprop with momentum": lambda: optimizers.RMSprop(0.005, momentum=0.5),
    "adam": lambda: optimizers.Adam(0.01, global_clipnorm=1.0),
    "adamw": lambda: optimizers.AdamW(optimizers.schedules.CosineDecay(0.01, 15)),
}


class Trial:
    """One network and its data; `agree` trains it by NumPy and on a device, from the same weights."""

    def __init__(
        self, layers: Callable[[], list[Layer]], loss: str, rule: str, dtype: str, rows: int = 37, batch: int = 8,
        columns: int = 5, codes: bool = False,
    ) -> None:  # fmt: skip
        self.layers, self.loss, self.rule, self.dtype = layers, loss, rule, dtype
        self.rows, self.batch, self.columns, self.codes = rows, batch, columns, codes
        chance = any(isinstance(layer, Dropout) for layer in layers())  # which a loss without training has not
        self.has_slope = dtype == "float64" and loss not in ("mean_absolute_error", "quantile") and not chance

    def __str__(self) -> str:
        return f"{self.loss}, {self.rule}, {self.dtype}, {self.rows} rows by {self.batch}"

    def training(self) -> Training:
        """By NumPy; the same weights at each call."""
        set_random_seed(0)
        model = Sequential(self.layers(), dtype=self.dtype)
        model.compile(RULES[self.rule](), self.loss, backend="numpy")
        return model._compiled(np.zeros((2, self.columns)))

    def on(self, driver: Driver) -> CupyTraining:
        state = self.training()
        return CupyTraining(state.network, state.objective, state.optimizer, state.target_columns, driver)

    def data(self, outputs: int) -> dict[str, Array]:
        rng = np.random.default_rng(1)
        x = rng.standard_normal((self.rows, self.columns))
        if self.codes:
            x[:, 0], x[:, 2] = rng.integers(0, 4, self.rows), rng.integers(0, 3, self.rows)
        t = rng.uniform(0.0, 1.0, (self.rows, outputs))
        if self.loss.startswith("sparse"):
            t = rng.integers(0, outputs, (self.rows, 1)).astype(float)
        elif self.loss == "categorical_crossentropy":
            t = np.eye(outputs)[rng.integers(0, outputs, self.rows)]
        found = {"X": x, "T": t, "weights": rng.uniform(0.0, 2.0, (self.rows, 1))}
        return {name: np.ascontiguousarray(array, self.dtype) for name, array in found.items()}

    def note(self, driver: EmulatedDriver) -> None:
        """The driver sees every call of a step and an evaluation, and carries none out."""
        training = self.on(driver)
        sizes = [("step", min(self.batch, self.rows)), ("step", self.rows % self.batch), ("evaluation", self.rows)]
        for kind, n in sizes:
            if n:
                machine = training.machine(kind, n)
                machine.graph(1)

    def agree(self, driver: Driver) -> float:
        """The greatest distance of weights, slots, outputs and losses, in tolerances: 1 or less is agreement."""
        ours, theirs = self.training(), self.on(driver)
        data, rng, worst = self.data(ours.network.widths[-1]), np.random.default_rng(2), 0.0
        said = [np.zeros((self.rows, ours.network.widths[-1]), self.dtype) for _ in range(4)]
        for _ in range(max(1, 20 // -(-self.rows // self.batch))):
            order = rng.permutation(self.rows)
            expected = ours.epoch(data, order, self.batch, said[0])
            worst = max(worst, distance([theirs.epoch(data, order, self.batch, said[1])], [expected]))
        expected = ours.mean_loss(data, self.batch, said[2])
        worst = max(worst, distance([theirs.mean_loss(data, self.batch, said[3])], [expected]))
        worst = max(worst, distance(said[1], said[0]), distance(said[3], said[2]))
        worst = max(worst, distance(theirs.network.parameters, ours.network.parameters))
        worst = max(worst, distance(theirs.optimizer.slots, ours.optimizer.slots))
        return worst / TOLERANCE[self.dtype]

    def slope(self, driver: Driver) -> float:
        """How far the device's gradient is from central differences of its own loss, along a drawn direction."""
        training = self.on(driver)
        network, data = training.network, self.data(training.network.widths[-1])
        said = np.zeros((self.rows, network.widths[-1]), self.dtype)
        training.optimizer.schedule = None
        training.optimizer.clipvalue = training.optimizer.clipnorm = training.optimizer.global_clipnorm = None
        training.optimizer.learning_rate = 0.0
        training.epoch(data, np.arange(self.rows), self.rows)
        start, direction = network.parameters.copy(), np.zeros_like(network.parameters)
        for view in network.parameter_list():  # the gaps between parameters stay at zero
            offset = (view.ctypes.data - network.parameters.ctypes.data) // network.dtype.itemsize
            direction[offset : offset + view.size] = np.random.default_rng(3).standard_normal(view.size)
        direction /= np.linalg.norm(direction)  # a short step seldom crosses a kink
        analytic, h, losses = float(network.gradients @ direction), 1e-5, []
        for sign in (1.0, -1.0):
            network.parameters[...] = start + sign * h * direction
            losses.append(training.mean_loss(data, self.rows, said))
        network.parameters[...] = start
        numeric = (losses[0] - losses[1]) / (2 * h)
        return abs(analytic - numeric) / max(abs(analytic), abs(numeric), 1e-3) / SLOPE_TOLERANCE


def distance(found: Any, expected: Any) -> float:
    """How far two arrays are apart, relative to their size; not a number counts as infinitely far."""
    a, b = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    apart = float(np.linalg.norm(a - b) / max(float(np.linalg.norm(b)), 1e-3)) if a.size else 0.0
    return apart if np.isfinite(apart) else float("inf")


def every_loss() -> list[str]:
    """Each loss by the first of its names."""
    return list({made: name for name, made in reversed(LOSSES.known.items())}.values())


def everything() -> list[Layer]:
    """Every layer there is."""
    return [
        Embedding([0, 2], [4, 3], [3, 2]), Dense(8, "gelu", use_bias=False, kernel_regularizer="l1_l2"), Dropout(0.3),
        LayerNormalization(), Activation("silu"), Dense(6, bias_regularizer="l2"), Activation("softmax"), Dense(2),
    ]  # fmt: skip


def ended(last: str) -> list[Layer]:
    return [Dense(7, "tanh"), Dense(3, last)]


def bent(f: str) -> list[Layer]:
    return [Dense(9, f), Dense(4, f), Dense(2)]


def large() -> list[Layer]:
    """More than one block of everything."""
    return [LayerNormalization(), Dense(200, "softmax"), Dense(33)]


def trials() -> list[Trial]:
    """Networks that together use every layer, activation, loss, rule and kind of clipping, in both precisions."""
    found = []
    rules = list(RULES)
    for dtype in TOLERANCE:
        for number, loss in enumerate(every_loss()):
            last = ENDS.get(loss, "linear")
            found.append(Trial(partial(ended, last), loss, rules[number % len(rules)], dtype))
        for number, f in enumerate(ACTIVATIONS):
            found.append(Trial(partial(bent, f), "mean_squared_error", rules[number % len(rules)], dtype))
        found.append(Trial(everything, "huber", "adam", dtype, columns=3, codes=True))
        found.append(Trial(large, "mean_squared_error", "adam", dtype, rows=1700, batch=1100, columns=35))
    return found


def drawn(count: int) -> list[Trial]:
    """Networks of any layers in any order, with any loss and rule, of any size; always the same ones."""
    rng = np.random.default_rng(4)

    def one_of(things: Sequence[Any]) -> Any:
        return things[int(rng.integers(len(things)))]

    def layer() -> Callable[[], Layer]:
        width, f, penalty = int(rng.integers(1, 40)), one_of(list(ACTIVATIONS)), one_of([None, "l1", "l2"])
        made_of: Callable[[], Layer] = one_of(
            [
                partial(Dense, width, f, kernel_regularizer=penalty),
                partial(Dense, width, f, use_bias=False),
                partial(Activation, one_of(["tanh", "elu", "softmax"])),
                partial(Dropout, 0.25),
                LayerNormalization,
            ]
        )
        return made_of

    found = []
    for _ in range(count):
        loss = one_of(every_loss())
        makers = [layer() for _ in range(int(rng.integers(4)))]
        makers.append(partial(Dense, int(rng.integers(1, 5)), ENDS.get(loss, "linear")))
        rows, batch, columns = (int(rng.integers(1, most)) for most in (200, 80, 9))
        found.append(Trial(partial(made, makers), loss, one_of(list(RULES)), "float64", rows, batch, columns))
        found[-1].has_slope = False  # among so many numbers one lies at a kink, where differences mean nothing
    return found


def made(makers: list[Callable[[], Layer]]) -> list[Layer]:
    return [maker() for maker in makers]


# The rungs


class Guarded(Operations):
    """Operations that raise for anything else that a layer asks of them."""

    def __getattribute__(self, name: str) -> Any:
        if name not in OPERATIONS and not name.startswith("__"):
            raise AssertionError(f"a layer reached past the table of operations, for {name!r}")
        return super().__getattribute__(name)


def rung_a(all_trials: Sequence[Trial]) -> str:
    """Train with nothing but the table."""
    for trial in all_trials:
        training = trial.training()
        training.ops = Guarded()
        training.epoch(trial.data(training.network.widths[-1]), np.arange(trial.rows), trial.batch)
    return f"{len(all_trials)} networks use the {len(OPERATIONS)} operations and nothing else"


def noted(all_trials: Sequence[Trial]) -> EmulatedDriver:
    """A stand-in for the device that has seen, checked and captured every call."""
    driver = EmulatedDriver()
    driver.noting = True
    for trial in all_trials:
        trial.note(driver)
    driver.noting = False
    return driver


def rung_b(driver: EmulatedDriver) -> str:
    return f"{driver.calls['launch']} launches and {driver.calls['gemm']} products are as CUDA wants them, all captured"


def rung_c(kernels: dict[str, set[Kernel]], bar: Callable[[str], None]) -> str:
    """Compile for every architecture."""
    from tinynet.backends.cupy_cuda import compiled_by_nvrtc

    count = 0
    for dtype, known in kernels.items():
        for architecture in ARCHITECTURES:
            bar(f"(c) {dtype} for sm_{architecture}")
            compiled_by_nvrtc(known, dtype, architecture)
            count += len(known)
    return f"{count} kernels compile for sm_{', sm_'.join(map(str, ARCHITECTURES))}"


def rung_d(all_trials: Sequence[Trial], driver: EmulatedDriver, bar: Callable[[str], None]) -> str:
    """Train on the CPU by the GPU's kernels."""
    for dtype, kernels in driver.kernels.items():
        bar(f"(d) compiling {len(kernels)} kernels for the CPU, {dtype}")
        driver.compile(kernels, dtype)
    return parity(all_trials, driver, bar)


def parity(all_trials: Sequence[Trial], driver: Driver, bar: Callable[[str], None]) -> str:
    """Every trial agrees with NumPy, and its gradient with differences. Raises AssertionError where one does not."""
    worst = slope = 0.0
    for trial in all_trials:
        bar(f"training: {trial}")
        if not (apart := trial.agree(driver)) <= 1.0:
            raise AssertionError(f"{trial}: {apart:.3g} times the tolerance away from NumPy")
        worst = max(worst, apart)
        if trial.has_slope:
            if not (apart := trial.slope(driver)) <= 1.0:
                raise AssertionError(f"{trial}: its gradient is {apart:.3g} times the tolerance from differences")
            slope = max(slope, apart)
    return f"{len(all_trials)} networks train as NumPy does, at {worst:.2g} of the tolerance; gradients at {slope:.2g}"


def replays(driver: Driver, count: int, bar: Callable[[str], None]) -> str:
    """Many steps while all memory that is free is filled with NaN again and again: the same bits as without."""
    trial = Trial(everything, "huber", "adam", "float32", rows=64, batch=8, columns=3, codes=True)
    ends = []
    for poisoned in (False, True):
        training = trial.on(driver)
        data, order = trial.data(training.network.widths[-1]), np.arange(trial.rows)
        for epoch in range(count // 8):
            if epoch % 50 == 0:
                bar(f"{8 * epoch} replays{', with poisoned memory' * poisoned}")
                if poisoned:
                    poison(driver)
            training.epoch(data, order, trial.batch)
        ends.append(training.network.parameters.tobytes())
    if ends[0] != ends[1]:
        raise AssertionError(f"{count} replays with poisoned memory end at other weights than without")
    return f"{count} replays with poisoned memory end at the same bits as without"


def poison(driver: Driver) -> None:
    """NaN in memory that nobody owns."""
    sizes = [1 << power for power in range(9, 24)] * 2
    addresses = [driver.allocate(size) for size in sizes]
    for address, size in zip(addresses, sizes, strict=True):
        driver.upload(address, np.full(size, 0xFF, np.uint8))
        driver.free(address)


def prove() -> Iterator[tuple[str, str]]:
    """(rung, what it found or why it could not run), one after the other. Raises where a rung breaks."""
    from tinynet.backends.cupy_cuda import cuda_driver, lacking, nvrtc_missing

    all_trials = trials()
    progress = Progress(2 * len(ARCHITECTURES) + 4 * len(all_trials) + 500, "gpu-check")
    done = 0

    def bar(text: str) -> None:
        nonlocal done
        done += 1
        progress.update(min(done, progress.total), text)

    try:
        yield "a", rung_a(all_trials)
        driver = noted(all_trials)
        yield "b", rung_b(driver)
        why = nvrtc_missing()
        yield ("c", rung_c(driver.kernels, bar)) if why is None else ("", f"(c) not run: {why}")
        if shutil.which(driver.compiler):
            yield "d", rung_d(all_trials, driver, bar)
        else:
            yield "", f"(d) not run: there is no C++ compiler {driver.compiler}"
        why = lacking()
        if why is not None:
            yield "", f"(e) not run: {why}"
            return
        gpu = cuda_driver()
        yield "e", f"{gpu}: {parity(all_trials + drawn(DRAWN), gpu, bar)}; {replays(gpu, REPLAYS, bar)}"
    finally:
        progress.close()


def check(out: Path | None = None) -> int:
    """Climb the ladder and print it; 0 where the GPU itself agreed, else 1. `out` is a file for what was found."""
    reached, lines = "", []
    try:
        for rung, text in prove():
            reached = rung or reached
            lines.append(f"({rung}) {text}" if rung else text)
            print(lines[-1], flush=True)
    except AssertionError as error:
        print(f"broken: {error}")
        lines.append(f"broken: {error}")
    lines.append(
        "reached rung (e): the GPU agrees with NumPy" if reached == "e" and not lines[-1].startswith("broken") else
        f"reached rung ({reached or 'none'}); not yet run on a GPU"
    )  # fmt: skip
    print(lines[-1])
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps({"machine": platform.platform(), "found": lines}, indent=1) + "\n")
    return 0 if lines[-1].startswith("reached rung (e)") else 1
