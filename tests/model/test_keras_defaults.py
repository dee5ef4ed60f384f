"""Where nothing is said, tinynet assumes what Keras assumes: defaults, order of arguments, names, initial weights.

The numbers were made by tests/oracles/keras_defaults.py.
"""

import inspect
import json
from pathlib import Path

import numpy as np
import pytest

import tinynet as tn

KERAS = json.loads((Path(__file__).parents[1] / "oracles" / "keras_defaults.json").read_text())
THINGS = [(kind, name) for kind, names in KERAS["classes"].items() for name in names]
# What only tinynet has, or has otherwise: Embedding reads some columns of a row, so it asks first which.
OWN = {"Embedding": ["columns", "input_dim", "output_dim"]}


def arguments(thing):
    """{name: default} of what tinynet takes, in order; `**clipping` stands for Keras's three limits."""
    parameters = inspect.signature(thing).parameters
    found = {name: p.default for name, p in parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD and name != "self"}
    keywords = {name: p.default for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        keywords |= {"clipvalue": None, "clipnorm": None, "global_clipnorm": None}
    return found, keywords


def check_against(keras, ours, keywords, name):
    """Shared arguments have Keras's defaults, and those that can be given by place have Keras's order."""
    shared = [argument for argument, *_ in keras if argument in ours]
    assert shared == [argument for argument in ours if argument in dict.fromkeys(shared)], name
    for argument, *default in keras:
        mine = (ours | keywords).get(argument, inspect.Parameter.empty)
        if argument != "name" and default and mine is not inspect.Parameter.empty:
            assert mine == default[0], f"{name}({argument})"


@pytest.mark.parametrize(("kind", "name"), THINGS)
def test_defaults_are_those_of_keras(kind, name):
    ours, keywords = arguments(getattr(getattr(tn, kind), name))
    theirs = KERAS["classes"][kind][name]
    ours = {argument: default for argument, default in ours.items() if argument not in OWN.get(name, [])}
    check_against(theirs, ours, keywords, name)
    unknown = [argument for argument in ours if argument not in [name for name, *_ in theirs]]
    assert not unknown or name in ("ModelCheckpoint", "leaky_relu", "elu")  # what Keras lacks is given by name only


@pytest.mark.parametrize("name", KERAS["methods"])
def test_methods_take_what_those_of_keras_take(name):
    ours, keywords = arguments(getattr(tn.Sequential, name))
    ours = {argument: default for argument, default in ours.items() if argument != "backend"}
    check_against(KERAS["methods"][name], ours, keywords, name)


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in KERAS["names"].items() for name in names])
def test_every_name_that_keras_knows_is_known(kind, name):
    """...of those things that tinynet has."""
    resolve = {"optimizers": tn.optimizers.OPTIMIZERS.get, "initializers": tn.initializers.INITIALIZERS.get}
    assert resolve.get(kind, getattr(getattr(tn, kind), "get", None))(name) is not None


@pytest.mark.parametrize("shape", KERAS["shapes"])
@pytest.mark.parametrize("name", KERAS["draws"])
def test_initial_weights_are_distributed_as_those_of_keras(name, shape):
    theirs, size = KERAS["draws"][name][shape], tuple(KERAS["shapes"][shape])
    drawn = getattr(tn.initializers, name)()(size, np.random.default_rng(0))
    few = 0.05 if shape == "vector" else 0.01
    assert drawn.std() == pytest.approx(theirs["deviation"], rel=few)
    assert abs(drawn.mean()) < 5.0 * theirs["deviation"] / drawn.size**0.5
    if name != "RandomNormal":  # whose tails end nowhere; the others end where Keras's end
        assert drawn.min() == pytest.approx(theirs["least"], rel=few)
        assert drawn.max() == pytest.approx(theirs["greatest"], rel=few)


def test_a_new_dense_layer_draws_glorot_uniform_and_zeros():
    model = tn.Sequential([tn.layers.Dense(250, input_shape=[400])], dtype="float64")
    model.build()
    kernel, bias = model.get_weights()
    assert np.abs(kernel).max() == pytest.approx((6.0 / 650.0) ** 0.5, rel=1e-3)
    assert (bias == 0.0).all()
