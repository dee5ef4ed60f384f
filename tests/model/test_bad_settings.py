"""A setting that cannot be is refused where it is given, in one sentence that says what is expected."""

import traceback
from pathlib import Path

import numpy as np
import pytest

import tinynet as tn

L, O, I = tn.layers, tn.optimizers, tn.initializers  # noqa: E741
SECRET = np.full((50, 3), 123456.789)  # data where a setting belongs: its numbers must not be shown

WRONG = [
    (lambda: L.Dense("8"), "units is a whole number of at least 1; given was '8'"),
    (lambda: L.Dense(0), "units is a whole number of at least 1; given was 0"),
    (lambda: L.Dense(2.5), "units is a whole number of at least 1; given was 2.5"),
    (lambda: L.Dense(float("inf")), "units is a whole number of at least 1; given was inf"),
    (lambda: L.Dense(True), "units is a whole number of at least 1; given was True"),
    (lambda: L.Dense(None), "units is a whole number of at least 1; given was None"),
    (lambda: L.Dense(SECRET), "units is a whole number of at least 1; given was of type ndarray"),
    (lambda: L.Dense(1, input_shape="ab"), r"input_shape is the number of columns, as in \[30\]; given was 'ab'"),
    (lambda: L.Dense(1, input_shape=2.5), "input_shape is the number of columns"),
    (lambda: L.Dense(1, input_shape=[None]), r"input_shape is the number of columns, .* given was \[None\]"),
    (lambda: L.Dense(1, input_shape=(2, 3)), r"input_shape is the number of columns, .* given was \(2, 3\)"),
    (lambda: L.Dense(1, input_shape=SECRET), "input_shape is the number of columns, .* given was of type ndarray"),
    (lambda: tn.Input(shape=(None,)), "input_shape is the number of columns"),
    (lambda: L.Dropout(1.0), "rate is at least 0 and below 1; given was 1.0"),
    (lambda: L.Dropout("half"), "rate is at least 0 and below 1; given was 'half'"),
    (lambda: L.Dropout(float("nan")), "rate is at least 0 and below 1; given was nan"),
    (lambda: L.LayerNormalization(-1), "epsilon is at least 0; given was -1"),
    (lambda: L.LayerNormalization("small"), "epsilon is at least 0; given was 'small'"),
    (lambda: L.Embedding("a", 2, 3), "columns are different numbers, counted from 0; given was 'a'"),
    (lambda: L.Embedding(None, 2, 3), "columns are different numbers"),
    (lambda: L.Embedding([0, 0], 2, 3), r"columns are different numbers, .* given was \[0, 0\]"),
    (lambda: L.Embedding(0, 2.5, 3), "input_dim is a whole number of at least 1; given was 2.5"),
    (lambda: L.Embedding(0, None, 3), "input_dim is a whole number of at least 1; given was None"),
    (lambda: L.Embedding(0, 2, SECRET), "output_dim has one number for each of the 1 chosen columns; given were 50"),
    (lambda: O.Adam(0.0), "learning_rate is above 0"),
    (lambda: O.Adam(float("nan")), "learning_rate is above 0; given was nan"),
    (lambda: O.Adam("fast"), "learning_rate is above 0; given was 'fast'"),
    (lambda: O.Adam(10**400), "learning_rate is above 0; given was 1000"),
    (lambda: O.Adam(beta_1=1.0), "beta_1 is at least 0 and below 1; given was 1.0"),
    (lambda: O.Adam(epsilon=-1e-7), "epsilon is at least 0; given was -1e-07"),
    (lambda: O.AdamW(weight_decay="a"), "weight_decay is at least 0; given was 'a'"),
    (lambda: O.Adam(clipnorm=0), "clipnorm is above 0; given was 0"),
    (lambda: O.Adam(clipvalue="a"), "clipvalue is above 0; given was 'a'"),
    (lambda: O.Adam(clipvalue=1, clipnorm=1), "at most one of clipvalue, clipnorm, global_clipnorm may be given"),
    (lambda: O.Adam(clipnrm=1), "there is no setting of Adam named 'clipnrm': did you mean 'clipnorm'"),
    (lambda: O.SGD(use_ema=True), "use_ema=True is not supported by tinynet; leave it out of SGD"),
    (lambda: O.RMSprop(centered=True), "centered=True is not supported by tinynet"),
    (lambda: O.SGD(weight_decay=-1), "weight_decay is at least 0; given was -1"),
    (lambda: O.SGD(momentum=2), "momentum is at least 0 and at most 1; given was 2"),
    (lambda: O.RMSprop(rho="a"), "rho is at least 0 and at most 1; given was 'a'"),
    (lambda: setattr(O.Adam(), "learning_rate", "a"), "learning_rate is at least 0; given was 'a'"),
    (lambda: tn.schedules.CosineDecay(0.0, 10), r"initial_learning_rate is above 0 \(0 with a warm-up\)"),
    (lambda: tn.schedules.ExponentialDecay(0.1, "a", 0.9), "decay_steps is above 0; given was 'a'"),
    (lambda: I.Constant("a"), "value is a number; given was 'a'"),
    (lambda: I.RandomNormal(0, -1), "stddev is at least 0; given was -1"),
    (lambda: I.RandomUniform(1, 0), "maxval is at least 1; given was 0"),
    (lambda: I.RandomUniform(0, float("inf")), "maxval is at least 0; given was inf"),
    (lambda: tn.losses.Huber(0), "delta is above 0; given was 0"),
    (lambda: tn.losses.Quantile(1), "q is above 0 and below 1; given was 1"),
    (lambda: tn.regularizers.L2(-1), "l2 is at least 0; given was -1"),
    (lambda: tn.regularizers.L1L2(l1="a"), "l1 is at least 0; given was 'a'"),
    (lambda: tn.callbacks.EarlyStopping(patience=-1), "patience is a whole number of at least 0; given was -1"),
    (lambda: tn.callbacks.EarlyStopping(patience="a"), "patience is a whole number of at least 0; given was 'a'"),
    (lambda: tn.callbacks.EarlyStopping(monitor=3), "monitor is the name of a number, as in 'val_loss', not int"),
    (lambda: tn.callbacks.EarlyStopping(min_delta="a"), "min_delta is a number; given was 'a'"),
    (lambda: tn.callbacks.EarlyStopping(mode="best"), "mode is 'auto', 'min' or 'max'; given was 'best'"),
    (lambda: tn.set_random_seed(-1), "seed is a whole number of at least 0; given was -1"),
    (lambda: tn.set_random_seed("a"), "seed is a whole number of at least 0; given was 'a'"),
    (lambda: tn.Sequential(3), r"layers is a list, as in \[tn.layers.Dense\(8\)\], not int"),
    (lambda: tn.Sequential([3]), r"a model is made of layers such as tn.layers.Dense\(8\), not int"),
    (lambda: tn.Sequential(dtype="float16"), "dtype is 'float32' or 'float64'; given was 'float16'"),
    (lambda: tn.Sequential(dtype=None), "dtype is 'float32' or 'float64'; given was None"),
    (lambda: tn.Sequential(dtype=[3]), r"dtype is 'float32' or 'float64'; given was \[3\]"),
]


@pytest.mark.parametrize(("call", "words"), WRONG, ids=[words for _, words in WRONG])
def test_the_setting_is_refused_in_one_sentence(call, words):
    with pytest.raises((TypeError, ValueError), match=words) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    assert "123456" not in message
    assert Path(traceback.extract_tb(caught.tb)[-1].filename).parts[-2] in ("tinynet", "layers", "model")


def test_numpys_numbers_are_numbers():
    assert L.Dense(np.int64(3), input_shape=np.int32(2)).units == 3
    assert L.Dense(1, input_shape=[np.int64(4)]).input_shape == 4
    assert L.Dropout(np.float32(0.25)).rate == 0.25
    assert O.Adam(np.float64(0.5), beta_1=np.float64(0.5)).learning_rate == 0.5
    assert L.Embedding(np.int64(1), np.int64(3), range(2, 3)).output_dim == [2]
