"""The Embedding layer: what its rows mean, what it learns, and what it refuses."""

import numpy as np
import pytest

import tinynet as tn
from tinynet.network import Network, Workspace
from tinynet.operations import Operations

X = np.array([[0.5, 2, 7.0, 0], [1.5, 0, 8.0, 1], [2.5, 2, 9.0, 1]])  # numbers in columns 0 and 2, codes in 1 and 3
FIRST, SECOND = np.array([[1.0], [2.0], [3.0]]), np.array([[10.0, 20.0], [30.0, 40.0]])


def model_of(layer=None, **options):
    layers = [layer or tn.layers.Embedding([1, 3], [3, 2], [1, 2]), tn.layers.Dense(1)]
    return tn.Sequential(layers, **({"dtype": "float64"} | options))


def test_numbers_come_first_as_they_are_then_the_vectors_in_the_order_of_columns():
    for columns, tables in (([1, 3], [FIRST, SECOND]), ([3, 1], [SECOND, FIRST])):
        sizes = [table.shape for table in tables]
        network = Network([tn.layers.Embedding(columns, *zip(*sizes, strict=True))], 4, np.float64)
        for parameter, table in zip(network.parameter_list(), tables, strict=True):
            parameter[...] = table
        a = network.forward(Operations(), Workspace(network, 3, False), X, False)
        vectors = {1: [[3], [1], [3]], 3: [[10, 20], [30, 40], [30, 40]]}
        assert np.array_equal(a, np.hstack([X[:, [0, 2]], *(vectors[column] for column in columns)]))


def test_it_is_a_dense_layer_of_one_hot_columns():
    """The same outputs and gradients as a matrix product with indicator columns."""
    tn.set_random_seed(0)
    model = tn.Sequential([tn.layers.Embedding(1, 3, 4), tn.layers.Dense(1)], dtype="float64")
    model.compile("sgd", "mse")
    t = np.array([1.0, -1.0, 0.5])
    model.forward(X)
    _, dy = model.loss_and_gradient(t)
    dx = model.backward(dy)
    table, W, _ = model.get_weights()
    one_hot = np.eye(3)[X[:, 1].astype(int)]
    numbers = X[:, [0, 2, 3]]
    np.testing.assert_allclose(model.batch()["a1"], np.hstack([numbers, one_hot @ table]), rtol=1e-14)
    da = dy @ W.T
    np.testing.assert_allclose(model.gradients()["embedding/E1"], one_hot.T @ da[:, 3:], rtol=1e-13)
    np.testing.assert_allclose(dx[:, [0, 2, 3]], da[:, :3], rtol=1e-13)
    assert (dx[:, 1] == 0).all()


def test_codes_that_no_sample_has_keep_their_vectors():
    model = model_of()
    model.compile("sgd", "mse")
    model.build([4])
    before = model.get_weights()[0].copy()
    model.fit(X, np.ones(3), epochs=3, verbose=0)
    after = model.get_weights()[0]
    assert np.array_equal(after[1], before[1])  # nobody has code 1 in the first chosen column
    assert (after[[0, 2]] != before[[0, 2]]).any(axis=1).all()


def test_it_learns_what_a_category_is_worth():
    """y depends on the code alone, in no order; a line through the codes could not say it."""
    tn.set_random_seed(0)
    codes = np.arange(200) % 5
    y = np.array([3.0, -1.0, 4.0, 0.0, -5.0])[codes]
    model = tn.Sequential([tn.layers.Embedding(0, 5, 3), tn.layers.Dense(1)])
    model.compile(tn.optimizers.Adam(0.05), "mse")
    model.fit(codes[:, None], y, epochs=60, verbose=0)
    assert model.evaluate(codes[:, None], y) < 1e-3


@pytest.mark.parametrize(
    ("column", "wrong", "count"), [(1, 3, 3), (1, -1, 3), (1, 0.53125, 3), (3, 2, 2), (3, 123456.0, 2)]
)
def test_codes_that_are_none_are_refused_with_column_and_row_but_no_value(column, wrong, count):
    model = model_of()
    model.compile("sgd", "mse")
    x = X.copy()
    x[1, column] = wrong
    for use in (
        lambda: model.fit(x, np.ones(3), verbose=0),
        lambda: model.predict(x),
        lambda: model.forward(x),
        lambda: tn.check_layer(tn.layers.Embedding([1, 3], [3, 2], 1), 4, x=x),
    ):
        with pytest.raises(ValueError, match=f"column {column} .* from 0 to {count - 1}; 1 of 3 rows .* row 1") as e:
            use()
        assert "53125" not in str(e.value)
        assert "123456" not in str(e.value)


REFUSED = [
    (([], 3, 2), "columns are different numbers"),
    (([1, 1], 3, 2), "columns are different numbers"),
    ((-1, 3, 2), "columns are different numbers"),
    (([0, 1], [3], 2), "input_dim has one number for each of the 2 chosen columns; given were 1"),
    ((0, 3, [2, 2]), "output_dim has one number for each of the 1 chosen columns; given were 2"),
    ((0, 0, 2), "input_dim is a whole number of at least 1"),
    ((0, 3, 1.5), "output_dim is a whole number of at least 1"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_layers_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        tn.layers.Embedding(*arguments)


def test_it_must_be_first_and_its_columns_must_exist():
    late = tn.Sequential([tn.layers.Dense(4), tn.layers.Embedding(0, 3, 2)])
    with pytest.raises(ValueError, match="first layer; here it is layer 2"):
        late.build([4])
    with pytest.raises(ValueError, match="chooses column 3, but x has only columns 0 to 2"):
        model_of().build([3])


def test_numbers_of_numpy_are_numbers():
    """As in input_dim=codes.max() + 1."""
    layer = tn.layers.Embedding(np.int64(1), np.array([0, 2]).max() + 1, np.float64(2))
    assert layer.config() == tn.layers.Embedding(1, 3, 2).config()
    assert tn.layers.Embedding(np.array([1, 3]), np.array([3, 2]), 1).input_dim == [3, 2]


def test_one_layer_object_serves_networks_of_different_widths():
    tn.set_random_seed(0)
    layer = tn.layers.Embedding(1, 3, 2)
    model = model_of(layer)
    before = model.predict(X)
    tn.check_layer(layer, n_in=7)
    Network([layer], 2, np.float32)
    assert np.array_equal(model.predict(X), before)
