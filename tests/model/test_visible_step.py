"""The step in plain sight (forward, loss_and_gradient, backward, update) is train_on_batch, bit for bit."""

import numpy as np
import pytest

import tinynet as tn

RNG = np.random.default_rng(0)
X = RNG.normal(size=(9, 3))
TARGETS = {
    "mse": (RNG.normal(size=(9, 2)), 2, "linear"),
    "binary_crossentropy": (RNG.integers(0, 2, 9), 1, "sigmoid"),
    "sparse_categorical_crossentropy": (RNG.integers(0, 3, 9), 3, "softmax"),
    "poisson": (RNG.integers(0, 4, (9, 1)), 1, "softplus"),
}
OPTIMIZERS = {
    "sgd": lambda: tn.optimizers.SGD(0.1),
    "nesterov": lambda: tn.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "rmsprop": lambda: tn.optimizers.RMSprop(0.01, clipvalue=0.1),
    "adam": lambda: tn.optimizers.Adam(0.01, clipnorm=0.1),
    "adamw": lambda: tn.optimizers.AdamW(0.01, global_clipnorm=0.1),
}


def new(loss, optimizer, dtype="float32"):
    tn.set_random_seed(2)
    _, outputs, head = TARGETS[loss]
    layers = [
        tn.layers.Dense(4, "gelu", input_shape=[3], kernel_regularizer="l1_l2"), tn.layers.Dropout(0.4),
        tn.layers.LayerNormalization(), tn.layers.Dense(outputs, head),
    ]  # fmt: skip
    model = tn.Sequential(layers, dtype=dtype)
    model.compile(OPTIMIZERS[optimizer](), loss)
    return model


def step(model, y, weight=None):
    model.forward(X)
    loss, d = model.loss_and_gradient(y, weight)
    model.backward(d)
    model.update()
    return loss


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("loss", TARGETS)
def test_four_calls_are_one(loss, optimizer, dtype):
    y = TARGETS[loss][0]
    seen, hidden = new(loss, optimizer, dtype), new(loss, optimizer, dtype)
    for weight in (None, np.linspace(0.0, 2.0, 9), None):
        assert step(seen, y, weight) == hidden.train_on_batch(X, y, weight)
        for a, b in zip(seen.get_weights(), hidden.get_weights(), strict=True):
            assert (a == b).all()
    assert (seen.optimizer.slots == hidden.optimizer.slots).all()
    assert seen.network.step == hidden.network.step == 3


def test_what_is_seen_is_what_the_names_say():
    model = tn.Sequential([tn.layers.Dense(2, "tanh", input_shape=[3]), tn.layers.Dense(1)], dtype="float64")
    model.compile(tn.optimizers.SGD(0.1), "mse")
    t = RNG.normal(size=(9, 1))
    y = model.forward(X)
    loss, dy = model.loss_and_gradient(t)
    dx = model.backward(dy)
    W1, b1, W2, b2 = model.get_weights()
    batch, grads = model.batch(), model.gradients()
    np.testing.assert_allclose(batch["z1"], X @ W1 + b1, rtol=1e-12)
    np.testing.assert_allclose(batch["a1"], np.tanh(X @ W1 + b1), rtol=1e-12)
    np.testing.assert_allclose(y, batch["a1"] @ W2 + b2, rtol=1e-12)
    assert loss == pytest.approx(np.mean((y - t) ** 2), rel=1e-12)
    np.testing.assert_allclose(dy, 2.0 * (y - t) / 9, rtol=1e-12)
    np.testing.assert_allclose(grads["dense_1/W"], batch["a1"].T @ dy, rtol=1e-12)
    np.testing.assert_allclose(grads["dense_1/b"], dy.sum(axis=0), rtol=1e-12)
    dz1 = dy @ W2.T * (1.0 - batch["a1"] ** 2)
    np.testing.assert_allclose(batch["dz1"], dz1, rtol=1e-12)
    np.testing.assert_allclose(grads["dense/W"], X.T @ dz1, rtol=1e-12)
    np.testing.assert_allclose(dx, dz1 @ W1.T, rtol=1e-12)
    model.update()
    np.testing.assert_allclose(model.get_weights()[0], W1 - 0.1 * (X.T @ dz1), rtol=1e-12)
    np.testing.assert_allclose(model.get_weights()[3], b2 - 0.1 * dy.sum(axis=0), rtol=1e-12)


def test_steps_in_the_wrong_order_say_what_comes_first():
    model = new("mse", "sgd")
    calls = (lambda: model.loss_and_gradient(TARGETS["mse"][0]), lambda: model.backward(np.ones((9, 2))), model.update,
             model.batch)  # fmt: skip
    for call in calls:
        with pytest.raises(RuntimeError, match=r"there is no batch yet; call forward\(x\) first"):
            call()


def test_what_does_not_fit_the_batch_is_refused():
    model = new("mse", "sgd")
    model.forward(X)
    with pytest.raises(ValueError, match="y has shape"):
        model.loss_and_gradient(np.ones((8, 2)))
    with pytest.raises(ValueError, match="sample_weight has shape"):
        model.loss_and_gradient(TARGETS["mse"][0], np.ones(8))
    with pytest.raises(ValueError, match=r"d has shape \(8, 2\); expected is \(9, 2\)"):
        model.backward(np.ones((8, 2)))
    with pytest.raises(TypeError, match="d is of type"):
        model.backward("gradient")
