"""What `fit` does around the steps: epochs of a source of data, validation, callbacks, and the line on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain, count
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tinynet.batches import Batches
from tinynet.callbacks import Callback, Logs, TerminateOnNaN
from tinynet.formulas.vocabulary import Array
from tinynet.progress import Progress
from tinynet.training import NonFiniteError, Training

if TYPE_CHECKING:
    from tinynet.metrics import Metric


class Listener(Protocol):
    """Who is told of every batch."""

    def before(self, batch: int) -> None:
        """Of the batch's number in the epoch."""

    def after(self, batch: int, loss: float) -> None:
        """Of its number, and of the epoch's loss so far."""


class Fitted(Protocol):
    """What fitting needs of a model."""

    generator: np.random.Generator
    dtype: np.dtype
    metrics: list[Metric]
    weighted_metrics: list[Metric]
    stop_training: bool

    def _compiled(self, x: Any = None) -> Training: ...

    def _data(self, x: Any, y: Any, sample_weight: Any, prefix: str = "") -> dict[str, Array]: ...


class Source(Protocol):
    """Where rows come from: a table, or a stream of batches."""

    @property
    def steps(self) -> int | None:
        """How many batches an epoch has, where that is known."""

    def trained(self, listener: Listener | None) -> dict[str, float]:
        """Train on one epoch; its loss and metrics."""

    def evaluated(self) -> dict[str, float]:
        """The loss and metrics without training."""


def free_name(name: str, other: str, taken: Mapping[str, float]) -> str:
    """`name`; where that is taken, `other`, or else other_1 and so on."""
    names = chain([name, other], (f"{other}_{number}" for number in count(1)))
    return next(found for found in names if found not in taken and found != "loss")


def measured(model: Fitted, t: Array, y: Array, weights: Array) -> dict[str, float]:
    """Every metric of the model: the plain ones count each row once, the weighted ones by its weight.

    A name that is taken gets Keras's other one: weighted_mae where mae is plain, then mae_1 and so on.
    """
    found: dict[str, float] = {}
    for metric in model.metrics:
        found[free_name(metric.name, metric.name, found)] = metric(t, y, np.ones_like(weights))
    for metric in model.weighted_metrics:
        found[free_name(metric.name, f"weighted_{metric.name}", found)] = metric(t, y, weights)
    return found


