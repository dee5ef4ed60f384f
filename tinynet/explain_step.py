"""One training step shown operation by operation: the formula, the line of code, the shapes and this batch's numbers.

The formulas are printed from the source that trains the network, and the numbers are copied while the step runs.
"""

from __future__ import annotations

import linecache
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet.costs import written_names
from tinynet.formulas.formula import Formula
from tinynet.formulas.latex import latex
from tinynet.formulas.reader import read
from tinynet.formulas.vocabulary import Array
from tinynet.network import Workspace
from tinynet.program import tensors_of
from tinynet.recorder import Recorder, Row, Tensor
from tinynet.step import training_step

if TYPE_CHECKING:
    from tinynet.compiled import Compiled

SHOWN = 8  # rows and columns of a matrix that are shown; more are summarised
BOOKKEEPING = ("gather", "finite_guard", "advance")  # operations without mathematics


@dataclass(frozen=True)
class Step:
    """One operation of a training step.

    `phase` is forward, loss, backward or update; `formulas` LaTeX lines; `code` the line that called the operation
    and `where` it stands; `results` the arrays it wrote, by name, and `shapes` of everything it touched.
    """

    phase: str
    operation: str
    formulas: tuple[str, ...]
    code: str
    where: str
    shapes: str
    results: dict[str, Array]


@dataclass(frozen=True)
class Explanation:
    """A training step to look at: in a notebook with formulas set, with `print` as text; `steps` holds the pieces."""

    steps: tuple[Step, ...]
    loss: float

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __getitem__(self, index: int) -> Step:
        return self.steps[index]

    def __len__(self) -> int:
        return len(self.steps)

    def result(self, name: str) -> Array:
        """The numbers of an array as the step left them, by name: "z1", "dW2", ..."""
        for step in reversed(self.steps):
            if name in step.results:
                return step.results[name]
        known = ", ".join(dict.fromkeys(key for step in self.steps for key in step.results))
        raise KeyError(f"the step wrote no array {name!r}; it wrote {known}")

    def __str__(self) -> str:
        lines = []
        phase = ""
        for number, step in enumerate(self.steps, 1):
            if step.phase != phase:
                phase = step.phase
                lines.append(f"{phase.upper()}")
            lines.append(f"{number:>3}. {step.code:<64} {step.where}")
            lines.append(f"     {step.shapes}")
            for name, value in step.results.items():
                text = np.array2string(value, precision=4, suppress_small=True, threshold=SHOWN * SHOWN, edgeitems=3)
                lines.append("     " + f"{name} = {text}".replace("\n", "\n" + " " * (len(name) + 8)))
        return "\n".join([*lines, f"loss {self.loss:.6g}"])

    def _repr_markdown_(self) -> str:
        lines = []
        phase = ""
        for number, step in enumerate(self.steps, 1):
            if step.phase != phase:
                phase = step.phase
                lines.append(f"### {phase.capitalize()}\n")
            lines.append(f"**{number}.** `{step.code}` <small>{step.where}; {step.shapes}</small>\n")
            lines += [f"$$ {line} $$\n" for line in step.formulas]
            shown = [rf"{sign(name)} = {matrix(value)}" for name, value in step.results.items()]
            lines += [f"$$ {line} $$\n" for line in shown]
        return "\n".join([*lines, f"Loss of the batch: $L = {self.loss:.6g}$"])


def explain_step(model: Compiled, x: Any, y: Any, sample_weight: Any = None) -> Explanation:
    """Carry out one training step of a copy of the model on the rows given, and explain it; the model stays."""
    state = model._compiled(x)
    data = model._data(x, y, sample_weight)
    network = state.network.copy()
    optimizer = state.optimizer.copy(network)
    rows = len(data["X"])
    w, order = Workspace(network, rows, True, state.target_columns), np.arange(rows)
    tensors = tensors_of(network, w, optimizer, {**data, "order": order})
    fused_layer = len(network.layers) if state.objective.fused else 0
    steps: list[Step] = []

    def note(row: Row, arguments: dict[str, Any]) -> None:
        if row.operation in BOOKKEEPING:
            return
        frame = sys._getframe(2)  # note <- the recorder <- the line that called the operation
        path = Path(frame.f_code.co_filename)
        results = {t.name: np.array(a) for t, a in _written(row, arguments)}
        if row.operation == "update":
            results = {tensors[id(p)].name: p.copy() for p in network.parameter_list()}
        if row.operation == "loss_grad":
            results["L"] = network.value / rows
        steps.append(
            Step(
                _phase(row, steps),
                row.operation,
                tuple(_formulas(row, fused_layer)),
                linecache.getline(str(path), frame.f_lineno).strip(),
                f"{'/'.join(path.parts[-2:])}:{frame.f_lineno}",
                ", ".join(dict.fromkeys(str(t) for t in row.tensors())),
                {_shown_name(name, fused_layer): value for name, value in results.items() if name != "value"},
            )
        )

    with np.errstate(all="ignore"):
        training_step(Recorder(tensors, note), network, w, data, order, state.objective, optimizer)
    return Explanation(tuple(steps), float(network.value[0]) / rows)


def _written(row: Row, arguments: dict[str, Any]) -> Iterator[tuple[Tensor, Array]]:
    """(tensor, array) of everything that the operation wrote."""
    names = written_names(row)
    for tensors, arrays in zip(row.arguments.values(), arguments.values(), strict=True):
        pairs = zip(tensors, arrays, strict=True) if isinstance(tensors, list) else [(tensors, arrays)]
        for tensor, array in pairs:
            if isinstance(tensor, Tensor) and tensor.name in names:
                yield tensor, array


def _phase(row: Row, before: list[Step]) -> str:
    """Which part of the step the operation belongs to."""
    last = before[-1].phase if before else "forward"
    if row.operation in ("loss_grad", "regularize"):
        return "loss"
    if row.operation == "update" or row.operation == "square_norm" or last == "update":
        return "update"
    if row.operation == "apply" and row.arguments["f"].name == "clip_by_value":
        return "update"
    return "backward" if last in ("loss", "backward") else "forward"


def _shown_name(name: str, fused_layer: int) -> str:
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


def _formulas(row: Row, fused_layer: int) -> Iterator[str]:
    """The operation as mathematics: LaTeX lines, with the batch's own signs."""
    a = row.arguments

    def s(key: str) -> str:
        return sign(_shown_name(a[key].name, fused_layer))

    def of(formula: Formula, *names: str) -> list[str]:
        signs = [sign(_shown_name(name, fused_layer)) for name in names]
        arrays = formula.function.__code__.co_varnames
        return latex(formula, dict(zip(arrays, signs, strict=False)))

    match row.operation:
        case "gemm":
            left = s("a") + (r"^{\top}" if a.get("trans_a") else "")
            right = s("b") + (r"^{\top}" if a.get("trans_b") else "")
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
            outputs = a["y"].shape[1]
            mean, each = ("", "n") if outputs == 1 or read(a["f"]).is_row else (r"\frac{1}{m} \sum_j", "n m")
            yield rf"L = \frac{{1}}{{n}} \sum_i w_i {mean}\, \mathrm{{loss}}(y_i, t_i)"
            yield from of(a["f"], a["y"].name, a["t"].name)
            partial = rf"\frac{{\partial L}}{{\partial {s('y')}}}"
            yield rf"{s('dy')} = {partial} = \frac{{w}}{{{each}}}\, \mathrm{{loss}}'(y, t)"
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
            yield from before
            yield rf"{s('p')} \leftarrow {last}"
