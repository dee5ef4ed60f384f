"""What fit, evaluate and their kin promise: the arguments do what they say, and nothing else happens."""

import numpy as np
import pytest

import tinynet as tn

RNG = np.random.default_rng(0)
X = RNG.normal(size=(23, 3))
Y = X @ np.array([1.0, -2.0, 0.5]) + 0.1 * RNG.normal(size=23)


def new(metrics=None, optimizer=None, dropout=0.0, seed=5):
    tn.set_random_seed(seed)
    layers = [tn.layers.Dense(4, "tanh", input_shape=[3]), tn.layers.Dropout(dropout), tn.layers.Dense(1)]
    model = tn.Sequential(layers, dtype="float64")
    model.compile(optimizer or tn.optimizers.SGD(0.05), "mse", metrics)
    return model


def same(one, other):
    return all((a == b).all() for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


def test_history_has_a_number_for_each_epoch():
    model = new(["mae"])
    history = model.fit(X, Y, epochs=4, validation_data=(X[:5], Y[:5]), verbose=0)
    assert set(history.history) == {"loss", "mae", "val_loss", "val_mae"}
    assert all(len(values) == 4 for values in history.history.values())
    assert all(isinstance(value, float) for values in history.history.values() for value in values)
    assert history.epoch == [0, 1, 2, 3]
    assert model.history is history
    assert history.history["loss"][-1] < history.history["loss"][0]


def test_the_last_validation_is_what_evaluate_says():
    model = new(["mae", "r2_score"])
    weight = RNG.uniform(0.1, 2.0, 5)
    for held in ((X[:5], Y[:5]), (X[:5], Y[:5], weight), [X[:5], Y[:5]]):
        history = model.fit(X, Y, epochs=2, validation_data=held, verbose=0).history
        found = model.evaluate(*held[:2], sample_weight=held[2] if len(held) == 3 else None, return_dict=True)
        assert {f"val_{name}": value for name, value in found.items()} == {
            name: values[-1] for name, values in history.items() if name.startswith("val_")
        }
    assert model.evaluate(X, Y) == list(model.evaluate(X, Y, return_dict=True).values())
    assert isinstance(new().evaluate(X, Y), float)


def test_metrics_of_one_name_are_kept_apart_as_in_keras():
    model = new()
    model.compile("sgd", "mse", ["mae", "mse", "mae"], ["mae", "mae"])
    weight = np.linspace(0.0, 1.0, 23)
    history = model.fit(X, Y, sample_weight=weight, validation_data=(X, Y), verbose=0).history
    names = ["loss", "mae", "mse", "mae_1", "weighted_mae", "weighted_mae_1"]
    assert list(history) == names + [f"val_{name}" for name in names]
    assert history["mae"] == history["mae_1"] != history["weighted_mae"] == history["weighted_mae_1"]

    def loss(y_true, y_pred):
        return 7.0

    model.compile("sgd", "mse", [loss])
    assert model.evaluate(X, Y, return_dict=True)["loss_1"] == 7.0


def test_validation_is_not_trained_on_and_draws_nothing():
    with_it, without = new(dropout=0.3), new(dropout=0.3)
    with_it.fit(X, Y, epochs=3, validation_data=(X[:7], -Y[:7]), verbose=0)
    without.fit(X, Y, epochs=3, verbose=0)
    assert same(with_it, without)


def test_without_shuffling_epochs_are_the_rows_in_order():
    fitted, by_hand = new(), new()
    fitted.fit(X, Y, batch_size=5, epochs=2, shuffle=False, verbose=0)
    for _ in range(2):
        for start in range(0, 23, 5):
            by_hand.train_on_batch(X[start : start + 5], Y[start : start + 5])
    assert same(fitted, by_hand)


def test_shuffling_is_of_the_models_own_generator():
    one, two, ordered = new(), new(), new()
    for model in (one, two):
        model.fit(X, Y, batch_size=5, epochs=2, verbose=0)
    ordered.fit(X, Y, batch_size=5, epochs=2, shuffle=False, verbose=0)
    assert same(one, two)
    assert not same(one, ordered)


def test_weights_of_samples_multiply_their_losses():
    """Weight 2 for a row is the row twice, where sums are compared; weight 0 is as if it were not trained on."""
    once, twice = new(), new()
    weight = np.ones(23)
    weight[3] = 2.0
    doubled = np.append(X, X[3:4], axis=0), np.append(Y, Y[3])
    assert 23 * once.evaluate(X, Y, sample_weight=weight) == pytest.approx(24 * twice.evaluate(*doubled), rel=1e-14)
    ignoring, other = new(), new()
    wild = Y.copy()
    wild[3], weight[3] = 1e3, 0.0
    ignoring.fit(X, wild, sample_weight=weight, shuffle=False, verbose=0)
    other.fit(X, Y, sample_weight=weight, shuffle=False, verbose=0)
    assert same(ignoring, other)


def test_no_weights_are_weights_of_one():
    for weight in (np.ones(23), np.ones((23, 1)), [1] * 23):
        given, none = new(), new()
        given.fit(X, Y, sample_weight=weight, verbose=0)
        none.fit(X, Y, verbose=0)
        assert same(given, none)


@pytest.mark.parametrize("kind", ["lists", "integers", "float32", "fortran", "strided", "booleans", "read only"])
def test_tables_of_every_kind(kind):
    rng = np.random.default_rng(1)
    whole = rng.integers(0, 2, size=(20, 3))
    kinds = {
        "lists": whole.tolist(), "integers": whole.astype(np.int16), "float32": whole.astype(np.float32),
        "fortran": np.asfortranarray(whole, dtype=float), "strided": np.repeat(whole, 2, axis=0)[::2].astype(float),
        "booleans": whole.astype(bool), "read only": np.broadcast_to(whole.astype(float), (20, 3)),
    }  # fmt: skip
    given, plain = new(), new()
    before = np.array(kinds[kind], dtype=float)
    given.fit(kinds[kind], before[:, 0], verbose=0)
    plain.fit(whole.astype(float), before[:, 0], verbose=0)
    assert same(given, plain)
    assert (np.array(kinds[kind], dtype=float) == before).all()


def test_targets_of_one_column_and_of_none_are_the_same():
    one, none = new(), new()
    one.fit(X, Y.reshape(-1, 1), verbose=0)
    none.fit(X, Y, verbose=0)
    assert same(one, none)


def test_one_batch_larger_than_the_data():
    large, exact = new(), new()
    large.fit(X, Y, batch_size=10**6, shuffle=False, verbose=0)
    exact.fit(X, Y, batch_size=23, shuffle=False, verbose=0)
    assert same(large, exact)


def test_prediction_leaves_dropout_out_and_training_true_puts_it_in():
    model = new(dropout=0.5)
    assert (model(X) == model.predict(X)).all()
    assert (model.predict_on_batch(X) == model.predict(X)).all()
    assert (model(X, training=True) != model.predict(X)).any()


def test_train_on_batch_returns_the_loss_before_the_step():
    model = new()
    before = model.evaluate(X, Y)
    assert model.train_on_batch(X, Y) == pytest.approx(before, rel=1e-14)
    assert model.evaluate(X, Y) < before


def test_a_second_compile_starts_the_optimizer_anew_and_keeps_the_weights():
    model = new(optimizer="adam")
    model.fit(X, Y, verbose=0)
    weights = model.get_weights()
    model.compile("adam", "mae")
    assert all((a == b).all() for a, b in zip(model.get_weights(), weights, strict=True))
    model.fit(X, Y, verbose=0)


def test_fit_goes_on_from_where_it_was():
    once, parts = new(optimizer="adam", dropout=0.2), new(optimizer="adam", dropout=0.2)
    once.fit(X, Y, epochs=4, verbose=0)
    for _ in range(2):
        parts.fit(X, Y, epochs=2, verbose=0)
    assert same(once, parts)


def test_stop_training_ends_after_the_epoch():
    class Stop(tn.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = True

    model = new()
    assert model.fit(X, Y, epochs=9, verbose=0, callbacks=[Stop()]).epoch == [0]
    assert model.fit(X, Y, epochs=2, verbose=0).epoch == [0, 1]  # the next fit begins anew
