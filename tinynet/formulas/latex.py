"""A formula as it stands in a book: LaTeX printed from its own source."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from tinynet.formulas.formula import Formula
from tinynet.formulas.reader import OPERATORS, Reading, read

GREEK = {"alpha", "beta", "gamma", "delta", "epsilon", "rho", "pi"}
SYMBOLS = {
    "learning_rate": r"\eta", "momentum": r"\mu", "weight_decay": r"\lambda", "l1": r"\lambda_1", "l2": r"\lambda_2",
    "negative_slope": r"\alpha", "square_norm": r"\lVert g \rVert^2", "limit": "c",
}  # fmt: skip
WORDS = {
    "exp": r"e^{{{}}}", "expm1": r"\left(e^{{{}}} - 1\right)", "log": r"\ln\left({}\right)",
    "log1p": r"\ln\left(1 + {}\right)", "sqrt": r"\sqrt{{{}}}", "abs": r"\left|{}\right|", "real": "{}",
    "tanh": r"\tanh\left({}\right)", "erf": r"\operatorname{{erf}}\left({}\right)",
    "sign": r"\operatorname{{sign}}\left({}\right)",
    "maximum": r"\max\left({}, {}\right)", "minimum": r"\min\left({}, {}\right)",
    "where": r"\begin{{cases}} {1} & {0} \\ {2} & \text{{else}} \end{{cases}}",
    "row_mean": r"\operatorname{{mean}}_j\left({}\right)",
    "row_max": r"\max_j\left({}\right)", "column_index": "j",
}  # fmt: skip
COMPARISONS = {"<=": r"\le", ">=": r"\ge", "==": "=", "!=": r"\ne"}


def latex(formula: Formula | Callable[..., Any], symbols: dict[str, str] | None = None) -> list[str]:
    r"""The formula as LaTeX lines: one for each step, then `name(arguments) = result`.

    `symbols` gives names of the formula other signs, for example `{"z": "z_1"}`.

    >>> from tinynet.formulas.activations import sigmoid
    >>> latex(sigmoid)
    ['\\mathrm{sigmoid}(z) = \\frac{1}{1 + e^{-z}}']
    """
    reading = read(formula)
    printer = _Printer(symbols or {})
    lines = [f"{printer.symbol(name)} = {printer.walk(tree)}" for name, tree in reading.steps]
    return [*lines, f"{printer.head(reading)} = {printer.results(reading)}"]


class _Printer:
    def __init__(self, symbols: dict[str, str]) -> None:
        self.symbols = SYMBOLS | symbols

    def head(self, reading: Reading) -> str:
        return rf"{self.function(reading.name)}({', '.join(self.symbol(name) for name in reading.arrays)})"

    def results(self, reading: Reading) -> str:
        return r",\; ".join(self.walk(tree) for tree in reading.results)

    @staticmethod
    def function(name: str) -> str:
        base = name.removesuffix("_derivative").removesuffix("_gradient")
        prime = "'" if base != name else ""
        return rf"\mathrm{{{base}}}{prime}".replace("_", r"\_")

    def symbol(self, name: str) -> str:
        """A name of the source as a sign: beta_1, x_hat, dz, m_new, and so on."""
        if name in self.symbols:
            return self.symbols[name]
        if name.startswith("d") and 1 < len(name.split("_")[0]) <= 2:
            return r"\mathrm{d}" + self.symbol(name[1:])
        head, _, tail = name.partition("_")
        if tail == "hat":
            return rf"\hat{{{self.symbol(head)}}}"
        if head in GREEK:
            return rf"\{head}" + (rf"_{{{tail}}}" if tail else "")
        if len(head) > 1:
            return rf"\mathrm{{{name}}}".replace("_", r"\_")
        return head + (rf"_{{\mathrm{{{tail}}}}}" if tail else "")

    def walk(self, node: ast.AST, binds: int = 0) -> str:
        """The expression, in parentheses if its operator binds less tightly than `binds`."""
        match node:
            case ast.Constant(value):
                name = getattr(node, "symbol", "")
                return self.symbol(name) if name else number(value)
            case ast.Name(name):
                return self.symbol(name)
            case ast.UnaryOp(_, operand):
                return wrapped("-" + self.walk(operand, 2), binds > 1)
            case ast.BinOp(left, ast.Div(), right):
                return rf"\frac{{{self.walk(left)}}}{{{self.walk(right)}}}"
            case ast.BinOp(left, ast.Pow(), right) if uncast(right) == 0.5:
                return rf"\sqrt{{{self.walk(left)}}}"
            case ast.BinOp(left, ast.Pow(), right):
                return wrapped(f"{{{self.walk(left, 4)}}}^{{{self.walk(right)}}}", binds > 3)
            case ast.BinOp(left, ast.Mult(), right):
                first = self.walk(left, 0 if isinstance(left, ast.UnaryOp) else 2)
                return wrapped(f"{first} {self.times(left, right)}{self.walk(right, 3)}", binds > 2)
            case ast.BinOp(left, op, right):
                return wrapped(f"{self.walk(left, 1)} {OPERATORS[type(op)]} {self.walk(right, 2)}", binds > 1)
            case ast.Compare(left, [op], [right]):
                sign = OPERATORS[type(op)]
                return f"{self.walk(left)} {COMPARISONS.get(sign, sign)} {self.walk(right)}"
            case ast.Call(ast.Name("real"), [tree]):
                return self.walk(tree, binds)
            case ast.Call(ast.Name("row_sum"), [tree]):
                return wrapped(rf"\textstyle\sum_j {self.walk(tree, 2)}", binds > 2)
            case ast.Call(ast.Name("exp"), _, _) if binds > 3:
                return wrapped(self.walk(node), True)
            case ast.Call(ast.Name(name), arguments, keywords):
                parts = [self.walk(argument) for argument in arguments]
                if name in WORDS:
                    return WORDS[name].format(*parts)
                set_here = [k.value for k in keywords if not (isinstance(k.value, ast.Name) and k.value.id == k.arg)]
                scalars = rf";\, {', '.join(map(self.walk, set_here))}" if set_here else ""
                return f"{self.function(name)}({', '.join(parts)}{scalars})"
        raise TypeError(f"no LaTeX for {ast.dump(node)}")  # the reader lets nothing else through

    def times(self, left: ast.AST, right: ast.AST) -> str:
        """A dot between two numbers, or after a name of several letters; a thin space does elsewhere."""
        return r"\cdot " if isinstance(uncast(right), float) or "mathrm" in self.walk(left)[-12:] else r"\, "


def uncast(node: ast.AST) -> float | None:
    """The number that a node holds, cast or not."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "real":
        node = node.args[0]
    return float(node.value) if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) else None


def number(value: float) -> str:
    """A number without needless digits: 0.5, 10^{-7}."""
    text = f"{value:.6g}"
    if "e" not in text:
        return text
    mantissa, _, exponent = text.partition("e")
    return (rf"{mantissa} \cdot " if mantissa != "1" else "") + f"10^{{{int(exponent)}}}"


def wrapped(text: str, needed: bool) -> str:
    return rf"\left({text}\right)" if needed else text
