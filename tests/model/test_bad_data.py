"""Data that cannot be trained on or predicted from is refused in one sentence: what was given, what is expected."""

import numpy as np
import pytest

import tinynet as tn

X = np.arange(12.0).reshape(4, 3) / 7.0
Y = np.array([0.0, 1.0, 1.0, 0.0])
LEAK = 1234.5  # a number that must never stand in a message


def new(loss="mse", outputs=1, head=None, **settings):
    first = settings.pop("first", None) or [tn.layers.Dense(4, "relu", input_shape=[3])]
    model = tn.Sequential([*first, tn.layers.Dense(outputs, head)], **settings)
    model.compile("adam", loss, ["mae"] if loss == "mse" else None)
    return model


def classes():
    return new("sparse_categorical_crossentropy", 3, "softmax")


def holed(value, shape=(4, 3)):
    table = np.full(shape, LEAK)
    table[(2, 1) if len(shape) > 1 else 2] = value
    return table


class Broken:
    def __array__(self, *arguments, **options):
        raise OSError(LEAK)


class Missing:
    """As a table of pandas with gaps comes."""

    def __array__(self, *arguments, **options):
        class NAType:
            pass

        return np.array([[LEAK, NAType(), 1.0]], dtype=object)


X_WORDS = [  # x, what is said of it by fit, predict and all others alike
    (None, "x is missing; numbers are expected"),
    (np.ones((4, 2)), r"x has shape \(4, 2\); expected is \(rows, 3\)"),
    (np.ones((4, 3, 1)), r"x has shape \(4, 3, 1\); expected is \(rows, 3\)"),
    (np.ones(3), r"x has shape \(3,\); expected is \(rows, 3\); for a single row give x\[None, :\]"),
    (5.0, r"x has shape \(\); expected is \(rows, 3\)"),
    (np.ones((0, 3)), r"x is empty, its shape is \(0, 3\)"),
    ([], r"x has shape \(0,\); expected is \(rows, 3\)"),
    (holed(np.nan), "x has NaN or infinity in 1 places, the first in row 2, column 1; fill gaps first"),
    (holed(np.inf), "x has NaN or infinity in 1 places, the first in row 2, column 1"),
    (holed(-np.inf).tolist(), "x has NaN or infinity in 1 places, the first in row 2, column 1"),
    ([[LEAK, None, 1.0]], "x has NaN or infinity in 1 places, the first in row 0, column 1"),
    (np.ma.masked_array(holed(1.0), mask=holed(1.0) == 1.0), "x has masked values; fill gaps first"),
    (Missing(), "x has missing values; fill gaps first"),
    ("patient", "x is of type <U7; real numbers are expected"),
    ([["1", "2", "3"]], "x is of type <U1; real numbers are expected"),
    ([[LEAK, "2", 3.0]], "x is of type <U.*; real numbers are expected"),
    (np.array([[LEAK, "2", 3.0]], dtype=object), "x holds text or other objects; numbers are expected"),
    ([[LEAK, object(), 3.0]], "x holds text or other objects; numbers are expected"),
    ({"age": LEAK}, "x holds text or other objects; numbers are expected"),
    ([[1.0, 2.0, 3.0], [LEAK]], "x has rows of different lengths; a table with equal rows is expected"),
    (np.ones((4, 3)) * 1j, "x is of type complex128; real numbers are expected"),
    (np.zeros(4, [("age", float), ("weight", float)]), "x is a structure of several fields; real numbers are expected"),
    (np.array([["2020-01-01"] * 3], dtype="datetime64[D]"), r"x is of type datetime64\[D\]; real numbers are expected"),
    (holed(1e39), "x has numbers too large for float32; scale them, or use a float64 model"),
    ([[10**400, 1, 1]], "x has numbers too large for float64; scale them"),
    (Broken(), "x is of type Broken, which gives no array: it raised OSError"),
]


def check(call, words):
    with pytest.raises((TypeError, ValueError), match=words) as caught:
        call()
    assert "1234" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("number", range(len(X_WORDS)), ids=[words for _, words in X_WORDS])
def test_x(number):
    x, words = X_WORDS[number]
    model = new()
    before = model.get_weights()
    for call in (
        lambda: model.predict(x),
        lambda: model(x),
        lambda: model(x, training=True),
        lambda: model.predict_on_batch(x),
        lambda: model.fit(x, Y),
        lambda: model.evaluate(x, Y),
        lambda: model.train_on_batch(x, Y),
        lambda: model.forward(x),
    ):
        check(call, words)
    check(lambda: model.fit(X, Y, validation_data=(x, Y)), words)
    assert all((a == b).all() for a, b in zip(model.get_weights(), before, strict=True))
    assert model.network.step == 0


