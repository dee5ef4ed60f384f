"""Layers, activations, losses, metrics and optimizers of one's own come back from a file when they are handed over."""

import numpy as np
import pytest

import tinynet as tn
from tinynet.formulas.rows import product
from tinynet.formulas.vocabulary import exp, where


def bent(z, *, slope=0.5):
    """z where z > 0, else slope z / (1 - z)."""
    return where(z > 0.0, z, slope * z / (1.0 - z))


@tn.derivative_of(bent)
def bent_derivative(z, a, *, slope=0.5):
    return where(z > 0.0, 1.0, slope / (1.0 - z) ** 2)


def lopsided(y, t, *, tilt=1.0):
    """exp(tilt e) - tilt e - 1 with e = y - t."""
    return exp(tilt * (y - t)) - tilt * (y - t) - 1.0


@tn.derivative_of(lopsided)
def lopsided_derivative(y, t, *, tilt=1.0):
    return tilt * exp(tilt * (y - t)) - tilt


class Lopsided(tn.losses.Loss):
    def __init__(self, tilt=1.0):
        super().__init__(tn.Formula(lopsided, tilt=tilt))


class Scale(tn.layers.Layer):
    """a = x s, a layer that starts at `start`."""

    def __init__(self, start=1.0, **settings):
        super().__init__(**settings)
        self.start = start

    def parameters(self, n_in):
        return {"s": tn.layers.Parameter((n_in,), tn.initializers.Constant(self.start))}

    def forward_arrays(self, n_in):
        return {"a": n_in}

    def backward_arrays(self, n_in):
        return {"da_x": n_in}

    def forward(self, ops, m, x, training):
        ops.apply(tn.Formula(product), [x, m.s], [m.a])
        return m.a

    def backward(self, ops, m, x, da):
        ops.apply(tn.Formula(product), [da, x], [m.da_x])
        ops.column_sum(m.da_x, m.ds)
        if m.dx is not None:
            ops.apply(tn.Formula(product), [da, m.s], [m.dx])
        return m.dx

    def config(self):
        return {"start": self.start}


class Doubled(tn.metrics.Metric):
    def __init__(self, factor=2.0, name="doubled"):
        super().__init__(name, lambda t, y, w: factor * float(np.abs(t - y).mean()), factor=factor)


class Slow(tn.optimizers.SGD):
    """SGD by another name."""


def worst(y_true, y_pred):
    return np.abs(y_true - y_pred).max()


X = np.random.default_rng(0).normal(size=(10, 2))
Y = X[:, 0]


def model_with(loss="mse", metrics=None, optimizer="sgd"):
    tn.set_random_seed(3)
    layers = [Scale(1.5, input_shape=[2]), tn.layers.Dense(3, tn.Formula(bent, slope=0.25)), tn.layers.Dense(1)]
    model = tn.Sequential(layers)
    if isinstance(optimizer, dict):
        optimizer = optimizer["class"](momentum=optimizer["momentum"])  # each model wants one of its own
    model.compile(optimizer, loss, metrics)
    model.fit(X, Y, verbose=0)
    return model


OWN = {"Scale": Scale, "bent": bent}
CASES = {
    "layer and activation": ({}, {}),
    "loss as a formula": ({"loss": lopsided}, {"lopsided": lopsided}),
    "loss with its own scalars": ({"loss": tn.losses.Loss(tn.Formula(lopsided, tilt=0.3))}, {"lopsided": lopsided}),
    "loss with its own name": ({"loss": tn.losses.Loss(lopsided, name="cost")}, {"cost": lopsided}),
    "loss as a class": ({"loss": Lopsided(0.3)}, {"Lopsided": Lopsided}),
    "loss as an object": ({"loss": Lopsided(0.3)}, {"Lopsided": Lopsided(0.3)}),
    "metric": ({"metrics": [worst]}, {"worst": worst}),
    "metric as a class": ({"metrics": [Doubled(3.0)]}, {"Doubled": Doubled}),
    "optimizer": ({"optimizer": {"class": Slow, "momentum": 0.5}}, {"Slow": Slow}),
}


@pytest.mark.parametrize("case", CASES)
def test_it_comes_back(case, tmp_path):
    settings, own = CASES[case]
    model = model_with(**settings)
    model.save(tmp_path / "m", training_state=True)
    loaded = tn.load_model(tmp_path / "m", custom_objects=OWN | own)
    assert (loaded.predict(X) == model.predict(X)).all()
    assert loaded.evaluate(X, Y) == model.evaluate(X, Y)
    assert loaded.layers[1].activation.scalars == {"slope": 0.25}
    assert loaded.loss.f == model.loss.f
    assert loaded.optimizer.config() == model.optimizer.config()
    assert loaded.fit(X, Y, verbose=0).history == model.fit(X, Y, verbose=0).history


@pytest.mark.parametrize(
    ("case", "missing"),
    [
        ("layer and activation", "Scale"),
        ("layer and activation", "bent"),
        ("loss as a formula", "lopsided"),
        ("loss as a class", "Lopsided"),
        ("metric", "worst"),
        ("optimizer", "Slow"),
    ],
)
def test_what_is_missing_is_named(case, missing, tmp_path):
    settings, own = CASES[case]
    model_with(**settings).save(tmp_path / "m")
    given = {name: thing for name, thing in (OWN | own).items() if name != missing}
    with pytest.raises(tn.ModelFileError, match=f"'{missing}'.*custom_objects"):
        tn.load_model(tmp_path / "m", custom_objects=given)


def test_custom_objects_are_a_dictionary(tmp_path):
    with pytest.raises(TypeError, match="custom_objects is a dictionary of things by their names, not list"):
        tn.load_model(tmp_path / "m", custom_objects=[Scale])


def test_a_config_that_is_no_json_is_refused_before_anything_is_written(tmp_path):
    model = tn.Sequential([Scale(np.float32(1.0), input_shape=[2])])
    with pytest.raises(TypeError, match=r"config\(\) gives plain numbers, words, lists, dictionaries"):
        model.save(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []
