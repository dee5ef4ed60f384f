"""A script with Keras habits runs with only the import changed."""

from pathlib import Path

import numpy as np
import pytest

import tinynet as keras
from tinynet import layers
from tinynet.callbacks import EarlyStopping, ModelCheckpoint
from tinynet.models import Sequential, load_model


def test_script(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(500, 8)).astype("float32")
    y = (x[:, 0] + x[:, 1] ** 2 > 0.5).astype(int)
    keras.set_random_seed(1)
    model = Sequential(
        [
            keras.Input(shape=(8,)),
            layers.Dense(16, activation="relu", kernel_initializer="he_normal",
                         kernel_regularizer=keras.regularizers.l2(1e-3)),
            layers.Dropout(0.2),
            layers.LayerNormalization(),
            layers.Dense(1, activation="sigmoid"),
        ],
        name="risk",
    )  # fmt: skip
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=keras.optimizers.schedules.CosineDecay(1e-2, 500)),
        loss="binary_crossentropy",
        metrics=["accuracy", keras.metrics.AUC(name="auc"), keras.metrics.AUC(curve="PR", name="pr")],
        weighted_metrics=[keras.metrics.Precision(), keras.metrics.Recall(threshold=0.3)],
    )
    best = tmp_path / "best.safetensors"
    history = model.fit(
        x, y, validation_split=0.2, epochs=20, batch_size=32, verbose=0, class_weight={0: 1.0, 1: 2.0},
        callbacks=[EarlyStopping(patience=5, restore_best_weights=True), ModelCheckpoint(best, save_best_only=True)],
    )  # fmt: skip
    names = ["loss", "accuracy", "auc", "pr", "precision", "recall"]
    assert list(history.history) == [*names, *(f"val_{name}" for name in names)]
    assert history.history["val_auc"][-1] > 0.9
    assert [layer.name for layer in model.layers] == ["dense", "dropout", "layer_normalization", "dense_1"]
    again = load_model(best)
    assert keras.load_model is load_model
    assert type(keras.load(best)) is type(again) is Sequential
    np.testing.assert_array_equal(keras.load(best.read_bytes()).predict(x), again.predict(x))
    assert again.evaluate(x, y, verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-6)
    assert [(m.name, m.options) for m in again.weighted_metrics] == [
        ("precision", {"threshold": 0.5}), ("recall", {"threshold": 0.3}),
    ]  # fmt: skip
    assert again.optimizer.schedule(250) == model.optimizer.schedule(250)


def test_a_layer_has_its_weights() -> None:
    model = keras.Sequential([layers.Dense(3, input_shape=[2]), layers.Dense(1)])
    assert model.layers[0].get_weights() == []
    model.build()
    kernel, bias = model.layers[0].get_weights()
    assert kernel.shape == (2, 3)
    model.layers[0].set_weights([kernel + 1, bias + 2])
    np.testing.assert_array_equal(model.get_weights()[0], kernel + 1)
    np.testing.assert_array_equal(model.get_weights()[1], bias + 2)
    with pytest.raises(ValueError, match=r"layer dense has parameters of shapes \[\(2, 3\), \(3,\)\]; given were"):
        model.layers[0].set_weights([kernel])


def test_metric_classes_are_the_named_metrics() -> None:
    generator = np.random.default_rng(0)
    t, y, w = generator.integers(0, 2, (50, 1)), generator.random((50, 1)), generator.random(50)
    one_hot, scores = np.eye(3)[generator.integers(0, 3, 50)], generator.random((50, 3))
    pairs = [
        (keras.metrics.BinaryAccuracy(), "binary_accuracy"), (keras.metrics.AUC(), "auc"),
        (keras.metrics.AUC(curve="PR"), "pr_auc"), (keras.metrics.Precision(), "precision"),
        (keras.metrics.Recall(), "recall"), (keras.metrics.MeanAbsoluteError(), "mae"),
        (keras.metrics.MeanSquaredError(), "mse"), (keras.metrics.RootMeanSquaredError(), "rmse"),
        (keras.metrics.R2Score(), "r2_score"),
    ]  # fmt: skip
    for metric, name in pairs:
        assert metric(t, y, w) == keras.metrics.get(name)(t, y, w), name
        assert keras.metrics.get(metric.saved())(t, y, w) == metric(t, y, w), name
    assert keras.metrics.CategoricalAccuracy()(one_hot, scores, w) == keras.metrics.get("accuracy")(one_hot, scores, w)
    classes = one_hot.argmax(axis=1)[:, None]
    assert keras.metrics.SparseCategoricalAccuracy()(classes, scores, w) == keras.metrics.get("acc")(classes, scores, w)


def test_thresholds() -> None:
    t, y, w = np.array([[1.0], [0.0], [1.0]]), np.array([[0.4], [0.35], [0.9]]), np.ones(3)
    assert keras.metrics.Recall(threshold=0.3)(t, y, w) == 1.0
    assert keras.metrics.Precision(threshold=0.3)(t, y, w) == pytest.approx(2 / 3)
    assert keras.metrics.BinaryAccuracy(threshold=0.38)(t, y, w) == 1.0
    with pytest.raises(ValueError, match="curve is 'ROC' or 'PR'"):
        keras.metrics.AUC(curve="DET")
    with pytest.raises(ValueError, match="no metric named 'Auc': did you mean 'AUC'"):
        keras.metrics.get({"class": "Auc"})


def test_train_on_batch_returns_metrics_too() -> None:
    model = keras.Sequential([layers.Dense(3, "softmax", input_shape=[2])])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    loss, accuracy = model.train_on_batch(np.ones((4, 2)), [0, 1, 2, 0])
    assert loss > 0
    assert 0 <= accuracy <= 1


def fourth(p, *, strength=0.1):
    return strength * p**2 * p**2


@keras.derivative_of(fourth)
def fourth_derivative(p, *, strength=0.1):
    return 4.0 * strength * p**3


def test_a_penalty_of_ones_own_comes_back_from_a_file(tmp_path: Path) -> None:
    penalty = keras.Formula(fourth, strength=0.5)
    model = keras.Sequential([layers.Dense(2, kernel_regularizer=penalty, input_shape=[2])])
    model.compile("sgd", "mse")
    model.save(tmp_path / "model")
    again = load_model(tmp_path / "model", custom_objects={"fourth": fourth})
    assert again.layers[0].kernel_regularizer == penalty
    with pytest.raises(keras.ModelFileError, match="no regularizer named 'fourth'"):
        load_model(tmp_path / "model")


def test_an_update_along_nothing_finite_is_told() -> None:
    model = keras.Sequential([layers.Dense(1, input_shape=[2])])
    model.compile("sgd", "mse")
    before = model.get_weights()
    model.forward(np.full((2, 2), 3e38))
    model.backward(model.loss_and_gradient([0, 0])[1])
    with pytest.raises(keras.NonFiniteError, match="the weights are those before this step"):
        model.update()
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_more_codes_than_float32_can_tell_apart() -> None:
    model = keras.Sequential([layers.Embedding(0, 2**24 + 1, 1, "zeros", input_shape=[1])])
    with pytest.raises(ValueError, match="cannot be told apart in float32"):
        model.predict([[1.0]])
