"""Keras's arguments and small calls: what they do, and one sentence where tinynet has not the thing."""

import numpy as np
import pytest

import tinynet as tn

X = np.random.default_rng(0).normal(size=(24, 3))
Y = X[:, :1] * X[:, 1:2]
YES = (Y[:, 0] > 0).astype(int)
C, L, M, O = tn.callbacks, tn.layers, tn.metrics, tn.optimizers  # noqa: E741


def model(optimizer="sgd", loss="mse", last=None, **compiled):
    tn.set_random_seed(3)
    made = tn.Sequential([L.Dense(5, "tanh", input_dim=3, name="first"), L.Dense(1, last)], dtype="float64")
    made.build()
    made.compile(optimizer, loss, **compiled)
    return made


@pytest.mark.parametrize("kind", [O.SGD, O.RMSprop, O.Adam, O.AdamW])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_weight_decay_is_learning_rate_times_decay_before_the_step(kind, backend):
    """One step with decay from W is one without it from (1 - learning_rate decay) W: the gradient is that of W."""
    if backend == "numba":
        pytest.importorskip("numba")
    plain = model(kind(0.1, weight_decay=0.0), backend=backend)
    decaying = model(kind(0.1, weight_decay=0.3), backend=backend)
    before = plain.get_weights()
    for made in (plain, decaying):
        made.fit(X, Y, batch_size=24, verbose=0)
    for w, without, with_decay in zip(before, plain.get_weights(), decaying.get_weights(), strict=True):
        np.testing.assert_allclose(without - with_decay, 0.1 * 0.3 * w, rtol=1e-12, atol=1e-15)


def test_weight_decay_follows_the_learning_rate_and_comes_back():
    made = model(O.SGD(0.5, weight_decay=0.2))
    made.optimizer.learning_rate = 0.0
    before = made.get_weights()
    made.train_on_batch(X, Y)
    assert all((a == b).all() for a, b in zip(before, made.get_weights(), strict=True))
    again = O.SGD.from_config(made.optimizer.get_config() | {"learning_rate": 0.5})
    assert (again.weight_decay, again.learning_rate, again.name) == (0.2, 0.5, "sgd")
    assert O.AdamW(weight_decay=0.0).config()["weight_decay"] == 0.0
    assert O.Adam().weight_decay is None
    assert O.AdamW().weight_decay == 0.004
    assert (made.optimizer.iterations, O.SGD().iterations) == (1, 0)


REFUSED = [
    (lambda: O.Adam(amsgrad="yes"), "amsgrad is True or False; given was 'yes'"),
    (lambda: O.Adam(name=3), "an optimizer's name is a word, not int"),
    (lambda: O.Adam(gradient_accumulation_steps=4), "gradient_accumulation_steps=4 is not supported"),
    (lambda: tn.losses.MeanSquaredError(reduction="sum"), "reduction='sum' is not supported by tinynet"),
    (lambda: tn.losses.BinaryCrossentropy(label_smoothing=0.1), "label_smoothing=0.1 is not supported"),
    (lambda: tn.losses.Huber(detla=1), "there is no setting of Huber named 'detla': did you mean 'delta'"),
    (lambda: tn.losses.BinaryCrossentropy(from_logits="a"), "from_logits is True or False"),
    (lambda: L.Dense(3, kernel_constraint="max_norm"), "kernel_constraint is not supported by tinynet"),
    (lambda: L.Dense(3, activation_="relu"), "there is no setting of Dense named 'activation_': did you mean"),
    (lambda: setattr(L.Dense(3), "trainable", False), "layers cannot be frozen in tinynet"),
    (lambda: L.Dense(3, trainable=False), "trainable is not supported by tinynet"),
    (lambda: L.Dropout(0.5, seed=-1), "seed is a whole number of at least 0"),
    (lambda: tn.initializers.HeNormal(seed="a"), "seed is a whole number"),
    (lambda: M.Precision(thresholds=[0.1, 0.9]), "thresholds is a number"),
    (lambda: C.LambdaCallback(on_epoch=print), "there is no moment of a callback named 'on_epoch': did you mean"),
    (lambda: C.ModelCheckpoint("a", save_freq=100), "save_freq is 'epoch', a save after each one; given was 100"),
    (lambda: C.LearningRateScheduler(0.1), r"schedule is a function of \(epoch, learning_rate\), not float"),
    (lambda: model(loss_weights=[1.0]), "loss_weights is for models of several outputs"),
    (lambda: model(metric=["mae"]), "there is no setting of compile named 'metric': did you mean 'metrics'"),
    (lambda: model().fit(X, Y, shuffle="batch"), "shuffle is True or False; given was 'batch'"),
    (lambda: model().fit(X, Y, steps_per_epoch=3), "this table has 1 batches an epoch"),
    (lambda: model().fit(X, Y, validation_steps=3), "validation_steps is for validation_data that comes in batches"),
    (lambda: model().fit(X, Y, validation_data=(X, Y), validation_steps=3), "validation_steps is for validation_data"),
    (lambda: model().evaluate(X, Y, steps=1), "steps is for batches that are given"),
    (lambda: model().predict(iter([X]), out=np.empty((24, 1))), "out is for x as one table"),
    (lambda: model().get_layer("frist"), "there is no layer named 'frist': did you mean 'first'"),
    (lambda: model().get_layer(index=2), "the model has layers 0 to 1; there is no layer 2"),
    (lambda: model().get_layer(), "get_layer takes a name, or index="),
    (lambda: tn.Sequential.from_config({"layers": []}), "config is the dictionary that get_config gives"),
    (
        lambda: tn.utils.to_categorical([0, 3], 3),
        "from 0 to 2; 1 of 2 are something else, the first at 1",
    ),
    (lambda: tn.utils.to_categorical([0.5]), "something else"),
    (lambda: tn.utils.to_categorical([]), "x is empty"),
    (lambda: tn.utils.to_categorical([1e12]), "too large"),
]


