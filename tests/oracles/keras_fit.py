"""What Keras 3 on JAX in float64 reports: histories with metrics and validation data, the first script of the
documentation, and where EarlyStopping stops.

    python tests/oracles/keras_fit.py            compares Keras, live, with the numbers kept in keras_fit.json
    python tests/oracles/keras_fit.py --write    makes the file anew

tests/model/test_keras_fit.py and tests/model/test_early_stopping.py need the file and no Keras.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from keras_float64 import TOLERANCE, VERSIONS, keras, short

FILE = Path(__file__).with_name("keras_fit.json")

HISTORIES = {  # name: head, outputs, loss, metrics, targets
    "amounts": ["linear", 2, "mse", ["mae", "mse", "root_mean_squared_error", "r2_score"], "amounts"],
    "a probability": ["sigmoid", 1, "binary_crossentropy", ["accuracy", "binary_accuracy", "precision", "recall",
                                                            "binary_crossentropy"], "yes"],
    "several probabilities": ["sigmoid", 2, "binary_crossentropy", ["binary_accuracy", "precision", "recall"],
                              "several yes"],
    "classes": ["softmax", 3, "sparse_categorical_crossentropy", ["accuracy", "sparse_categorical_accuracy"],
                "classes"],
    "one hot": ["softmax", 3, "categorical_crossentropy", ["acc", "categorical_accuracy"], "one hot"],
    "counts": ["softplus", 1, "poisson", ["poisson"], "count"],
}  # fmt: skip
ROWS, HELD_OUT, BATCH, EPOCHS = 23, 11, 5, 6


def data(rows: int, seed: int) -> dict[str, list]:
    """x, all targets and weights for so many rows; few digits, so exact in JSON."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 3)).round(2)
    classes = rng.integers(0, 3, rows)
    return {
        "x": x.tolist(),
        "sample_weight": rng.uniform(0.0, 2.0, rows).round(2).tolist(),
        "amounts": (x[:, :2] + rng.normal(size=(rows, 2))).round(2).tolist(),
        "yes": (x[:, :1] + rng.normal(size=(rows, 1)) > 0.0).astype(int).tolist(),
        "several yes": (x[:, :2] + rng.normal(size=(rows, 2)) > 0.0).astype(int).tolist(),
        "classes": classes.tolist(),
        "one hot": np.eye(3, dtype=int)[classes].tolist(),
        "count": rng.poisson(np.exp(0.5 * x[:, :1])).tolist(),
    }


def history(case: list, train: dict, held_out: dict, weights: list, weighted: bool) -> dict:
    """The History of one fit; where there are sample weights, they reach the metrics."""
    head, outputs, loss, metrics, target = case
    model = keras.Sequential([
        keras.Input((3,)),
        keras.layers.Dense(4, activation="tanh", kernel_regularizer=keras.regularizers.L2(0.01)),
        keras.layers.Dense(outputs, activation=head),
    ])  # fmt: skip
    model.set_weights([np.array(w) for w in weights])
    adam = keras.optimizers.Adam(learning_rate=0.02)
    model.compile(optimizer=adam, loss=loss, **({"weighted_metrics": metrics} if weighted else {"metrics": metrics}))
    names = ("x", target, "sample_weight") if weighted else ("x", target)
    held = tuple(np.array(held_out[name]) for name in names)
    found = model.fit(
        np.array(train["x"]), np.array(train[target]), batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0,
        sample_weight=np.array(train["sample_weight"]) if weighted else None, validation_data=held,
    )  # fmt: skip
    found.history["evaluate"] = np.ravel(model.evaluate(*held[:2], batch_size=BATCH, verbose=0)).tolist()
    return found.history


