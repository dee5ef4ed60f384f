"""A formula as it stands in a book: LaTeX printed from its own source."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

from tinynet.formulas.formula import Formula
from tinynet.formulas.reader import OPERATORS, read
from tinynet.formulas.reading import Reading, called, helper_of, varies

GREEK = {
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "kappa", "mu", "nu", "xi", "pi", "rho",
    "sigma", "tau", "phi", "chi", "psi", "omega",
}  # fmt: skip
SYMBOLS = {
    "learning_rate": r"\eta", "momentum": r"\mu", "weight_decay": r"\lambda", "l1": r"\lambda_1", "l2": r"\lambda_2",
    "negative_slope": r"\alpha", "square_norm": r"\|g\|^{2}", "limit": "c",
}  # fmt: skip
WORDS = {
    "exp": r"e^{{{}}}", "expm1": r"\left(e^{{{}}} - 1\right)", "log": r"\ln\left({}\right)",
    "log1p": r"\ln\left(1 + {}\right)", "sqrt": r"\sqrt{{{}}}", "abs": r"\left|{}\right|",
    "tanh": r"\tanh\left({}\right)", "erf": r"\operatorname{{erf}}\left({}\right)",
    "sign": r"\operatorname{{sign}}\left({}\right)",
    "maximum": r"\max\left({}, {}\right)", "minimum": r"\min\left({}, {}\right)",
    "where": r"\begin{{cases}} {1} & \text{{if }} {0} \\ {2} & \text{{otherwise}} \end{{cases}}",
    "row_sum": r"\sum_{1} {0}", "row_mean": r"\operatorname{{mean}}_{1}\left({0}\right)",
    "row_max": r"\max_{1}\left({0}\right)",
}  # fmt: skip
COMPARISONS = {"<=": r"\leq", ">=": r"\geq", "==": "=", "!=": r"\neq"}
SUM, PRODUCT, FACTOR, BASE = 1, 2, 3, 4  # how tightly a place binds what stands in it


def latex(formula: Formula | Callable[..., Any] | Reading, symbols: dict[str, str] | None = None) -> list[str]:
    r"""The formula as LaTeX lines: one for each step, then `name(arguments) = result`.

    `symbols` gives names of the formula other signs, for example `{"z": "z_1"}`. In a row formula a plain letter is
    the whole row, and under a sum or a maximum its elements carry an index.

    >>> from tinynet.formulas.activations import sigmoid
    >>> latex(sigmoid)
    ['\\mathrm{sigmoid}(z) = \\frac{1}{1 + e^{-z}}']
    """
    reading = formula if isinstance(formula, Reading) else read(formula)
    printer = _Printer(reading, symbols or {})
    lines = [f"{printer.symbol(name)} = {printer.walk(tree)}" for name, tree in reading.steps]
    return [*lines, f"{printer.head(reading)} = {printer.results(reading)}"]


def definitions(*formulas: Formula | Callable[..., Any]) -> list[str]:
    r"""LaTeX lines of every formula that these call, each once: what a reader looks up.

    >>> from tinynet.formulas.activations import silu
    >>> definitions(silu)
    ['\\mathrm{sigmoid}(z) = \\frac{1}{1 + e^{-z}}']
    """
    found: dict[str, Reading] = {}

    def collect(reading: Reading) -> None:
        for helper in reading.helpers:
            if helper.name not in found:
                found[helper.name] = helper
                collect(helper)

    own = [read(formula) for formula in formulas]
    for reading in own:
        collect(reading)
    printed = {reading.name for reading in own}
    return [line for name, helper in found.items() if name not in printed for line in latex(helper)]


def settings(formula: Formula) -> list[str]:
    r"""The formula's scalars by sign and number: \eta = 0.1; the number of the step is none of them.

    >>> from tinynet.formulas.updates import sgd_momentum
    >>> settings(Formula(sgd_momentum))
    ['\\eta = 0.01', '\\mu = 0.9']
    """
    printer = _Printer(read(formula), {})
    return [f"{printer.symbol(name)} = {number(value)}" for name, value in formula.scalars.items() if name != "step"]


class _Printer:
    def __init__(self, reading: Reading, symbols: dict[str, str]) -> None:
        self.symbols = SYMBOLS | symbols
        self.index = ""  # under a sum or a maximum: the letter that runs along the row
        self.varying = set(reading.arrays)
        self.varying.update(name for name, tree in reading.steps if varies(tree, self.varying))

    def head(self, reading: Reading) -> str:
        return rf"{self.function(reading.name)}({', '.join(self.symbol(name) for name in reading.arrays)})"

    def results(self, reading: Reading) -> str:
        return r",\; ".join(self.walk(tree) for tree in reading.results)

    @staticmethod
    def function(name: str) -> str:
        base = name.removesuffix("_derivative")
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
        if len(head) > 1 and head not in GREEK:
            return rf"\mathrm{{{name}}}".replace("_", r"\_")
        sign = rf"\{head}" if head in GREEK else head
        below = tail if tail.isdigit() else rf"\mathrm{{{tail}}}".replace("_", r"\_")
        return sign + (f"_{{{below}}}" if tail else "")

    def element(self, name: str) -> str:
        """The sign of a name, with the index of its element under a sum or a maximum."""
        sign = self.symbol(name)
        if not self.index or name not in self.varying:
            return sign
        return f"{{{sign}}}_{self.index}" if "_" in sign else f"{sign}_{self.index}"

    def walk(self, node: ast.AST, binds: int = 0) -> str:
        """The expression, in parentheses if its operator binds less tightly than `binds`."""
        node = uncast(node)
        match node:
            case ast.Constant(value):
                name = getattr(node, "symbol", "")
                return self.symbol(name) if name else number(value)  # type: ignore[arg-type]
            case ast.Name(name):
                return self.element(name)
            case ast.UnaryOp(_, operand):
                return wrapped("-" + self.walk(operand, PRODUCT), binds > SUM)
            case ast.BinOp(left, ast.Div(), right):
                return self.fraction(uncast(left), right, binds)
            case ast.BinOp(left, ast.Pow(), right) if getattr(uncast(right), "value", None) == 0.5:
                return rf"\sqrt{{{self.walk(left)}}}"
            case ast.BinOp(left, ast.Pow(), right):
                return wrapped(f"{{{self.walk(left, BASE)}}}^{{{self.walk(right)}}}", binds >= BASE)
            case ast.BinOp(left, ast.Mult(), right):
                return self.product(uncast(left), right, binds)
            case ast.BinOp(left, op, right):
                return wrapped(f"{self.walk(left, SUM)} {OPERATORS[type(op)]} {self.walk(right, PRODUCT)}", binds > SUM)
            case ast.Compare(left, [op], [right]):
                sign = OPERATORS[type(op)]
                return f"{self.walk(left)} {COMPARISONS.get(sign, sign)} {self.walk(right)}"
            case ast.Call(ast.Name(word), arguments):
                if helper_of(node) is not None:
                    return self.helper(node)
                if word in ("row_sum", "row_mean", "row_max"):
                    return wrapped(self.along_row(word, arguments[0]), word == "row_sum" and binds > PRODUCT)
                if word == "column_index":
                    return self.index or "j"
                loose = (word == "exp" and binds >= BASE) or (word == "where" and binds > 0)
                return wrapped(WORDS[word].format(*map(self.walk, arguments)), loose)
        raise TypeError(f"no LaTeX for {ast.dump(node)}")  # the reader lets nothing else through

    def fraction(self, left: ast.AST, right: ast.AST, binds: int) -> str:
        minus = isinstance(left, ast.UnaryOp)
        top = left.operand if isinstance(left, ast.UnaryOp) else left
        return wrapped(
            rf"{'-' * minus}\frac{{{self.walk(top)}}}{{{self.walk(right)}}}", binds >= (PRODUCT if minus else BASE)
        )

    def product(self, left: ast.AST, right: ast.AST, binds: int) -> str:
        """A dot before a number or after a name of several letters; a thin space does elsewhere."""
        minus = isinstance(left, ast.UnaryOp) and not ends_in_sum(left)  # -a b stands as it is, where a sum may stand
        first = wrapped(self.walk(left, SUM if minus else PRODUCT), called(left) == "row_sum")
        second = self.walk(right, FACTOR)
        dotted = second[0].isdigit() or re.search(r"\\mathrm\{\w*\}$", first.replace(r"\_", "_"))
        times = r"\cdot" if dotted else r"\,"
        return wrapped(f"{first} {times} {second}", binds > (SUM if minus else PRODUCT))

    def along_row(self, word: str, tree: ast.AST) -> str:
        """A sum, mean or maximum over the row; one inside another runs over k."""
        outer, self.index = self.index, "k" if self.index else "j"
        text = WORDS[word].format(self.walk(tree, PRODUCT if word == "row_sum" else 0), self.index)
        self.index = outer
        return text

    def helper(self, node: ast.Call) -> str:
        """A call of another formula. One of a whole row takes rows, and its result the index."""
        helper, outer = helper_of(node), self.index
        assert helper is not None
        if helper.is_row:
            self.index = ""
        parts = ", ".join(self.walk(argument) for argument in node.args)
        set_here = [k.value for k in node.keywords if not (isinstance(k.value, ast.Name) and k.value.id == k.arg)]
        scalars = rf";\, {', '.join(map(self.walk, set_here))}" if set_here else ""
        self.index = outer
        index = f"_{outer}" if outer and helper.is_row and varies(node, self.varying) else ""
        return f"{self.function(helper.name)}({parts}{scalars}){index}"


def ends_in_sum(node: ast.AST) -> bool:
    """Whether what follows the expression would seem to stand under its sum."""
    return called(node.operand if isinstance(node, ast.UnaryOp) else node) == "row_sum"


def uncast(node: ast.AST) -> ast.AST:
    """The expression without its cast, which a book does not print."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "real":
        return node.args[0]
    return node


def number(value: float) -> str:
    """A number without needless digits: 0.5, 10^{-7}."""
    text = f"{value:.6g}"
    if "e" not in text:
        return text
    mantissa, _, exponent = text.partition("e")
    return (rf"{mantissa} \cdot " if mantissa != "1" else "") + f"10^{{{int(exponent)}}}"


def wrapped(text: str, needed: bool) -> str:
    return rf"\left({text}\right)" if needed else text
