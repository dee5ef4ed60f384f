"""A formula's own code, run over SymPy's vocabulary on a row of symbols."""

import ast
import functools
import inspect
import textwrap
from types import ModuleType, SimpleNamespace

import sympy

from tinynet.formulas.reader import WORDS, read


class Row:
    """What an array's row is to SymPy: expressions side by side; a row of one goes with any other."""

    def __init__(self, entries):
        self.entries = [sympy.sympify(entry) for entry in entries]

    def __neg__(self):
        return each(lambda x: -x)(self)

    def __abs__(self):
        return each(sympy.Abs)(self)

    __hash__ = None


def each(function):
    """The function of numbers as a function of rows, and of numbers in a row's place."""

    def of_rows(*values):
        rows = [value.entries if isinstance(value, Row) else [sympy.sympify(value)] for value in values]
        width = max(map(len, rows))
        return Row(function(*entries) for entries in zip(*(row * (width // len(row)) for row in rows), strict=True))

    return of_rows


def _arithmetic(name, function):
    setattr(Row, f"__{name}__", each(function))
    setattr(Row, f"__r{name}__", each(lambda x, y: function(y, x)))


for _name, _function in {
    "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y,
    "truediv": lambda x, y: x / y, "pow": lambda x, y: x**y,
}.items():  # fmt: skip
    _arithmetic(_name, _function)
for _name, _function in {
    "lt": sympy.Lt, "le": sympy.Le, "gt": sympy.Gt, "ge": sympy.Ge, "eq": sympy.Eq, "ne": sympy.Ne,
}.items():  # fmt: skip
    setattr(Row, f"__{_name}__", each(_function))

SYMPY = {
    "exp": each(sympy.exp), "expm1": each(lambda x: sympy.exp(x) - 1), "log": each(sympy.log),
    "log1p": each(lambda x: sympy.log(1 + x)), "tanh": each(sympy.tanh), "erf": each(sympy.erf),
    "sqrt": each(sympy.sqrt), "abs": abs, "sign": each(sympy.sign), "maximum": each(sympy.Max),
    "minimum": each(sympy.Min), "where": each(lambda c, x, y: sympy.Piecewise((x, c), (y, True))),
    "row_sum": lambda x: Row([sum(x.entries)]), "row_mean": lambda x: Row([sum(x.entries) / len(x.entries)]),
    "row_max": lambda x: Row([sympy.Max(*x.entries)]), "column_index": lambda x: Row(range(len(x.entries))),
}  # fmt: skip


class _ExactNumbers(ast.NodeTransformer):
    """0.1 becomes one tenth."""

    def visit_Constant(self, node):
        if type(node.value) in (int, float):
            return ast.Call(ast.Name("Rational", ast.Load()), [ast.Constant(repr(node.value))], [])
        return node


@functools.cache
def exactly(function):
    """The same code with exact numbers, over SymPy's vocabulary, and so all formulas that it calls."""
    read(function)
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    tree.body[0].decorator_list.clear()
    captured = inspect.getclosurevars(function)
    seen = {**captured.globals, **captured.nonlocals}
    names = {name: _symbolic(value) for name, value in seen.items() if value is not function}
    names["Rational"] = sympy.Rational
    exec(compile(ast.fix_missing_locations(_ExactNumbers().visit(tree)), "<exact>", "exec"), names)
    return names[function.__name__]


def _symbolic(value):
    if id(value) in WORDS:
        return SYMPY[WORDS[id(value)]]
    if isinstance(value, ModuleType):
        return SimpleNamespace(**SYMPY)
    if inspect.isfunction(value):
        return exactly(value)
    return sympy.nsimplify(value, [sympy.pi])


def symbols(name, width):
    """A row of real symbols."""
    return Row(sympy.symbols(f"{name}:{width}", real=True))
