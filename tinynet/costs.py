"""What an operation of a program reads, writes and costs: for the memory plan and the listing."""

from __future__ import annotations

import math
from typing import Any

from tinynet.formulas.reader import read
from tinynet.recorder import Row, Tensor

# operation -> the arguments it writes; every other tensor among its arguments it only reads
WRITES: dict[str, tuple[str, ...]] = {
    "gather": ("out",), "gemm": ("out",), "bias_activation": ("z", "a"), "activation_grad": ("dz",),
    "apply": ("outs",), "column_sum": ("out",), "loss_grad": ("dy", "value"), "dropout": ("out",), "embed": ("out",),
    "embed_grad": ("dtables", "dx"), "regularize": ("value",), "regularize_grad": ("dp",), "square_norm": ("out",),
    "finite_guard": ("alive",), "advance": ("step",), "update": ("p", "slots"),
}  # fmt: skip

# the arguments among them whose old value matters too
ADDS_TO: dict[str, tuple[str, ...]] = {
    "bias_activation": ("z",), "loss_grad": ("value",), "regularize": ("value",), "regularize_grad": ("dp",),
    "finite_guard": ("alive",), "advance": ("step",), "update": ("p", "slots"),
}  # fmt: skip


def tensors_in(value: Any) -> list[Tensor]:
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, Tensor)]


def written_names(row: Row) -> set[str]:
    """The names of the tensors that the operation writes."""
    return {t.name for argument in WRITES[row.operation] for t in tensors_in(row.arguments.get(argument))}


def reads(row: Row) -> list[Tensor]:
    """The tensors whose values matter to the operation.

    A derivative that never reads z, or a, leaves that memory free for others from the forward pass on.
    """
    only_written = set(WRITES[row.operation]) - set(ADDS_TO.get(row.operation, ()))
    if row.operation == "gemm" and row.arguments.get("accumulate"):
        only_written = set()
    unread: tuple[str, ...] = ()
    if row.operation == "activation_grad":
        f = row.arguments["f"]
        reading = read(f.derivative or f.gradient)
        z, a = reading.arrays[-2:]
        unread = tuple(name for name, argument in (("z", z), ("a", a)) if not reading.reads(argument))
    return [
        tensor
        for name, value in row.arguments.items()
        if name not in only_written and name not in unread
        for tensor in tensors_in(value)
    ]


def flops(row: Row, n: int) -> int:
    """Floating-point operations for a batch of n rows; a function such as exp counts as one."""
    a = row.arguments
    match row.operation:
        case "gemm":
            inner = a["a"].size(n) * a["b"].size(n) // a["out"].size(n)  # (n k)(k m) / (n m) = k^2
            return 2 * int(a["out"].size(n)) * math.isqrt(inner)
        case "bias_activation":
            return int(a["z"].size(n)) * (1 + read(a["f"]).flops)
        case "activation_grad":
            back = a["f"].derivative
            once = 1 + read(back).flops if back else read(a["f"].gradient).flops
            return int(a["da"].size(n)) * once
        case "apply":
            return max(int(t.size(n)) for t in [*a["arrays"], *a["outs"]]) * read(a["f"]).flops
        case "column_sum":
            return int(a["d"].size(n))
        case "loss_grad":
            return int(a["y"].size(n)) * (2 + read(a["f"]).flops + read(a["f"].derivative).flops)
        case "dropout":
            return 2 * int(a["x"].size(n))
        case "embed_grad":
            return int(a["da"].size(n))
        case "regularize":
            return int(a["p"].size(n)) * (1 + read(a["f"]).flops)
        case "regularize_grad":
            return int(a["p"].size(n)) * (1 + read(a["f"].derivative).flops)
        case "square_norm":
            return 2 * int(a["d"].size(n))
        case "finite_guard":
            return int(a["gradients"].size(n))
        case "update":
            return int(a["p"].size(n)) * read(a["rule"]).flops
    return 0  # gather, embed and advance move or count, and compute nothing
