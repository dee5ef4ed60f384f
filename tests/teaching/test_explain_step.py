"""One training step explained: the numbers are the step's own, the formulas those of the source, the code the line."""

import linecache
from pathlib import Path

import numpy as np
import pytest

import tinynet as tn
from tinynet.mathematics import matrix, sign

ROOT = Path(tn.__file__).parent
X = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.25]])
T = np.array([[1.0], [0.0], [1.0]])


def two_layers(loss: str = "binary_crossentropy", optimizer: object = "adam") -> tn.Sequential:
    tn.set_random_seed(1)
    layers = [tn.layers.Dense(2, "tanh", input_shape=[2], kernel_regularizer="l2"), tn.layers.Dense(1, "sigmoid")]
    model = tn.Sequential(layers, dtype="float64")
    model.compile(optimizer, loss)
    return model


def test_numbers_are_those_of_the_visible_step() -> None:
    model = two_layers()
    explained = model.explain_step(X, T)
    model.forward(X)
    loss, dz = model.loss_and_gradient(T)
    model.backward(dz)
    assert explained.loss == loss
    np.testing.assert_array_equal(explained.result("dz2"), dz)  # fused: dz, not dy
    for name in ("z1", "a1", "a2", "dz1", "da1"):
        np.testing.assert_array_equal(explained.result(name), model.batch()[name], err_msg=name)
    np.testing.assert_array_equal(explained.result("dW1"), model.gradients()["dense/W"])
    model.update()
    for shown, own in (("W1", "dense/W"), ("b1", "dense/b"), ("W2", "dense_1/W"), ("b2", "dense_1/b")):
        np.testing.assert_array_equal(explained.result(shown), model.variables()[own])


def test_model_is_not_changed() -> None:
    model = two_layers()
    before, training = model.get_weights(), model._compiled()
    model.explain_step(X, T)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert training.network.step[0] == 0
    assert training.optimizer.slots is not None
    assert not training.optimizer.slots.any()


def test_phases_follow_the_way_of_a_batch() -> None:
    phases = [step.phase for step in two_layers(optimizer=tn.optimizers.SGD(global_clipnorm=1.0)).explain_step(X, T)]
    assert list(dict.fromkeys(phases)) == ["forward", "loss", "backward", "update"]
    assert phases == sorted(phases, key=["forward", "loss", "backward", "update"].index)


def test_code_is_the_line_that_called_the_operation() -> None:
    for step in two_layers().explain_step(X, T):
        place, _, number = step.where.rpartition(":")
        path = ROOT / place.removeprefix("tinynet/")
        assert step.code == linecache.getline(str(path), int(number)).strip()
        assert f"ops.{step.operation}(" in step.code


def test_formulas_name_this_batch() -> None:
    lines = [line for step in two_layers().explain_step(X, T) for line in step.formulas]
    assert r"z_{1} = x\, W_{1}" in lines
    assert r"a_{1} = \mathrm{tanh}(z_{1}) = \tanh\left(z_{1}\right)" in lines
    assert r"\mathrm{d}W_{2} = \frac{\partial L}{\partial W_{2}} = a_{1}^{\top}\, \mathrm{d}z_{2}" in lines
    assert r"\mathrm{d}a_{1} = \frac{\partial L}{\partial a_{1}} = \mathrm{d}z_{2}\, W_{2}^{\top}" in lines
    assert any("binary" in line and r"\mathrm{sigmoid}(z_{2}) - t" in line for line in lines)


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adamw", tn.optimizers.SGD(clipvalue=0.1)])
def test_every_operation_is_shown(optimizer: object) -> None:
    tn.set_random_seed(0)
    layers = [
        tn.layers.Embedding([0], 3, 2, input_shape=[2]),
        tn.layers.Dense(3, "softmax", use_bias=False, kernel_regularizer="l1"),
        tn.layers.LayerNormalization(),
        tn.layers.Dropout(0.5),
        tn.layers.Dense(2, "relu"),
    ]
    model = tn.Sequential(layers)
    model.compile(optimizer, "mae")
    explained = model.explain_step([[0, 1.5], [2, 0.5]], [[1, 2], [3, 4]])
    assert all((step.formulas and step.results) or step.operation == "regularize" for step in explained)
    text, page = str(explained), explained._repr_markdown_()
    assert page.count("{") == page.count("}")
    for step in explained:
        assert step.code in text
        assert step.code in page
    assert len(explained) == len(list(explained))
    assert explained[0].operation == "embed"


def test_unknown_name_is_one_sentence() -> None:
    with pytest.raises(KeyError, match="no array 'q9'; it wrote z1, a1"):
        two_layers().explain_step(X, T).result("q9")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("W1", "W_{1}"), ("dz12", r"\mathrm{d}z_{12}"), ("dE1_2", r"\mathrm{d}E_{1,2}"), ("gamma2", r"\gamma_{2}"),
        ("dbeta2", r"\mathrm{d}\beta_{2}"), ("dy", r"\mathrm{d}y"), ("x", "x"), ("parameters", r"\theta"),
    ],
)  # fmt: skip
def test_names_as_signs(name: str, shown: str) -> None:
    assert sign(name) == shown


def test_large_tensors_are_summarised() -> None:
    assert matrix(np.arange(100.0).reshape(2, 50)) == r"(2 \times 50),\; 0 \ldots 99,\; \mathrm{mean}\; 49.5"
    assert matrix(np.array([[1.0, 2.0], [3.0, 4.5]])) == r"\begin{bmatrix} 1 & 2 \\ 3 & 4.5 \end{bmatrix}"
