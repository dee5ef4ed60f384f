"""No formula is written twice: not among the formulas, and nowhere else in the package."""

import ast
import copy
import inspect
import textwrap
from pathlib import Path

import pytest
from every_formula import EVERY, name_of

import tinynet

PACKAGE = Path(tinynet.__file__).parent


class _Anonymous(ast.NodeTransformer):
    """Names become numbers in the order in which they appear, so that other names for the same thing do not hide it."""

    def __init__(self):
        self.numbers = {}

    def visit_Name(self, node):
        return ast.Name(f"n{self.numbers.setdefault(node.id, len(self.numbers))}", ast.Load())

    def visit_Attribute(self, node):
        return self.visit_Name(ast.Name(node.attr, ast.Load()))

    def visit_Call(self, node):  # what is called keeps its name, be it exp or np.exp
        called = ast.Constant(getattr(node.func, "attr", getattr(node.func, "id", "")))
        parts = [self.visit(part) for part in (*node.args, *(keyword.value for keyword in node.keywords))]
        return ast.Call(called, parts, [])


def shape(function):
    """What a function's body computes, names aside; None where there is too little in it to be told apart."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    anonymous = _Anonymous()
    body = ast.Module([anonymous.visit(copy.deepcopy(statement)) for statement in body], [])
    work = [node for node in ast.walk(body) if isinstance(node, (ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call))]
    return ast.dump(body) if len(work) > 1 else None


def shape_of(f):
    return shape(ast.parse(textwrap.dedent(inspect.getsource(f))).body[0])


def found_in(source):
    """(shape, name) for each function in the source that computes something."""
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    shapes = [(shape(function), function.name) for function in functions]
    return [(known, name) for known, name in shapes if known]


def test_no_two_formulas_say_the_same():
    shapes = {}
    for f in EVERY:
        if known := shape_of(f):
            assert known not in shapes, f"{name_of(f)} says what {shapes[known]} says"
            shapes[known] = name_of(f)
    assert len(shapes) > 40


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_says_a_formula_again(path):
    formulas = {shape_of(f): f for f in EVERY if shape_of(f)}
    for known, name in found_in(path.read_text()):
        own = known in formulas and Path(inspect.getsourcefile(formulas[known])) == path
        assert known not in formulas or own, f"{name} says what {name_of(formulas.get(known))} says"


def test_a_copy_under_other_names_is_seen():
    again = "class K:\n    def run(self, x):\n        '''Its own words.'''\n        return 1.0 / (1.0 + np.exp(-x))\n"
    ((found, _),) = found_in(again)
    assert found == shape_of(next(f for f in EVERY if name_of(f) == "sigmoid"))
