"""A layer as mathematics: its own forward and backward, recorded on two rows and printed."""

from __future__ import annotations

import copy

import numpy as np

from tinynet.formulas.formula import Formula
from tinynet.layers.base import Layer, Memory
from tinynet.mathematics import Mathematics, operation_as_latex, words_and_numbers
from tinynet.recorder import Recorder, Tensor

ROWS = 2
TRIED = 256  # numbers of columns that are tried for a layer which does not say its own


def formula(layer: Layer) -> Mathematics:
    """What `layer.formula()` returns. Raises ValueError for a layer that takes none of 1 to 256 columns."""
    layer = copy.copy(layer)  # `build` of one's own layer may note the width
    n_in = columns_of(layer)
    tensors: dict[int, Tensor] = {}

    def array(name: str, *shape: int) -> np.ndarray:
        made = np.zeros(shape)
        tensors[id(made)] = Tensor(name, "work", shape, "float64")
        return made

    n_out = layer.build(n_in)
    specifications = layer.parameters(n_in)
    memory = Memory(1, 0, np.zeros(1, np.int64))
    for name, spec in specifications.items():
        memory.put(name, array(name, *spec.shape))
        memory.put("d" + name, array("d" + name, *spec.shape))
    for name, width in {**layer.forward_arrays(n_in), **layer.backward_arrays(n_in)}.items():
        memory.put(name, array(name, ROWS, width))
    memory.dx = array("dx", ROWS, n_in)
    x, da = array("x", ROWS, n_in), array("da", ROWS, n_out)
    total, value = array("total", 1), array("L", 1)
    tensors[id(memory.step)] = Tensor("step", "state", (1,), "int64")

    recorder = Recorder(tensors)
    parts: list[tuple[str, tuple[str, ...]]] = []
    formulas: list[Formula] = []

    def part(title: str) -> None:
        lines = [line for row in recorder.rows for line in operation_as_latex(row)]
        formulas.extend(v for row in recorder.rows for v in row.arguments.values() if isinstance(v, Formula))
        recorder.rows.clear()
        if lines:
            parts.append((title, tuple(lines)))

    penalised = [(spec.penalty, name) for name, spec in specifications.items() if spec.penalty is not None]
    with np.errstate(all="ignore"):
        layer.forward(recorder, memory, x, True)
        part("Forward")
        for penalty, name in penalised:
            recorder.regularize(penalty, getattr(memory, name), total, value)
        part("Penalty")
        layer.backward(recorder, memory, x, da)
        for penalty, name in penalised:
            recorder.regularize_grad(penalty, getattr(memory, name), getattr(memory, "d" + name))
        part("Backward")
    return Mathematics((*parts, *words_and_numbers(formulas)))


def columns_of(layer: Layer) -> int:
    """A number of columns that the layer takes: its own where it has said one."""
    if layer.input_shape is not None:
        return layer.input_shape
    for columns in range(1, TRIED + 1):
        try:
            layer.build(columns)
        except ValueError:
            continue
        return columns
    kind = type(layer).__name__
    raise ValueError(f"{kind} takes none of 1 to {TRIED} columns; give it input_shape to see its formula")
