"""One training step shown operation by operation: the formula, the line of code, the shapes and this batch's numbers.

The formulas are printed from the source that trains the network, and the numbers are copied while the step runs.
"""

from __future__ import annotations

import linecache
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet.chain import Chain
from tinynet.costs import written_names
from tinynet.formulas.formula import Formula
from tinynet.formulas.latex import definitions, settings
from tinynet.formulas.vocabulary import Array
from tinynet.mathematics import SHOWN, matrix, operation_as_latex, shown_name, sign
from tinynet.network import Workspace
from tinynet.operations import hyper_names
from tinynet.plain import plain
from tinynet.program import tensors_of
from tinynet.recorder import Recorder, Row, Tensor
from tinynet.step import training_step

if TYPE_CHECKING:
    from tinynet.compiled import Compiled

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
            lines += [f"     {plain(line)}" for line in step.formulas]
            lines += [f"     {name} = {written(value, len(name) + 8)}" for name, value in step.results.items()]
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
    said: set[str] = set()
    chain = Chain(fused_layer)

    def words_and_numbers(row: Row, arguments: dict[str, Any]) -> Iterator[str]:
        """What a called formula is, where it is called first, and the numbers of an update rule."""
        used = [value for value in row.arguments.values() if isinstance(value, Formula)]
        back = [f.derivative or f.gradient for f in used if row.operation in ("activation_grad", "loss_grad")]
        called = definitions(*used, *filter(None, back))
        yield from (line for line in called if line not in said)
        said.update(called)
        if row.operation == "update":
            now = dict(zip(hyper_names(row.arguments["rule"]), arguments["hyper"].tolist(), strict=True))
            yield r",\; ".join(settings(Formula(row.arguments["rule"].function, **now)))

    def note(row: Row, arguments: dict[str, Any]) -> None:
        if row.operation in BOOKKEEPING:
            chain.line(row)
            return
        frame = sys._getframe(2)  # note <- the recorder <- the line that called the operation
        path = Path(frame.f_code.co_filename)
        results = {t.name: np.array(a) for t, a in _written(row, arguments)}
        if row.operation == "update":
            results = {tensors[id(p)].name: p.copy() for p in network.parameter_list()}
        if row.operation == "loss_grad":
            results["L"] = network.value / rows
        formulas = [*operation_as_latex(row, fused_layer), *words_and_numbers(row, arguments)]
        steps.append(
            Step(
                _phase(row, steps),
                row.operation,
                tuple(filter(None, (chain.line(row), *formulas))),
                linecache.getline(str(path), frame.f_lineno).strip(),
                f"{'/'.join(path.parts[-2:])}:{frame.f_lineno}",
                ", ".join(dict.fromkeys(str(t) for t in row.tensors())),
                {shown_name(name, fused_layer): value for name, value in results.items() if name != "value"},
            )
        )

    with np.errstate(all="ignore"):
        training_step(Recorder(tensors, note), network, w, data, order, state.objective, optimizer)
    return Explanation(tuple(steps), float(network.value[0]) / rows)


def written(value: Array, indent: int) -> str:
    """Numbers of four digits in columns; of large arrays the corners."""
    if value.size == 1:
        return f"{float(value.reshape(())):.6g}"
    width = max(len(f"{number:.4g}") for number in value.ravel()[:1000].tolist())
    text = np.array2string(
        value, threshold=SHOWN * SHOWN, edgeitems=3, max_line_width=110 - indent,
        formatter={"float_kind": lambda number: f"{number:.4g}".rjust(width)},
    )  # fmt: skip
    return text.replace("\n", "\n" + " " * indent)


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
