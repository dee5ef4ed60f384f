"""A page for one formula: its mathematics, source, derivative, picture, proof and speed, all made from the function.

Nothing about a formula stands here: the LaTeX is printed from its source, the proof is run, the speed is measured.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import tinynet as tn
from tinynet.bench.table import machine
from tinynet.formulas import activations, losses, rows, updates
from tinynet.formulas.latex import definitions, latex, settings
from tinynet.formulas.reader import read

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "docs"), str(ROOT / "tests" / "formulas")]

import decimal_oracles  # noqa: E402
from decimal_oracles import DIGITS, STEPS, agreement, is_rule, oracle_of  # noqa: E402
from every_formula import PROBABILITIES  # noqa: E402
from formula_picture import picture  # noqa: E402
from formula_speed import speeds  # noqa: E402

Function = Callable[..., Any]
MODULES: dict[ModuleType, str] = {
    activations: "Activations",
    losses: "Losses",
    updates: "Update rules",
    rows: "Rows and penalties",
}
TAUGHT: dict[ModuleType | Function, str] = {  # the notebook where a reader meets the formula
    activations: "04_activations_and_losses",
    losses: "04_activations_and_losses",
    updates: "05_optimizers",
    rows.penalty: "06_overfitting",
    rows.product: "09_your_own",
}
SEED, LIMIT, SAMPLES = 0, 1e-8, 12
DEFINITION_LIMIT = 1e-13


@cache
def formulas() -> list[Function]:
    """Every function of the four modules that is not the derivative or the gradient of another."""
    own = [
        f
        for module in MODULES
        for f in vars(module).values()
        if inspect.isfunction(f) and f.__module__ == module.__name__
    ]
    beside = {backward(f) for f in own}
    return [f for f in own if f not in beside]


def backward(f: Function) -> Function | None:
    """The derivative, or the gradient taken back, that stands beside a formula."""
    return getattr(f, "derivative", getattr(f, "gradient", None))


def page_path(f: Function) -> str:
    return f"formulas/{f.__module__.rpartition('.')[2]}/{f.__name__}.md"


def page(f: Function) -> tuple[str, str]:
    """The page as Markdown, and its picture as SVG."""
    back = backward(f)
    source = f"tinynet/{f.__module__.removeprefix('tinynet.').replace('.', '/')}.py"
    line = inspect.getsourcelines(f)[1]
    parts = [f"# {f.__name__}", prose(f.__doc__), mathml(latex(f))]
    if notebook := TAUGHT.get(f, TAUGHT.get(sys.modules[f.__module__])):
        parts.append(f"Notebook [{notebook[:2]}](../../notebooks/{notebook}.md) shows what it does in a network.")
    if scalars := settings(tn.Formula(f)):
        parts.append("With, where nothing else is said:\n\n" + mathml([r",\; ".join(scalars)]))
    parts.append(f"## The code that runs\n\n{source}, line {line}:\n\n{code(f)}")
    if back is not None:
        kind = "derivative" if hasattr(f, "derivative") else "gradient, taken back through the row"
        parts.append(f"## Its {kind}\n\n{prose(back.__doc__)}\n\n{mathml(latex(back))}\n\n{code(back)}")
    if called := definitions(f, *([back] if back else [])):
        parts.append("The formulas that these call:\n\n" + mathml(called))
    caption, svg = picture(f)
    parts.append(f"## Picture\n\n![{caption}]({f.__name__}.svg)\n\n{caption}")
    parts.append(f"## Proof\n\n{proof(f)}")
    parts.append(f"## Speed\n\n{speed_table(f, back)}")
    return "\n\n".join(parts) + "\n", svg


def code(f: Function) -> str:
    return f"```python\n{textwrap.dedent(inspect.getsource(f)).rstrip()}\n```"


def prose(text: str | None) -> str:
    """Plain words as Markdown: what Markdown would take for its own signs stays as it was written."""
    return re.sub(r"([\\*_<>|\[\]])", r"\\\1", inspect.cleandoc(text or "")).replace(" - ", " \N{MINUS SIGN} ")


def mathml(lines: list[str]) -> str:
    """Lines of LaTeX as MathML, which every browser sets by itself, offline and without a script."""
    return "\n".join(
        f'<div class="formula">{"".join(math(part, "block") for part in parts_of(line))}</div>' for line in lines
    )


def parts_of(line: str) -> list[str]:
    """Formulas side by side, each by itself, so that a narrow page can set them below each other."""
    parts = [part.strip() for part in re.split(r"\\qquad|\\quad", line) if part.strip()]
    whole = all(p.count("{") == p.count("}") and p.count(r"\begin") == p.count(r"\end") for p in parts)
    return parts if whole else [line]


def math(line: str, display: str = "inline") -> str:
    from latex2mathml.converter import convert

    line = line.replace(r"\mathrm{d}", r"\text{d}")  # else a single letter leans
    line = line.replace(r"\begin{aligned}", r"\begin{align*}").replace(r"\end{aligned}", r"\end{align*}")
    made = convert(line, display=display)
    made = made.replace(' display="inline"', ' display="inline" displaystyle="true"')
    letters = r'(?:<mi mathvariant="normal">[^<]+</mi>){2,}'  # a name of several letters is one word, not a product
    made = re.sub(letters, lambda found: f"<mi>{re.sub('<[^>]+>', '', found[0])}</mi>", made)
    # a prime as a letter of the word: as an exponent some fonts make it too small to be seen
    return re.sub(r"<msup><mrow><mi>([^<]+)</mi></mrow><mi>(&#x02032;)</mi></msup>", r"<mi>\1\2</mi>", made)


def proof(f: Function) -> str:
    """Both proofs, run now: the function against its definition, its derivative against finite differences."""
    error, compared = agreement(f)
    if not error <= DEFINITION_LIMIT:
        raise ValueError(f"{f.__name__} is not its definition in tests/formulas/decimal_oracles.py: error {error:.1e}")
    what = f"the parameter after each of {STEPS} steps with gradients drawn at random, " if is_rule(f) else ""
    parts = [
        f"**The function.** Against its definition, written apart from the engine in decimals of {DIGITS} digits and "
        f"worked out when this page was made: **relative error {error:.1e}** over {compared} numbers ({what}"
        f"default scalars and others; the limit is {DEFINITION_LIMIT:.0e}).",
        '<details markdown="1"><summary>The definition in decimals</summary>\n\n'
        + "\n\n".join(code(g) for g in definition(f))
        + "\n\n</details>",
    ]
    found = check(f)
    if found is None:
        parts.append(unproven(f))
    else:
        error, compared, how = found
        parts.append(
            "**The derivative.** Explicit backward against central differences, float64, run when this page was made: "
            f"**relative error {error:.1e}** over {compared} numbers (the limit is {LIMIT:.0e}).\n\n"
            f"```python\n{how}\n```"
        )
    return "\n\n".join([*parts, tests_of(f)])


def definition(f: Function) -> list[Function]:
    """What the oracle of f calls of its own module, in the order of the file, and the oracle itself."""
    found, waiting = {oracle_of(f)}, [oracle_of(f)]
    while waiting:
        words = {
            node.id for node in ast.walk(ast.parse(inspect.getsource(waiting.pop()))) if isinstance(node, ast.Name)
        }
        called = {g for g in (getattr(decimal_oracles, word, None) for word in words) if inspect.isfunction(g)}
        new = {g for g in called if g.__module__ == decimal_oracles.__name__} - found
        found |= new
        waiting += new
    return sorted(found, key=lambda g: g.__code__.co_firstlineno)


def tests_of(f: Function) -> str:
    """The tests that name the formula, beside those that go through every formula."""
    word = re.compile(rf"\b{f.__name__}\b")
    found = [
        f"`{path.relative_to(ROOT).as_posix()}`"
        for path in sorted((ROOT / "tests" / "formulas").glob("test_*.py"))
        if word.search(path.read_text(encoding="utf-8"))
    ]
    return (
        f"Tests that name it: {', '.join(found)}."
        if found
        else "Tests that go through every formula stand in `tests/formulas`."
    )


def unproven(f: Function) -> str:
    """Why there is no derivative to check."""
    callers = [f"[{g.__name__}]({link(f, g)})" for g in formulas() if f in called_by(g) and backward(g)]
    if f.__module__ == updates.__name__:
        return (
            "**A derivative** it has none: it uses the one that backpropagation found. Whole trainings with every "
            "optimizer are compared with Keras's in `tests/model/test_keras_curves.py`."
        )
    if callers:
        return f"**The derivative.** It is a part of {', '.join(callers)}, and proven there."
    return "**A derivative** of its own it does not need: a layer that uses it writes its own backward."


def called_by(f: Function) -> set[Function]:
    """The formulas whose names the source of f, or of its derivative, calls."""
    found = set()
    for g in filter(None, (f, backward(f))):
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(g)))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                found.add(g.__globals__.get(node.func.id))
    return found - {f, backward(f)}


def link(here: Function, there: Function) -> str:
    return f"../{page_path(there).removeprefix('formulas/')}" if here is not there else ""


def check(f: Function) -> tuple[float, int, str] | None:
    """(relative error, how many numbers, the call) of the derivative of f, by the engine's own checker."""
    if backward(f) is None:
        return None
    tn.set_random_seed(SEED)
    if f.__module__ == activations.__name__:
        report = tn.check_layer(tn.layers.Activation(f), n_in=5, rows=40, tolerance=LIMIT)
        return report.error, report.compared, f'tn.check_layer(tn.layers.Activation("{f.__name__}"), n_in=5, rows=40)'
    if f is rows.layer_normalization:
        report = tn.check_layer(tn.layers.LayerNormalization(), n_in=5, rows=40, tolerance=LIMIT)
        return report.error, report.compared, "tn.check_layer(tn.layers.LayerNormalization(), n_in=5, rows=40)"
    if f is rows.penalty:
        layer = tn.layers.Dense(6, kernel_regularizer=tn.regularizers.L1L2(0.01, 0.02))
        return checked_network([layer], "mean_squared_error", "dense with kernel_regularizer L1L2(0.01, 0.02)", "W")
    row = "softmax" if read(f).is_row else "sigmoid"
    end = row if f.__name__ in PROBABILITIES else "softplus" if f.__name__ == "poisson" else "linear"
    # the layer behind the activation keeps the loss from being taken on logits: f itself is what is checked
    return checked_network([tn.layers.Dense(4, end), tn.layers.Dropout(0.0)], f, f.__name__, "")


