"""How a model comes to its shapes: given first, given with the first layer, or learned from the data."""

import numpy as np
import pytest

import tinynet as tn

X, Y = np.ones((5, 3)), np.zeros(5)


def layers(**first):
    return [tn.layers.Dense(4, "relu", **first), tn.layers.Dense(1)]


@pytest.mark.parametrize(
    "made",
    [
        lambda: tn.Sequential(layers(input_shape=[3])),
        lambda: tn.Sequential(layers(input_shape=(3,))),
        lambda: tn.Sequential(layers(input_shape=3)),
        lambda: tn.Sequential([tn.Input(shape=(3,)), *layers()]),
        lambda: tn.Sequential([tn.layers.Input((3,)), *layers()]),
        lambda: tn.Sequential((tn.Input(3), *layers())),
    ],
)
def test_the_shape_may_stand_before_the_data(made):
    model = made()
    assert not model.built
    model.summary(print_fn=lambda text: None)
    assert model.built
    assert [w.shape for w in model.get_weights()] == [(3, 4), (4,), (4, 1), (1,)]
    assert model.count_params() == 3 * 4 + 4 + 4 + 1


@pytest.mark.parametrize("shape", [3, (3,), [3], (None, 3), [None, 3], np.int64(3)])
def test_build_takes_what_keras_takes(shape):
    model = tn.Sequential(layers())
    model.build(shape)
    assert model.predict(X).shape == (5, 1)


@pytest.mark.parametrize(
    "meet",
    [
        lambda model: model.fit(X, Y, verbose=0),
        lambda model: model.predict(X),
        lambda model: model(X),
        lambda model: model.evaluate(X, Y),
        lambda model: model.train_on_batch(X, Y),
        lambda model: model.predict_on_batch(X),
        lambda model: model.forward(X),
    ],
)
def test_the_shape_is_learned_from_the_data(meet):
    model = tn.Sequential(layers())
    model.compile("sgd", "mse")
    meet(model)
    assert [w.shape for w in model.get_weights()] == [(3, 4), (4,), (4, 1), (1,)]


def test_layers_are_added_until_the_model_is_built():
    model = tn.Sequential()
    model.add(tn.Input(shape=(3,)))
    model.add(tn.layers.Dense(4, activation="relu"))
    model.add(tn.layers.Dense(1))
    assert [layer.name for layer in model.layers] == ["dense", "dense_1"]
    model.build()
    with pytest.raises(RuntimeError, match="the model is built, and layers cannot be added any more"):
        model.add(tn.layers.Dense(1))


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: tn.Sequential().build(3), "the model has no layers; add at least one"),
        (lambda: tn.Sequential().predict(X), "the model has no layers; add at least one"),
        (lambda: tn.Sequential(layers()).build(), "the number of columns of x is not known yet"),
        (lambda: tn.Sequential(layers()).get_weights(), "the number of columns of x is not known yet"),
        (lambda: tn.Sequential(layers()).build("a"), "input_shape is the number of columns"),
        (lambda: tn.Sequential([*layers(), tn.Input(3)]), "Input comes first in a model"),
        (lambda: tn.Sequential([tn.layers.Dense(1), tn.layers.Embedding(0, 2, 1)]).build(3), "it is the first layer"),
        (
            lambda: tn.Sequential([tn.layers.Embedding(5, 2, 1)]).build(3),
            "chooses column 5, but x has only columns 0 to 2",
        ),
        (lambda: tn.Sequential([layer := tn.layers.Dense(1), layer]), "the same Dense object is in the model already"),
    ],
)
def test_shapes_that_are_not_known_or_do_not_fit(made, words):
    with pytest.raises(ValueError, match=words):
        made()


def test_data_that_does_not_fit_builds_nothing():
    """x and y exchanged, say: the next call with the right data must work."""
    model = tn.Sequential(layers())
    model.compile("sgd", "mse")
    for wrong in (lambda: model.fit(Y[:, None], X), lambda: model.fit(X, Y[:4]), lambda: model.evaluate(X, X)):
        with pytest.raises(ValueError, match="y has shape"):
            wrong()
        assert not model.built
    model.fit(X, Y, verbose=0)


def test_a_failed_compile_chooses_nothing():
    model = tn.Sequential(layers(input_shape=3))
    model.compile("adam", "mse", ["mae"])
    optimizer, loss = model.optimizer, model.loss
    for wrong in ({"optimizer": "sgd", "loss": "nothing"}, {"optimizer": "sgd", "loss": "mae", "metrics": ["nothing"]}):
        with pytest.raises(ValueError, match="there is no"):
            model.compile(**wrong)
        assert (model.optimizer, model.loss) == (optimizer, loss)
        assert [metric.name for metric in model.metrics] == ["mae"]


def test_summary_names_layers_shapes_and_counts(capsys):
    model = tn.Sequential([*layers(input_shape=3), tn.layers.Dropout(0.5)], name="small")
    model.summary()
    text = capsys.readouterr().out
    lines = [line.split() for line in text.splitlines()]
    assert ["dense", "(Dense)", "(None,", "4)", "16"] in lines
    assert ["dense_1", "(Dense)", "(None,", "1)", "5"] in lines
    assert ["dropout", "(Dropout)", "(None,", "1)", "0"] in lines
    assert "21 parameters, 84 bytes" in text
    assert '"small", float32' in text


def test_weights_are_copies_and_are_set_whole_or_not_at_all():
    model = tn.Sequential(layers(input_shape=3))
    before = model.get_weights()
    before[0][...] = 7.0
    assert not (model.get_weights()[0] == 7.0).any()
    start = model.get_weights()
    model.set_weights([w + 1.0 for w in start])
    assert all((w == s + np.float32(1.0)).all() for w, s in zip(model.get_weights(), start, strict=True))
    kept = model.get_weights()
    for wrong, words in (
        (start[:3], "this model has parameters of shapes"),
        ([start[0].T, *start[1:]], "this model has parameters of shapes"),
        ([*start[:3], np.array([np.nan])], "weight 3 has NaN"),
        ([*start[:3], np.array([1e300])], "too large for float32"),
        ([*start[:3], ["a"]], "weight 3 is of type"),
        (7, "weights are a list of arrays"),
    ):
        with pytest.raises((TypeError, ValueError), match=words):
            model.set_weights(wrong)
        assert all((w == k).all() for w, k in zip(model.get_weights(), kept, strict=True))
