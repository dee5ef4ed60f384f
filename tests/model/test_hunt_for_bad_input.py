"""A hunt: whatever object stands where data or a setting belongs, the answer is a result or tinynet's own sentence."""

import traceback
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn

import tinynet as tn

PACKAGE = Path(tn.__file__).parent
X, Y = np.arange(8.0).reshape(4, 2) / 8.0, np.array([0, 1, 1, 0])


class Strange:
    """Breaks whatever is asked of it."""

    def __init__(self, what):
        self.what = what

    def __array__(self, *arguments, **options):
        raise self.what

    __len__ = __iter__ = __float__ = __int__ = __index__ = __getitem__ = __array__

    def __repr__(self):
        return "strange"


class OfObjects:
    """Becomes an array of objects that break when they are turned into numbers."""

    def __array__(self, *arguments, **options):
        return np.array([[Strange(RecursionError()), 1.0]] * 4, dtype=object)


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.sampled_from([10**400, -(10**400)]), st.floats(), st.complex_numbers(),
    st.text(max_size=4), st.binary(max_size=4), st.decimals(), st.fractions(), st.dates(), st.timedeltas(), st.uuids(),
    st.builds(Strange, st.sampled_from([OSError("a"), KeyError("b"), RuntimeError("c"), TypeError("d")])),
    st.builds(OfObjects), st.just(np.ma.masked), st.sampled_from([np.float32, len, type, Ellipsis, NotImplemented]),
)  # fmt: skip
nested = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.tuples(inner, inner), st.dictionaries(st.text(max_size=2), inner, max_size=2),
        st.lists(st.lists(inner, min_size=2, max_size=2), min_size=4, max_size=4),
    ),
    max_leaves=8,
)  # fmt: skip
shapes = st.one_of(hn.array_shapes(max_dims=3, min_side=0, max_side=4), st.sampled_from([(4, 2), (4,), (4, 1), ()]))
arrays = st.one_of(
    hn.arrays(st.one_of(hn.scalar_dtypes(), hn.byte_string_dtypes(), hn.nested_dtypes(max_itemsize=40)), shapes),
    hn.arrays(st.sampled_from(["f2", "f4", "f8", "g", "i1", "u8"]), st.sampled_from([(4, 2), (4, 1), (4,)])),
    hn.arrays(object, st.sampled_from([(4, 2), (4,)]), elements=scalars, fill=st.nothing()),
    hn.arrays(float, st.sampled_from([(4, 2), (4,)])).map(lambda a: np.ma.masked_array(a, mask=a > 0)),
)
anything = st.one_of(nested, arrays)

LOSSES = {
    "mse": (1, None), "binary_crossentropy": (1, "sigmoid"), "categorical_crossentropy": (3, "softmax"),
    "sparse_categorical_crossentropy": (3, "softmax"), "poisson": (1, "softplus"), "gamma": (2, None),
}  # fmt: skip


def new(loss="mse", built=True, dtype="float32"):
    outputs, head = LOSSES[loss]
    model = tn.Sequential([tn.layers.Dense(2, "tanh"), tn.layers.Dense(outputs, head)], dtype=dtype)
    model.compile(tn.optimizers.SGD(1e-3), loss, ["mae"] if loss == "mse" else ["accuracy"])
    if built:
        model.build(2)
    return model


def answered(call):
    """Carry the call out: it returns, or raises one of tinynet's own errors in one sentence."""
    try:
        return call()
    except (TypeError, ValueError, RuntimeError, tn.NonFiniteError) as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        assert PACKAGE in Path(frame.filename).parents, f"{frame.filename}:{frame.lineno}: {error}"  # noqa: PT017
        assert "raise" in frame.line or "__init__() " in str(error), f"{frame.filename}:{frame.lineno}: {error}"  # noqa: PT017
        assert str(error)  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
        assert len(str(error)) < 400  # noqa: PT017
    return None


hunt = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@hunt
@given(anything, st.booleans(), st.sampled_from(["float32", "float64"]))
def test_x(x, built, dtype):
    model = new(built=built, dtype=dtype)
    before = model.get_weights() if built else None
    out = answered(lambda: model.predict(x))
    assert out is None or (np.isfinite(out).all() and out.shape[1] == 1)
    answered(lambda: model(x))
    answered(lambda: model.predict_on_batch(x))
    answered(lambda: model.evaluate(x, Y))
    answered(lambda: model.forward(x))
    if built:
        assert all((a == b).all() for a, b in zip(model.get_weights(), before, strict=True))
    answered(lambda: model.fit(x, Y, verbose=0))


@hunt
@given(anything, st.sampled_from(list(LOSSES)), st.booleans())
def test_y(y, loss, built):
    answered(lambda: new(loss, built).fit(X, y, verbose=0))
    answered(lambda: new(loss, built).evaluate(X, y))