def checked_network(layers: list[Any], loss: Any, what: str, tensor: str) -> tuple[float, int, str]:
    """The check of a small network's loss, or of the named parameter."""
    model = tn.Sequential(layers, dtype="float64")
    model.compile(optimizer="sgd", loss=known_as(loss) if callable(loss) else loss)
    generator = np.random.default_rng(SEED)
    x, t = generator.standard_normal((SAMPLES, 3)), np.abs(generator.standard_normal((SAMPLES, layers[0].units)))
    if callable(loss) and "crossentropy" in loss.__name__:
        t = generator.integers(0, 2, t.shape).astype(float)
        if read(loss).is_row:
            classes = generator.integers(0, layers[0].units, SAMPLES)
            t = classes if loss.__name__.startswith("sparse") else np.eye(layers[0].units)[classes]
    report = tn.gradcheck(model, x, t, tolerance=LIMIT)
    checks = [c for c in report.checks if (c.tensor == tensor if tensor else c.kind == "loss")]
    assert checks, f"no check of {what}"
    call = (
        f"tn.gradcheck(model, x, t)  # model.compile(loss={what})"
        if not tensor
        else f"tn.gradcheck(model, x, t)  # {what}"
    )
    return max(c.error for c in checks), sum(c.compared for c in checks), call


def known_as(f: Function) -> Any:
    """A sparse loss by its class, which knows that its targets are class numbers; any other as it is."""
    if not f.__name__.startswith("sparse"):
        return f
    return tn.losses.SparseCategoricalCrossentropy(from_logits=f.__name__.endswith("_from_logits"))


def made_by() -> str:
    """The machine that measures."""
    told = machine()
    packages = ", ".join(f"{name} {told['packages'][name]}" for name in ("numpy", "numba") if name in told["packages"])
    return f"Measured when this page was made, on {told['processor']}, Python {told['python']}, {packages}."


def speed_table(f: Function, back: Function | None) -> str:
    lines = ["| | NumPy | numba | CUDA |", "|---|---|---|---|"]
    for what, g in (("the formula", f), ("its derivative" if hasattr(f, "derivative") else "its gradient", back)):
        if g is not None:
            measured = speeds(g)
            cells = ["not installed" if ns is None else f"{ns:.2f} ns" for ns in measured]
            lines.append(f"| {what} | {cells[0]} | {cells[1]} | not yet run on a GPU |")
    return "\n".join(lines) + (
        f"\n\nNanoseconds for each element, float32, 256 rows of 64 columns, one thread, best of several. {made_by()}"
    )
