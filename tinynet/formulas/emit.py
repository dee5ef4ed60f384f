"""Prints a formula for other machines, from its one checked reading: C99 or CUDA C, and Python source for numba.

An elementwise formula or an update rule becomes a function of one element, a row formula a function of one row of m
elements. For `adam` and `softmax` in C, with float for `real`:

    void adam_constants(double learning_rate_, ..., double step_, double *constants)
    float adam_(float p_, float g_, float m_, float v_, float c0_, ..., float *result1, float *result2)
    void softmax_(const float *z_, float *result0, long long m)

and in Python, where `real` and `double` and the words are names that the caller binds:

    def adam_constants(learning_rate_, ..., step_): return real(...), ...
    def adam_(p_, g_, m_, v_, c0, ...): return ..., ..., ...
    def softmax_(z_, result0, m): ...

The constants are what the scalars come to (`unroll`); they are computed once, in double. A result of a row may be
written over an argument of the same row. Every name of a formula ends in `_`, so that none meets a keyword, a function
of C, or a name of the printer's own.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from tinynet.formulas.formula import Formula
from tinynet.formulas.reader import OPERATORS, kind_of
from tinynet.formulas.reading import called
from tinynet.formulas.unroll import REDUCTIONS, Level, Step, Unrolled, needed, unroll

C_PRELUDE = """\
{q}{real} maximum{f}({real} x, {real} y) {{ return x > y || x != x ? x : y; }}
{q}{real} minimum{f}({real} x, {real} y) {{ return x < y || x != x ? x : y; }}
{q}{real} sign{f}({real} x) {{ return x > 0 ? 1 : x < 0 ? -1 : x; }}
{q}{real} square{f}({real} x) {{ return x * x; }}
{q}{real} cube{f}({real} x) {{ return x * x * x; }}
"""


def c_prelude(real: str = "float", qualifier: str = "static inline ") -> str:
    """The words that the C library lacks, or gets wrong: its fmax and fmin drop NaN. C needs <math.h> before it."""
    return C_PRELUDE.format(real=real, q=qualifier, f="f" * (real == "float"))


def c_source(
    formula: Formula | Callable[..., object],
    real: str = "float",
    levels: Mapping[str, Level] | None = None,
    qualifier: str = "static inline ",
) -> str:
    """The formula as C99, or with the qualifier "__device__ inline " as CUDA C; `real` is float or double."""
    return _C(unroll(formula, levels), real, qualifier).source()


def python_source(formula: Formula | Callable[..., object], levels: Mapping[str, Level] | None = None) -> str:
    """The formula as Python with every cast written out, as numba needs it to stay in one precision."""
    return _Python(unroll(formula, levels)).source()


def named(name: str) -> str:
    """A formula's name as other languages take it."""
    return "".join(letter if letter.isascii() else f"u{ord(letter):x}" for letter in name) + "_"


