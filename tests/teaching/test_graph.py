"""model.graph(): the picture is whole, needs nothing from outside, and shows the step's own operations and numbers."""

from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import tinynet as tn
from tinynet.drawing import short, sign

X = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.25]])
T = np.array([[1.0], [0.0], [1.0]])


def two_layers(first: type[tn.layers.Dense] = tn.layers.Dense) -> tn.Sequential:
    tn.set_random_seed(1)
    layers = [first(2, "tanh", input_shape=[2]), tn.layers.Dense(1, "sigmoid")]
    model = tn.Sequential(layers, dtype="float64")
    model.compile("sgd", "binary_crossentropy")
    return model


def words(svg: str) -> list[str]:
    """Every piece of text in the picture, in order."""
    return [found.text or "" for found in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_numbers_are_those_of_the_visible_step() -> None:
    model = two_layers()
    shown = words(str(model.graph(X, T)))
    model.forward(X)
    loss, d = model.loss_and_gradient(T)
    model.backward(d)
    batch, gradients = model.batch(), model.gradients()
    arrays = {"x 3×2": X, "a₁ 3×2": batch["a1"], "da₁ 3×2": batch["da1"], "a₂ 3×1": batch["a2"], "dz₂ 3×1": d}
    arrays |= {"W₁ 2×2": model.variables()["dense/W"], "dW₁ 2×2": gradients["dense/W"], "db₂ 1": gradients["dense_1/b"]}
    for name, array in arrays.items():
        start = shown.index(name) + 1
        assert shown[start : start + array.size] == [short(value) for value in array.ravel()], name
    assert f"L = {loss:.5g}" in shown


def test_operations_stand_in_their_layer_and_order() -> None:
    shown = words(str(two_layers().graph(X, T)))
    lines = [
        "dense · Dense", "z₁ = x W₁", "z₁ += b₁", "a₁ = tanh(z₁)",
        "dz₁ = da₁ ⊙ tanh′(z₁)", "dW₁ = xᵀ dz₁", "db₁ = sum of the rows of dz₁",
        "dense_1 · Dense", "z₂ = a₁ W₂", "z₂ += b₂", "a₂ = sigmoid(z₂)",
        "dW₂ = a₁ᵀ dz₂", "db₂ = sum of the rows of dz₂", "da₁ = dz₂ W₂ᵀ",
        "loss", "L = mean binary_crossentropy_from_logits(z₂, t)", "dz₂ = ∂L / ∂z₂",
    ]  # fmt: skip
    places = [shown.index(line) for line in lines]
    assert places == sorted(places)


def test_a_broken_backward_is_drawn_broken() -> None:
    class ForgetsBias(tn.layers.Dense):
        def backward_from_z(self, ops, m, x, dz):  # type: ignore[no-untyped-def]
            ops.gemm(x, dz, m.dW, trans_a=True)
            return m.dx

    shown = words(str(two_layers(ForgetsBias).graph(X, T)))
    assert "db₁ = sum of the rows of dz₁" not in shown
    assert "db₂ = sum of the rows of dz₂" in shown


def test_model_is_not_changed() -> None:
    model = two_layers()
    before = model.get_weights()
    model.graph(X, T)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert not model._compiled().network.gradients.any()


def test_without_data_shapes_alone() -> None:
    shown = words(str(two_layers().graph()))
    assert {"x (n, 2)", "a₁ (n, 2)", "W₁ (2, 2)", "b₁ (2,)", "dz₂ (n, 1)", "t (n, 1)"} <= set(shown)
    assert not [word for word in shown if word.lstrip("-")[:1].isdigit()]


@pytest.mark.parametrize("loss", ["mean_squared_error", "sparse_categorical_crossentropy"])
def test_large_networks_are_summarised_and_every_layer_can_be_drawn(loss: str) -> None:
    tn.set_random_seed(0)
    first = [tn.layers.Embedding([0, 2], 3, 2), tn.layers.LayerNormalization(), tn.layers.Dropout(0.5)]
    layers = [
        *first,
        *(tn.layers.Dense(40, "gelu") for _ in range(20)),
        tn.layers.Dense(3),
        tn.layers.Activation("softmax"),
    ]
    model = tn.Sequential(layers)
    model.compile("adam", loss)
    x = np.array([[0, 0.5, 2], [1, -1, 0]] * 50)
    y = np.arange(100) % 3 if loss.startswith("sparse") else np.eye(3)[np.arange(100) % 3]
    svg = str(model.graph(x, y))
    shown = words(svg)
    assert "19 layers, 29,760 parameters" in shown  # 5 * 40 + 40, then 18 times 40 * 40 + 40
    assert {"x 100×3", "embedding · Embedding", "activation · Activation", "a₁ = rows of E₁,₁, E₂,₁"} <= set(shown)
    assert len(svg) < 400_000


def test_picture_stands_alone(tmp_path: Path) -> None:
    picture = two_layers().graph(X, T)
    picture.save(tmp_path / "step.svg")
    text = (tmp_path / "step.svg").read_text(encoding="utf-8")
    assert text == str(picture) == picture._repr_svg_()
    assert text.count("http") == 1  # the namespace: no font, script or image from elsewhere
    assert "<script" not in text


def test_a_long_chain_goes_on_below() -> None:
    """No wider than a screen, every layer in it, and each row below the one before it."""
    tn.set_random_seed(0)
    model = tn.Sequential([tn.Input([3]), *(tn.layers.Dense(3, "tanh") for _ in range(5)), tn.layers.Dense(1)])
    model.compile("sgd", "mse")
    svg = str(model.graph(np.ones((3, 3)), np.ones(3)))
    picture = ElementTree.fromstring(svg)
    assert float(picture.get("width", "")) < 1400
    texts = picture.iter("{http://www.w3.org/2000/svg}text")
    found = {text.text: (float(text.get("x", "")), float(text.get("y", ""))) for text in texts}
    titles = [found[f"dense{'_' * (i > 0)}{i or ''} · Dense"] for i in range(6)]
    assert len({y for _, y in titles}) > 1
    for (x, y), (next_x, next_y) in pairwise([*titles, found["loss"]]):
        assert (y == next_y and next_x > x) or next_y > y


def test_half_of_the_data_is_one_sentence() -> None:
    with pytest.raises(ValueError, match="graph takes x and y together"):
        two_layers().graph(X)


def test_signs_and_numbers() -> None:
    assert [sign(name) for name in ("dW12", "E1_2", "gamma3", "x", "da_x_hat2")] == [
        "dW₁₂", "E₁,₂", "γ₃", "x", "da_x_hat₂",
    ]  # fmt: skip
    assert [short(v) for v in (0.0, -0.5, 12.345, 123.4, -0.00042, 1e9)] == [
        "0.00",
        "-0.50",
        "12.35",
        "123",
        "-4e-4",
        "1e9",
    ]
