"""One network worked by hand: every number of a step was found with pencil and fractions, none by the engine.

Two rows go through two relu units into one linear output. All numbers but Adam's are sums of halves, so that float32
and float64 hold them exactly, and the comparison is for equality.

    x = [1  2]   W1 = [1/2  -1 ]   b1 = [0  1/2]   W2 = [ 2]   b2 = [1/2]   t = [1]
        [3 -1]        [1/4  1/2]                        [-1]                    [5]

Forth
    z1 = x W1 + b1:  row 1: 1/2 + 2/4 = 1            -1 + 2/2 + 1/2 = 1/2
                     row 2: 3/2 - 1/4 = 5/4          -3 - 1/2 + 1/2 = -3
    a1 = max(z1, 0): [1 1/2], [5/4 0]
    y = a1 W2 + b2:  2 - 1/2 + 1/2 = 2,  5/2 + 1/2 = 3
    L = ((2 - 1)^2 + (3 - 5)^2) / 2 = 5/2
Back
    dy = 2 (y - t) / 2 = 1, -2
    dW2 = a1^T dy:   1 - 10/4 = -3/2,   1/2 + 0 = 1/2        db2 = 1 - 2 = -1
    da1 = dy W2^T:   [2 -1], [-4 2]
    dz1 = da1 where z1 > 0: [2 -1], [-4 0]
    dW1 = x^T dz1:   2 - 12 = -10       -1 + 0 = -1
                     4 +  4 =   8       -2 + 0 = -2          db1 = 2 - 4 = -2,  -1
    dx = dz1 W1^T:   2/2 + 1 = 2,   2/4 - 1/2 = 0
                     -4/2 = -2,     -4/4 = -1
"""

from fractions import Fraction

import numpy as np
import pytest

import tinynet as tn

X, T = [[1, 2], [3, -1]], [1, 5]
WEIGHTS = [[[0.5, -1], [0.25, 0.5]], [0, 0.5], [[2], [-1]], [0.5]]
FORTH = {"z1": [[1, 0.5], [1.25, -3]], "a1": [[1, 0.5], [1.25, 0]], "z2": [[2], [3]], "a2": [[2], [3]]}
BACK = {"dy": [[1], [-2]], "dz2": [[1], [-2]], "da1": [[2, -1], [-4, 2]], "dz1": [[2, -1], [-4, 0]]}
GRADIENTS = [[[-10, -1], [8, -2]], [-2, -1], [[-1.5], [0.5]], [-1]]
DX = [[2, 0], [-2, -1]]

precisions = pytest.mark.parametrize("dtype", ["float32", "float64"])


def worked(optimizer, dtype, loss="mse"):
    model = tn.Sequential([tn.layers.Dense(2, activation="relu", input_shape=[2]), tn.layers.Dense(1)], dtype=dtype)
    model.build()
    model.set_weights([np.array(w, float) for w in WEIGHTS])
    model.compile(optimizer, loss)
    return model


@precisions
def test_forward_loss_and_every_gradient(dtype):
    model = worked("sgd", dtype)
    assert model.forward(X).tolist() == [[2], [3]]
    loss, dy = model.loss_and_gradient(T)
    assert loss == 2.5
    assert dy.tolist() == BACK["dy"]
    assert model.backward(dy).tolist() == DX
    for name, numbers in (FORTH | BACK).items():
        assert model.batch()[name].tolist() == numbers, name
    assert [g.tolist() for g in model.gradients().values()] == GRADIENTS
    assert model.evaluate(X, T) == 2.5
    assert model.predict(X).tolist() == [[2], [3]]


@precisions
def test_one_step_of_gradient_descent(dtype):
    """p - g / 8: for instance W1[0, 0] = 1/2 + 10/8 = 7/4."""
    after = [[[1.75, -0.875], [-0.75, 0.75]], [0.25, 0.625], [[35 / 16], [-17 / 16]], [0.625]]
    model = worked(tn.optimizers.SGD(learning_rate=1 / 8), dtype)
    assert model.train_on_batch(X, T) == 2.5
    assert [w.tolist() for w in model.get_weights()] == after

    in_four_calls = worked(tn.optimizers.SGD(learning_rate=1 / 8), dtype)
    in_four_calls.forward(X)
    _, dy = in_four_calls.loss_and_gradient(T)
    in_four_calls.backward(dy)
    in_four_calls.update()
    assert [w.tolist() for w in in_four_calls.get_weights()] == after