@pytest.mark.parametrize(("call", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_what_there_is_not_is_said_in_one_sentence(call, words):
    with pytest.raises((ValueError, TypeError), match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_name_that_tinynet_has_not():
    with pytest.raises(AttributeError, match="no thing in tinynet named 'Sequental': did you mean 'Sequential'"):
        tn.Sequental  # noqa: B018
    with pytest.raises(NotImplementedError, match="has no __len__ yet"):
        len(tn.utils.PyDataset())
    with pytest.raises(NotImplementedError, match="has no __getitem__ yet"):
        tn.utils.PyDataset()[0]
    assert tn.utils.clear_session() is None


def test_names_and_numbers_of_metrics():
    made = model("sgd", "binary_crossentropy", "sigmoid", metrics=["mae", "MeanSquaredError"], weighted_metrics=["mae"])
    assert made.metrics_names == ["loss", "mae", "MeanSquaredError", "weighted_mae"]
    assert len(made.evaluate(X, YES)) == 4
    made.reset_metrics()
    made.compile("sgd", "binary_crossentropy", metrics=[M.BinaryCrossentropy(), M.AUC(num_thresholds=5)])
    found = made.evaluate(X, YES, return_dict=True)
    assert found["binary_crossentropy"] == pytest.approx(found["loss"], rel=1e-9)
    made = tn.Sequential([L.Dense(2, "softmax")])
    made.compile("sgd", "sparse_categorical_crossentropy", metrics=[M.SparseCategoricalCrossentropy()])
    loss, metric = made.evaluate(X, YES)
    assert metric == pytest.approx(loss, rel=1e-6)
    made.compile("sgd", "categorical_crossentropy", metrics=[M.CategoricalCrossentropy()])
    assert made.evaluate(X, tn.utils.to_categorical(YES)) == pytest.approx([loss, loss], rel=1e-6)


def test_seeds_draw_the_same_again():
    """Whatever the generators of the models; without a seed they differ."""
    for seed, same in ((7, True), (None, False)):
        initializer = tn.initializers.TruncatedNormal(mean=1.0, stddev=0.5, seed=seed)
        first, second = (tn.Sequential([L.Dense(50, kernel_initializer=initializer)]) for _ in range(2))
        weights = [made(X) is not None and made.get_weights()[0] for made in (first, second)]
        assert (weights[0] == weights[1]).all() == same
        assert np.abs(weights[0] - 1.0).max() <= 2 * 0.5 / 0.87
        tables = [tn.Sequential([L.Dropout(0.5, seed=seed)]) for _ in range(2)]
        masks = [made(np.ones((50, 3)), training=True) for made in tables]
        assert (masks[0] == masks[1]).all() == same
    assert L.Dropout(0.5, seed=7).config() == {"rate": 0.5, "seed": 7}
    assert tn.initializers.HeNormal(seed=7).config() == {"seed": 7}


def test_a_layer_shows_what_it_learns():
    made = model()
    first = made.get_layer("first")
    assert first.kernel is made.weights[0]
    assert first.bias is first.weights[1]
    assert (first.count_params(), first.trainable) == (20, True)
    first.trainable = True
    assert L.Dense(1, use_bias=False).bias is None
    assert (made.input_shape, made.output_shape) == ((None, 3), (None, 1))
    first.kernel[...] = 0.0
    assert (made.predict(X) == made.predict(-X)).all()


def test_saving_over_a_file_and_taking_its_weights(tmp_path):
    made, other = model("adam"), model()
    made.fit(X, Y, verbose=0)
    made.save(tmp_path / "m", training_state=True)
    with pytest.raises(FileExistsError, match="is there already, and overwrite=False"):
        made.save_weights(tmp_path / "m", overwrite=False)
    other.load_weights(tmp_path / "m")
    assert (other.predict(X) == made.predict(X)).all()
    assert tn.load_model(tmp_path / "m", compile=False).optimizer is None
    with pytest.raises(ValueError, match="this model has parameters of shapes"):
        tn.Sequential([L.Dense(1, input_shape=[3])]).load_weights(tmp_path / "m")


def test_nan_ends_a_fit_that_was_told_so():
    wild = model(O.SGD(1e200))
    ended = []
    callbacks = [C.TerminateOnNaN(), C.LambdaCallback(on_train_end=lambda logs: ended.append(True))]
    wild.fit(X, Y, epochs=50, callbacks=callbacks, verbose=0)
    assert ended == [True]
    assert wild.stop_training
    assert all(np.isfinite(w).all() for w in wild.get_weights())
    with pytest.raises(tn.NonFiniteError):
        model(O.SGD(1e200)).fit(X, Y, epochs=50, verbose=0)


def test_early_stopping_waits_for_the_baseline():
    """The first epoch of a fit that stands still is its best; worse than the baseline, it counts as waiting."""
    for baseline, epochs in ((None, 3), (0.0, 2), (1e9, 3)):
        made = model()
        made.optimizer.learning_rate = 0.0
        stop = C.EarlyStopping("loss", patience=2, baseline=baseline)
        assert len(made.fit(X, Y, epochs=6, shuffle=False, callbacks=[stop], verbose=0).epoch) == epochs


def test_a_checkpoint_better_than_the_threshold_alone_is_saved(tmp_path):
    for threshold, there in ((0.0, False), (1e9, True)):
        saved = C.ModelCheckpoint(
            tmp_path / "m", "loss", save_best_only=True, save_weights_only=True, initial_value_threshold=threshold
        )
        model().fit(X, Y, callbacks=[saved], verbose=0)
        assert (tmp_path / "m").exists() == there
    assert tn.load(tmp_path / "m").network.step == 0  # weights alone


def test_a_data_set_is_told_of_the_end_of_each_epoch(capsys):
    class Numbered(tn.utils.PyDataset):
        ended = 0

        def __len__(self):
            return 3

        def __getitem__(self, index):
            return X[8 * index : 8 * index + 8], Y[8 * index : 8 * index + 8]

        def on_epoch_end(self):
            self.ended += 1

    rows, batches = Numbered(workers=2), []
    told = C.LambdaCallback(on_train_batch_begin=lambda batch, logs: batches.append(batch))
    scheduler = C.LearningRateScheduler(lambda epoch: 0.25, verbose=1)
    model().fit(rows, epochs=2, callbacks=[told, scheduler], verbose=0)
    assert (rows.ended, batches) == (2, [0, 1, 2, 0, 1, 2])
    assert capsys.readouterr().out == "epoch 1: learning rate 0.25\nepoch 2: learning rate 0.25\n"
    assert model().predict(rows, steps=2).shape == (16, 1)


def test_evaluate_tells_its_callbacks():
    found = []
    told = C.LambdaCallback(on_test_begin=lambda logs: found.append(logs), on_test_end=lambda logs: found.append(logs))
    loss = model().evaluate(X, Y, callbacks=told)
    assert found == [{}, {"loss": loss}]
