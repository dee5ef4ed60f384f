"""The chain rule of each gradient, read off the operations that a backward pass carried out."""

from __future__ import annotations

from tinynet.costs import written_names
from tinynet.mathematics import shown_name, sign
from tinynet.recorder import Row

PATHS, FACTORS = 3, 9  # of more paths, and of longer ones, the middle is left out
Path = tuple[str, ...]


class Chain:
    """Follows the gradient from the loss on: `line` says for each operation what the chain rule has become."""

    def __init__(self, fused_layer: int = 0) -> None:
        self.fused_layer = fused_layer
        self.things: set[str] = set()  # what went forward: a gradient is that of one of these
        self.paths: dict[str, list[Path]] = {}  # gradient -> the ways to it, each the things on it from the loss on

    def line(self, row: Row) -> str:
        """LaTeX of what the operation found as a product along the chain; empty where it found no parameter's."""
        names = written_names(row)
        if row.operation == "loss_grad":
            self.paths = {
                "dy": [(shown_name("dy", self.fused_layer)[1:] if self.fused_layer else row.arguments["y"].name,)]
            }
            return ""
        if not self.paths:
            self.things |= {tensor.name for tensor in row.tensors()}
            return ""
        if row.operation == "regularize_grad":  # it adds the penalty's own, which comes by no chain
            return ""
        before = [path for t in row.tensors() if t.name not in names for path in self.paths.get(t.name, [])]
        line = ""
        for tensor in row.tensors():
            if tensor.name not in names or not before:
                continue
            thing = tensor.name.removeprefix("d")
            new = [(*path, thing) if tensor.name != thing in self.things else path for path in before]
            kept = self.paths.get(tensor.name, []) if row.arguments.get("accumulate") else []
            self.paths[tensor.name] = list(dict.fromkeys([*kept, *new]))
            if tensor.space == "gradients" and thing in self.things:
                line = product(thing, self.paths[tensor.name])
        return line


def product(thing: str, paths: list[Path]) -> str:
    r"""\frac{\partial L}{\partial W} = a product of partial derivatives for each path, added."""
    terms = [r" \cdot ".join(factors(path)) for path in paths[:PATHS]]
    if len(paths) > PATHS:
        terms.append(r"\cdots")
    return f"{partial('L', thing)} = {' + '.join(terms)}"


def factors(path: Path) -> list[str]:
    found = [partial(above, below) for above, below in zip(("L", *path), path, strict=False)]
    return found if len(found) <= FACTORS else [*found[:3], r"\cdots", *found[3 - FACTORS + 1 :]]


def partial(above: str, below: str) -> str:
    return rf"\frac{{\partial {sign(above)}}}{{\partial {sign(below)}}}"
