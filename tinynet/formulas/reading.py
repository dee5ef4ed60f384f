"""What the reader hands to the printers: a checked formula as a tree of expressions, and what can be asked of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tinynet.formulas.vocabulary import ROW


@dataclass(frozen=True)
class Reading:
    """A checked formula: `steps` are (name, expression) pairs, `results` the returned expressions.

    Every expression is an `ast` node that carries its `kind`: "scalar", "real" or "truth". A call of another formula
    also carries that formula's reading, as `formula`: its name may be a word of the vocabulary too.
    """

    name: str
    arrays: tuple[str, ...]
    scalars: dict[str, float]
    steps: tuple[tuple[str, ast.expr], ...]
    results: tuple[ast.expr, ...]
    helpers: tuple[Reading, ...]  # the formulas that this one calls
    source: str

    def expressions(self) -> Iterator[ast.expr]:
        """Every expression and part of an expression."""
        for tree in (*(tree for _, tree in self.steps), *self.results):
            yield from (node for node in ast.walk(tree) if isinstance(node, ast.expr))

    def reads(self, argument: str) -> bool:
        """Whether the value of `argument` matters."""
        return any(isinstance(node, ast.Name) and node.id == argument for node in self.expressions())

    @property
    def is_row(self) -> bool:
        """Whether a result depends on a whole row."""
        names = {called(node) for node in self.expressions()}
        return bool(names & set(ROW)) or any(helper.is_row for helper in self.helpers)

    @property
    def flops(self) -> int:
        """Floating-point operations for one element; a function of the vocabulary counts as one."""
        own = 0
        for node in self.expressions():
            if isinstance(node, (ast.BinOp, ast.UnaryOp, ast.Compare)):
                own += getattr(node, "kind", "") != "scalar"
            elif helper := helper_of(node):
                own += helper.flops
            elif called(node):
                own += 1
        return own


def helper_of(node: ast.AST) -> Reading | None:
    """The reading of the formula that the node calls."""
    return getattr(node, "formula", None)


def called(node: ast.AST) -> str:
    """The word or formula that the node calls; empty for anything else, and for the cast `real`."""
    name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
    return "" if name == "real" else name


def varies(node: ast.AST, names: set[str]) -> bool:
    """Whether the expression differs along a row, given the names that do."""
    if isinstance(node, ast.Name):
        return node.id in names
    if not isinstance(node, ast.Call):
        return any(varies(part, names) for part in ast.iter_child_nodes(node))
    helper = helper_of(node)
    if helper is None:
        word = called(node)
        return word == "column_index" or (word not in ROW and any(varies(part, names) for part in node.args))
    inside = {array for array, part in zip(helper.arrays, node.args, strict=True) if varies(part, names)}
    inside.update(name for name, tree in helper.steps if varies(tree, inside))
    return varies(helper.results[0], inside)