@hunt
@given(anything, st.sampled_from(["sample_weight", "class_weight", "validation_data", "validation_split", "batch_size",
                                  "epochs", "verbose", "callbacks", "initial_epoch", "steps_per_epoch",
                                  "validation_batch_size", "validation_freq"]))  # fmt: skip
def test_arguments_of_fit(value, name):
    if name == "epochs" and isinstance(value, (int, float, np.number)) and not value < 10:
        return  # which would be a fit, and a long one
    options = {"verbose": 0, "validation_split": 0.5} if name.startswith("validation_") else {"verbose": 0}
    answered(lambda: new().fit(X, Y, **options | {name: value}))


@hunt
@given(anything)
def test_validation_pairs(value):
    answered(lambda: new().fit(X, Y, verbose=0, validation_data=(value, Y)))
    answered(lambda: new().fit(X, Y, verbose=0, validation_data=(X, value)))
    answered(lambda: new().fit(X, Y, verbose=0, validation_data=(X, Y, value)))


@hunt
@given(anything)
def test_weights(value):
    model = new()
    answered(lambda: model.set_weights(value))
    answered(lambda: model.set_weights([value, value, value, value]))
    answered(lambda: model.layers[0].set_weights(value))
    answered(lambda: model.layers[0].set_weights([value, np.ones(2)]))
    assert all(np.isfinite(w).all() for w in model.get_weights())


def of_modest_size(value):
    """Settings that fit into memory, also those inside others: a network of 2^32 columns is no bad input."""
    if isinstance(value, (list, tuple)):
        return all(map(of_modest_size, value))
    if isinstance(value, np.ndarray):
        return value.dtype.kind not in "iuO" or all(map(of_modest_size, value.ravel().tolist()))
    return not isinstance(value, (int, float, np.number)) or not abs(value) > 1000


SETTINGS = {
    "units": lambda v: tn.layers.Dense(v, input_shape=[2]),
    "activation": lambda v: tn.layers.Dense(1, activation=v),
    "activation layer": tn.layers.Activation,
    "kernel_initializer": lambda v: tn.layers.Dense(1, kernel_initializer=v),
    "kernel_regularizer": lambda v: tn.layers.Dense(1, kernel_regularizer=v),
    "input_shape": lambda v: tn.layers.Dense(1, input_shape=v),
    "rate": tn.layers.Dropout,
    "epsilon": tn.layers.LayerNormalization,
    "columns": lambda v: tn.layers.Embedding(v, 2, 2),
    "input_dim": lambda v: tn.layers.Embedding(0, v, 2),
    "output_dim": lambda v: tn.layers.Embedding(0, 2, v),
    "Input": tn.Input,
    "layers": tn.Sequential,
    "layer": lambda v: tn.Sequential([v]),
    "dtype": lambda v: tn.Sequential(dtype=v),
    "build": lambda v: tn.Sequential([tn.layers.Dense(1)]).build(v),
    "optimizer": lambda v: new().compile(v, "mse"),
    "loss": lambda v: new().compile("sgd", v),
    "metrics": lambda v: new().compile("sgd", "mse", v),
    "metric": lambda v: new().compile("sgd", "mse", [v]),
    "weighted_metrics": lambda v: new().compile("sgd", "mse", weighted_metrics=v),
    "backend": lambda v: new().compile("sgd", "mse", backend=v),
    "learning_rate": tn.optimizers.Adam,
    "beta_1": lambda v: tn.optimizers.Adam(beta_1=v),
    "clipnorm": lambda v: tn.optimizers.SGD(clipnorm=v),
    "momentum": lambda v: tn.optimizers.SGD(momentum=v),
    "delta": tn.losses.Huber,
    "q": tn.losses.Quantile,
    "stddev": lambda v: tn.initializers.RandomNormal(0.0, v),
    "l2": tn.regularizers.L2,
    "patience": lambda v: tn.callbacks.EarlyStopping(patience=v),
    "monitor": tn.callbacks.EarlyStopping,
    "mode": lambda v: tn.callbacks.EarlyStopping(mode=v),
    "decay_steps": lambda v: tn.schedules.ExponentialDecay(0.1, v, 0.5),
    "seed": tn.set_random_seed,
    "file": tn.load_model,
    "y_pred": lambda v: tn.losses.MeanSquaredError()([1.0, 0.0], v),
    "predict batch_size": lambda v: new().predict(X, batch_size=v),
    "evaluate batch_size": lambda v: new().evaluate(X, Y, batch_size=v),
    "out": lambda v: new().predict(X, out=v),
    "program": lambda v: new().program(v),
    "gradient": lambda v: (model := new(), model.forward(X), model.loss_and_gradient(Y), model.backward(v)),
}


@settings(hunt, max_examples=60)
@given(anything.filter(of_modest_size))
@pytest.mark.parametrize("name", SETTINGS)
def test_settings(name, value):
    if name == "file" and isinstance(value, str):
        return  # a file that is not there is an error of the system's
    answered(lambda: SETTINGS[name](value))
