"""Operations as mathematics: the LaTeX of each, with the signs of the arrays that it was given; and a page of it.

What stands here is how an operation reads. The formulas inside it are printed from their own source.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinynet.formulas.formula import Formula
from tinynet.formulas.latex import definitions, latex, settings
from tinynet.formulas.reader import read
from tinynet.formulas.vocabulary import Array
from tinynet.recorder import Row, Tensor

SHOWN = 8  # rows and columns of a matrix that are shown; more are summarised


@dataclass(frozen=True)
class Mathematics:
    """Formulas to look at: set in a notebook, LaTeX lines with `print`. `parts` are (title, LaTeX lines) pairs."""

    parts: tuple[tuple[str, tuple[str, ...]], ...]

    def __str__(self) -> str:
        return "\n".join(line for title, lines in self.parts for line in (f"% {title}", *lines))

    def _repr_markdown_(self) -> str:
        return "\n\n".join(f"**{title}**\n\n$$ {aligned(lines)} $$" for title, lines in self.parts)

    def _repr_latex_(self) -> str:
        return f"$$ {aligned([line for _, lines in self.parts for line in lines])} $$"


def loss_page(
    name: str, f: Formula, fusion: tuple[Callable[..., Any], Callable[..., Any]] | None = None
) -> Mathematics:
    """What `loss.formula()` returns: f on the output y, and where `fusion` names it, on z before an activation."""

    def part(title: str, f: Formula, taken: str) -> tuple[str, tuple[str, ...]]:
        y, t, dy = (Tensor(name, "work", (None, None), "float64") for name in (taken, "t", f"d{taken}"))
        lines = operation_as_latex(Row("loss_grad", {"f": f, "y": y, "t": t, "dy": dy}))
        return title, tuple(lines)

    parts, formulas = [part(name, f, "y")], [f]
    if fusion is not None and fusion[1] is not f.function:
        formulas.append(Formula(fusion[1]))
        parts.append(part(f"{name} after {fusion[0].__name__}, taken on its z", formulas[1], "z"))
    return Mathematics((*parts, *words_and_numbers(formulas)))


def update_page(rule: Formula, clips: Sequence[tuple[str, Formula]]) -> Mathematics:
    """What `optimizer.formula()` returns; `clips` are (title, formula) pairs."""
    g = Tensor("g", "gradients", (None,), "float64")
    p = Tensor("p", "parameters", (None,), "float64")
    parts: list[tuple[str, tuple[str, ...]]]
    parts = [(title, (r"g \leftarrow " + latex(clip)[-1].split(" = ", 1)[1],)) for title, clip in clips]
    parts.append(("Update", tuple(operation_as_latex(Row("update", {"rule": rule, "p": p, "g": g})))))
    return Mathematics((*parts, *words_and_numbers([*(clip for _, clip in clips), rule])))


def words_and_numbers(formulas: Sequence[Formula]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The parts "Where", formulas that these call, and "With", their scalars; each where there are any."""
    beside = [g for f in formulas for g in (f, f.derivative, f.gradient) if g is not None]
    if lines := definitions(*beside):
        yield "Where", tuple(lines)
    if numbers := dict.fromkeys(text for f in formulas for text in settings(f)):
        yield "With", (r",\; ".join(numbers),)


def aligned(lines: tuple[str, ...] | list[str]) -> str:
    """Lines of LaTeX below each other, their first signs of equality or of assignment in one column."""
    rows = [re.sub(r" (=|\\leftarrow) ", r" &\1 ", line, count=1) for line in lines]
    return r"\begin{aligned} " + r" \\ ".join(rows) + r" \end{aligned}"


def shown_name(name: str, fused_layer: int) -> str:
    """The gradient that the loss writes is dz of the last layer where the objective is fused, else dy."""
    return f"dz{fused_layer}" if name == "dy" and fused_layer else name


def sign(name: str) -> str:
    r"""A tensor's name as a sign: W1 is W_{1}, dz2 is \mathrm{d}z_{2}, da_x_hat2 and others spell their name."""
    special = {"parameters": r"\theta", "gradients": r"\mathrm{d}\theta", "weight": "w", "square_norm": r"\|g\|^{2}"}
    if name in special:
        return special[name]
    found = re.fullmatch(r"(d?)([A-Za-z]|gamma|beta)(\d*)(?:_(\d+))?", name)
    if not found:
        return rf"\mathrm{{{name}}}".replace("_", r"\_")
    d, letter, first, second = found.groups()
    index = ",".join(part for part in (first, second) if part)
    greek = rf"\{letter}" if len(letter) > 1 else letter
    return (r"\mathrm{d}" if d else "") + greek + (f"_{{{index}}}" if index else "")


def chained(gradient: str) -> str:
    """What a gradient is, by the chain rule's other notation: dW is the derivative of L with respect to W."""
    of = gradient.removeprefix(r"\mathrm{d}")
    return "" if of == gradient else rf"\frac{{\partial L}}{{\partial {of}}} = "