class Tabled:
    """Rows of a table, in batches of `batch_size`, each epoch in an order of its own where `shuffle`."""

    def __init__(self, model: Fitted, data: Mapping[str, Array], batch_size: int, shuffle: bool) -> None:
        self.model, self.data, self.batch_size, self.shuffle = model, data, batch_size, shuffle
        self.rows = len(data["X"])
        self.outputs = np.empty((self.rows, model._compiled().network.widths[-1]), model.dtype)

    @property
    def steps(self) -> int:
        return -(-self.rows // self.batch_size)

    def trained(self, listener: Listener | None) -> dict[str, float]:
        def after_batch(batch: int, loss: float) -> None:
            assert listener is not None
            listener.after(batch, loss)
            if batch + 1 < self.steps:
                listener.before(batch + 1)

        if listener is not None:
            listener.before(0)
        order = self.model.generator.permutation(self.rows) if self.shuffle else np.arange(self.rows)
        wanted = self.outputs if self.model.metrics or self.model.weighted_metrics else None
        training = self.model._compiled()
        loss = training.epoch(self.data, order, self.batch_size, wanted, after_batch if listener else None)
        return {"loss": loss} | (measured(self.model, self.data["T"], self.outputs, self.data["weights"]))

    def evaluated(self) -> dict[str, float]:
        loss = self.model._compiled().mean_loss(self.data, self.batch_size, self.outputs)
        return {"loss": loss} | measured(self.model, self.data["T"], self.outputs, self.data["weights"])


class Streamed:
    """Batches as they come."""

    def __init__(self, model: Fitted, batches: Batches) -> None:
        self.model, self.batches = model, batches

    @property
    def steps(self) -> int | None:
        return self.batches.steps

    def trained(self, listener: Listener | None) -> dict[str, float]:
        def train(training: Training, data: dict[str, Array], outputs: Array) -> float:
            rows = len(outputs)
            return training.epoch(data, np.arange(rows), rows, outputs)

        return self.gone_through(train, listener)

    def evaluated(self) -> dict[str, float]:
        return self.gone_through(lambda training, data, outputs: training.mean_loss(data, len(outputs), outputs))

    def gone_through(
        self, loss_of: Callable[[Training, dict[str, Array], Array], float], listener: Listener | None = None
    ) -> dict[str, float]:
        """The mean loss over all rows of one epoch, with `loss_of` called for each batch; and the metrics."""
        model, kept, total, rows = self.model, [], 0.0, 0
        for number, (x, y, weight) in enumerate(self.batches):
            data = model._data(x, y, weight, f"batch {number + 1}: ")
            training = model._compiled()
            if listener is not None:
                listener.before(number)
            outputs = np.empty((len(data["X"]), training.network.widths[-1]), model.dtype)
            total += loss_of(training, data, outputs) * len(outputs)
            rows += len(outputs)
            if model.metrics or model.weighted_metrics:
                kept.append((data["T"], outputs, data["weights"]))
            if listener is not None:
                listener.after(number, total / rows)
        found = {"loss": total / rows}
        if kept:
            t, outputs, weights = (np.concatenate(parts) for parts in zip(*kept, strict=True))
            found |= measured(model, t, outputs, weights)
        return found


def tested(source: Source, callbacks: list[Callback]) -> dict[str, float]:
    """The loss and metrics of a source that is not trained on, with the callbacks told before and after."""
    for callback in callbacks:
        callback.on_test_begin({})
    found = source.evaluated()
    for callback in callbacks:
        callback.on_test_end(found)
    return found


class Fit:
    """One call of `fit`: goes through the epochs and tells everyone."""

    def __init__(
        self, model: Fitted, source: Source, validation: Source | None, callbacks: list[Callback],
        verbose: int | str, validation_freq: int,
    ) -> None:  # fmt: skip
        self.model, self.source, self.validation = model, source, validation
        self.callbacks, self.verbose, self.validation_freq = callbacks, verbose, validation_freq
        self.logs: Logs = {}  # of the latest epoch

    def epochs(self, first: int, end: int) -> None:
        """Epochs first, first + 1, ... up to end, or until a callback stops the training."""
        model, steps = self.model, self.source.steps
        params = {"epochs": end, "steps": steps, "verbose": self.verbose}
        for callback in self.callbacks:
            callback.set_model(model)
            callback.set_params(params)
        model.stop_training = False
        for callback in self.callbacks:
            callback.on_train_begin({})
        bar = Progress((end - first) * (steps or 1), "fit", show=None if self.verbose in ("auto", 1) else False)
        try:
            note = ""
            for epoch in range(first, end):
                note = self.epoch(epoch, f"epoch {epoch + 1}/{end}", (epoch - first) * (steps or 1), bar, note)
                if model.stop_training:
                    break
        except NonFiniteError:
            if not any(isinstance(callback, TerminateOnNaN) for callback in self.callbacks):
                raise
            model.stop_training = True
        finally:
            bar.close()
            for callback in self.callbacks:  # also where training was interrupted: files are closed, weights put back
                callback.on_train_end(self.logs)

    def epoch(self, epoch: int, label: str, done: int, bar: Progress, note: str) -> str:
        """One epoch; returns its numbers as a line."""
        for callback in self.callbacks:
            callback.on_epoch_begin(epoch, {})
        every, known = self.callbacks, self.source.steps is not None

        class Told:
            def before(self, batch: int) -> None:
                for callback in every:
                    callback.on_train_batch_begin(batch, {})

            def after(self, batch: int, loss: float) -> None:
                for callback in every:
                    callback.on_train_batch_end(batch, {"loss": loss})
                bar.update(done + (batch + 1 if known else 0), label + note)

        listening = bar.show or any(callback.listens_to_batches for callback in every)
        logs: Logs = self.source.trained(Told() if listening else None)
        if self.validation is not None and (epoch + 1) % self.validation_freq == 0:
            logs |= {f"val_{name}": value for name, value in tested(self.validation, every).items()}
        for callback in every:
            callback.on_epoch_end(epoch, logs)
        self.logs = logs
        line = "".join(f", {name} {value:.4g}" for name, value in logs.items())
        if self.verbose == 2:
            print(label + line)
        return line
