"""Callbacks: what happens between epochs. Names, defaults and order of calls as in Keras 3."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TextIO

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.registry import unknown
from tinynet.settings import one_of, real, shown, whole

Logs = dict[str, float]


class Trained(Protocol):
    """What a callback may do with the model in training."""

    stop_training: bool
    optimizer: Any

    def get_weights(self) -> list[Array]: ...

    def set_weights(self, weights: Sequence[Any]) -> None: ...

    def save(self, path: str, training_state: bool = False) -> None: ...


class Callback:
    """The base of callbacks; `self.model` is the model in training, and `self.model.stop_training = True` ends it.

    Epochs and batches are counted from 0. `logs` holds numbers by name: after a batch the epoch's loss so far; after
    an epoch its loss and metrics, and the same with `val_` of the validation data. `self.params` holds epochs, steps
    (in an epoch; None where unknown) and verbose. On numba, whose steps run in stretches of about 50 ms, the calls for
    a stretch's batches come in order after it.
    """

    model: Trained
    params: dict[str, Any]

    def set_model(self, model: Any) -> None:
        """What `fit` calls first."""
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """What `fit` calls next."""
        self.params = params

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Before the first epoch."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """After the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Before each epoch."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """After each epoch and its validation."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before each step."""

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After each step."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Before validation, and before `evaluate(callbacks=...)`."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """After them, with the loss and metrics found."""

    @property
    def listens_to_batches(self) -> bool:
        """Whether its class does something before or after each step."""
        own = type(self)
        return (
            own.on_train_batch_begin is not Callback.on_train_batch_begin
            or own.on_train_batch_end is not Callback.on_train_batch_end
        )


class LambdaCallback(Callback):
    """Functions by the names of their moments, as in `LambdaCallback(on_epoch_end=lambda epoch, logs: ...)`.

    Raises TypeError for a moment that there is not.
    """

    def __init__(self, **functions: Callable[..., Any]) -> None:
        moments = [name for name in vars(Callback) if name.startswith("on_")]
        for name, function in functions.items():
            if name not in moments:
                raise TypeError(unknown("moment of a callback", name, moments))
            if function is not None:
                setattr(self, name, function)

    @property
    def listens_to_batches(self) -> bool:
        return bool({"on_train_batch_begin", "on_train_batch_end"} & vars(self).keys())


class TerminateOnNaN(Callback):
    """Ends training where the loss or a gradient stops being finite, with the weights of the step before.

    Without it `fit` raises NonFiniteError there, which names the step; with it `fit` returns.
    """


class History(Callback):
    """What `fit` returns: `history` holds a list for each number, one entry an epoch; `epoch` their numbers."""

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)


class Monitor(Callback):
    """A callback that watches one number of each epoch and knows when it has improved.

    Parameters
    ----------
    monitor : which number
    min_delta : how much better counts as better
    mode : "min", "max", or "auto" (max for accuracies, areas, precision, recall and r2, else min)
    verbose : whether to print a line when something is done; default 0
    """

    def __init__(self, monitor: str, min_delta: float, mode: str, verbose: int) -> None:
        if not isinstance(monitor, str):
            raise TypeError(f"monitor is the name of a number, as in 'val_loss', not {type(monitor).__name__}")
        if not isinstance(mode, str) or mode not in ("auto", "min", "max"):
            raise ValueError(f"mode is 'auto', 'min' or 'max'; given was {shown(mode)}")
        grows = any(part in monitor for part in ("acc", "auc", "precision", "recall", "r2"))
        self.sign = -1.0 if mode == "max" or (mode == "auto" and grows) else 1.0
        self.monitor, self.min_delta, self.verbose = monitor, abs(real("min_delta", min_delta)), verbose
        self.lowest = float(np.inf)

    @property
    def best(self) -> float:
        """The best number so far."""
        return self.sign * self.lowest

    def say(self, epoch: int, what: str) -> None:
        """A line for the reader, where wanted."""
        if self.verbose:
            print(f"epoch {epoch + 1}: {what}")

    def value(self, logs: Logs | None) -> float:
        """The watched number, negative where greater is better."""
        if not logs or self.monitor not in logs:
            known = ", ".join(logs or {})
            raise ValueError(f"{type(self).__name__} watches {self.monitor!r}, but this fit has only {known}")
        return self.sign * logs[self.monitor]

    def improves(self, logs: Logs | None) -> bool:
        """Whether the number is the best so far; if so it is kept."""
        value = self.value(logs)
        if not value < self.lowest - self.min_delta:
            return False
        self.lowest = value
        return True


