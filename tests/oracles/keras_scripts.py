"""Scripts as people write them for Keras, each a function of the package: what Keras reports, tinynet reports.

    python tests/oracles/keras_scripts.py            compares Keras, live, with the numbers kept in keras_scripts.json
    python tests/oracles/keras_scripts.py --write    makes the file anew

Every script returns what it would print. tests/fitting/test_keras_scripts.py runs them with tinynet in Keras's place
and needs no Keras. Left out is what differs between any two runs of Keras: initial weights and numbered names.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

FILE = Path(__file__).with_name("keras_scripts.json")
rng = np.random.default_rng(0)
X = rng.normal(size=(60, 4)).round(2)
CLASSES = (np.abs(X[:, 0]) * 2).astype(int) % 3
AMOUNTS = (X[:, 0] * X[:, 1] + X[:, 2]).round(2)
YES = (X[:, 0] > 0).astype(int)
WEIGHT = np.linspace(0.1, 2.0, 60).round(2)


def from_given_weights(model: Any) -> Any:
    generator = np.random.default_rng(5)
    model.set_weights([(0.4 * generator.normal(size=w.shape)).round(2) for w in model.get_weights()])
    return model


def small(keras: ModuleType, last: str | None = None, outputs: int = 1) -> Any:
    dense = keras.layers.Dense
    return from_given_weights(
        keras.Sequential([keras.Input(shape=(4,)), dense(6, activation="tanh"), dense(outputs, activation=last)])
    )


def class_numbers(keras: ModuleType) -> dict:
    model = from_given_weights(
        keras.Sequential(
            [keras.layers.InputLayer(shape=(4,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(3, "softmax")]
        )
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    fit = model.fit(X, CLASSES, epochs=3, batch_size=16, shuffle=False, validation_split=0.2, verbose=0)
    return {
        "history": fit.history, "epoch": fit.epoch, "params": fit.params,
        "evaluate": model.evaluate(X, CLASSES, verbose=0),
        "by name": model.evaluate(X, CLASSES, verbose=0, return_dict=True),
        "classes": np.argmax(model.predict(X, verbose=0), axis=-1), "count": model.count_params(),
    }  # fmt: skip


def one_hot(keras: ModuleType) -> dict:
    labels = keras.utils.to_categorical(CLASSES, num_classes=3)
    model = keras.models.Sequential(name="net")
    model.add(keras.Input((4,)))
    model.add(keras.layers.Dense(8, name="first"))
    model.add(keras.layers.Activation("tanh", name="bent"))
    model.add(keras.layers.Dropout(0.0, name="nothing"))
    model.add(keras.layers.Dense(3, activation="softmax", kernel_initializer="he_normal", name="out"))
    sgd = keras.optimizers.SGD(learning_rate=0.1, momentum=0.9, nesterov=True)
    from_given_weights(model).compile(loss="categorical_crossentropy", optimizer=sgd, metrics=["acc", "mse"])
    fit = model.fit(
        X, labels, epochs=2, batch_size=10, shuffle=False, verbose=0, validation_data=(X[:20], labels[:20]),
        class_weight={0: 1.0, 1: 2.0, 2: 0.5},
    )  # fmt: skip
    return {
        "history": fit.history, "labels": labels[:3], "names": [layer.name for layer in model.layers],
        "name": model.name, "units": model.get_layer("out").units, "second": model.get_layer(index=1).name,
        "shapes": [model.input_shape, model.output_shape, *(w.shape for w in model.weights)],
        "kernel": np.array(model.get_layer("out").kernel), "of dropout": model.get_layer("nothing").count_params(),
    }  # fmt: skip


def amounts(keras: ModuleType) -> dict:
    l2 = keras.regularizers.L2(1e-3)
    model = from_given_weights(
        keras.Sequential(
            [
                keras.layers.Dense(8, activation="relu", input_shape=(4,), kernel_regularizer=l2),
                keras.layers.Dense(1),
            ]
        )
    )
    rmse = keras.metrics.RootMeanSquaredError(name="rmse")
    model.compile(optimizer=keras.optimizers.RMSprop(0.01), loss="mse", metrics=["mae", "MSE", rmse])
    fit = model.fit(X, AMOUNTS, epochs=3, shuffle=False, verbose=0, sample_weight=WEIGHT)
    return {"history": fit.history, "evaluate": model.evaluate(X, AMOUNTS, verbose=0)}


def yes_or_no(keras: ModuleType) -> dict:
    model = small(keras, "sigmoid")
    loss = keras.losses.BinaryCrossentropy(from_logits=False, name="bce")
    metrics = ["accuracy", keras.metrics.Precision(thresholds=0.4), keras.metrics.Recall(name="found")]
    model.compile("rmsprop", loss, metrics=metrics, weighted_metrics=["binary_accuracy"], run_eagerly=False)
    held = (X[:30], YES[:30], WEIGHT[:30])
    fit = model.fit(
        x=X, y=YES, batch_size=20, epochs=4, initial_epoch=1, verbose=0, sample_weight=WEIGHT, shuffle=False,
        validation_data=held, validation_freq=2, validation_batch_size=7,
    )  # fmt: skip
    found = model.evaluate(X, YES, sample_weight=WEIGHT, verbose=0, batch_size=7)
    return {"history": fit.history, "epoch": fit.epoch, "evaluate": found, "yes": model.predict(X, verbose=0) > 0.5}


def every_callback(keras: ModuleType) -> dict:
    log: list = []

    class Watching(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            log.append(["train", self.params["epochs"], self.params["steps"]])

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            log.append(["epoch", epoch, logs])

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            log.append(["batch", batch, logs])

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            log.append(["batch done", batch, float(logs["loss"])])

        def on_test_begin(self, logs: Any = None) -> None:
            log.append("test")

        def on_test_end(self, logs: Any = None) -> None:
            log.append(["test done", float(logs["loss"])])

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            log.append(["epoch done", epoch, sorted(logs)])

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = small(keras)
        model.compile(keras.optimizers.SGD(0.05), "mse")
        callbacks = [
            keras.callbacks.EarlyStopping(monitor="val_loss", patience=1, restore_best_weights=True),
            keras.callbacks.ModelCheckpoint(folder / "best.keras", monitor="val_loss", save_best_only=True),
            keras.callbacks.ReduceLROnPlateau(monitor="loss", factor=0.5, patience=1, min_delta=1.0),
            keras.callbacks.CSVLogger(str(folder / "log.csv")),
            keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: log.append(["told", epoch])),
            keras.callbacks.TerminateOnNaN(),
            Watching(),
        ]
        fit = model.fit(
            X, AMOUNTS, epochs=4, batch_size=30, verbose=0, shuffle=False, validation_split=0.25, callbacks=callbacks
        )
        best = keras.models.load_model(folder / "best.keras")
        lines = (folder / "log.csv").read_text().splitlines()
        return {
            "history": fit.history, "log": log, "columns": lines[0], "lines": len(lines),
            "rate": float(model.optimizer.learning_rate), "best": best.predict(X[:2], verbose=0),
        }  # fmt: skip


def rates(keras: ModuleType) -> dict:
    schedule = keras.optimizers.schedules.ExponentialDecay(0.05, 10, 0.5, staircase=True)
    model = small(keras)
    adam = keras.optimizers.Adam(learning_rate=schedule, weight_decay=0.01, clipnorm=1.0)
    model.compile(adam, keras.losses.Huber(delta=0.5))
    found = {"decaying": model.fit(X, AMOUNTS, epochs=3, verbose=0, shuffle=False).history}
    other = small(keras)
    other.compile("sgd", "mae")
    for name, change in (("of the epoch", lambda epoch: 0.1 / (epoch + 1)), ("halved", lambda epoch, rate: rate / 2)):
        scheduler = keras.callbacks.LearningRateScheduler(change)
        found[name] = other.fit(X, AMOUNTS, epochs=3, verbose=0, shuffle=False, callbacks=[scheduler]).history
    return {**found, "rate": float(other.optimizer.learning_rate), "steps": int(other.optimizer.iterations)}


def batches_that_come(keras: ModuleType) -> dict:
    def endless() -> Any:
        start = 0
        while True:
            yield X[start : start + 12], AMOUNTS[start : start + 12]
            start = (start + 12) % 60

    class Numbered(keras.utils.PyDataset):
        def __len__(self) -> int:
            return 4

        def __getitem__(self, index: int) -> tuple:
            return X[15 * index : 15 * index + 15], AMOUNTS[15 * index : 15 * index + 15]

    model = small(keras)
    model.compile("sgd", "mean_squared_error", metrics=["mean_absolute_error"])
    validation = {"validation_data": (X[:20], AMOUNTS[:20])}
    first = model.fit(endless(), steps_per_epoch=5, epochs=2, verbose=0, **validation)
    second = model.fit(Numbered(), epochs=2, verbose=0, shuffle=False, validation_data=Numbered())
    return {
        "endless": first.history, "numbered": second.history, "evaluate": model.evaluate(Numbered(), verbose=0),
        "some": model.evaluate(endless(), steps=3, verbose=0), "predict": model.predict(endless(), steps=2, verbose=0),
    }  # fmt: skip


def batch_by_batch(keras: ModuleType) -> dict:
    model = small(keras, "softmax", 3)
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
    parts = [slice(start, start + 20) for start in (0, 20, 40)]
    return {
        "steps": [model.train_on_batch(X[part], CLASSES[part]) for part in parts],
        "by name": model.train_on_batch(X, CLASSES, return_dict=True),
        "weighted": model.train_on_batch(X, CLASSES, class_weight={0: 2.0}), "test": model.test_on_batch(X, CLASSES),
        "predict": model.predict_on_batch(X[:2]), "call": np.asarray(model(X[:2])),
    }  # fmt: skip


def files(keras: ModuleType) -> dict:
    def new() -> Any:
        return keras.Sequential(
            [keras.Input((4,)), keras.layers.Dense(4, "relu", name="a"), keras.layers.Dense(1, name="b")]
        )

    model = from_given_weights(new())
    model.compile("adam", "mse")
    model.fit(X, AMOUNTS, verbose=0, shuffle=False)
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.keras")
        loaded = keras.models.load_model(Path(folder) / "model.keras", compile=False)
        model.save_weights(Path(folder) / "model.weights.h5")
        filled = new()
        filled.load_weights(Path(folder) / "model.weights.h5")
    again = keras.Sequential.from_config(model.get_config())
    again.set_weights(model.get_weights())
    others = [other.predict(X, verbose=0) for other in (loaded, filled, again)]
    dense = keras.layers.Dense.from_config(keras.layers.Dense(3, activation="relu", name="c").get_config())
    sgd = keras.optimizers.SGD.from_config(keras.optimizers.SGD(0.25, momentum=0.5).get_config())
    return {
        "same": [bool((other == model.predict(X, verbose=0)).all()) for other in others], "dense": dense.name,
        "units": dense.units, "rate": float(sgd.learning_rate), "momentum": sgd.get_config()["momentum"],
    }  # fmt: skip


def own_metric(keras: ModuleType) -> dict:
    def above(y_true: Any, y_pred: Any) -> Any:
        return (y_pred - y_true) / 2.0

    model = small(keras)
    model.compile("sgd", keras.losses.mean_squared_error, metrics=[above, "MeanAbsoluteError"])
    y = AMOUNTS.reshape(-1, 1)
    by_row = keras.losses.mean_absolute_error(y[:3], y[:3] + 2.0)
    return {
        "history": model.fit(X, y, epochs=2, verbose=0, shuffle=False).history, "by row": np.asarray(by_row),
        "mean": float(keras.losses.MeanSquaredError()(y[:3], y[:3] + 2.0)),
    }  # fmt: skip


SCRIPTS = (
    class_numbers, one_hot, amounts, yes_or_no, every_callback, rates, batches_that_come, batch_by_batch, files,
    own_metric,
)  # fmt: skip


def plain(found: Any) -> Any:
    """As JSON has it, dictionaries by name."""
    return json.loads(json.dumps(found, default=lambda value: np.asarray(value).tolist(), sort_keys=True))


def different(found: Any, expected: Any, tolerance: float, place: str = "") -> list[str]:
    """The places where two results differ, numbers by more than the tolerance."""
    if isinstance(expected, (dict, list)) and type(found) is type(expected) and len(found) == len(expected):
        keys = expected if isinstance(expected, dict) else range(len(expected))
        if isinstance(expected, list) or found.keys() == expected.keys():
            return [at for k in keys for at in different(found[k], expected[k], tolerance, f"{place}/{k}")]
    if isinstance(expected, float) and isinstance(found, float):
        return [] if abs(found - expected) <= tolerance * max(abs(expected), 0.01) else [f"{place}: {found}"]
    return [] if found == expected else [f"{place}: {found!r}, not {expected!r}"]


def main() -> int:
    from keras_float64 import TOLERANCE, VERSIONS, keras, short

    live = short({script.__name__: plain(script(keras)) for script in SCRIPTS})
    if "--write" in sys.argv:
        lines = [f"{json.dumps(name)}:{json.dumps(found)}" for name, found in {"made by": VERSIONS, **live}.items()]
        FILE.write_text("{" + ",\n".join(lines) + "}\n")
        return 0
    kept = json.loads(FILE.read_text())
    wrong = different(live, {name: kept[name] for name in live}, TOLERANCE)
    print(f"{len(live)} scripts of Keras {keras.__version__}: {len(wrong)} places differ from the file {wrong[:5]}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
