"""The figures of the report: ROC, precision-recall, calibration, decision, predicted against seen, learning, subgroups.

Each takes an evaluation and gives one SVG as text. Curves are drawn at 200 places and bars in 40 bins, so that no row
can be read off.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.tabular.evaluation import Evaluation, number
from tinynet.tabular.intervals import wilson
from tinynet.tabular.measures import CHANCE, at_threshold, logit, sigmoid

# Told apart with any colour vision (Okabe and Ito 2008), and by their dashes on paper.
COLOURS = ("#0072B2", "#999999", "#D55E00", "#009E73", "#CC79A7", "#56B4E9")
DASHES: tuple[Any, ...] = ("-", ":", "--", "-.", (0, (5, 1)), (0, (1, 1)))
INK, QUIET, LINE = "#222222", "#6B6B6B", "#D5D5D5"
PLACES, BINS, TENTHS = 200, 40, 10
FEWEST_IN_BIN = 5
STYLE: dict[str, Any] = {
    "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10, "axes.spines.top": False,
    "axes.spines.right": False, "axes.edgecolor": QUIET, "axes.labelcolor": INK, "xtick.color": QUIET,
    "ytick.color": QUIET, "legend.frameon": False, "legend.fontsize": 9, "lines.linewidth": 1.8,
    "svg.hashsalt": "tinynet",
}  # fmt: skip


def drawn(draw: Callable[[Any], None], width: float = 4.6, height: float = 3.9) -> str:
    """One pair of axes as SVG text; no window, no pyplot, and the caller's Matplotlib stays as it was."""
    from matplotlib import style
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with style.context(["default", STYLE]):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.subplots())
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    return re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)


def looks(i: int) -> dict[str, Any]:
    """Colour and dashes of the i-th model; ours is the first, and on top."""
    return {
        "color": COLOURS[i % len(COLOURS)], "linestyle": DASHES[i % len(DASHES)], "zorder": 5 - 0.1 * i,
        "linewidth": 2.2 if i == 0 else 1.5,
    }  # fmt: skip


def mean_curve(
    e: Evaluation, predicted: Array, curve: Callable[[Array, Array], tuple[Array, Array]]
) -> tuple[Array, Array]:
    """A curve at 200 places: the mean of the folds', weighted with their events, for their models are different."""
    grid, total, weight = np.linspace(0.0, 1.0, PLACES), np.zeros(PLACES), 0.0
    for one in np.unique(e.fold):
        own = e.fold == one
        events = float((e.outcome[own] == 1).sum())
        if 0 < events < own.sum():
            x, y = curve(e.outcome[own], predicted[own])
            total += events * np.interp(grid, x, y)
            weight += events
    return grid, total / max(weight, 1.0)


