"""Formulas as they stand in a book."""

import re
import warnings

import pytest
from every_formula import EVERY, name_of

from tinynet.formulas import activations, losses, rows, updates
from tinynet.formulas.formula import Formula
from tinynet.formulas.latex import latex
from tinynet.formulas.vocabulary import column_index, exp, log, row_max, row_sum, tanh, where

EXPECTED = [
    (activations.sigmoid, [r"\mathrm{sigmoid}(z) = \frac{1}{1 + e^{-z}}"]),
    (activations.tanh.derivative, [r"\mathrm{tanh}'(z, a) = 1 - {a}^{2}"]),
    (
        activations.leaky_relu,
        [
            r"\mathrm{leaky\_relu}(z) = "
            r"\begin{cases} z & \text{if } z > 0 \\ \alpha \, z & \text{otherwise} \end{cases}",
        ],
    ),
    (
        activations.gelu.derivative,
        [
            r"\mathrm{gelu}'(z, a) = 0.5 \, \left(1 + \operatorname{erf}\left(\frac{z}{\sqrt{2}}\right)\right)"
            r" + \frac{z \, e^{-0.5 \, {z}^{2}}}{\sqrt{2 \, \pi}}",
        ],
    ),
    (
        activations.softmax,
        [r"u = e^{z - \max_j\left(z_j\right)}", r"\mathrm{softmax}(z) = \frac{u}{\sum_j u_j}"],
    ),
    (
        activations.softmax.gradient,
        [
            r"\mathrm{softmax\_gradient}(\mathrm{d}a, z, a)"
            r" = a \, \left(\mathrm{d}a - \sum_j \mathrm{d}a_j \, a_j\right)"
        ],
    ),
    (
        losses.categorical_crossentropy_from_logits,
        [
            r"\mathrm{shifted} = y - \max_j\left(y_j\right)",
            r"\mathrm{categorical\_crossentropy\_from\_logits}(y, t) = \sum_j t_j \, "
            r"\left(\ln\left(\sum_k e^{\mathrm{shifted}_k}\right) - \mathrm{shifted}_j\right)",
        ],
    ),
    (
        rows.row_deviation,
        [
            r"\mathrm{row\_deviation}(x) = \sqrt{\operatorname{mean}_j\left({\left(x_j"
            r" - \operatorname{mean}_k\left(x_k\right)\right)}^{2}\right) + \epsilon}"
        ],
    ),
    (
        updates.adam_step,
        [
            r"\mathrm{corrected\_rate} = \frac{\eta \, \sqrt{1 - {\beta_{2}}^{\mathrm{step}}}}"
            r"{1 - {\beta_{1}}^{\mathrm{step}}}",
            r"\mathrm{adam\_step}(m, v) = \frac{\mathrm{corrected\_rate} \cdot m}{\sqrt{v} + \epsilon}",
        ],
    ),
    (
        updates.rmsprop,
        [
            r"v_{\mathrm{new}} = \mathrm{moving\_average}(v, {g}^{2};\, \rho)",
            r"\mathrm{rmsprop}(p, g, v) = p - \frac{\eta \, g}{\sqrt{v_{\mathrm{new}} + \epsilon}},\; v_{\mathrm{new}}",
        ],
    ),
]


@pytest.mark.parametrize(("f", "lines"), EXPECTED, ids=lambda value: getattr(value, "__name__", ""))
def test_the_line_that_a_book_prints(f, lines):
    assert latex(f) == lines
    assert latex(Formula(f)) == lines


def test_symbols_may_be_given():
    assert latex(activations.sigmoid, {"z": "z_1"}) == [r"\mathrm{sigmoid}(z_1) = \frac{1}{1 + e^{-z_1}}"]


def precedence(x, y):
    return (x + y) * (x - (y - x)) / -(x * y) + (x / y) ** 2 - (-0.5 * x - y)


def powers(x, *, alpha_up=2.0, theta=1e-7, lr=250_000_000.0):
    return exp(x) ** 2 * x**alpha_up + 3.0 * 2.0 * x * theta + (x**2) ** 3 + 1e-7 * lr * x


def sums(x, w_hat):
    total = row_sum(x)
    return row_sum(x) * w_hat + -row_sum(w_hat) * x + row_max(w_hat * total) - row_sum(activations.softmax(x) * x)


def chosen(x):
    return 2.0 * where(x != 0.0, log(x) ** 2, tanh(x)) - where(column_index(x) <= 3.0, x, -x)


@pytest.mark.parametrize(
    ("f", "line"),
    [
        (
            precedence,
            r"\frac{\left(x + y\right) \, \left(x - \left(y - x\right)\right)}{-x \, y}"
            r" + {\left(\frac{x}{y}\right)}^{2} - \left(-0.5 \, x - y\right)",
        ),
        (
            powers,
            r"{\left(e^{x}\right)}^{2} \, {x}^{\alpha_{\mathrm{up}}} + 3 \cdot 2 \, x \, \theta"
            r" + {\left({x}^{2}\right)}^{3} + 10^{-7} \, \mathrm{lr} \cdot x",
        ),
        (
            sums,
            r"\left(\sum_j x_j\right) \, \hat{w} + \left(-\sum_j \hat{w}_j\right) \, x"
            r" + \max_j\left(\hat{w}_j \, \mathrm{total}\right) - \sum_j \mathrm{softmax}(x)_j \, x_j",
        ),
        (
            chosen,
            r"2 \, \left(\begin{cases} {\ln\left(x\right)}^{2} & \text{if } x \neq 0 \\"
            r" \tanh\left(x\right) & \text{otherwise} \end{cases}\right)"
            r" - \left(\begin{cases} x & \text{if } j \leq 3 \\ -x & \text{otherwise} \end{cases}\right)",
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_binds_and_what_needs_parentheses(f, line):
    assert latex(f)[-1].partition(" = ")[2] == line


@pytest.mark.parametrize("f", EVERY, ids=name_of)
def test_every_formula_prints_as_latex_that_can_be_typeset(f):
    """matplotlib's own TeX reads every line; it has no cases, so these are set as a row in braces."""
    mathtext = pytest.importorskip("matplotlib.mathtext")
    for line in latex(f):
        assert line.count(r"\left") == line.count(r"\right")
        assert line.count("{") == line.count("}")
        plain = re.sub(r"\\begin\{cases\}(.*?)\\end\{cases\}", r"\\left\\{\1\\right.", line)
        plain = plain.replace(r"\\", r"\;").replace("&", r"\;").replace(r"\text", r"\mathrm")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            mathtext.MathTextParser("path").parse(f"${plain}$")
