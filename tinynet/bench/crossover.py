"""`bench --backends numpy,numba,cupy`: at which batch and width a GPU wins, and what its steps are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from tinynet.bench.gpu_trainers import GPU_TRAINERS
from tinynet.bench.problem import Problem
from tinynet.bench.turns import Samples, best, ratio, training

OURS = "tinynet cupy"
STEPS, COLUMNS = 64, 64  # batches of an epoch; columns of x
WIDTHS, BATCHES = (64, 256, 1024, 4096), (32, 256, 2048, 16_384)
QUICK_WIDTHS, QUICK_BATCHES = WIDTHS[:3:2], BATCHES[:3:2]

Measured = list[tuple[Problem, list[Samples], dict[str, float]]]


def grid(quick: bool) -> list[Problem]:
    """Networks of two hidden layers, narrow to wide, each at small to large batches."""
    widths, batches = (QUICK_WIDTHS, QUICK_BATCHES) if quick else (WIDTHS, BATCHES)
    return [Problem(COLUMNS, (width, width), batch, STEPS * batch) for width in widths for batch in batches]


def measure(problem: Problem, names: list[str], rounds: int, tf32: bool, say: Callable[[str], None]) -> Any:
    """(problem, everybody's samples, the parts of one of our steps); with TF32 only where asked for."""
    parts: dict[str, float] = {}
    on_gpu = [name for name in GPU_TRAINERS if tf32 or "TF32" not in name]
    found = training(problem, [*on_gpu, *names], [1], rounds, say, parts)
    return problem, found, parts


def told(problem: Problem, found: list[Samples], parts: dict[str, float]) -> Iterator[str]:
    """A table of one problem."""
    ours = best(found, OURS)
    if ours is None:
        yield f"{problem}: tinynet's cupy backend did not run"
        return
    share = parts["products"] / parts["step"]
    yield (
        f"{problem}: products take {share:.0%} of a step alone; launching takes "
        f"{1e6 * parts['launch of step']:.1f} us, moving the network there and back {1e6 * parts['transfer']:.0f} us"
    )
    reached, moved = parts["FLOPs"] / parts["products"], parts["bytes"] / parts["step"]
    yield (
        f"  its products reach {reached / 1e12:.2f} TFLOP/s, {reached / parts['FLOPs a second']:.0%} of a large one's; "
        f"a step moves {moved / 1e9:.0f} GB/s, {moved / parts['bytes a second']:.0%} of what memory gives"
    )
    for s in found:
        middle, low, high = ratio(s, ours)
        step = 1e6 * median(s.seconds) / STEPS
        yield f"  {s.name:36} {step:10.1f} us a step  {middle:7.2f} ({low:.2f} to {high:.2f}) of ours"


def draw(measured: Measured, path: Path) -> None:
    """For each width, our time on the CPU by that on the GPU against the batch: the GPU wins above 1."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for width in dict.fromkeys(problem.hidden[0] for problem, *_ in measured):
        line = []
        for problem, found, _ in measured:
            gpu, cpus = best(found, OURS), [s for s in found if s.name in ("tinynet numba", "tinynet numpy")]
            if problem.hidden[0] == width and gpu is not None and cpus:
                cpu = min(cpus, key=lambda s: median(s.seconds))
                line.append((problem.batch, *ratio(cpu, gpu)))
        if line:
            batches, middle, low, high = zip(*line, strict=True)
            axes.plot(batches, middle, marker="o", label=f"width {width}")
            axes.fill_between(batches, low, high, alpha=0.2)
    axes.axhline(1, color="#333333", linewidth=1)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel("batch")
    axes.set_ylabel("tinynet's time on the CPU by that on the GPU")
    axes.set_title("Where a GPU wins: above 1", loc="left")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
