"""The computation as a picture: values flowing forth, gradients flowing back, as SVG that needs nothing but a viewer.

The picture is drawn from the recorded operations of one step, so it shows what runs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet.costs import written_names
from tinynet.drawing import Arrays, Box, drawn, sign
from tinynet.formulas.vocabulary import Array
from tinynet.mathematics import shown_name
from tinynet.network import Workspace
from tinynet.program import tensors_of
from tinynet.recorder import Recorder, Row
from tinynet.step import training_step

if TYPE_CHECKING:
    from tinynet.compiled import Compiled

LAYERS = 6  # more layers than these are summarised in the middle


@dataclass(frozen=True)
class Graph:
    """An SVG picture: shown in a notebook, its text with `str`; `save` writes it into a file."""

    svg: str

    def __str__(self) -> str:
        return self.svg

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture into a file, which any browser opens."""
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.svg)


def graph(model: Compiled, x: Any = None, y: Any = None, sample_weight: Any = None) -> Graph:
    """What `model.graph()` returns; see there."""
    if y is None and (x is not None or sample_weight is not None):
        raise ValueError("graph takes x and y together, as fit does; without both it shows shapes and no numbers")
    state = model._compiled(x)
    network = state.network.copy()
    columns = {"X": network.widths[0], "T": state.target_columns, "weights": 1}
    empty: Mapping[str, Array] = {name: np.zeros((1, size), network.dtype) for name, size in columns.items()}
    data = empty if y is None else model._data(x, y, sample_weight)
    rows = len(data["X"])
    w, order = Workspace(network, rows, True, state.target_columns), np.arange(rows)
    tensors = tensors_of(network, w, None, {**data, "order": order})
    recorder = Recorder(tensors)
    with np.errstate(all="ignore"):
        output = training_step(recorder, network, w, data, order, state.objective, None)

    fused_layer = len(network.layers) if state.objective.fused else 0
    kept = [[a for a in vars(m).values() if isinstance(a, np.ndarray) and a is not m.step] for m in w.memories]
    owner = {tensors[id(array)].name: index for index, arrays in enumerate(kept) for array in arrays}
    forth: list[list[str]] = [[] for _ in kept]
    back: list[list[str]] = [[] for _ in kept]
    loss: list[str] = []
    for row in recorder.rows:
        if row.operation in ("loss_grad", "regularize"):
            loss += in_words(row, fused_layer)
        for index in {owner[name] for name in written_names(row) if name in owner}:
            (back if loss else forth)[index] += in_words(row, fused_layer)

    def arrays(*found: Array | None) -> Arrays:
        """Name and numbers of each; without data None in place of the numbers, beside the shape."""
        named = [(shown_name(tensors[id(a)].name, fused_layer), tensors[id(a)], a) for a in found if a is not None]
        return [(name, str(t).partition(" ")[2] if y is None else None, a) for name, t, a in named]

    count = len(network.layers)
    hidden = range(LAYERS // 2, count - LAYERS // 2) if count > LAYERS else range(0)
    boxes: list[Box] = []
    for index, (layer, views) in enumerate(zip(network.layers, network.views, strict=True)):
        entered, learned = arrays(w.inputs[index]), list(network.specifications[index])
        left = arrays(w.input_gradients[index]) if index else []
        if index in hidden:
            if index == hidden[0]:
                size = sum(int(np.prod(spec.shape)) for i in hidden for spec in network.specifications[i].values())
                words = [f"{len(hidden)} layers, {size:,} parameters"]
                boxes.append(Box("…", entered, left, words, ["… back through all of them"], [], []))
            continue
        title = f"{layer.name} · {type(layer).__name__}"
        weights, gradients = arrays(*(views[n] for n in learned)), arrays(*(views["d" + n] for n in learned))
        boxes.append(Box(title, entered, left, forth[index], back[index], weights, gradients))
    value = [] if y is None else [f"L = {float(network.value[0]) / rows:.5g}"]
    name = sign(shown_name("dy", fused_layer))
    words = [f"{name} = ∂L / ∂{name[1:]}"]
    boxes.append(Box("loss", arrays(output), arrays(w.dy), [*loss, *value], words, arrays(w.t), []))
    return Graph(drawn(boxes))


def in_words(row: Row, fused_layer: int) -> list[str]:
    """The operation as lines of plain text, with the names of this network's arrays."""
    a = row.arguments

    def s(key: str) -> str:
        return several(a[key])

    def several(value: Any) -> str:
        values = value if isinstance(value, list) else [value]
        return ", ".join(sign(shown_name(tensor.name, fused_layer)) for tensor in values if tensor is not None)

    match row.operation:
        case "gemm":
            left, right = s("a") + "ᵀ" * bool(a.get("trans_a")), s("b") + "ᵀ" * bool(a.get("trans_b"))
            return [f"{s('out')} {'+=' if a.get('accumulate') else '='} {left} {right}"]
        case "bias_activation":
            return [f"{s('z')} += {s('b')}", f"{s('a')} = {a['f']}({s('z')})"]
        case "activation_grad" if a["f"].derivative is not None:
            return [f"{s('dz')} = {s('da')} ⊙ {a['f'].name}′({s('z')})"]
        case "activation_grad":
            return [f"{s('dz')} = {a['f'].gradient.name}({s('da')})"]
        case "apply":
            return [f"{s('outs')} = {a['f']}({s('arrays')})"]
        case "column_sum":
            return [f"{s('out')} = sum of the rows of {s('d')}"]
        case "loss_grad":
            return [f"L = mean {a['f']}({s('y')}, {s('t')})"]
        case "dropout":
            return [f"{s('out')} = dropout({s('x')}, {a['rate']:g})"]
        case "embed":
            return [f"{s('out')} = rows of {s('tables')}"]
        case "embed_grad":
            return [f"{s('dtables')} = sums of {s('da')} by code"]
        case "regularize":
            return [f"L += sum {a['f']}({s('p')})"]
        case "regularize_grad":
            return [f"{s('dp')} += {a['f'].name}′({s('p')})"]
    return []
