"""One training step explained: the numbers are the step's own, the formulas those of the source, the code the line."""

import linecache
from pathlib import Path

import numpy as np
import pytest
from test_formula_pages import pages as formula_pages

import tinynet as tn
from tinynet.mathematics import matrix, sign
from tinynet.plain import plain

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


def gradient_lines(model: tn.Sequential, x: np.ndarray = X, t: np.ndarray = T) -> list[str]:
    """The chain rule's lines, as the terminal shows them."""
    lines = [plain(line) for step in model.explain_step(x, t) for line in step.formulas]
    return [line for line in lines if line.startswith("∂L/∂")]


def test_the_chain_rule_is_spelled_out_for_each_parameter() -> None:
    to_a = "∂L/∂z₂ · ∂z₂/∂a₁ · ∂a₁/∂z₁"
    assert gradient_lines(two_layers()) == [
        "∂L/∂W₂ = ∂L/∂z₂ · ∂z₂/∂W₂",  # fused: the loss is taken on z2
        "∂L/∂b₂ = ∂L/∂z₂ · ∂z₂/∂b₂",
        f"∂L/∂W₁ = {to_a} · ∂z₁/∂W₁",
        f"∂L/∂b₁ = {to_a} · ∂z₁/∂b₁",
    ]
    assert gradient_lines(two_layers("mse"))[0] == "∂L/∂W₂ = ∂L/∂a₂ · ∂a₂/∂z₂ · ∂z₂/∂W₂"


def test_a_broken_chain_is_shown_broken() -> None:
    class ForgetsActivation(tn.layers.Dense):
        def backward(self, ops, m, x, da):  # type: ignore[no-untyped-def]
            return self.backward_from_z(ops, m, x, da)

    model = tn.Sequential([ForgetsActivation(2, "tanh", input_shape=[2]), tn.layers.Dense(1)])
    model.compile("sgd", "mse")
    assert "∂L/∂W₁ = ∂L/∂a₂ · ∂a₂/∂z₂ · ∂z₂/∂a₁ · ∂a₁/∂W₁" in gradient_lines(model)  # no z₁ on it


class Sum(tn.layers.Layer):
    """a = x W + tanh(x W): two ways lead to W."""

    def parameters(self, n_in):  # type: ignore[no-untyped-def]
        return {"W": tn.layers.Parameter((n_in, n_in), tn.initializers.GlorotUniform())}

    def forward_arrays(self, n_in):  # type: ignore[no-untyped-def]
        return {"p": n_in, "q": n_in, "a": n_in}

    def backward_arrays(self, n_in):  # type: ignore[no-untyped-def]
        return {"dq": n_in}

    def forward(self, ops, m, x, training):  # type: ignore[no-untyped-def]
        ops.gemm(x, m.W, m.p)
        ops.apply(tn.activations.get("tanh"), [m.p], [m.q])
        ops.apply(tn.Formula(added), [m.p, m.q], [m.a])
        return m.a

    def backward(self, ops, m, x, da):  # type: ignore[no-untyped-def]
        ops.activation_grad(da, m.p, m.q, tn.activations.get("tanh"), m.dq)
        ops.gemm(x, da, m.dW, trans_a=True)
        ops.gemm(x, m.dq, m.dW, trans_a=True, accumulate=True)
        if m.dx is not None:
            ops.gemm(da, m.W, m.dx, trans_b=True)
            ops.gemm(m.dq, m.W, m.dx, trans_b=True, accumulate=True)
        return m.dx


def added(p, q):  # type: ignore[no-untyped-def]
    return p + q


def test_where_two_ways_lead_to_a_parameter_both_are_added() -> None:
    tn.check_layer(Sum(), n_in=2)
    model = tn.Sequential([Sum(input_shape=[2]), Sum(), tn.layers.Dense(1)])
    model.compile("sgd", "mse")
    lines = gradient_lines(model)
    to_a = "∂L/∂a₃ · ∂a₃/∂z₃ · ∂z₃/∂a₂"
    assert f"∂L/∂W₂ = {to_a} · ∂a₂/∂W₂ + {to_a} · ∂a₂/∂q₂ · ∂q₂/∂W₂" in lines
    assert lines[-1].count(" + ") == 3  # of four ways three are shown
    assert lines[-1].endswith(" + ⋯")
    shown = [line for step in model.explain_step(X, T) for line in step.formulas]
    assert r"\mathrm{d}W_{2} \leftarrow \mathrm{d}W_{2} + a_{1}^{\top}\, \mathrm{d}q_{2}" in shown
    assert "dW₂ += a₁ᵀ dq₂" in str(model.graph(X, T))


def test_a_long_chain_leaves_out_its_middle() -> None:
    model = tn.Sequential([tn.Input([2]), *(tn.layers.Dense(2, "relu") for _ in range(12)), tn.layers.Dense(1)])
    model.compile("sgd", "mse")
    last = gradient_lines(model)[-1]
    assert last.startswith("∂L/∂b₁ = ∂L/∂a₁₃ · ∂a₁₃/∂z₁₃ · ∂z₁₃/∂a₁₂ · ⋯ · ")
    assert last.endswith("∂a₁/∂z₁ · ∂z₁/∂b₁")
    assert last.count("·") == 8


def test_a_terminal_shows_formulas_and_the_numbers_of_the_rule() -> None:
    text = str(two_layers(optimizer=tn.optimizers.SGD(0.25)).explain_step(X, T))
    for line in ("z₁ = x W₁", "a₁ = tanh(z₁)", "dz₁ = ∂L/∂z₁ = da₁ ⊙ tanh'(z₁)", "θ ← θ - η dθ", "η = 0.25"):
        assert f"     {line}" in text
    assert "\\" not in text


def test_a_called_formula_is_shown_once() -> None:
    lines = [line for step in two_layers().explain_step(X, T) for line in step.formulas]
    assert len([line for line in lines if line.startswith(r"\mathrm{adam\_step}(m, v) = ")]) == 1
    assert len([line for line in lines if line.startswith(r"\mathrm{softplus}(z) = ")]) == 1


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"\frac{a + b}{2}", "(a + b)/2"),
        (r"\frac{x}{-y}", "x/-y"),
        (r"e^{-\left|z\right|}", "e^(-|z|)"),
        (r"{a_{1}}^{2}", "a₁²"),
        (r"\hat{x_{2}} \leq \beta_{1}^{\mathrm{step}}", "x̂₂ ≤ β₁^step"),
        (
            r"\begin{cases} 1 & \text{if } z > 0 \\ \sqrt{2} & \text{otherwise} \end{cases}",
            "{ 1 if z > 0, √2 otherwise }",
        ),
        (r"m_{\mathrm{new}},\; k_{ij} \in \{0, 1\}", "m_new, kᵢⱼ ∈ {0, 1}"),
    ],
)
def test_latex_as_text(latex: str, text: str) -> None:
    assert plain(latex) == text


def test_every_formula_of_the_package_reads_as_text() -> None:
    for f in formula_pages():
        for line in (line for _, lines in f.parts for line in lines):
            assert not set(plain(line)) & set("\\$&"), plain(line)