@precisions
def test_one_step_of_adam(dtype):
    """With beta_1 = 1/2, beta_2 = 3/4, epsilon = 1/4 and learning rate 1/8 the first step of Adam is a fraction.

    m = g / 2 and v = g^2 / 4; the corrected rate is 1/8 sqrt(1 - 3/4) / (1 - 1/2) = 1/8; the step is therefore
    (1/8) (g / 2) / (|g| / 2 + 1/4) = (1/8) g / (|g| + 1/2):
        g = -10: -(1/8) 10 / (21/2) = -5/42    g = 8: (1/8) 8 / (17/2) = 2/17     g = -2: -(1/8) 2 / (5/2) = -1/10
        g = -1: -(1/8) / (3/2) = -1/12         g = -3/2: -(1/8) (3/2) / 2 = -3/32  g = 1/2: (1/8) (1/2) / 1 = 1/16
    """
    after = [
        [[Fraction(13, 21), Fraction(-11, 12)], [Fraction(9, 68), Fraction(3, 5)]],  # 1/2 + 5/42, -1 + 1/12, ...
        [Fraction(1, 10), Fraction(7, 12)],
        [[Fraction(67, 32)], [Fraction(-17, 16)]],
        [Fraction(7, 12)],
    ]
    optimizer = tn.optimizers.Adam(learning_rate=1 / 8, beta_1=1 / 2, beta_2=3 / 4, epsilon=1 / 4)
    model = worked(optimizer, dtype)
    model.train_on_batch(X, T)
    for found, expected in zip(model.get_weights(), after, strict=True):
        tolerance = 4 * np.finfo(dtype).eps
        np.testing.assert_allclose(found, np.array(expected, float), rtol=tolerance)
    m, v = optimizer.slots
    assert m[:4].tolist() == [-5, -0.5, 4, -1]  # g / 2 of W1, the first parameter
    assert v[:4].tolist() == [25, 0.25, 16, 1]  # g^2 / 4


@precisions
def test_weights_of_samples_and_a_penalty(dtype):
    """Weights 4 and 1: L = (4 + 4) / 2 = 4, dy = 4, -2. L2 of 1/4 on W1, sum of squares 1/4 + 1 + 1/16 + 1/4 = 25/16.

    dW2 = 4 - 10/4 = 3/2, 4/2 = 2;  da1 = [8 -4], [-4 2];  dz1 = [8 -4], [-4 0];
    dW1 = x^T dz1 = [8 - 12, -4], [16 + 4, -8], and the penalty adds W1 / 2.
    """
    model = tn.Sequential(
        [
            tn.layers.Dense(2, "relu", kernel_regularizer=tn.regularizers.L2(0.25), input_shape=[2]),
            tn.layers.Dense(1),
        ],
        dtype=dtype,
    )
    model.build()
    model.set_weights([np.array(w, float) for w in WEIGHTS])
    model.compile("sgd", "mse")
    model.forward(X)
    loss, dy = model.loss_and_gradient(T, sample_weight=[4, 1])
    model.backward(dy)
    assert loss == 4 + 25 / 64
    assert dy.tolist() == [[4], [-2]]
    dW1, db1, dW2, db2 = (g.tolist() for g in model.gradients().values())
    assert dW1 == [[-4 + 0.25, -4 - 0.5], [20 + 0.125, -8 + 0.25]]
    assert db1 == [4, -4]
    assert dW2 == [[1.5], [2]]
    assert db2 == [2]


@precisions
def test_probabilities_meet_their_crossentropy(dtype):
    """z = ln [1 2 5] gives softmax [1/8 2/8 5/8]; for class 2, L = ln (8/5) and dz = a - t = [1/8 2/8 -3/8].

    z = ln 3 gives sigmoid 3/4; for t = 1, L = ln (4/3) and dz = -1/4; for t = 0, L = ln 4 and dz = 3/4.
    """
    several = tn.Sequential([tn.layers.Activation("softmax", input_shape=[3])], dtype=dtype)
    several.compile("sgd", "sparse_categorical_crossentropy")
    tolerance = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(several.forward(np.log([[1, 2, 5]])), [[1 / 8, 2 / 8, 5 / 8]], tolerance)
    loss, dz = several.loss_and_gradient([2])
    assert loss == pytest.approx(np.log(8 / 5), rel=float(tolerance))
    np.testing.assert_allclose(several.backward(dz), [[1 / 8, 2 / 8, -3 / 8]], rtol=tolerance)

    yes_or_no = tn.Sequential([tn.layers.Activation("sigmoid", input_shape=[1])], dtype=dtype)
    yes_or_no.compile("sgd", "binary_crossentropy")
    np.testing.assert_allclose(yes_or_no.forward(np.log([[3.0], [3.0]])), [[3 / 4], [3 / 4]], tolerance)
    loss, dz = yes_or_no.loss_and_gradient([1, 0])
    assert loss == pytest.approx((np.log(4 / 3) + np.log(4)) / 2, rel=float(tolerance))
    np.testing.assert_allclose(yes_or_no.backward(dz), [[-1 / 8], [3 / 8]], rtol=tolerance)  # halved: two rows