class _Python:
    """The walk over a formula's trees, and how Python puts each thing; a subclass puts it in another language."""

    def __init__(self, unrolled: Unrolled) -> None:
        self.unrolled = unrolled
        self.name = named(unrolled.name)
        self.deferred = [step for step in unrolled.steps if step[0] in unrolled.varying and unrolled.is_row]
        self.elements: dict[str, str] = {}  # an array of a row formula -> its element
        if unrolled.is_row:
            self.elements = {n: f"{named(n)}[{'j' if n in unrolled.varying else 0}]" for n in unrolled.arrays}

    def source(self) -> str:
        """The constants, if there are any, and the formula."""
        constants = self.constants_function() if self.unrolled.constants else ""
        return constants + (self.row_function() if self.unrolled.is_row else self.element_function())

    def walk(self, node: ast.expr) -> str:
        """One expression, every operator in parentheses."""
        match node:
            case ast.Constant(value):
                return number(repr(value))
            case ast.Name(name):
                return self.elements.get(name, named(name))
            case ast.UnaryOp(_, operand):
                return f"(-{self.walk(operand)})"
            case ast.BinOp(left, ast.Pow(), ast.Call(_, [ast.Constant(0.5)])):  # as NumPy does, to the last bit
                return self.word("sqrt", [left])
            case ast.BinOp(left, ast.Pow(), right):
                return self.power(left, right)
            case ast.BinOp(left, op, right) | ast.Compare(left, [op], [right]):
                return f"({self.walk(left)} {OPERATORS[type(op)]} {self.walk(right)})"
            case ast.Call(ast.Name("real"), [ast.Constant(value)]):
                return self.literal(float(value))  # type: ignore[arg-type]
            case ast.Call(ast.Name("real"), [tree]):
                return self.cast("real", self.walk(tree))
            case ast.Call(ast.Name("column_index")):
                return self.cast("real", "j")
            case ast.Call(ast.Name("where"), [condition, x, y]):
                return self.choice(*map(self.walk, (condition, x, y)))
            case ast.Call(ast.Name(word), arguments):
                return self.word(word, arguments)
        raise TypeError(f"cannot print {ast.dump(node)}")  # the reader lets nothing else through

    def lets(self, steps: Iterable[Step]) -> list[str]:
        return [self.let(kind_of(tree), named(name), self.walk(tree)) for name, tree in steps]

    def row_lines(self) -> list[str]:
        """A loop for each sum, mean or maximum, then one for the results; elements are computed anew in each."""
        lines: list[str] = []
        for name, tree in self.unrolled.steps:
            if called(tree) in REDUCTIONS and isinstance(tree, ast.Call):
                lines += self.reduction(named(name), called(tree), tree.args[0])
            elif name not in self.unrolled.varying:
                lines += self.lets([(name, tree)])
        results = list(enumerate(zip(self.unrolled.results, self.unrolled.result_levels, strict=True)))
        each = [(i, tree) for i, (tree, level) in results if level != "row"]
        if each:
            lets = self.lets(needed([tree for _, tree in each], self.deferred))
            lines += self.loop(lets + self.outputs(each, "j"))
        return lines + self.outputs([(i, tree) for i, (tree, level) in results if level == "row"], "0")

    def outputs(self, results: list[tuple[int, ast.expr]], place: str) -> list[str]:
        """All results before the first is written: the place of one may be that of an argument."""
        lets = [self.let("real", f"value{i}", self.walk(tree)) for i, tree in results]
        return lets + [self.put(f"result{i}[{place}]", f"value{i}") for i, _ in results]

    def reduction(self, name: str, word: str, tree: ast.expr) -> list[str]:
        """A loop for one number of the row. Sums are taken in double: no rounding to speak of, in any order."""
        inside = self.lets(needed([tree], self.deferred))
        if word == "row_max":
            greater = self.choice("j == 0", "value", self.call("maximum", [name, "value"]))
            inside += [self.let("real", "value", self.walk(tree)), self.put(name, greater)]
            return [self.let("real", name, self.literal(0.0), changes=True), *self.loop(inside)]
        total = f"{name}total"
        inside.append(self.put(total, f"{total} + {self.cast('scalar', self.walk(tree))}"))
        value = total if word == "row_sum" else f"{total} / {self.cast('scalar', 'm')}"
        start = self.let("scalar", total, "0.0", changes=True)
        return [start, *self.loop(inside), self.let("real", name, self.cast("real", value))]

    # How Python puts it

    def literal(self, value: float) -> str:
        return f"real({value!r})"

    def cast(self, kind: str, text: str) -> str:
        return f"{'real' if kind == 'real' else 'double'}({text})"

    def choice(self, condition: str, x: str, y: str) -> str:
        return f"({x} if {condition} else {y})"

    def power(self, left: ast.expr, right: ast.expr) -> str:
        return f"({self.walk(left)} ** {self.walk(right)})"

    def word(self, word: str, arguments: list[ast.expr]) -> str:
        return self.call(word, [self.walk(argument) for argument in arguments])

    def call(self, word: str, arguments: list[str]) -> str:
        return f"{word}({', '.join(arguments)})"

    def let(self, kind: str, name: str, text: str, changes: bool = False) -> str:
        return f"{name} = {text}"

    def put(self, place: str, text: str) -> str:
        return f"{place} = {text}"

    def loop(self, lines: list[str]) -> list[str]:
        return ["for j in range(m):", *("    " + line for line in lines)]

    def constants_function(self) -> str:
        lines = self.lets(self.unrolled.scalar_steps)
        lines.append("return " + "".join(f"{self.walk(tree)}, " for _, tree in self.unrolled.constants).rstrip(" "))
        return self.function(f"{self.name}constants", list(map(named, self.unrolled.scalars)), lines)

    def element_function(self) -> str:
        results = ", ".join(map(self.walk, self.unrolled.results))
        lines = [*self.cast_constants(), *self.lets(self.unrolled.steps), f"return {results}"]
        return self.function(self.name, self.arguments(), lines)

    def row_function(self) -> str:
        results = [f"result{i}" for i in range(len(self.unrolled.results))]
        return self.function(self.name, [*self.arguments(), *results, "m"], [*self.cast_constants(), *self.row_lines()])

    def cast_constants(self) -> list[str]:
        """Python's arguments have no type of their own: whatever holds the constants, they get theirs here."""
        constants = [(name, kind_of(tree)) for name, tree in self.unrolled.constants]
        return [self.let(kind, named(name), self.cast(kind, name)) for name, kind in constants]

    def arguments(self) -> list[str]:
        return [*map(named, self.unrolled.arrays), *(name for name, _ in self.unrolled.constants)]

    def function(self, name: str, arguments: list[str], lines: list[str]) -> str:
        body = "".join(f"    {line}\n" for line in lines)
        return f"def {name}({', '.join(arguments)}):\n{body}\n"