def histories() -> dict:
    train, held_out = data(ROWS, 1), data(HELD_OUT, 2)
    rng = np.random.default_rng(3)
    found, weights = {}, {}
    for name, case in HISTORIES.items():
        shapes = [(3, 4), (4,), (4, case[1]), (case[1],)]
        weights[name] = [(0.5 * rng.normal(size=shape)).round(2).tolist() for shape in shapes]
        for weighted in (False, True):
            title = f"{name}, weighted" if weighted else name
            found[title] = history(case, train, held_out, weights[name], weighted)
    return {"train": train, "held out": held_out, "weights": weights, "cases": HISTORIES, "batch_size": BATCH,
            "epochs": EPOCHS, "found": found}  # fmt: skip


def first_script() -> dict:
    """The documentation's first script, from given weights: labels (3,) against outputs (3, 1)."""
    table = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    weights = [[[0.5, -0.25], [0.75, 0.375]], [0.0, 0.0], [[0.5], [-0.75]], [0.0]]
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation="relu"), keras.layers.Dense(1)])
    model.set_weights([np.array(w) for w in weights])
    model.compile(optimizer="adam", loss="mean_squared_error")
    fit = model.fit(table[:, :2], table[:, 2], epochs=100, verbose=0)
    return {"weights": weights, "losses": fit.history["loss"],
            "evaluate": model.evaluate(table[:, :2], table[:, 2], verbose=0),
            "predictions": np.ravel(model.predict(table[:, :2], verbose=0)).tolist()}  # fmt: skip


class Counting(SimpleNamespace):
    """Stands for a model whose only weight is the number of the epoch."""

    def get_weights(self) -> int:
        return self.epoch

    def set_weights(self, weights: int) -> None:
        self.epoch = weights


def early_stopping() -> list:
    """[settings, the watched numbers, the epochs that were run, the epoch of the weights in the end] of many fits."""
    rng = np.random.default_rng(5)
    found = []
    for number in range(96):
        settings = {"monitor": "val_loss", "mode": ["min", "max", "auto"][number % 3], "patience": number // 3 % 4,
                    "min_delta": [0.0, 0.3][number // 12 % 2], "restore_best_weights": number // 24 % 2 == 0,
                    "start_from_epoch": 2 * (number % 5 == 4), "baseline": [None, 4.0][number // 48]}  # fmt: skip
        values = rng.integers(0, 7, 9).astype(float)
        if number % 4 == 3:
            values[rng.integers(settings["start_from_epoch"] + 1, 9, 2)] = np.nan  # NaN first is best for ever in Keras
        model = Counting(epoch=0, stop_training=False)
        stopper = keras.callbacks.EarlyStopping(**settings)
        stopper.set_model(model)
        stopper.on_train_begin()
        for epoch, value in enumerate(values):
            model.epoch = epoch
            stopper.on_epoch_end(epoch, {"val_loss": value})
            if model.stop_training:
                break
        stopper.on_train_end()
        found.append([settings, values.tolist(), epoch + 1, model.epoch])
    return found


def flat(thing: object, place: str = "") -> dict[str, object]:
    """Every single value by its place."""
    if isinstance(thing, (dict, list)):
        items = thing.items() if isinstance(thing, dict) else enumerate(thing)
        return {key: value for name, part in items for key, value in flat(part, f"{place}/{name}").items()}
    return {place: thing}


def main() -> int:
    made = {"made by": VERSIONS}
    parts = short({"histories": histories(), "first script": first_script(), "early stopping": early_stopping()})
    text = ",\n".join(f"{json.dumps(k)}:{json.dumps(v, separators=(',', ':'))}" for k, v in (made | parts).items())
    if "--write" in sys.argv:
        FILE.write_text("{" + text + "}\n")
        return 0
    stored = json.loads(FILE.read_text())
    live, kept = flat(parts), flat({name: stored[name] for name in parts})
    if live.keys() != kept.keys():
        print("the file and this script describe different fits; run with --write")
        return 1
    wrong = [place for place, value in live.items() if value != kept[place] and not (
        isinstance(value, float) and abs(value - kept[place]) <= TOLERANCE * max(abs(value), 1.0))]  # fmt: skip
    print(f"{len(live)} numbers of Keras {keras.__version__}: {len(wrong)} differ from the file {wrong[:5]}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
