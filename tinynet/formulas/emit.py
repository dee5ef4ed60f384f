"""Prints a formula for other machines, from its one checked reading: C99 or CUDA C, and Python source for numba.

An elementwise formula or an update rule becomes a function of one element, a row formula a function of one row of m
elements. For `adam` and `softmax` in C, with float for `real`:

    void adam_constants(double learning_rate_, ..., double step_, double *constants)
    float adam_(float p_, float g_, float m_, float v_, float c0_, ..., float *result1, float *result2)
    void softmax_(const float *z_, float *result0, long long m)

and in Python, where `real` and `double` and the words are names that the caller binds:

    def adam_constants(learning_rate_, ..., step_): return real(...), ...
    def adam_(p_, g_, m_, v_, c0_, ...): return ..., ..., ...
    def softmax_(z_, result0, m): ...

The constants are what the scalars come to (`unroll`); they are computed once, in double. A result of a row may be
written over an argument of the same row. Every name of a formula ends in `_`, so that none meets a keyword, a function
of C, or a name of the printer's own.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from itertools import starmap

import numpy as np

from tinynet.formulas.formula import Formula
from tinynet.formulas.reader import OPERATORS, kind_of
from tinynet.formulas.reading import called
from tinynet.formulas.unroll import REDUCTIONS, Level, Unrolled, needed, unroll
from tinynet.formulas.vocabulary import VOCABULARY

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


class _Printer:
    """The walk that all languages share; a subclass says how a language puts each thing."""

    def __init__(self, unrolled: Unrolled) -> None:
        self.unrolled = unrolled
        self.name = named(unrolled.name)
        self.texts: dict[str, str] = {}
        if unrolled.is_row:
            self.texts = {n: f"{named(n)}[{'j' if n in unrolled.varying else 0}]" for n in unrolled.arrays}

    # What a language must say

    def number(self, value: float) -> str: ...
    def literal(self, value: float) -> str: ...
    def cast(self, kind: str, text: str) -> str: ...
    def word(self, word: str, kind: str) -> str: ...
    def choice(self, condition: str, x: str, y: str) -> str: ...
    def let(self, kind: str, name: str, text: str, changes: bool = False) -> str: ...
    def put(self, place: str, text: str) -> str: ...
    def loop(self, lines: list[str]) -> list[str]: ...
    def element_function(self, lines: list[str]) -> str: ...
    def row_function(self, lines: list[str]) -> str: ...
    def constants_function(self, lines: list[str]) -> str: ...
