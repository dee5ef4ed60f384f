"""Chance: one seed decides everything, models do not disturb each other, and NumPy's own state is left alone."""

import subprocess
import sys

import numpy as np
import pytest

import tinynet as tn

X = np.random.default_rng(0).normal(size=(30, 3))
Y = X[:, 0]


def trained(seed=None, between=lambda: None):
    """Weights after a fit in which initial values, order and dropout are drawn."""
    if seed is not None:
        tn.set_random_seed(seed)
    layers = [tn.layers.Dense(5, "relu", input_shape=[3]), tn.layers.Dropout(0.4), tn.layers.Dense(1)]
    model = tn.Sequential(layers)
    between()
    model.compile("adam", "mse")
    model.fit(X, Y, batch_size=8, epochs=3, verbose=0)
    return np.concatenate([w.ravel() for w in model.get_weights()])


def test_the_same_seed_is_the_same_model():
    assert (trained(1) == trained(1)).all()
    assert (trained(1) != trained(2)).any()
    assert (trained(np.int64(1)) == trained(1)).all()


def test_without_a_seed_each_model_is_its_own():
    assert (trained() != trained()).any()


def test_models_made_one_after_the_other_differ():
    tn.set_random_seed(1)
    assert (trained() != trained()).any()


def test_other_models_and_other_draws_do_not_disturb():
    def elsewhere():
        trained()
        np.random.default_rng().normal(size=10)

    assert (trained(1, elsewhere) == trained(1)).all()


@pytest.mark.filterwarnings("ignore")
def test_numpys_state_is_neither_used_nor_changed():
    np.random.seed(7)  # noqa: NPY002
    before = np.random.get_state()  # noqa: NPY002
    first = trained(1)
    after = np.random.get_state()  # noqa: NPY002
    assert before[0] == after[0]
    assert (before[1] == after[1]).all()
    assert before[2:] == after[2:]
    np.random.seed(8)  # noqa: NPY002
    assert (trained(1) == first).all()


def test_a_new_process_draws_the_same():
    code = (
        "import numpy as np, tinynet as tn; tn.set_random_seed(4); "
        "m = tn.Sequential([tn.layers.Dense(3, input_shape=[2])]); print(repr(m.get_weights()[0].tolist()))"
    )
    code = code.replace("print", "m.build(); print")
    found = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout for _ in range(2)}
    tn.set_random_seed(4)
    model = tn.Sequential([tn.layers.Dense(3, input_shape=[2])])
    model.build()
    assert found == {repr(model.get_weights()[0].tolist()) + "\n"}


def test_predictions_draw_nothing():
    tn.set_random_seed(1)
    model = tn.Sequential([tn.layers.Dropout(0.5, input_shape=[3]), tn.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.predict(X)
    state = model.generator.bit_generator.state
    for _ in range(3):
        model.predict(X)
        model.evaluate(X, Y)
    assert model.generator.bit_generator.state == state
