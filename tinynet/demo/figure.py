"""The figure: how the network learned, how well it tells the classes apart, and whether its risks can be believed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinynet.demo.compare import Comparison
from tinynet.demo.recipe import Fit
from tinynet.formulas.vocabulary import Array
from tinynet.tabular.intervals import wilson

# Colours that people with any colour vision tell apart (of Okabe and Ito 2008, and of Tol 2021): two for models, two
# for classes, and never colour alone: a dashed line, another direction.
NETWORK, LOGISTIC = "#0072B2", "#E69F00"
MALIGNANT, BENIGN = "#882255", "#009E73"
QUIET = "#6B6B6B"
STYLE: dict[str, Any] = {
    "font.size": 11,
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.labelcolor": "#333333",
    "legend.frameon": False,
    "lines.linewidth": 2.0,
}
NEAREST = 6e-8  # risks nearer to 0 or 1 are drawn here: float32 knows no number between 0.99999994 and 1
COLUMN, DOT = 0.5, 16  # width of a column of dots in log odds, area of a dot in square points


@dataclass(frozen=True)
class Shown:
    """What the figure shows."""

    fit: Fit
    y: Array  # of the patients in the cross-validation
    ours: Array  # their out-of-fold risks by the network
    theirs: Array  # and by logistic regression
    auroc: Comparison


def draw(shown: Shown, path: Path) -> None:
    """Write the figure as PNG. No window, no pyplot: the caller's own Matplotlib is as it was."""
    from matplotlib import style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with style.context(["default", STYLE]):
        figure = Figure(
            figsize=(12, 9.6), dpi=120, layout=ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.15, wspace=0.04, hspace=0.04)
        )
        FigureCanvasAgg(figure)
        axes = figure.subplots(2, 2)
        learning(axes[0, 0], shown.fit)
        roc(axes[0, 1], shown)
        calibration(axes[1, 0], shown)
        risks(axes[1, 1], shown)
        figure.supxlabel(
            f"Upper left: the network that is saved. Others: {len(shown.y)} patients in cross-validation, "
            "each predicted by models that never met this patient.",
            x=0.01, ha="left", fontsize=10.5, color=QUIET,
        )  # fmt: skip
        figure.savefig(path)


def learning(ax: Any, fit: Fit) -> None:
    """The loss of training and validation by epoch, and which epoch's weights were kept."""
    epochs = np.arange(1, len(fit.history["loss"]) + 1)
    validation = fit.history["val_loss"]
    kept = validation[fit.kept_epoch - 1]
    ax.plot(epochs, fit.history["loss"], color=QUIET, label="training (with dropout)")
    ax.plot(epochs, validation, color=NETWORK, label="validation")
    label = f"kept: epoch {fit.kept_epoch}, the best validation loss"
    ax.plot(fit.kept_epoch, kept, "o", color=NETWORK, markersize=9, markeredgecolor="white", label=label)
    ax.set_yscale("log")
    ticks = [0.02, 0.05, 0.1, 0.2, 0.5, 1.0]
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.set_yticks([], minor=True)
    lowest = min(*validation, *fit.history["loss"])
    ax.set(xlabel="Epoch", ylabel="Loss (binary cross-entropy)", xlim=(0, len(epochs) + 1), ylim=(0.7 * lowest, 1.0))
    ax.set_title("How the network learned")
    ax.legend(loc="upper right")


def roc(ax: Any, shown: Shown) -> None:
    """The ROC curves of both models, with their upper left corner enlarged."""
    from matplotlib.patches import Rectangle
    from sklearn.metrics import roc_curve

    corner = ax.inset_axes((0.33, 0.36, 0.6, 0.5))
    for name, risk, estimate, colour, dashes in (
        ("network", shown.ours, shown.auroc.ours, NETWORK, "-"),
        ("logistic regression", shown.theirs, shown.auroc.theirs, LOGISTIC, "--"),
    ):
        false, true, _ = roc_curve(shown.y, risk)
        for place in (ax, corner):
            place.plot(100 * false, 100 * true, color=colour, linestyle=dashes, label=f"{name}  {estimate:.3f}")
    ax.set(xlabel="False alarms, % of benign", ylabel="Found, % of malignant", xlim=(-1.5, 101), ylim=(-1, 101.5))
    ax.add_patch(Rectangle((0, 85), 15, 15, fill=False, edgecolor=QUIET, linewidth=0.8, zorder=3))
    ax.set_title("How well the classes are told apart")
    ax.legend(loc="lower right", title="AUROC with 95 % interval", alignment="left")
    corner.set(xlim=(-0.3, 15), ylim=(85, 100.3))
    corner.set_title("upper left corner, enlarged", fontsize=10, fontweight="normal", color=QUIET, loc="left", pad=4)
    corner.set(xticks=[0, 5, 10, 15], yticks=[85, 90, 95, 100])
    corner.tick_params(labelsize=9)