Y_WORDS = [
    (None, "y is missing; numbers are expected"),
    (
        np.ones(3),
        r"y has shape \(3,\); for 4 rows of x and the loss mean_squared_error of 1 outputs, \(4, 1\) is expected",
    ),
    (np.ones((4, 2)), r"y has shape \(4, 2\); .* \(4, 1\) is expected"),
    (np.ones((1, 4)), r"y has shape \(1, 4\); .* \(4, 1\) is expected"),
    (holed(np.nan, (4,)), "y has NaN or infinity in 1 places, the first in row 2; fill gaps first"),
    (["yes", "no", "yes", "no"], "y is of type <U3; real numbers are expected"),
    ([[1.0], [2.0], [3.0], [LEAK, 1.0]], "y has rows of different lengths"),
    (holed(1e39, (4,)), "y has numbers too large for float32"),
]


@pytest.mark.parametrize("number", range(len(Y_WORDS)), ids=[words for _, words in Y_WORDS])
def test_y(number):
    y, words = Y_WORDS[number]
    for call in (lambda: new().fit(X, y), lambda: new().evaluate(X, y), lambda: new().train_on_batch(X, y)):
        check(call, words)
    check(lambda: new().fit(X, Y, validation_data=(X, y)), words)


CLASS = "a model of 3 outputs takes class numbers from 0 to 2; 1 of 4 rows of y differ, the first is row 3"
TARGETS = [
    (classes, [0, 1, 2, 3], CLASS),
    (classes, [0, 1, 2, -1], CLASS),
    (classes, [0, 1, 2, 0.5], CLASS),
    (classes, np.eye(3)[[0, 1, 2, 0]], r"y has shape \(4, 3\); .* \(4, 1\) is expected"),
    (lambda: new("categorical_crossentropy", 3, "softmax"), [0, 1, 2, 0], "for class numbers use the loss sparse_"),
    (
        lambda: new("categorical_crossentropy", 2, "softmax"),
        [[0, 2]] * 4,
        "takes targets from 0 to 1, one column a class",
    ),
    (lambda: new("binary_crossentropy", 1, "sigmoid"), [0, 1, 1, LEAK], "takes targets from 0 to 1; 1 of 4 rows"),
    (lambda: new("poisson", 1, "softplus"), [0, 1, 1, -LEAK], "poisson takes counts, 0 or more; 1 of 4 rows"),
    (lambda: new("gamma"), [0, 1, 1, -LEAK], "gamma takes amounts, 0 or more; 1 of 4 rows"),
]


