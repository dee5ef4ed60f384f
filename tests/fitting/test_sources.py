"""What fit takes: class weights, a split, batches from generators, a later first epoch; Keras 3's numbers."""

from collections.abc import Iterator

import numpy as np
import pytest

import tinynet as tn
from tinynet.batches import Batches, come_in_batches
from tinynet.schedules import ExponentialDecay

X = np.array([[1.0], [2.0], [3.0], [4.0]])
Y = np.array([0.0, 1.0, 0.0, 1.0])


def one_weight(value: float = 0.5, **compiled: object) -> tn.Sequential:
    model = tn.Sequential([tn.layers.Dense(1, use_bias=False, input_shape=[1])])
    model.set_weights([[[value]]])
    model.compile(**{"optimizer": tn.optimizers.SGD(ExponentialDecay(0.1, 1, 0.5)), "loss": "mse", **compiled})
    return model


def test_class_weights_and_split_give_keras_numbers() -> None:
    """The losses and weights that Keras 3.12 prints for the same two calls."""
    model = one_weight()
    found = model.fit(X, Y, batch_size=2, epochs=2, shuffle=False, class_weight={0: 2.0, 1: 0.5}, verbose=0)
    assert found.history["loss"] == pytest.approx([0.89000004529953, 0.2537185549736023], rel=1e-6)
    assert model.get_weights()[0][0, 0] == pytest.approx(0.02972498, rel=1e-6)
    found = model.fit(X, Y, batch_size=2, shuffle=False, validation_split=0.25, verbose=0)
    assert found.history["loss"] == pytest.approx([0.30028876662254333], rel=1e-6)
    assert found.history["val_loss"] == pytest.approx([0.7125170826911926], rel=1e-6)
    assert model.get_weights()[0][0, 0] == pytest.approx(0.03897317, rel=1e-6)


@pytest.mark.parametrize("targets", [Y, np.eye(2)[Y.astype(int)]])
def test_class_weights_are_sample_weights(targets: np.ndarray) -> None:
    units, loss = (1, "mse") if targets.ndim == 1 else (2, "categorical_crossentropy")
    models = []
    for weights in ({"class_weight": {1: 3.0}}, {"sample_weight": np.where(Y == 1, 3.0, 1.0)}):
        tn.set_random_seed(4)
        model = tn.Sequential([tn.layers.Dense(units, "softmax" if units > 1 else None, input_shape=[1])])
        model.compile("adam", loss)
        model.fit(X, targets, epochs=3, verbose=0, **weights)
        models.append(model.get_weights())
    for a, b in zip(*models, strict=True):
        np.testing.assert_array_equal(a, b)


def batches(weights: bool = False) -> Iterator[tuple]:
    for start in (0, 2):
        part = slice(start, start + 2)
        yield (X[part], Y[part], np.ones(2)) if weights else (X[part], Y[part])


class Again:
    """Batches that can be gone through anew."""

    def __iter__(self) -> Iterator[tuple]:
        return batches()


class ByNumber:
    """Batches by number, as Keras's PyDataset."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> tuple:
        return X[2 * index : 2 * index + 2], Y[2 * index : 2 * index + 2]


def endless() -> Iterator[tuple]:
    while True:
        yield from batches(weights=True)


@pytest.mark.parametrize(("source", "options"), [(Again(), {}), (ByNumber(), {}), (endless(), {"steps_per_epoch": 2})])
def test_batches_train_as_the_table_does(source: object, options: dict) -> None:
    table, stream = one_weight(metrics=["mae"]), one_weight(metrics=["mae"])
    expected = table.fit(X, Y, batch_size=2, epochs=3, shuffle=False, verbose=0).history
    found = stream.fit(source, epochs=3, verbose=0, validation_data=ByNumber(), **options).history
    np.testing.assert_array_equal(table.get_weights()[0], stream.get_weights()[0])
    assert found["loss"] == pytest.approx(expected["loss"], rel=1e-6)
    assert found["mae"] == pytest.approx(expected["mae"], rel=1e-6)
    assert found["val_loss"][-1] == pytest.approx(table.evaluate(X, Y)[0], rel=1e-6)
    assert stream.evaluate(ByNumber()) == pytest.approx(table.evaluate(X, Y), rel=1e-6)


def test_a_generator_that_ends_is_told_apart() -> None:
    with pytest.raises(ValueError, match="ended after 0 of an epoch, at least one"):
        one_weight().fit(batches(), epochs=2, verbose=0)
    with pytest.raises(ValueError, match="ended after 2 of an epoch, 3 were expected"):
        one_weight().fit(Again(), steps_per_epoch=3, verbose=0)
    with pytest.raises(ValueError, match=r"batch 1 is no \(x, y\)"):
        one_weight().fit(iter([X]), verbose=0)
    with pytest.raises(ValueError, match="bring their sample weights themselves"):
        one_weight().fit(Again(), validation_split=0.5, verbose=0)
    with pytest.raises(ValueError, match=r"batch 2: y has shape \(1,\)"):
        one_weight().fit(iter([(X, Y), (X, [1.0])]), verbose=0)


def test_tables_are_no_batches() -> None:
    assert not come_in_batches(X, None)
    assert not come_in_batches([[1.0], [2.0]], None)
    assert not come_in_batches(Again(), Y)
    assert come_in_batches(batches(), None)
    assert Batches(ByNumber(), None).steps == 2


def test_epochs_go_on_where_they_were_left() -> None:
    model = one_weight()
    history = model.fit(X, Y, epochs=5, initial_epoch=3, verbose=0)
    assert history.epoch == [3, 4]
    assert int(model.network.step[0]) == 2


def test_validation_every_few_epochs() -> None:
    history = one_weight().fit(X, Y, epochs=5, validation_data=(X, Y), validation_freq=2, verbose=0)
    assert len(history.history["val_loss"]) == 2
    assert len(history.history["loss"]) == 5


def test_weighted_metrics_are_weighted_and_plain_ones_are_not() -> None:
    model = one_weight(metrics=["mae"], weighted_metrics=["mse"])
    weights = np.array([1.0, 2.0, 0.0, 4.0])
    found = model.evaluate(X, Y, sample_weight=weights, return_dict=True)
    error = 0.5 * X[:, 0] - Y
    assert found["mae"] == pytest.approx(np.abs(error).mean())
    assert found["mse"] == pytest.approx((error**2 * weights).sum() / weights.sum())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"validation_split": 1.0}, "validation_split is a share between 0 and 1"),
        ({"validation_split": 0.9}, "leaves rows on both sides"),
        ({"class_weight": {0: -1.0}}, "class_weight has a weight that is not"),
        ({"validation_data": X}, r"validation_data is \(x, y\)"),
        ({"initial_epoch": -1}, "initial_epoch is a whole number of at least 0"),
    ],
)
def test_senseless_settings(options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        one_weight().fit(X, Y, verbose=0, **options)
