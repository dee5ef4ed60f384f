"""Unrolls a checked formula, so that a printer has only arithmetic, words and loops left to print.

The formulas that it calls are written out in place. Arithmetic among scalars is set apart: what remains of it are the
*constants*, computed in double, once a step, however many elements there are. Each sum, mean or maximum over a row
becomes a step of its own.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tinynet.formulas.formula import Formula
from tinynet.formulas.reader import call, kind_of, of_kind, read
from tinynet.formulas.reading import Reading, helper_of, varies
from tinynet.formulas.vocabulary import ROW

Level = Literal["element", "row", "column"]  # m values, one for the row, or m that all rows share
Step = tuple[str, ast.expr]
REDUCTIONS = set(ROW) - {"column_index"}


@dataclass(frozen=True)
class Unrolled:
    """A formula in straight lines: no calls but of words, and of `real`, which casts a number."""

    name: str
    arrays: tuple[str, ...]
    scalars: dict[str, float]
    scalar_steps: tuple[Step, ...]
    constants: tuple[Step, ...]
    steps: tuple[Step, ...]  # a sum, mean or maximum over the row stands alone in its step
    results: tuple[ast.expr, ...]
    varying: frozenset[str]  # the names that differ along a row
    is_row: bool

    @property
    def result_levels(self) -> tuple[Level, ...]:
        """For each result of a row formula whether it is one number for the row."""
        return tuple("element" if varies(tree, set(self.varying)) else "row" for tree in self.results)


def unroll(formula: Formula | Callable[..., Any], levels: Mapping[str, Level] | None = None) -> Unrolled:
    """The formula in straight lines. In a row formula an array is of level "element" unless `levels` says otherwise."""
    reading = read(formula)
    levels = levels or {}
    if unknown := set(levels) - set(reading.arrays):
        raise ValueError(f"{reading.name} has no array named {', '.join(sorted(unknown))}")
    unroller = _Unroller(reading, {name for name in reading.arrays if levels.get(name) != "row"})
    results = unroller.body(reading, dict(unroller.names))
    steps = needed(results, unroller.steps)
    scalar_steps = needed([tree for _, tree in unroller.constants.values()], unroller.scalar_steps)
    return Unrolled(
        reading.name, reading.arrays, reading.scalars, tuple(scalar_steps), tuple(unroller.constants.values()),
        tuple(steps), tuple(results), frozenset(unroller.varying), reading.is_row,
    )  # fmt: skip


def needed(trees: Iterable[ast.expr], steps: Iterable[Step]) -> list[Step]:
    """Those of the steps, in order, on which the trees depend."""
    names = {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)}
    kept: list[Step] = []
    for name, tree in reversed(list(steps)):
        if name in names:
            kept.insert(0, (name, tree))
            names.update(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    return kept


class _Unroller:
    def __init__(self, reading: Reading, varying: set[str]) -> None:
        self.names: dict[str, ast.expr] = {name: of_kind("real", ast.Name(name)) for name in reading.arrays}
        self.names |= {name: of_kind("scalar", ast.Name(name)) for name in reading.scalars}
        self.taken = set(self.names)
        self.varying = varying
        self.steps: list[Step] = []
        self.scalar_steps: list[Step] = []
        self.constants: dict[str, Step] = {}

    def body(self, reading: Reading, names: dict[str, ast.expr]) -> list[ast.expr]:
        """The results of a formula whose names mean `names`; its steps join ours."""
        outer, self.names = self.names, names
        for name, tree in reading.steps:
            self.names[name] = self.bound(name, self.visit(tree))
        results = [self.visit(tree) for tree in reading.results]
        self.names = outer
        return results

    def bound(self, name: str, tree: ast.expr) -> ast.expr:
        """A name for the tree, which becomes a step unless it is one already; a number is as good as a name."""
        kind = kind_of(tree)
        if kind == "scalar" and not has_names(tree):
            return number(tree)
        if isinstance(tree, (ast.Name, ast.Constant)) or is_cast(tree):
            return tree
        steps = self.scalar_steps if kind == "scalar" else self.steps
        same = [known for known, step in steps if ast.dump(step) == ast.dump(tree)]
        if not same:
            same = [self.fresh(name)]
            steps.append((same[0], tree))
            if varies(tree, self.varying):
                self.varying.add(same[0])
        return of_kind(kind, ast.Name(same[0]))

    def fresh(self, name: str) -> str:
        """The name, with a number where it is taken."""
        fresh, count = name, 1
        while fresh in self.taken:
            count += 1
            fresh = f"{name}_{count}"
        self.taken.add(fresh)
        return fresh

    def visit(self, node: ast.expr) -> ast.expr:
        kind = kind_of(node)
        match node:
            case ast.Name(name):
                return self.names[name]
            case ast.UnaryOp(op, operand):
                return of_kind(kind, ast.UnaryOp(op, self.visit(operand)))
            case ast.BinOp(left, ast.Div(), ast.Call(ast.Name("real"), [scalar])):
                # one division in double, not one for every element
                inverse = of_kind("scalar", ast.BinOp(of_kind("scalar", ast.Constant(1.0)), ast.Div(), scalar))
                return of_kind(kind, ast.BinOp(self.visit(left), ast.Mult(), self.constant(self.visit(inverse))))
            case ast.BinOp(left, op, right):
                return of_kind(kind, ast.BinOp(self.visit(left), op, self.visit(right)))
            case ast.Compare(left, ops, [right]):
                sides = [self.visit(side) for side in (left, right)]
                sides = [self.constant(side, "scalar") if kind_of(side) == "scalar" else side for side in sides]
                return of_kind(kind, ast.Compare(sides[0], ops, sides[1:]))
            case ast.Call(ast.Name("real"), [scalar]):
                return self.constant(self.visit(scalar))
            case ast.Call(ast.Name(word), arguments):
                helper = helper_of(node)
                trees = [self.visit(argument) for argument in arguments]
                if helper is not None:
                    return self.helper(node, helper, trees)
                if word == "column_index":  # asks nothing of its argument but the width, which all rows share
                    return call(word)
                if word not in REDUCTIONS:
                    return call(word, *trees)
                return self.bound(word, call(word, *trees)) if varies(trees[0], self.varying) else trees[0]
        return node

    def helper(self, node: ast.Call, helper: Reading, trees: list[ast.expr]) -> ast.expr:
        """A called formula, written out in place."""
        names = {name: of_kind("scalar", ast.Constant(value)) for name, value in helper.scalars.items()}
        for keyword in node.keywords:
            names[str(keyword.arg)] = self.bound(str(keyword.arg), self.visit(keyword.value))
        names |= {name: self.bound(name, tree) for name, tree in zip(helper.arrays, trees, strict=True)}
        return self.bound(helper.name, self.body(helper, names)[0])

    def constant(self, tree: ast.expr, kind: str = "real") -> ast.expr:
        """A name for what the scalars come to; a number where no scalar is in it."""
        if not has_names(tree):
            return number(tree) if kind == "scalar" else call("real", number(tree))
        whole = call("real", tree) if kind == "real" else tree
        key = ast.dump(whole)
        if key not in self.constants:
            self.constants[key] = (self.fresh(f"c{len(self.constants)}"), whole)
        return of_kind(kind, ast.Name(self.constants[key][0]))


def has_names(tree: ast.expr) -> bool:
    return any(isinstance(node, ast.Name) for node in ast.walk(tree))


def is_cast(tree: ast.expr) -> bool:
    return isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == "real"


def number(tree: ast.expr) -> ast.expr:
    """The value of an expression of plain numbers, in double as ever among scalars."""
    return of_kind("scalar", ast.Constant(float(eval(ast.unparse(tree), {"__builtins__": {}}))))
