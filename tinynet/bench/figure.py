"""Two pictures of what was measured: how many times as long the others take, and the share of the ceiling."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tinynet.bench.problem import Problem
from tinynet.bench.turns import REFERENCE, Samples, best, ratio

COLOURS = {
    "tinynet numpy": "#7a9e3f", "PyTorch eager": "#c8553d", "torch.compile": "#e09f7d", "JAX scan": "#3d7ea6",
    "scikit-learn": "#d9a521",
}  # fmt: skip
PRODUCTS = {"products alone": "#5b5f97", "products by BLAS": "#b8bad6"}


def draw(training: list[tuple[Problem, list[Samples]]], path: Path) -> None:
    """Speed-up by network and batch, and below it the matrix products' share of a step, as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 7), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=[3, 1.4])
    places = np.arange(len(training))
    peers = [name for name in COLOURS if any(best(found, name) for _, found in training)]
    width = 0.8 / max(len(peers), 1)
    for i, name in enumerate(peers):
        for place, (_, found) in zip(places, training, strict=True):
            theirs, ours = best(found, name), best(found, REFERENCE)
            if theirs is None or ours is None:
                continue
            middle, low, high = ratio(theirs, ours)
            at = place + (i - (len(peers) - 1) / 2) * width
            label = name if place == 0 else None
            above.bar(at, middle, width * 0.92, color=COLOURS[name], label=label)
            above.errorbar(at, middle, [[middle - low], [high - middle]], color="#333333", linewidth=1)
            above.annotate(f"{middle:.3g}", (at, high), (0, 3), textcoords="offset points", ha="center", fontsize=8)
    above.set_yscale("log")
    above.yaxis.set_major_formatter("{x:g}")
    above.axhline(1, color="#333333", linewidth=1)
    above.set_ylabel("times as long as tinynet numba")
    above.set_title("Training time, each at its best number of threads (median, 95 % interval)", loc="left")
    above.legend(frameon=False, ncols=len(peers), loc="upper right", fontsize=9)
    above.margins(y=0.15)
    for place, (_, found) in zip(places, training, strict=True):
        ours = best(found, REFERENCE)
        for s in found:
            if ours is not None and s.name in PRODUCTS and s.threads == ours.threads:
                at, share = place + (-0.2, 0.2)[list(PRODUCTS).index(s.name)], ratio(s, ours)[0]
                below.bar(at, share, 0.37, color=PRODUCTS[s.name], label=s.name if place == 0 else None)
                below.annotate(f"{share:.0%}", (at, share), (0, 3), textcoords="offset points", ha="center", fontsize=9)
    if below.patches:
        below.legend(frameon=False, ncols=2, loc="upper left", fontsize=9)
    below.axhline(0.85, color="#333333", linewidth=1, linestyle=":")
    below.set_ylim(0, None)
    below.margins(y=0.35)
    below.set_title("The matrix products of a step alone, as a share of a step of tinynet numba", loc="left")
    for axes in (above, below):
        axes.set_xticks(places, [f"{p.network}\nbatch {p.batch}" for p, _ in training])
        axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