def matrix(value: Array) -> str:
    """Numbers as a LaTeX matrix; of large ones the shape and the range."""
    value = np.asarray(value)
    if value.size == 1:
        return f"{float(value.reshape(())):.4g}"
    table = value.reshape(1, -1) if value.ndim == 1 else value
    if max(table.shape) > SHOWN:
        low, high = float(np.min(value)), float(np.max(value))
        size = r" \times ".join(map(str, value.shape))
        return rf"({size}),\; {low:.4g} \ldots {high:.4g},\; \mathrm{{mean}}\; {float(np.mean(value)):.4g}"
    rows = [" & ".join(f"{number:.4g}" for number in row) for row in table.tolist()]
    return r"\begin{bmatrix} " + r" \\ ".join(rows) + r" \end{bmatrix}"


def operation_as_latex(row: Row, fused_layer: int = 0) -> Iterator[str]:
    """The operation as mathematics: LaTeX lines, with the batch's own signs."""
    a = row.arguments

    def s(key: str) -> str:
        return sign(shown_name(a[key].name, fused_layer))

    def of(formula: Formula, *names: str) -> list[str]:
        signs = [sign(shown_name(name, fused_layer)) for name in names]
        arrays = formula.function.__code__.co_varnames
        return latex(formula, dict(zip(arrays, signs, strict=False)))

    match row.operation:
        case "gemm":
            left = s("a") + (r"^{\top}" if a.get("trans_a") else "")
            right = s("b") + (r"^{\top}" if a.get("trans_b") else "")
            if a.get("accumulate"):
                yield rf"{s('out')} \leftarrow {s('out')} + {left}\, {right}"
            else:
                yield rf"{s('out')} = {chained(s('out'))}{left}\, {right}"
        case "bias_activation":
            *before, last = of(a["f"], a["z"].name)
            yield rf"{s('z')} \leftarrow {s('z')} + {s('b')}"
            yield from before
            yield f"{s('a')} = {last}"
        case "activation_grad":
            back = a["f"].derivative
            if back is not None:
                prime = rf"\mathrm{{{a['f'].name}}}'".replace("_", r"\_")
                yield rf"{s('dz')} = {chained(s('dz'))}{s('da')} \odot {prime}({s('z')})"
                yield from of(back, a["z"].name, a["a"].name)
            else:
                yield rf"{s('dz')} = \frac{{\partial L}}{{\partial {s('z')}}}"
                yield from of(a["f"].gradient, a["da"].name, a["z"].name, a["a"].name)
        case "apply":
            *before, last = of(a["f"], *(t.name for t in a["arrays"]))
            yield from before
            yield f"{', '.join(sign(t.name) for t in a['outs'])} = {last}"
        case "column_sum":
            yield rf"{s('out')} = {chained(s('out'))}\sum_i ({s('d')})_{{i}}"
        case "loss_grad":
            one = a["y"].shape[1] == 1 or read(a["f"]).is_row
            mean, each, index = ("", "n", "i") if one else (r"\frac{1}{m} \sum_j", "n m", "ij")
            yield rf"L = \frac{{1}}{{n}} \sum_i w_i {mean}\, \mathrm{{loss}}({s('y')}, {s('t')})_{{{index}}}"
            yield from of(a["f"], a["y"].name, a["t"].name)
            partial = rf"\frac{{\partial L}}{{\partial {s('y')}}}"
            yield rf"{s('dy')} = {partial} = \frac{{w}}{{{each}}}\, \mathrm{{loss}}'({s('y')}, {s('t')})"
            yield from of(a["f"].derivative, a["y"].name, a["t"].name)
        case "dropout":
            yield rf"{s('out')} = \frac{{{s('x')} \odot k}}{{1 - {a['rate']:g}}},\; k_{{ij}} \in \{{0, 1\}}"
        case "embed":
            parts = [rf"{sign(t.name)}[x_{{{c}}}]" for t, c in zip(a["tables"], a["columns"], strict=True)]
            yield rf"{s('out')} = \left[x_{{\mathrm{{others}}}},\; {', '.join(parts)}\right]"
        case "embed_grad":
            for table, column in zip(a["dtables"], a["columns"], strict=True):
                yield rf"{sign(table.name)}[c] = \sum_{{i:\, x_{{i,{column}}} = c}} ({s('da')})_i"
        case "regularize":
            yield rf"L \leftarrow L + \sum \mathrm{{penalty}}({s('p')})"
            yield from of(a["f"], a["p"].name)
        case "regularize_grad":
            yield rf"{s('dp')} \leftarrow {s('dp')} + \mathrm{{penalty}}'({s('p')})"
            yield from of(a["f"].derivative, a["p"].name)
        case "square_norm":
            yield rf"{s('out')} = \sum ({s('d')})^2"
        case "update":
            *before, last = of(a["rule"], a["p"].name, a["g"].name)
            slots = read(a["rule"]).arrays[2:]
            yield from before
            yield rf"{', '.join([s('p'), *map(sign, slots)])} \leftarrow {last.split(' = ', 1)[1]}"
