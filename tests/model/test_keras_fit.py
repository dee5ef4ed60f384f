"""What fit and evaluate report is what Keras reports: names and numbers of losses and metrics, validation included.

The numbers were made by tests/oracles/keras_fit.py.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import tinynet as tn

KERAS = json.loads((Path(__file__).parents[1] / "oracles" / "keras_fit.json").read_text())
FITS = KERAS["histories"]


def fitted(title, dtype):
    """(history, evaluate) of one fit, as tinynet has it."""
    name = title.removesuffix(", weighted")
    head, outputs, loss, metrics, target = FITS["cases"][name]
    weighted = title != name
    names = ["x", target] + (["sample_weight"] if weighted else [])
    train, held_out = ([np.array(FITS[part][n]) for n in names] for part in ("train", "held out"))
    model = tn.Sequential(
        [
            tn.layers.Dense(4, activation="tanh", kernel_regularizer=tn.regularizers.L2(0.01), input_shape=(3,)),
            tn.layers.Dense(outputs, activation=head),
        ],
        dtype=dtype,
    )
    model.build()
    model.set_weights([np.array(w) for w in FITS["weights"][name]])
    model.compile(
        optimizer=tn.optimizers.Adam(0.02), loss=loss, **{"weighted_metrics" if weighted else "metrics": metrics}
    )
    fit = model.fit(
        train[0], train[1], FITS["batch_size"], FITS["epochs"], shuffle=False, verbose=0,
        sample_weight=train[2] if weighted else None, validation_data=tuple(held_out),
    )  # fmt: skip
    return fit.history, np.ravel(model.evaluate(*held_out[:2], batch_size=FITS["batch_size"]))


@pytest.mark.parametrize("title", FITS["found"])
@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-10), ("float32", 1e-4)])
def test_histories_are_those_of_keras(title, dtype, rtol):
    theirs = dict(FITS["found"][title])
    evaluated = theirs.pop("evaluate")
    ours, ours_evaluated = fitted(title, dtype)
    assert set(ours) == set(theirs)
    for name, values in theirs.items():
        np.testing.assert_allclose(ours[name], values, rtol=rtol, atol=1e-6 if dtype == "float32" else 0, err_msg=name)
    np.testing.assert_allclose(ours_evaluated, evaluated, rtol=rtol)


@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-10), ("float32", 1e-4)])
def test_the_first_script_has_the_losses_and_predictions_of_keras(dtype, rtol):
    expected = KERAS["first script"]
    table = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    features, labels = table[:, 0:2], table[:, 2]
    model = tn.Sequential(
        [
            tn.layers.Dense(units=2, activation="relu", input_shape=[2]),
            tn.layers.Dense(units=1, activation="linear"),
        ],
        dtype=dtype,
    )
    model.build()
    model.set_weights([np.array(w) for w in expected["weights"]])
    model.compile(optimizer="adam", loss="mean_squared_error")
    history = model.fit(features, labels, epochs=100)
    np.testing.assert_allclose(history.history["loss"], expected["losses"], rtol=rtol)
    np.testing.assert_allclose(model.evaluate(features, labels), expected["evaluate"], rtol=rtol)
    np.testing.assert_allclose(model.predict(features).ravel(), expected["predictions"], rtol=rtol)