def calibration(ax: Any, shown: Shown) -> None:
    """Of the patients with about the same predicted risk, how many had a malignant tumour."""
    ax.plot([0, 100], [0, 100], color="#CCCCCC", linewidth=1, zorder=0)
    ax.text(73, 71, "perfect", color=QUIET, rotation=45, rotation_mode="anchor", transform_rotates_text=True, va="top")
    edges = np.array([0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0])
    group = np.clip(np.digitize(shown.ours, edges) - 1, 0, len(edges) - 2)
    for i in np.unique(group):
        inside = group == i
        n, yes = int(inside.sum()), int(shown.y[inside].sum())
        x, low, high = shown.ours[inside].mean(), *wilson(yes, n)
        ax.plot([100 * x, 100 * x], [100 * low, 100 * high], color=NETWORK, linewidth=1.5)
        ax.plot(100 * x, 100 * yes / n, "o", color=NETWORK, markersize=8, markeredgecolor="white")
        ax.annotate(f"{n}", (100 * x, 100 * high), (0, 4), textcoords="offset points", ha="center", color=QUIET)
    ax.set(xlabel="Predicted risk, %", ylabel="Truly malignant, %", xlim=(-3, 103), ylim=(-3, 109))
    ax.set_title("Can the risks be believed?")
    ax.plot([], [], "o-", color=NETWORK, label="network, with 95 % interval;\nnumbers: patients in the group")
    ax.legend(loc="lower right")


def risks(ax: Any, shown: Shown) -> None:
    """Every patient as a dot at the predicted risk: malignant tumours upwards, benign ones downwards."""
    risk = np.clip(shown.ours, NEAREST, 1 - NEAREST)
    column = np.floor(np.log(risk / (1 - risk)) / COLUMN) + 0.5  # 50 % lies between two columns
    for kind, name, colour, way in ((1, "malignant", MALIGNANT, 1), (0, "benign", BENIGN, -1)):
        own = shown.y == kind
        height = np.zeros(own.sum())
        for place in np.unique(column[own]):
            same = column[own] == place
            height[same] = np.arange(1, same.sum() + 1)
        ax.scatter(COLUMN * column[own], way * height, s=DOT, color=colour, linewidth=0)
        wrong = int(((shown.ours[own] > 0.5) != kind).sum())
        label = f"{own.sum()} {name}\n{wrong} of them {'below' if kind else 'above'} 50 %"
        # over the side where the other class is: there the stacks are low
        ax.text(
            0.5 - way * 0.48, 0.5 + way * 0.36, label, color=colour, transform=ax.transAxes,
            va="center", ha="left" if kind else "right", fontweight="bold",
        )  # fmt: skip
    ax.axhline(0, color=QUIET, linewidth=0.8)
    ax.axvline(0, color=QUIET, linewidth=1, linestyle=":")
    ticks = np.array([1e-6, 1e-4, 0.01, 0.5, 0.99, 1 - 1e-4, 1 - 1e-6])
    ax.set_xticks(np.log(ticks / (1 - ticks)), [f"{100 * tick:g}" for tick in ticks])
    ax.set(xlabel="Predicted risk, % (axis stretched at both ends)", yticks=[], xlim=(-18, 18))
    ax.spines["left"].set_visible(False)
    top = np.abs(ax.get_ylim()).max()
    ax.set_ylim(-top, top)
    ax.set_title("Every patient, one dot")
