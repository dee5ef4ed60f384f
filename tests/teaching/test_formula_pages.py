"""layer.formula(), loss.formula(), optimizer.formula(): what stands there is what the source does, right or wrong."""

import re

import pytest

import tinynet as tn
from tinynet.activations import ACTIVATIONS
from tinynet.formulas.rows import product
from tinynet.losses import LOSSES
from tinynet.mathematics import Mathematics
from tinynet.optimizers import OPTIMIZERS

OPTIONS = [{}, {"clipvalue": 0.5}, {"clipnorm": 0.5}, {"global_clipnorm": 0.5}]
LAYERS = [
    *(tn.layers.Dense(2, name) for name in ACTIVATIONS),
    *(tn.layers.Activation(name) for name in ACTIVATIONS),
    tn.layers.Dense(3, "tanh", use_bias=False, kernel_regularizer="l1"),
    tn.layers.Dropout(0.3),
    tn.layers.LayerNormalization(),
    tn.layers.Embedding([1, 4], 3, 2),
]


def pages() -> list[Mathematics]:
    losses = [LOSSES.make(name) for name in LOSSES.known]
    optimizers = [made(**options) for made in OPTIMIZERS.known.values() for options in OPTIONS]
    return [thing.formula() for thing in (*LAYERS, *losses, *optimizers)]


def test_every_page_is_whole() -> None:
    found = pages()
    assert len(found) > 40
    for page in found:
        assert page.parts
        assert all(lines for _, lines in page.parts)
        for text in (page._repr_markdown_(), page._repr_latex_()):
            assert text.count("{") == text.count("}")
            assert text.count(r"\begin{aligned}") == text.count(r"\end{aligned}") >= 1
            assert len(re.findall(r"\\left[^a-z]", text)) == len(re.findall(r"\\right[^a-z]", text))
        for line in (line for _, lines in page.parts for line in lines):
            assert line in str(page)


def test_every_called_formula_is_defined() -> None:
    """A reader finds each \\mathrm{name}(...) of the page defined on it, but `loss`, `penalty` and the thing itself."""
    for page in pages():
        lines = [line for _, lines in page.parts for line in lines]
        called = {name for line in lines for name in re.findall(r"\\mathrm\{([a-z_\\]{3,})\}'?\(", line)}
        defined = {name for line in lines for name in re.findall(r"\\mathrm\{([a-z_\\]{3,})\}'?\([^=]*\) = ", line)}
        assert called - defined <= {"loss", "penalty"}, called - defined


def test_dense_is_the_book() -> None:
    title, forward = tn.layers.Dense(2, "tanh").formula().parts[0]
    assert title == "Forward"
    assert forward == (r"z = x\, W", r"z \leftarrow z + b", r"a = \mathrm{tanh}(z) = \tanh\left(z\right)")
    backward = dict(tn.layers.Dense(2, "tanh").formula().parts)["Backward"]
    assert backward[0].endswith(r"\mathrm{d}a \odot \mathrm{tanh}'(z)")
    assert backward[2].endswith(r"= x^{\top}\, \mathrm{d}z")
    assert backward[3].endswith(r"= \sum_i (\mathrm{d}z)_{i}")
    assert backward[4].endswith(r"= \mathrm{d}z\, W^{\top}")


def test_a_broken_backward_is_printed_broken() -> None:
    class ForgetsBias(tn.layers.Dense):
        def backward_from_z(self, ops, m, x, dz):  # type: ignore[no-untyped-def]
            ops.gemm(x, dz, m.dW, trans_a=True)
            ops.gemm(dz, m.W, m.dx, trans_b=True)
            return m.dx

    assert r"\mathrm{d}b" in str(tn.layers.Dense(2).formula())
    assert r"\mathrm{d}b" not in str(ForgetsBias(2).formula())


class Halves(tn.layers.Layer):
    """Of one's own; takes an even number of columns, and notes it."""

    seen = 0

    def build(self, n_in: int) -> int:
        if n_in % 2 or n_in < 4:
            raise ValueError("an even number of columns, 4 at least")
        self.seen = n_in
        return n_in

    def forward_arrays(self, n_in: int) -> dict[str, int]:
        return {"a": n_in}

    def forward(self, ops, m, x, training):  # type: ignore[no-untyped-def]
        ops.apply(tn.Formula(product), [x, x], [m.a])
        return m.a

    def backward(self, ops, m, x, da):  # type: ignore[no-untyped-def]
        ops.apply(tn.Formula(product), [da, x], [m.dx])
        return m.dx


def test_own_layer() -> None:
    layer = Halves()
    assert layer.formula().parts[0] == ("Forward", (r"a = \mathrm{product}(x, x) = x \, x",))
    assert layer.seen == 0  # the layer itself was not built


def test_layer_that_takes_nothing_is_one_sentence() -> None:
    class Never(Halves):
        def build(self, n_in: int) -> int:
            raise ValueError("no")

    with pytest.raises(ValueError, match="Never takes none of 1 to 256 columns; give it input_shape"):
        Never().formula()


def test_loss_shows_what_is_fused() -> None:
    titles = [title for title, _ in tn.losses.BinaryCrossentropy().formula().parts]
    assert titles[:2] == ["binary_crossentropy", "binary_crossentropy after sigmoid, taken on its z"]
    assert r"\mathrm{sigmoid}(z) - t" in str(tn.losses.BinaryCrossentropy().formula())
    assert "after" not in str(tn.losses.BinaryCrossentropy(from_logits=True).formula())


def test_optimizer_shows_its_numbers_as_they_stand() -> None:
    optimizer = tn.optimizers.SGD(0.5, momentum=0.25)
    optimizer.learning_rate = 0.125
    assert dict(optimizer.formula().parts)["With"] == (r"\eta = 0.125,\; \mu = 0.25",)
    assert dict(optimizer.formula().parts)["Update"][-1] == r"p, m \leftarrow p + m_{\mathrm{new}},\; m_{\mathrm{new}}"