def roc(e: Evaluation) -> str:
    """ROC curves, mean of the folds."""
    from sklearn.metrics import roc_curve

    def draw(ax: Any) -> None:
        ax.plot([0, 1], [0, 1], color=LINE, linewidth=1)
        for i, (name, record) in enumerate(e.models.items()):
            x, y = mean_curve(e, record.predicted, lambda t, p: roc_curve(t, p, drop_intermediate=False)[:2])
            ax.plot(
                np.append(0, x), np.append(0, y), label=f"{name} {number(record.measures['AUROC'].value)}", **looks(i)
            )
        ax.set(xlabel="1 - specificity", ylabel="sensitivity", xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
        ax.legend(loc="lower right", title="AUROC", alignment="left")

    return drawn(draw)


def precision_recall(e: Evaluation) -> str:
    """Precision-recall curves, mean of the folds."""
    from sklearn.metrics import precision_recall_curve

    def curve(t: Array, p: Array) -> tuple[Array, Array]:
        precision, recall, _ = precision_recall_curve(t, p)
        return recall[::-1], precision[::-1]

    def draw(ax: Any) -> None:
        share = float((e.outcome == 1).mean())
        ax.axhline(share, color=LINE, linewidth=1)
        for i, (name, record) in enumerate(e.models.items()):
            if len(np.unique(record.predicted)) > len(np.unique(e.fold)):  # one risk for all has no curve
                x, y = mean_curve(e, record.predicted, curve)
                ax.plot(x[1:], y[1:], label=f"{name} {number(record.measures['AUPRC'].value)}", **looks(i))
        ax.set(xlabel="recall (sensitivity)", ylabel="precision (PPV)", xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
        ax.legend(loc="best", title=f"AUPRC (grey line: share of events, {number(share)})", alignment="left")

    return drawn(draw)


def calibration_points(t: Array, p: Array) -> list[tuple[float, float, float, float]]:
    """(mean risk, share of events, low, high) in tenths of the risks, fewer where rows are few."""
    parts = np.array_split(np.argsort(p, kind="stable"), max(2, min(TENTHS, len(p) // 20)))
    found = []
    for rows in parts:
        if len(rows) >= FEWEST_IN_BIN:
            yes = int(t[rows].sum())
            found.append((float(p[rows].mean()), yes / len(rows), *wilson(yes, len(rows))))
    return found


def calibration(e: Evaluation) -> str:
    """The share of events against the predicted risk, in tenths, with how often each risk is predicted below."""

    def draw(ax: Any) -> None:
        first = slice(0, None)
        t, p = (e.outcome == 1)[first], e.ours.predicted
        top = min(
            1.0, max(0.05, 1.15 * float(np.quantile(p, 0.999)), 1.15 * max(one[3] for one in calibration_points(t, p)))
        )
        ax.plot([0, top], [0, top], color=LINE, linewidth=1, zorder=0)
        for i, (name, record) in enumerate(e.models.items()):
            if len(np.unique(record.predicted)) <= len(np.unique(e.fold)):
                continue
            x, y, low, high = np.array(calibration_points(t, record.predicted)).T
            ax.plot(x, y, marker="o", markersize=5 if i == 0 else 3, label=name, **looks(i))
            if i == 0:
                ax.vlines(x, low, high, color=COLOURS[0], linewidth=1.2, zorder=4)
        slope = e.ours.measures.get("calibration slope")
        if slope is not None and np.isfinite(slope.value):
            a, b = fitted_line(t, p)
            risk = np.linspace(max(1e-4, float(p.min())), float(p.max()), PLACES)
            if np.isfinite([a, b]).all():
                ax.plot(risk, sigmoid(a + b * logit(risk)), color=COLOURS[0], linewidth=1, alpha=0.5, zorder=1)
        height, edges = np.histogram(p, bins=BINS, range=(0.0, top))
        ax.bar(edges[:-1], 0.14 * top * height / height.max(), width=np.diff(edges), bottom=-0.17 * top, align="edge",
               color=COLOURS[0], alpha=0.35, linewidth=0)  # fmt: skip
        ax.axhline(-0.17 * top, color=LINE, linewidth=0.8)
        ax.set(xlabel="predicted risk; bars: how often", ylabel="share of events seen", xlim=(-0.01 * top, 1.01 * top),
               ylim=(-0.18 * top, 1.02 * top))  # fmt: skip
        ax.set_yticks([tick for tick in ax.get_yticks() if 0 <= tick <= top])
        ax.legend(loc="upper left")

    return drawn(draw)


def fitted_line(t: Array, p: Array) -> Array:
    """Intercept and slope of the logistic calibration."""
    from tinynet.tabular.measures import fitted_logistic

    z = logit(p)
    return fitted_logistic(np.column_stack([np.ones(len(z)), z]), t.astype(float), 0.0, np.array([0.0, 1.0]))


def decision(e: Evaluation) -> str:
    """Net benefit over thresholds, beside treating all and treating none (Vickers and Elkin 2006)."""

    def draw(ax: Any) -> None:
        share = float((e.outcome == 1).mean())
        places = np.linspace(0.005, min(0.99, max(0.1, 3.0 * share)), 100)
        benefit = np.empty(0)
        for i, (name, record) in enumerate(e.models.items()):
            if i and len(np.unique(record.predicted)) <= len(np.unique(e.fold)):
                continue
            sums = [at_threshold(e.outcome, record.predicted, float(place))["net benefit"] for place in places]
            benefit = np.array([float(one.value(one.rows.sum(axis=0)[:, None])[0]) for one in sums])
            ax.plot(places, benefit, label=name, **looks(i))
        ax.plot(places, share - (1 - share) * places / (1 - places), color=QUIET, linewidth=1, label="treat all")
        ax.axhline(0, color=INK, linewidth=0.8)
        for threshold in e.thresholds:
            if threshold <= places[-1]:
                ax.axvline(threshold, color=LINE, linewidth=1, zorder=0)
        ax.set(xlabel="threshold of risk for treatment", ylabel="net benefit", xlim=(0, places[-1]),
               ylim=(-0.12 * share, 1.08 * share))  # fmt: skip
        ax.legend(loc="best", title="treat none: 0", alignment="left")

    return drawn(draw)


def predicted_and_seen(e: Evaluation) -> str:
    """For numbers: the mean seen against the mean predicted, in tenths of the predictions."""

    def draw(ax: Any) -> None:
        spread = []
        for i, (name, record) in enumerate(e.models.items()):
            parts = np.array_split(
                np.argsort(record.predicted, kind="stable"), max(2, min(TENTHS, len(e.outcome) // 20))
            )
            points = np.array([(record.predicted[rows].mean(), e.outcome[rows].mean()) for rows in parts])
            if len(np.unique(record.predicted)) > len(np.unique(e.fold)):
                ax.plot(*points.T, marker="o", markersize=5 if i == 0 else 3, label=name, **looks(i))
                spread += [points.min(), points.max()]
        ends = [min(spread), max(spread)] if spread else [0, 1]
        ax.plot(ends, ends, color=LINE, linewidth=1, zorder=0)
        ax.set(xlabel="mean prediction (tenths)", ylabel="mean outcome seen")
        ax.legend(loc="upper left")

    return drawn(draw)


def errors(e: Evaluation) -> str:
    """How large the errors are: their distribution in 40 bins."""

    def draw(ax: Any) -> None:
        error = e.ours.predicted - e.outcome
        ends = np.quantile(error, [0.005, 0.995])
        ax.hist(error, bins=BINS, range=(ends[0], max(ends[1], ends[0] + 1e-9)), color=COLOURS[0], alpha=0.6)
        ax.axvline(0, color=INK, linewidth=0.8)
        ax.set(xlabel="prediction - outcome", ylabel="rows")

    return drawn(draw)


def learning(e: Evaluation) -> str:
    """Loss of training and validation by epoch, one thin line for each fold; empty where the model keeps none."""
    histories = [one for one in e.ours.histories if len(one.get("loss", ())) > 1]
    if not histories:
        return ""

    def draw(ax: Any) -> None:
        for name, colour, label in (("loss", QUIET, "training"), ("val_loss", COLOURS[0], "validation")):
            for i, history in enumerate(histories):
                if name in history:
                    ax.plot(np.arange(1, len(history[name]) + 1), history[name], color=colour, linewidth=1.2, alpha=0.8,
                            label=label if i == 0 else None)  # fmt: skip
        ax.set(xlabel="epoch", ylabel="loss")
        ax.legend(loc="upper right", title="one line for each fold", alignment="left")

    return drawn(draw)


def forest(e: Evaluation) -> str:
    """The main measure in subgroups, with intervals; the line is the whole."""
    parts = [part for part in e.subgroups if np.isfinite(part.measures[e.main].value)]

    def draw(ax: Any) -> None:
        whole = e.ours.measures[e.main]
        ax.axvspan(whole.low, whole.high, color=COLOURS[0], alpha=0.1, linewidth=0)
        ax.axvline(whole.value, color=COLOURS[0], linewidth=1)
        if e.main in CHANCE and min(part.measures[e.main].low for part in parts) < CHANCE[e.main]:
            ax.axvline(CHANCE[e.main], color=LINE, linewidth=1)
        for i, part in enumerate(parts):
            one = part.measures[e.main]
            ax.hlines(-i, one.low, one.high, color=INK, linewidth=1.4)
            ax.plot(one.value, -i, "s", color=INK, markersize=4 + 4 * (part.rows / e.facts["rows"]) ** 0.5)
        ax.set_yticks([-i for i in range(len(parts))], [part.label for part in parts], color=INK)
        ax.set(xlabel=f"{e.main} with 95 % interval; band: all rows", ylim=(-len(parts) + 0.4, 0.6))
        ax.spines["left"].set_visible(False)
        ax.tick_params(axis="y", length=0)

    return drawn(draw, 7.6, 1.0 + 0.27 * len(parts)) if parts else ""
