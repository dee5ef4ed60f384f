"""The picture of a formula: the function at the left, its derivative at the right, each computed by its own code.

What is drawn depends on what a formula is: an activation over z, a loss over y for some targets, a row over its first
number, an update rule as the way of one parameter down the valley p^2 / 2.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from every_formula import PROBABILITIES, loss_name

from tinynet.formulas import activations, losses, rows, updates
from tinynet.formulas.formula import Formula
from tinynet.formulas.reader import read

Function = Callable[..., Any]
Curve = tuple[str, np.ndarray, np.ndarray]  # label, x, y
BLUE, ORANGE, GREEN, GREY = "#0060a8", "#b84a00", "#2a7f3f", "#777777"
POINTS = 401
STEPS = 60
RATES = {"sgd": 0.1, "adam": 0.1, "rmsprop": 0.05, "decay": 0.5}  # so that 60 steps show something
STYLE = {"svg.hashsalt": "tinynet", "font.size": 10.0, "axes.spines.top": False, "axes.spines.right": False}


def picture(f: Function) -> tuple[str, str]:
    """(caption, SVG) of the formula."""
    if f.__module__ == updates.__name__:
        return rule_picture(f)
    return curve_picture(f)


def curve_picture(f: Function) -> tuple[str, str]:
    first, *others = read(f).arrays
    if f is activations.softmax or f is rows.layer_normalization:
        caption, left, right = rows_of(f)
    elif f.__module__ == losses.__name__ and others:
        caption, left, right = of_targets(f, others[0])
    elif read(f).is_row:
        x = np.linspace(-4.0, 4.0, POINTS)
        table = np.stack([x, np.zeros(POINTS), np.ones(POINTS)], axis=1)
        result = np.broadcast_to(f(table), (POINTS, np.shape(f(table))[1]))
        left = [(f"column {j + 1}", x, result[:, j]) for j in range(result.shape[1])]
        caption, right = "The row (x, 0, 1) while x moves: what the formula gives for it.", []
    else:
        x = np.linspace(-0.25, 1.25, POINTS) if f.__name__ in PROBABILITIES else np.linspace(-5.0, 5.0, POINTS)
        fixed = [np.full(POINTS, 0.5) for _ in others]
        scalars = {"l1": 0.5, "l2": 0.1} if f is rows.penalty else {}
        formula = Formula(f, **scalars)
        value = np.broadcast_to(formula(x, *fixed), x.shape)
        left, right = [(f.__name__, x, value)], []
        caption = f"{f.__name__}({', '.join([first, *('0.5' for _ in others)])})"
        if formula.derivative is not None:
            after = [value] if formula.derivative.function.__code__.co_argcount == 2 else []
            right = [("derivative", x, np.broadcast_to(formula.derivative(x, *after), x.shape))]
            caption += f" and its derivative{', l1 = 0.5, l2 = 0.1' if scalars else ''}"
        caption += "."
    return caption, drawn(left, right, first, f.__name__, "derivative" if right else "")


def rows_of(f: Function) -> tuple[str, list[Curve], list[Curve]]:
    """A row of three whose first number moves: the three results, and how the first result answers to each number."""
    x = np.linspace(-5.0, 5.0, POINTS)
    table = np.stack([x, np.zeros(POINTS), np.ones(POINTS)], axis=1)
    cotangent = np.zeros_like(table)
    cotangent[:, 0] = 1.0
    formula = Formula(f)
    assert formula.gradient is not None
    if f is activations.softmax:
        results = formula(table)
        gradient = formula.gradient(cotangent, table, results)
    else:
        results = formula(table, np.ones(3), np.zeros(3))
        gradient, _ = formula.gradient(cotangent, table, np.ones(3))
    letter = read(f).arrays[0]
    left = [(f"a{j + 1}", x, results[:, j]) for j in range(3)]
    right = [(f"da1 / d{letter}{j + 1}", x, gradient[:, j]) for j in range(3)]
    moves = f"The row {letter} = ({letter}1, 0, 1) while {letter}1 moves"
    caption = f"{moves}: its three results, and how a1 answers to each of the three."
    return caption, left, right


def of_targets(f: Function, target: str) -> tuple[str, list[Curve], list[Curve]]:
    """A loss over y, for some targets; of a row the first of three, with the class 0 or 1 as the target."""
    if f is losses.one_hot:
        y = np.zeros((POINTS, 4))
        classes = np.linspace(0, 3, POINTS).round().reshape(-1, 1)
        result = f(y, classes)
        left = [(f"column {j}", classes[:, 0], result[:, j] + 0.02 * j) for j in range(4)]
        return "The row that each class number t from 0 to 3 becomes (drawn a little above each other).", left, []
    name, derivative = loss_name(f), f.derivative  # type: ignore[attr-defined]
    span, targets = (-3.0, 3.0), (0.0, 1.0)
    if name in PROBABILITIES:
        span = (0.01, 0.99)
    elif name in ("poisson", "gamma", "poisson_log_link"):
        span, targets = ((0.1, 6.0), (1.0, 3.0)) if name == "poisson" else ((-2.0, 3.0), (1.0, 3.0))
    elif "logits" in name:
        span = (-6.0, 6.0)
    y = np.linspace(*span, POINTS)
    left, right = [], []
    for t in targets:
        if read(f).is_row:
            rest = np.zeros(POINTS) if "logits" in name else (1.0 - y) / 2.0
            table = np.stack([y, rest, rest], axis=1)
            classes = np.full((POINTS, 1), int(t))
            given = classes if name.startswith("sparse") else losses.one_hot(table, classes)
            value, slope = f(table, given)[:, 0], derivative(table, given)[:, 0]
            label = f"class {int(t)}"
        else:
            given = np.full(POINTS, t)
            value, slope = f(y, given), derivative(y, given)
            label = f"{target} = {t:g}"
        left.append((label, y, value))
        right.append((label, y, slope))
    of = "the first output of three, the other two alike" if read(f).is_row else "one output y"
    return f"The loss of {of}, for two targets, and its derivative with respect to y.", left, right


def rule_picture(f: Function) -> tuple[str, str]:
    """The way of a parameter by the rule, where there is one; for a part of a rule, what it gives."""
    names = read(f).arrays
    if list(names[:2]) == ["p", "g"]:
        ways: list[Curve] = []
        steps: list[Curve] = []
        base = RATES.get(f.__name__.split("_")[0], 0.1)
        for rate in (base / 3.0, base):
            way = descent(f, len(names) - 2, rate)
            ways.append((f"rate {rate:.3g}", np.arange(STEPS + 1), way))
            steps.append((f"rate {rate:.3g}", np.arange(1, STEPS + 1), np.diff(way)))
        caption = (
            f"{STEPS} steps of one parameter down the valley p² / 2 (its gradient is p), begun at p = 1, with two "
            "learning rates: where p is, and how far each step moved it."
        )
        return caption, drawn(ways, steps, "step", "p", "change of p")
    if f is updates.moving_average:
        average, values = 0.0, []
        for step in range(STEPS):
            average = f(average, float(step < STEPS // 2))
            values.append(average)
        count = np.arange(1, STEPS + 1)
        left = [("average", count, np.array(values)), ("value", count, (count <= STEPS // 2).astype(float))]
        return "The average of a value that is 1 for 30 steps, then 0; rate 0.9.", drawn(
            left, [], "step", "average", ""
        )
    if f is updates.adam_step:
        count = np.arange(1, STEPS + 1)
        left = [
            (
                f"gradient {g:g}",
                count,
                np.array([f(g * (1 - 0.9**k), g**2 * (1 - 0.999**k), step=float(k)) for k in count]),
            )
            for g in (0.01, 1.0)
        ]
        caption = "The step for a gradient that stays as it is: the same length whatever the gradient's size."
        return caption, drawn(left, [], "step", "step taken", "", floor=True)
    g = np.linspace(-3.0, 3.0, POINTS)
    given = [g**2] if len(names) == 2 else []
    caption = f"What is left of one gradient g{', alone in its group' if given else ''}, limit 1."
    return caption, drawn([(f.__name__, g, f(g, *given)), ("g", g, g)], [], "g", f.__name__, "")


def descent(f: Function, slots: int, rate: float) -> np.ndarray:
    p, state, way = 1.0, [0.0] * slots, [1.0]
    scalars = {"step": 1.0} if "step" in Formula(f).scalars else {}
    for step in range(1, STEPS + 1):
        if scalars:
            scalars["step"] = float(step)
        results = f(p, p, *state, learning_rate=rate, **scalars)
        p, *state = results if isinstance(results, tuple) else (results,)
        way.append(float(p))
    return np.array(way)


def drawn(left: list[Curve], right: list[Curve], x: str, name: str, beside: str, floor: bool = False) -> str:
    """One panel or two, side by side, as SVG on a light ground of its own."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.0 if right else 4.6, 3.0))
        figure.subplots_adjust(left=0.07 if right else 0.12, right=0.98, bottom=0.17, top=0.9, wspace=0.26)
        panels = figure.subplots(1, 2 if right else 1, squeeze=False)[0]
        for axes, curves, title in zip(panels, (left, right), (name, beside), strict=False):
            axes.axhline(0.0, color="#bbbbbb", linewidth=0.8)
            axes.set_axisbelow(True)
            axes.grid(color="#eeeeee")
            for (label, along, value), colour, line in zip(
                curves, (BLUE, ORANGE, GREEN, GREY), ("-", "--", "-.", ":"), strict=False
            ):
                axes.plot(along, whole(value), color=colour, linestyle=line, linewidth=2.0, label=label)
            axes.set_title(title, fontsize=10, loc="left")
            axes.set_xlabel(x)
            if floor:
                axes.set_ylim(0.0, None)
            if len(curves) > 1:
                axes.legend(facecolor="white", edgecolor="none", framealpha=0.8, fontsize=9)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def whole(value: np.ndarray) -> np.ndarray:
    """The curve, broken where it jumps, so that no upright line joins both sides."""
    value = np.asarray(value, float).copy()
    change = np.abs(np.diff(value))
    jump = change > 0.15 * max(float(np.ptp(value)), 1e-12)
    smooth = np.median(change) if len(change) else 0.0
    if len(value) > 100:
        value[1:][jump & (change > 20.0 * smooth)] = np.nan
    return value