class _C(_Python):
    """How C99 and CUDA C put it."""

    def __init__(self, unrolled: Unrolled, real: str, qualifier: str) -> None:
        super().__init__(unrolled)
        self.real, self.qualifier = real, qualifier
        self.suffix = "f" if real == "float" else ""
        self.types = {"real": real, "scalar": "double", "truth": "int"}

    def literal(self, value: float) -> str:
        return number(f"{np.float32(value)!s}f" if self.suffix else repr(value))

    def cast(self, kind: str, text: str) -> str:
        return f"({self.types[kind]})({text})"

    def choice(self, condition: str, x: str, y: str) -> str:
        return f"({condition} ? {x} : {y})"

    def power(self, left: ast.expr, right: ast.expr) -> str:
        if kind_of(left) == "scalar":
            return f"pow({self.walk(left)}, {self.walk(right)})"
        match right:
            case ast.Constant(int(power)):  # the reader leaves 2 and 3 as they are, and casts any other
                return self.word("square" if power == 2 else "cube", [left])
        return self.call("pow", [self.walk(left), self.walk(right)])

    def call(self, word: str, arguments: list[str]) -> str:
        return super().call(("fabs" if word == "abs" else word) + self.suffix, arguments)

    def let(self, kind: str, name: str, text: str, changes: bool = False) -> str:
        return f"{'' if changes else 'const '}{self.types[kind]} {name} = {text};"

    def put(self, place: str, text: str) -> str:
        return f"{place} = {text};"

    def loop(self, lines: list[str]) -> list[str]:
        return ["for (long long j = 0; j < m; j++) {", *("    " + line for line in lines), "}"]

    def constants_function(self) -> str:
        lines = self.lets(self.unrolled.scalar_steps)
        lines += [self.put(f"constants[{i}]", self.walk(tree)) for i, (_, tree) in enumerate(self.unrolled.constants)]
        arguments = [f"double {named(name)}" for name in self.unrolled.scalars]
        return self.function(f"void {self.name}constants", [*arguments, "double *constants"], lines)

    def element_function(self) -> str:
        first, *others = map(self.walk, self.unrolled.results)
        lines = self.lets(self.unrolled.steps)
        lines += [self.put(f"*result{i}", text) for i, text in enumerate(others, 1)]
        pointers = [f"{self.real} *result{i}" for i in range(1, len(others) + 1)]
        return self.function(f"{self.real} {self.name}", [*self.arguments(), *pointers], [*lines, f"return {first};"])

    def row_function(self) -> str:
        results = [f"{self.real} *result{i}" for i in range(len(self.unrolled.results))]
        return self.function(f"void {self.name}", [*self.arguments(), *results, "long long m"], self.row_lines())

    def arguments(self) -> list[str]:
        array = f"const {self.real} *" if self.unrolled.is_row else f"{self.real} "
        constants = [f"{self.types[kind_of(tree)]} {named(name)}" for name, tree in self.unrolled.constants]
        return [array + named(name) for name in self.unrolled.arrays] + constants

    def function(self, name: str, arguments: list[str], lines: list[str]) -> str:
        body = "".join(f"    {line}\n" for line in lines)
        return f"{self.qualifier}{name}({', '.join(arguments)})\n{{\n{body}}}\n\n"


def number(text: str) -> str:
    return f"({text})" if text.startswith("-") else text
