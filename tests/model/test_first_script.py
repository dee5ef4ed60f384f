"""The first script of the documentation, as it stands, in a process of its own."""

import re
import subprocess
import sys

import numpy as np

import tinynet as tn

SCRIPT = """
import numpy as np
import tinynet as tn
data = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
features = data[:, 0:2]
labels = data[:, 2]
model = tn.Sequential([
    tn.layers.Dense(units=2, activation='relu', input_shape=[2]),
    tn.layers.Dense(units=1, activation='linear')
])
model.compile(optimizer='adam', loss='mean_squared_error')
model.fit(features, labels, epochs=100)
loss = model.evaluate(features, labels)
print('Loss:', loss)
predictions = model.predict(features)
print('Predictions:', predictions)
"""


def test_the_script_runs_as_it_stands():
    ran = subprocess.run([sys.executable, "-W", "error", "-c", SCRIPT], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    assert re.fullmatch(r"Loss: \d+\.\d+(e-?\d+)?\nPredictions: \[\[.+\]\n \[.+\]\n \[.+\]\]\n", ran.stdout), ran.stdout


def test_labels_of_one_dimension_are_not_broadcast():
    """(3,) against (3, 1) is row by row: the loss is the mean of three squares, not of nine."""
    x, labels = np.array([[1, 2], [4, 5], [7, 8]]), np.array([3, 6, 9])
    model = tn.Sequential([tn.layers.Dense(1, input_shape=[2])], dtype="float64")
    model.compile(optimizer=tn.optimizers.SGD(0.01), loss="mean_squared_error")
    model.build()
    model.set_weights([np.array([[0.5], [-0.25]]), np.array([1.0])])
    outputs = model.predict(x)[:, 0]
    assert model.evaluate(x, labels) == np.mean((outputs - labels) ** 2)
    model.fit(x, labels, shuffle=False)
    dz = 2.0 * (outputs - labels) / 3
    np.testing.assert_allclose(model.get_weights()[0][:, 0], np.array([0.5, -0.25]) - 0.01 * (x.T @ dz), rtol=1e-15)
    np.testing.assert_allclose(model.get_weights()[1], [1.0 - 0.01 * dz.sum()], rtol=1e-15)
    again = tn.Sequential([tn.layers.Dense(1, input_shape=[2])])
    again.compile(optimizer="sgd", loss="mean_squared_error")
    assert again.evaluate(x, labels) == again.evaluate(x, labels.reshape(3, 1))
