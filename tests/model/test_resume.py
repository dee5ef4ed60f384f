"""A training that was saved and loaded goes on exactly as one that was never interrupted: bit for bit."""

import numpy as np
import pytest

import tinynet as tn

OPTIMIZERS = {
    "sgd": lambda: tn.optimizers.SGD(0.05),
    "momentum": lambda: tn.optimizers.SGD(0.05, momentum=0.9),
    "nesterov": lambda: tn.optimizers.SGD(0.05, 0.9, nesterov=True, weight_decay=0.1),
    "rmsprop": lambda: tn.optimizers.RMSprop(0.01),
    "rmsprop with momentum": lambda: tn.optimizers.RMSprop(0.01, momentum=0.5),
    "adam": lambda: tn.optimizers.Adam(0.01, clipnorm=0.5),
    "adamw": lambda: tn.optimizers.AdamW(0.01, global_clipnorm=0.5),
    "amsgrad": lambda: tn.optimizers.Adam(0.01, amsgrad=True),
    "schedule": lambda: tn.optimizers.Adam(tn.schedules.CosineDecay(0.02, 40)),
}


def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(21, 3))
    return x, (x[:, 0] > 0).astype(int), rng.uniform(0.5, 1.5, 21)


def new_model(optimizer, dtype, **machine):
    tn.set_random_seed(11)
    model = tn.Sequential(
        [
            tn.layers.Dense(6, "gelu", input_shape=[3], kernel_regularizer=tn.regularizers.L1L2(1e-3, 1e-3)),
            tn.layers.Dropout(0.3),
            tn.layers.LayerNormalization(),
            tn.layers.Dense(1, "sigmoid"),
        ],
        dtype=dtype,
    )
    model.compile(OPTIMIZERS[optimizer](), "binary_crossentropy", ["accuracy"], **machine)
    return model


def fit(model, epochs):
    x, y, weight = data()
    held = (x[:5], y[:5])
    return model.fit(x, y, 4, epochs, verbose=0, sample_weight=weight, validation_data=held).history


def check_same(one, other):
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        assert (a == b).all()
    assert (one.optimizer.slots == other.optimizer.slots).all()
    assert one.network.step == other.network.step
    assert one.network.seed == other.network.seed
    assert one.generator.bit_generator.state == other.generator.bit_generator.state
    assert one.optimizer.config() == other.optimizer.config()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_saved_and_resumed_is_uninterrupted(optimizer, dtype, tmp_path):
    check_resumed(optimizer, dtype, tmp_path)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("optimizer", ["nesterov", "amsgrad", "schedule"])
def test_on_numba_too(optimizer, threads, tmp_path):
    for package in ("numba", "scipy", "threadpoolctl"):
        pytest.importorskip(package)
    resumed = check_resumed(optimizer, "float32", tmp_path, backend="numba", threads=threads)
    assert (resumed.backend, resumed.threads) == ("numba", threads)


def check_resumed(optimizer, dtype, tmp_path, **machine):
    """A fit that was saved and loaded twice ends where one does that never was; returns the loaded model."""
    whole, parts = new_model(optimizer, dtype, **machine), new_model(optimizer, dtype, **machine)
    expected = fit(whole, 6)
    found = fit(parts, 2)
    for epochs in (1, 3):  # interrupted twice
        parts.save(tmp_path / "m", training_state=True)
        tn.set_random_seed(99)  # whatever the new process does with chance
        parts = tn.load_model(tmp_path / "m")
        found = {
            name: values + new for (name, values), new in zip(found.items(), fit(parts, epochs).values(), strict=True)
        }
    assert found == expected
    check_same(whole, parts)
    x, *_ = data()
    assert (whole(x, training=True) == parts(x, training=True)).all()  # the same masks
    return parts


def test_saving_does_not_disturb_the_training(tmp_path):
    quiet, saved = new_model("adam", "float32"), new_model("adam", "float32")
    fit(quiet, 1)
    fit(quiet, 2)
    fit(saved, 1)
    saved.save(tmp_path / "m", training_state=True)
    fit(saved, 2)
    check_same(quiet, saved)


def test_without_the_training_state_only_the_weights_come_back(tmp_path):
    model = new_model("adam", "float32")
    fit(model, 2)
    model.save(tmp_path / "m")
    loaded = tn.load_model(tmp_path / "m")
    assert loaded.network.step == 0
    fit(loaded, 1)
    assert not (loaded.optimizer.slots == model.optimizer.slots).all()
