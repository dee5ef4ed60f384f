"""Callbacks: on scripted numbers they do what Keras 3's do, and they leave files that can be read."""

import csv
from pathlib import Path

import numpy as np
import pytest

import tinynet as tn
from tinynet.callbacks import Callback

# Scripted validation losses, and the epoch in which Keras 3.12's EarlyStopping ends the training.
STOPS = [
    ({"patience": 0}, 2), ({"patience": 1}, 2), ({"patience": 2}, 5), ({"patience": 3}, 6),
    ({"patience": 2, "min_delta": 0.05}, 3), ({"patience": 1, "start_from_epoch": 3}, 4),
]  # fmt: skip
PLATEAU = [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
# The learning rate after each of these epochs under Keras 3.12's ReduceLROnPlateau, from 1.
RATES = [
    ({"patience": 2, "factor": 0.5},
     [1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 0.0625, 0.0625]),
    ({"patience": 2, "factor": 0.5, "cooldown": 2},
     [1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125, 0.125, 0.125]),
    ({"patience": 1, "factor": 0.1, "min_lr": 0.05}, [1, 0.1, *[0.05] * 10]),
    ({"patience": 2, "factor": 0.5, "min_delta": 0.6},
     [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 0.0625, 0.0625, 0.03125, 0.03125]),
]  # fmt: skip


def model() -> tn.Sequential:
    tn.set_random_seed(0)
    made = tn.Sequential([tn.layers.Dense(3, "tanh", input_shape=[2]), tn.layers.Dense(1)])
    made.compile(tn.optimizers.SGD(1.0), "mse")
    return made


@pytest.mark.parametrize(("options", "last"), STOPS, ids=str)
def test_early_stopping_stops_when_keras_does(options: dict, last: int) -> None:
    callback = tn.callbacks.EarlyStopping(**options)
    callback.model = model()
    for epoch, value in enumerate([1.0, 0.9, 0.95, 0.89, 0.92, 0.91, 0.93, 0.90, 0.88]):
        callback.on_epoch_end(epoch, {"val_loss": value})
        if callback.model.stop_training:
            break
    assert epoch == last


@pytest.mark.parametrize(("options", "rates"), RATES, ids=str)
def test_plateau_lowers_the_rate_when_keras_does(options: dict, rates: list[float]) -> None:
    callback = tn.callbacks.ReduceLROnPlateau(**options)
    callback.model = model()
    found = []
    for epoch, value in enumerate(PLATEAU):
        callback.on_epoch_end(epoch, {"val_loss": value})
        found.append(callback.model.optimizer.learning_rate)
    assert found == pytest.approx(rates)


def test_scheduler_is_given_epoch_and_rate() -> None:
    made, seen = model(), []

    def schedule(epoch: int, rate: float) -> float:
        seen.append((epoch, rate))
        return rate / 2

    made.fit(np.ones((4, 2)), np.ones(4), epochs=3, callbacks=tn.callbacks.LearningRateScheduler(schedule), verbose=0)
    assert seen == [(0, 1.0), (1, 0.5), (2, 0.25)]


def test_checkpoints_name_their_epoch_and_load(tmp_path: Path) -> None:
    made = model()
    path = tmp_path / "{epoch:02d}-{loss:.3f}.safetensors"
    history = made.fit(
        np.ones((4, 2)), np.ones(4), epochs=2, callbacks=[tn.callbacks.ModelCheckpoint(path, verbose=0)], verbose=0
    )
    names = [f"{i + 1:02d}-{loss:.3f}.safetensors" for i, loss in enumerate(history.history["loss"])]
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    last = tn.load_model(tmp_path / names[-1])
    np.testing.assert_array_equal(last.predict(np.ones((1, 2))), made.predict(np.ones((1, 2))))


def test_best_only_keeps_the_best(tmp_path: Path) -> None:
    made, path = model(), tmp_path / "best.safetensors"
    callback = tn.callbacks.ModelCheckpoint(path, monitor="val_accuracy", save_best_only=True)
    callback.model = made
    kept = []
    for epoch, value in enumerate([0.5, 0.7, 0.6, 0.8]):
        made.set_weights([w * 0 + epoch for w in made.get_weights()])
        callback.on_epoch_end(epoch, {"val_accuracy": value})
        kept.append(float(tn.load_model(path).get_weights()[0][0, 0]))
    assert kept == [0, 1, 1, 3]


def test_csv_holds_every_epoch(tmp_path: Path) -> None:
    made, path = model(), tmp_path / "log.csv"
    x, y = np.ones((4, 2)), np.ones(4)
    first = made.fit(x, y, epochs=2, callbacks=[tn.callbacks.CSVLogger(path)], validation_data=(x, y), verbose=0)
    more = tn.callbacks.CSVLogger(path, append=True)
    second = made.fit(x, y, epochs=3, initial_epoch=2, callbacks=[more], validation_data=(x, y), verbose=0)
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [0, 1, 2]
    assert [float(row["val_loss"]) for row in rows] == first.history["val_loss"] + second.history["val_loss"]


class Notes(Callback):
    """Writes down what it is told, in Keras's words."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def on_train_begin(self, logs=None) -> None:
        self.told.append(f"begin {self.params['epochs']} {self.params['steps']}")

    def on_epoch_begin(self, epoch, logs=None) -> None:
        self.told.append(f"epoch {epoch}")

    def on_train_batch_end(self, batch, logs=None) -> None:
        assert logs["loss"] >= 0
        self.told.append(f"batch {batch}")

    def on_epoch_end(self, epoch, logs=None) -> None:
        self.told.append(f"end {epoch} {sorted(logs)}")
        self.model.stop_training = epoch == 1

    def on_train_end(self, logs=None) -> None:
        self.told.append("done")


def test_a_callback_of_ones_own() -> None:
    notes = Notes()
    model().fit(np.ones((5, 2)), np.ones(5), batch_size=2, epochs=9, callbacks=[notes], verbose=0)
    epoch = [f"batch {i}" for i in range(3)]
    assert notes.told == [
        "begin 9 3", "epoch 0", *epoch, "end 0 ['loss']", "epoch 1", *epoch, "end 1 ['loss']", "done",
    ]  # fmt: skip


def test_batch_loss_is_that_of_the_rows_so_far() -> None:
    losses = []

    class Losses(Callback):
        def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
            losses.append(logs["loss"])

    made = model()
    made.optimizer.learning_rate = 1e-30
    x, y = np.arange(10.0).reshape(5, 2), np.arange(5.0)
    expected = [made.evaluate(x[:n], y[:n]) for n in (2, 4, 5)]
    made.fit(x, y, batch_size=2, callbacks=[Losses()], shuffle=False, verbose=0)
    assert losses == pytest.approx(expected, rel=1e-6)


def test_files_are_closed_where_training_fails(tmp_path: Path) -> None:
    logger = tn.callbacks.CSVLogger(tmp_path / "log.csv")

    class Fails(Callback):
        def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model().fit(np.ones((2, 2)), np.ones(2), callbacks=[logger, Fails()], verbose=0)
    assert logger.file is None


def test_lines_only_where_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = np.ones((4, 2)), np.ones(4)
    made = model()
    made.optimizer.learning_rate = 1e-30
    made.fit(x, y, epochs=5, callbacks=[tn.callbacks.EarlyStopping("loss", verbose=1)], verbose=0)
    assert capsys.readouterr().out == "epoch 2: stopped early, loss was best in epoch 1\n"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: tn.callbacks.EarlyStopping(mode="best"), "mode is 'auto', 'min' or 'max'"),
        (lambda: tn.callbacks.ReduceLROnPlateau(factor=1.5), "factor lies between 0 and 1"),
    ],
)
def test_senseless_settings(make: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_what_is_not_there_cannot_be_watched() -> None:
    with pytest.raises(ValueError, match="watches 'val_loss', but this fit has only loss"):
        model().fit(np.ones((2, 2)), np.ones(2), callbacks=[tn.callbacks.EarlyStopping()], verbose=0)
    with pytest.raises(TypeError, match=r"a class on tn\.callbacks\.Callback, not str"):
        model().fit(np.ones((2, 2)), np.ones(2), callbacks=["early"], verbose=0)
