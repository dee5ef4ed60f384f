"""Callbacks: what happens between epochs. The history of a fit, and stopping early."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet.formulas.vocabulary import Array

if TYPE_CHECKING:
    from tinynet.model import Sequential

Logs = dict[str, float]


class Callback:
    """The base of callbacks; `self.model` is the model in training, and `self.model.stop_training = True` ends it.

    `logs` holds the epoch's numbers by name: loss, metrics, and the same with `val_` of the validation data.
    """

    model: Sequential

    def on_train_begin(self) -> None:
        """Before the first epoch."""

    def on_epoch_begin(self, epoch: int) -> None:
        """Before each epoch, counted from 0."""

    def on_batch_end(self, batch: int) -> None:
        """After each step, counted from 0 in each epoch."""

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """After each epoch and its validation."""

    def on_train_end(self) -> None:
        """After the last epoch."""


class History(Callback):
    """What `fit` returns: `history` holds a list for each number, one entry an epoch; `epoch` their numbers."""

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self.epoch.append(epoch)
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)


class EarlyStopping(Callback):
    """Ends training when a number has not improved for some epochs.

    Parameters
    ----------
    monitor : which number; default "val_loss"
    min_delta : how much better counts as better; default 0
    patience : how many epochs without improvement are borne; default 0
    mode : "min", "max", or "auto" (max for accuracies, areas, precision, recall and r2, else min)
    restore_best_weights : whether the weights of the best epoch are put back; default False, as in Keras
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        mode: str = "auto",
        restore_best_weights: bool = False,
    ) -> None:
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"mode is 'auto', 'min' or 'max'; given was {mode!r}")
        grows = any(part in monitor for part in ("acc", "auc", "precision", "recall", "r2"))
        self.sign = -1.0 if mode == "max" or (mode == "auto" and grows) else 1.0
        self.monitor, self.min_delta, self.patience = monitor, abs(min_delta), patience
        self.restore_best_weights = restore_best_weights
        self.on_train_begin()

    def on_train_begin(self) -> None:
        self.best, self.best_epoch, self.waited = np.inf, 0, 0
        self.stopped_epoch: int | None = None
        self.best_weights: list[Array] | None = None

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if self.monitor not in logs:
            raise ValueError(f"EarlyStopping watches {self.monitor!r}, but this fit has only {', '.join(logs)}")
        value = self.sign * logs[self.monitor]
        if value < self.best - self.min_delta:
            self.best, self.best_epoch, self.waited = value, epoch, 0
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            return
        self.waited += 1
        if self.waited >= max(self.patience, 1):
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self) -> None:
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)


def checked(callbacks: Any) -> list[Callback]:
    """A list of callbacks from what a user gave."""
    given = [] if callbacks is None else list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]
    for callback in given:
        if not isinstance(callback, Callback):
            raise TypeError(
                f"a callback is an object of a class on tn.callbacks.Callback, not {type(callback).__name__}"
            )
    return given