@pytest.mark.parametrize("number", range(len(TARGETS)))
def test_targets_that_the_loss_cannot_have(number):
    made, y, words = TARGETS[number]
    check(lambda: made().fit(X, y), words)
    check(lambda: made().evaluate(X, y), words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 0}, "batch_size is a whole number of at least 1; given was 0"),
        ({"batch_size": -3}, "batch_size is a whole number of at least 1; given was -3"),
        ({"batch_size": 1.5}, "batch_size is a whole number of at least 1; given was 1.5"),
        ({"batch_size": "8"}, "batch_size is a whole number of at least 1; given was '8'"),
        ({"batch_size": holed(1.0)}, "batch_size is a whole number of at least 1; given was of type ndarray"),
        ({"epochs": 0}, "epochs is a whole number of at least 1; given was 0"),
        ({"epochs": None}, "epochs is a whole number of at least 1; given was None"),
        ({"verbose": "loud"}, "verbose is 0, 1, 2 or 'auto'; given was 'loud'"),
        ({"callbacks": [3]}, "a callback is an object of a class on tn.callbacks.Callback, not int"),
        ({"validation_data": (X,)}, r"validation_data is \(x, y\)"),
        ({"validation_data": np.ones((2, 2))}, r"validation_data is \(x, y\)"),
        ({"validation_data": (X[:, :2], Y)}, r"validation x has shape \(4, 2\); expected is \(rows, 3\)"),
        ({"validation_data": (X, Y[:2])}, r"validation y has shape \(2,\)"),
        ({"validation_data": (X, Y, [1.0])}, r"validation sample_weight has shape \(1,\)"),
        ({"validation_split": 1.0}, "validation_split is a share between 0 and 1"),
        ({"validation_split": "half"}, "validation_split is a number; given was 'half'"),
        ({"validation_batch_size": "a"}, "validation_batch_size is a whole number", ),
        ({"sample_weight": [1.0, 2.0]}, r"sample_weight has shape \(2,\); one number for each of the 4 rows is"),
        ({"sample_weight": [1.0, 1.0, 1.0, -LEAK]}, "sample_weight has negative numbers in 1 rows; 0 or more is"),
        ({"sample_weight": ["a"] * 4}, "sample_weight is of type <U1; real numbers are expected"),
        ({"sample_weight": holed(np.nan, (4,))}, "sample_weight has NaN or infinity in 1 places, the first in row 2"),
        ({"class_weight": [1.0, 2.0]}, "class_weight is a dictionary {class number: weight}, not list"),
        ({"class_weight": {0: "a"}}, "class_weight has a weight that is not a number of 0 or more"),
    ],
)  # fmt: skip
def test_arguments_of_fit(options, words):
    model = new()
    before = model.get_weights()
    check(lambda: model.fit(X, Y, **options), words)
    assert all((a == b).all() for a, b in zip(model.get_weights(), before, strict=True))
    assert model.network.step == 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: new(loss="mean_sqared_error"),
            "no loss named 'mean_sqared_error': did you mean 'mean_squared_error'?",
        ),
        (lambda: new().compile("adm", "mse"), "no optimizer named 'adm': did you mean 'adam'?"),
        (lambda: new().compile("adam", "mse", ["acuracy"]), "no metric named 'acuracy': did you mean 'accuracy'?"),
        (lambda: new(head="sigmod"), "no activation named 'sigmod': did you mean 'sigmoid'?"),
        (
            lambda: tn.layers.Dense(1, kernel_initializer="glorot"),
            "no initializer named 'glorot': did you mean 'glorot_",
        ),
        (lambda: tn.layers.Dense(1, kernel_regularizer="l3"), "no regularizer named 'l3': did you mean 'l"),
        (lambda: new().compile("adam", "mse", backend="cuda"), "backend is "),
        (lambda: new().compile(3, "mse"), "an optimizer is a name or an object of Optimizer, not int"),
        (lambda: new().compile(tn.optimizers.Adam, "mse"), r"give an object, Adam\(...\), not the class Adam"),
        (lambda: new().compile("adam", tn.losses.Huber), r"give an object, Huber\(...\), not the class Huber"),
        (lambda: new().compile("adam", lambda y, t: y - t), "has no derivative: write one below it"),
        (lambda: new().compile("adam", "mse", "accuracy"), r"metrics is a list, as in \['accuracy'\], not str"),
        (lambda: new().compile("adam", "mse", [tn.metrics.AUC]), r"give an object, AUC\(\), not the class AUC"),
        (
            lambda: new().compile({"name": ["adam"]}, "mse"),
            "an optimizer is a name or an object of Optimizer, not dict",
        ),
        (
            lambda: tn.layers.Dense(1, activation=3),
            "an activation is a name or a function with its derivative, not int",
        ),
        (lambda: tn.layers.Dense(1, activation={"name": []}), "there is no activation named"),
        (lambda: tn.layers.Dense(1, activation={"name": "elu", "beta": 1}), "formula elu has no scalar named 'beta'"),
        (lambda: tn.layers.Dense(1, kernel_regularizer=0.01), "a regularizer is a name or tn.regularizers.L2"),
    ],
)
def test_names_and_objects(call, words):
    check(call, words)


def test_not_compiled_yet():
    model = tn.Sequential([tn.layers.Dense(1)])
    for call in (lambda: model.fit(X, Y), lambda: model.evaluate(X, Y), lambda: model.forward(X), model.program):
        with pytest.raises(
            RuntimeError, match=r"the model has no loss yet; call compile\(optimizer=..., loss=...\) first"
        ):
            call()
    assert not model.built


def test_codes_that_no_embedding_has():
    model = new(first=[tn.layers.Embedding([1], [3], [2], input_shape=[3])])
    words = (
        "column 1 of x holds codes for Embedding, whole numbers from 0 to 2; 1 of 1 rows hold something else, first row"
    )
    for code in (3, -1, 0.5, LEAK):
        check(lambda code=code: model.predict([[0.0, code, 0.0]]), words)


def test_losses_by_themselves():
    mse, sparse = tn.losses.MeanSquaredError(), tn.losses.SparseCategoricalCrossentropy()
    assert mse([1.0, 2.0], [[1.0], [4.0]]) == 2.0
    check(lambda: mse([1.0], [1.0, LEAK]), r"y_true of shape \(1, 1\) does not go with y_pred of shape \(2, 1\)")
    check(lambda: mse("1234", [1.0]), "y_true is of type <U4; real numbers are expected")
    check(lambda: mse(["a"], [1.0]), "y_true is of type <U1; real numbers are expected")
    check(lambda: sparse(np.eye(2), np.eye(2)), r"y_true of shape \(2, 2\) does not go with y_pred")
    check(lambda: mse([1.0, 2.0], [1.0, 2.0], [1.0]), "sample_weight has 1 numbers; one for each of 2 rows is expected")