class EarlyStopping(Monitor):
    """Ends training when a number has not improved for some epochs.

    Parameters
    ----------
    monitor, min_delta, mode, verbose : as for `Monitor`; defaults "val_loss", 0, "auto", 0
    patience : how many epochs without improvement are borne; default 0
    baseline : an improvement begins the waiting anew only where it is better than this; default none
    restore_best_weights : whether the weights of the best epoch are put back; default False, as in Keras
    start_from_epoch : epochs before this one are not looked at; default 0
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, min_delta, mode, verbose)
        self.patience = whole("patience", patience, 0)
        self.start_from_epoch = whole("start_from_epoch", start_from_epoch, 0)
        self.baseline = None if baseline is None else real("baseline", baseline)
        self.restore_best_weights = restore_best_weights
        self.on_train_begin()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.lowest, self.best_epoch, self.waited = float(np.inf), 0, 0
        self.stopped_epoch: int | None = None
        self.best_weights: list[Array] | None = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if epoch < self.start_from_epoch:
            return
        self.waited += 1
        if self.improves(logs):
            self.best_epoch = epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self.lowest < self.sign * self.baseline - self.min_delta:
                self.waited = 0
            return
        if self.waited >= max(self.patience, 1):
            self.stopped_epoch = epoch
            self.say(epoch, f"stopped early, {self.monitor} was best in epoch {self.best_epoch + 1}")
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)


class ReduceLROnPlateau(Monitor):
    """Multiplies the learning rate with `factor` when a number has not improved for some epochs.

    Parameters
    ----------
    monitor, min_delta, mode, verbose : as for `Monitor`; defaults "val_loss", 1e-4, "auto", 0
    factor : below 1; default 0.1
    patience : how many epochs without improvement are borne; default 10
    cooldown : how many epochs after a change are not counted; default 0
    min_lr : the learning rate never goes below; default 0
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, min_delta, mode, verbose)
        self.factor = real("factor", factor)
        if not 0.0 < self.factor < 1.0:
            raise ValueError(f"factor lies between 0 and 1; given was {factor!r}")
        self.patience, self.cooldown = whole("patience", patience, 0), whole("cooldown", cooldown, 0)
        self.min_lr = real("min_lr", min_lr, least=0.0)
        self.on_train_begin()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.lowest, self.waited, self.cooling = float(np.inf), 0, 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        better = self.improves(logs)
        if logs is not None:  # Keras's histories have the rate of the epoch too
            logs["learning_rate"] = self.model.optimizer.learning_rate
        if self.cooling:
            self.cooling -= 1
            self.waited = 0
        if better:
            self.waited = 0
        elif not self.cooling:
            self.waited += 1
            if self.waited >= self.patience:
                rate = self.model.optimizer.learning_rate
                self.model.optimizer.learning_rate = min(rate, max(rate * self.factor, self.min_lr))
                self.say(epoch, f"learning rate {self.model.optimizer.learning_rate:g}")
                self.waited, self.cooling = 0, self.cooldown


class LearningRateScheduler(Callback):
    """Sets the learning rate before each epoch to schedule(epoch, learning_rate), or schedule(epoch).

    The history has it as "learning_rate". With `verbose` a line says what it is set to.
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        if not callable(schedule):
            raise TypeError(f"schedule is a function of (epoch, learning_rate), not {type(schedule).__name__}")
        self.schedule, self.verbose = schedule, verbose

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        import inspect  # imported where used: it would double the time of import

        optimizer = self.model.optimizer
        try:
            inspect.signature(self.schedule).bind(epoch, 0.0)
            given: tuple[Any, ...] = (epoch, optimizer.learning_rate)
        except (TypeError, ValueError):  # it takes the epoch alone
            given = (epoch,)
        optimizer.learning_rate = self.schedule(*given)
        if self.verbose:
            print(f"epoch {epoch + 1}: learning rate {optimizer.learning_rate:g}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = self.model.optimizer.learning_rate


class ModelCheckpoint(Monitor):
    """Saves the model after epochs, whole or not at all, so that a killed process leaves a file that loads.

    Parameters
    ----------
    filepath : where; may name the epoch and its numbers, as in "out/{epoch:02d}-{val_loss:.3f}.safetensors"
    monitor, mode, verbose : as for `Monitor`; defaults "val_loss", "auto", 0
    save_best_only : only where the number is the best so far; default False
    save_weights_only : leave out the optimizer's slots, the step and the generator; default False. The file is a
        whole model all the same
    save_freq : "epoch"; Keras's other frequencies are not supported
    initial_value_threshold : with save_best_only, only a number better than this is saved; default none
    training_state : keep the optimizer's slots, the step and the generator too; default True, as in Keras
    """

    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str = "epoch",
        initial_value_threshold: float | None = None,
        training_state: bool = True,
    ) -> None:
        super().__init__(monitor, 0.0, mode, verbose)
        if not one_of(save_freq, ("epoch",)):
            raise ValueError(f"save_freq is 'epoch', a save after each one; given was {shown(save_freq)}")
        if initial_value_threshold is not None:
            self.lowest = self.sign * real("initial_value_threshold", initial_value_threshold)
        self.filepath, self.save_best_only = str(filepath), save_best_only
        self.training_state = training_state and not save_weights_only

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if not self.save_best_only or self.improves(logs):
            path = self.filepath.format(epoch=epoch + 1, **(logs or {}))
            self.model.save(path, training_state=self.training_state)
            self.say(epoch, f"saved {path}")


class CSVLogger(Callback):
    """Writes a line of numbers for each epoch into a file.

    Parameters
    ----------
    filename : where
    separator : between the numbers; default ","
    append : go on in a file that is there; default False
    """

    def __init__(self, filename: Any, separator: str = ",", append: bool = False) -> None:
        self.filename, self.separator, self.append = str(filename), separator, append
        self.file: TextIO | None = None
        self.names: list[str] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.file = open(self.filename, "a" if self.append else "w", encoding="utf-8")  # noqa: SIM115  closed at the end
        self.names = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        assert self.file is not None
        if not self.names:
            self.names = sorted(logs or {})
            if self.file.tell() == 0:
                self.file.write(self.separator.join(["epoch", *self.names]) + "\n")
        values = [str(epoch), *(repr((logs or {}).get(name, float("nan"))) for name in self.names)]
        self.file.write(self.separator.join(values) + "\n")
        self.file.flush()  # a killed process keeps every finished epoch

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.file is not None:
            self.file.close()
            self.file = None


def checked(callbacks: Any) -> list[Callback]:
    """A list of callbacks from what a user gave."""
    given = [] if callbacks is None else list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]
    for callback in given:
        if not isinstance(callback, Callback):
            raise TypeError(
                f"a callback is an object of a class on tn.callbacks.Callback, not {type(callback).__name__}"
            )
    return given
