"""The one checked reading of a formula's own source, from which it is printed for people and for other machines.

A formula is straight-line assignments to fresh names, then one `return`. The reader refuses, by name, whatever steps
outside the vocabulary, and settles precision once for every printer: each expression is a *scalar* (a double, from
numbers and keyword-only arguments) or *real* (an array's element), or the *truth* of a comparison; where a scalar meets
a real it is wrapped in `real(...)`, a cast to the arrays' precision.
"""

from __future__ import annotations

import ast
import functools
import inspect
import math
import textwrap
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from tinynet.formulas.formula import Formula, scalar_defaults
from tinynet.formulas.reading import Reading
from tinynet.formulas.vocabulary import VOCABULARY

WORDS = {id(function): name for name, (_, function) in VOCABULARY.items()} | {id(abs): "abs"}
OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**",
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip


class FormulaError(ValueError):
    """A formula steps outside the closed vocabulary."""


def read(formula: Formula | Callable[..., Any]) -> Reading:
    """The checked reading of a formula.

    Raises
    ------
    FormulaError : where the source cannot be found, or names what is outside the vocabulary
    """
    function = formula.function if isinstance(formula, Formula) else formula
    try:
        return _read(function)
    except RecursionError:
        raise FormulaError(f"{function.__name__}: calls itself, directly or through another formula") from None


@functools.cache
def _read(function: Callable[..., Any]) -> Reading:
    name = getattr(function, "__name__", repr(function))
    if name == "<lambda>":
        raise FormulaError("a lambda is no formula, since its source cannot be read reliably; write it with `def`")
    try:
        source = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        raise FormulaError(
            f"{name}: no source to read; define it with `def` in a file or a notebook cell (a frozen application needs "
            "its .py files for that)"
        ) from None
    tree = ast.parse(source).body[0]
    if not isinstance(tree, ast.FunctionDef):
        raise FormulaError(f"{name}: a formula is a function written with `def`")
    return _Reader(function, tree, source).reading()


