"""EarlyStopping stops where Keras's does and leaves the same weights, over 96 fits of the oracle and in real ones."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

import tinynet as tn

KERAS = json.loads((Path(__file__).parents[1] / "oracles" / "keras_fit.json").read_text())["early stopping"]


class Counting:
    """Stands for a model whose only weight is the number of the epoch."""

    epoch = 0
    stop_training = False

    def get_weights(self):
        return self.epoch

    def set_weights(self, weights):
        self.epoch = weights


@pytest.mark.parametrize("number", range(len(KERAS)))
def test_it_stops_and_restores_as_keras_does(number):
    settings, values, epochs_run, epoch_kept = KERAS[number]
    model, stopper = Counting(), tn.callbacks.EarlyStopping(**settings)
    stopper.model = model
    stopper.on_train_begin()
    epochs = 0
    for epoch, value in enumerate(values):
        model.epoch, epochs = epoch, epoch + 1
        stopper.on_epoch_end(epoch, {"val_loss": math.nan if value is None else value})
        if model.stop_training:
            break
    stopper.on_train_end()
    assert (epochs, model.epoch) == (epochs_run, epoch_kept), settings


class Script(tn.callbacks.Callback):
    """Sets the watched number of each epoch, as the first callback of a fit."""

    def __init__(self, values):
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        logs["watched"] = self.values[epoch]


def fit(values, **settings):
    """(model, history, weights after each epoch) of a fit that is told what to watch."""
    x = np.arange(8.0).reshape(-1, 1) / 8.0
    model = tn.Sequential([tn.layers.Dense(1, input_shape=[1])])
    model.compile(optimizer="sgd", loss="mse")
    seen = []

    class Keeper(tn.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append([w.copy() for w in self.model.get_weights()])

    stopper = tn.callbacks.EarlyStopping("watched", **settings)
    history = model.fit(x, 2.0 * x, epochs=len(values), verbose=0, callbacks=[Keeper(), Script(values), stopper])
    return model, history, seen


def test_best_weights_come_back_when_it_stops():
    model, history, seen = fit([5.0, 3.0, 4.0, 4.0, 9.0], patience=2, restore_best_weights=True)
    assert history.epoch == [0, 1, 2, 3]
    for ours, best in zip(model.get_weights(), seen[1], strict=True):
        assert (ours == best).all()


def test_best_weights_come_back_when_the_epochs_run_out():
    model, history, seen = fit([5.0, 3.0, 4.0], patience=9, restore_best_weights=True)
    assert len(history.epoch) == 3
    assert (model.get_weights()[0] == seen[1][0]).all()


def test_the_last_weights_stay_where_nothing_was_asked():
    model, history, seen = fit([5.0, 3.0, 4.0], patience=0)
    assert len(history.epoch) == 3
    assert (model.get_weights()[0] == seen[-1][0]).all()


def test_nan_is_never_the_best():
    """Keras differs: there a NaN in the first epoch stays the best for ever, and its weights are restored."""
    model, history, seen = fit([math.nan, 3.0, math.nan, 2.0, math.nan, 2.5], patience=2, restore_best_weights=True)
    assert history.epoch == [0, 1, 2, 3, 4, 5]
    assert (model.get_weights()[0] == seen[3][0]).all()


def test_the_best_number_and_its_epoch_can_be_asked_for():
    for mode, best, epoch in (("min", 3.0, 1), ("max", 9.0, 2)):
        stopper = tn.callbacks.EarlyStopping("watched", patience=9, mode=mode)
        stopper.model = Counting()
        for number, value in enumerate([5.0, 3.0, 9.0, 4.0]):
            stopper.on_epoch_end(number, {"watched": value})
        assert (stopper.best, stopper.best_epoch) == (best, epoch)


def test_one_object_serves_two_fits():
    stopper = tn.callbacks.EarlyStopping("loss", patience=1)
    x = np.ones((4, 1))
    lengths = []
    for _ in range(2):
        model = tn.Sequential([tn.layers.Dense(1, kernel_initializer="zeros", input_shape=[1])])
        model.compile(optimizer=tn.optimizers.SGD(0.25), loss="mse")  # the solution in one step, then nothing better
        lengths.append(len(model.fit(x, x, epochs=9, verbose=0, callbacks=stopper).epoch))
    assert lengths == [3, 3]


def test_greater_is_better_for_metrics_of_that_kind():
    for monitor in ("accuracy", "val_auc", "pr_auc", "recall", "val_precision", "r2_score", "binary_accuracy"):
        assert tn.callbacks.EarlyStopping(monitor).sign < 0, monitor
    for monitor in ("loss", "val_loss", "mae", "root_mean_squared_error"):
        assert tn.callbacks.EarlyStopping(monitor).sign > 0, monitor


def test_a_number_that_is_not_there_is_an_error():
    model = tn.Sequential([tn.layers.Dense(1, input_shape=[1])])
    model.compile(optimizer="sgd", loss="mse")
    with pytest.raises(ValueError, match="watches 'val_loss', but this fit has only loss"):
        model.fit(np.ones((2, 1)), np.ones(2), verbose=0, callbacks=tn.callbacks.EarlyStopping())