class _Reader:
    """Checks one function; each `visit` returns the checked tree, with its kind on it."""

    def __init__(self, function: Callable[..., Any], tree: ast.FunctionDef, source: str) -> None:
        self.function, self.tree, self.source = function, tree, source
        self.helpers: dict[Callable[..., Any], Reading] = {}
        self.arrays = tuple(argument.arg for argument in tree.args.args)
        self.scalars = scalar_defaults(function)
        self.kinds = dict.fromkeys(self.arrays, "real") | dict.fromkeys(self.scalars, "scalar")
        captured = inspect.getclosurevars(function)
        self.names = {**captured.builtins, **captured.globals, **captured.nonlocals}

    def refuse(self, node: ast.AST, reason: str) -> NoReturn:
        line = f", line {node.lineno}" if hasattr(node, "lineno") else ""
        raise FormulaError(f"{self.function.__name__}{line}: `{ast.unparse(node)}` {reason}")

    def reading(self) -> Reading:
        arguments = self.tree.args
        if arguments.vararg or arguments.kwarg or arguments.defaults or arguments.posonlyargs:
            self.refuse(self.tree.args, "has arguments other than arrays, and scalars after a `*`")
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            if default is None:
                self.refuse(argument, "is a scalar without a default")
            if not is_number(self.scalars[argument.arg]):
                self.refuse(argument, "is a scalar whose default is not a finite number")
        body = self.tree.body[1:] if ast.get_docstring(self.tree) is not None else self.tree.body
        steps = []
        for line in body[:-1]:
            if not (isinstance(line, ast.Assign) and len(line.targets) == 1 and isinstance(line.targets[0], ast.Name)):
                self.refuse(line, "is not an assignment `name = expression`")
            name = line.targets[0].id
            if name in self.kinds or name in VOCABULARY:
                self.refuse(line, f"gives {name} a second meaning; take a fresh name")
            tree = self.visit(line.value)
            self.kinds[name] = kind_of(tree)
            steps.append((name, tree))
        if not body or not isinstance(body[-1], ast.Return) or body[-1].value is None:
            last = body[-1] if body else self.tree
            self.refuse(last, "is where `return expression` should stand")
        value = body[-1].value
        results = tuple(self.real(part) for part in (value.elts if isinstance(value, ast.Tuple) else [value]))
        if not results:
            self.refuse(body[-1], "returns nothing")
        return Reading(
            self.function.__name__, self.arrays, self.scalars, tuple(steps), results,
            tuple(self.helpers.values()), self.source,
        )  # fmt: skip

    def visit(self, node: ast.expr) -> ast.expr:
        handler = getattr(self, "visit_" + type(node).__name__, None)
        if handler is None:
            self.refuse(node, "is not in the vocabulary of formulas")
        tree: ast.expr = handler(node)
        return tree

    def real(self, node: ast.expr) -> ast.expr:
        """The tree of `node`, cast to the precision of the arrays."""
        return cast(self.number(node))

    def number(self, node: ast.expr) -> ast.expr:
        """The tree of `node`, which must be a scalar or real."""
        tree = self.visit(node)
        if kind_of(tree) == "truth":
            self.refuse(node, "is a comparison where a number is wanted; put it into where(...)")
        return tree

    def together(self, *nodes: ast.expr) -> tuple[list[ast.expr], str]:
        """The trees of operands that meet: all scalars, or all cast to real."""
        trees = [self.number(node) for node in nodes]
        if all(kind_of(tree) == "scalar" for tree in trees):
            return trees, "scalar"
        return [cast(tree) for tree in trees], "real"

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if not is_number(node.value):
            self.refuse(node, "is not a finite number")
        return of_kind("scalar", ast.Constant(node.value))

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self.kinds:
            return of_kind(self.kinds[node.id], ast.Name(node.id))
        value = self.value(node)
        if not is_number(value):
            self.refuse(node, "is neither an argument, nor a finite number, nor assigned above")
        tree = of_kind("scalar", ast.Constant(value))
        tree.symbol = node.id  # type: ignore[attr-defined]
        return tree

    def value(self, node: ast.expr) -> Any:
        """What a name, or `module.name`, means where the formula was written."""
        if isinstance(node, ast.Attribute):
            return getattr(self.value(node.value), node.attr, None)
        return self.names.get(getattr(node, "id", ""))

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        if not isinstance(node.op, ast.USub):
            self.refuse(node, "is not in the vocabulary of formulas")
        tree = self.number(node.operand)
        return of_kind(kind_of(tree), ast.UnaryOp(node.op, tree))

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        if type(node.op) not in OPERATORS:
            self.refuse(node, "is not in the vocabulary of formulas")
        small = isinstance(node.right, ast.Constant) and node.right.value in (2, 3)
        if isinstance(node.op, ast.Pow) and small:  # a product, whatever the precision
            tree = self.number(node.left)
            power = of_kind("scalar", ast.Constant(int(node.right.value)))  # type: ignore[attr-defined]
            return of_kind(kind_of(tree), ast.BinOp(tree, node.op, power))
        (left, right), kind = self.together(node.left, node.right)
        return of_kind(kind, ast.BinOp(left, node.op, right))

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        if len(node.ops) != 1 or type(node.ops[0]) not in OPERATORS:
            self.refuse(node, "is not a single comparison")
        sides, _ = self.together(node.left, node.comparators[0])
        return of_kind("truth", ast.Compare(sides[0], node.ops, sides[1:]))

    def visit_Call(self, node: ast.Call) -> ast.expr:
        function = self.value(node.func)
        name = WORDS.get(id(function))
        if name is None and inspect.isfunction(function) and not isinstance(function, type(np.sum)):
            return self.call_formula(node, function)
        if name is None or node.keywords:
            self.refuse(node, "calls something that is not in the vocabulary of formulas")
        if len(node.args) != VOCABULARY[name][0]:
            self.refuse(node, f"gives {name} {len(node.args)} arguments, not {VOCABULARY[name][0]}")
        if name == "where":
            condition = self.visit(node.args[0])
            if kind_of(condition) != "truth":
                self.refuse(node.args[0], "is not a comparison")
            return call(name, condition, *[self.real(argument) for argument in node.args[1:]])
        arguments, kind = self.together(*node.args)
        if kind == "scalar":
            self.refuse(node, "applies a word to scalars alone; words are for arrays (a root of a scalar is x ** 0.5)")
        return call(name, *arguments)

    def call_formula(self, node: ast.Call, function: Callable[..., Any]) -> ast.expr:
        """A call of another formula: arrays by position, scalars by keyword."""
        helper = self.helpers[function] = _read(function)
        if len(node.args) != len(helper.arrays):
            self.refuse(node, f"does not fit {helper.name}, which takes {len(helper.arrays)} arrays")
        if len(helper.results) != 1 or helper.name == "real":  # `real` is the reader's own word for a cast
            self.refuse(node, f"calls {helper.name}, which has more than one result or is named `real`")
        tree = call(helper.name, *[self.real(argument) for argument in node.args])
        tree.formula = helper  # type: ignore[attr-defined]
        for keyword in node.keywords:
            value = self.visit(keyword.value)
            if keyword.arg not in helper.scalars or kind_of(value) != "scalar":
                self.refuse(node, f"gives {helper.name} {ast.unparse(keyword)}, which is none of its scalars")
            tree.keywords.append(ast.keyword(keyword.arg, value))
        return tree


def kind_of(tree: ast.AST) -> str:
    """scalar, real or truth."""
    return str(tree.kind)  # type: ignore[attr-defined]


def of_kind(kind: str, tree: ast.expr) -> ast.expr:
    tree.kind = kind  # type: ignore[attr-defined]
    return tree


def call(name: str, *arguments: ast.expr) -> ast.Call:
    tree = ast.Call(ast.Name(name), list(arguments), [])
    of_kind("real", tree)
    return tree


def cast(tree: ast.expr) -> ast.expr:
    """`real(tree)`: a scalar in the precision of the arrays."""
    return tree if kind_of(tree) == "real" else call("real", tree)


def is_number(value: object) -> bool:
    """A finite int or float; a bool, or one of NumPy's own scalars, is neither."""
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
