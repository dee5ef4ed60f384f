"""What was measured, as a table to read and as numbers to keep."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import tinynet as tn
from tinynet.backends.cupy_cuda import cuda_driver, lacking
from tinynet.bench.crossover import Measured
from tinynet.bench.predictors import BULK
from tinynet.bench.problem import Problem
from tinynet.bench.turns import REFERENCE, Samples, best, ratio, seconds_to
from tinynet.settings import cores

PRODUCTS = ("products alone", "products by BLAS")  # contestants that do not train
PACKAGES = ("numpy", "numba", "scipy", "cupy", "scikit-learn", "torch", "jax", "onnxruntime")


def machine() -> dict[str, Any]:
    """What made the numbers."""
    found: dict[str, str] = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    gpu = {"gpu": str(cuda_driver())} if "cupy" in found and not lacking() else {}
    return {
        "processor": processor(), "cores": cores(), "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(), "tinynet": tn.__version__, "packages": found, **gpu,
    }  # fmt: skip


def processor() -> str:
    """The processor's name, where the system tells it."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def names(samples: list[Samples]) -> list[str]:
    return list(dict.fromkeys(s.name for s in samples))


def of_training(problem: Problem, samples: list[Samples]) -> Iterator[str]:
    """Every contestant at its best number of threads, against the reference or the first that is there."""
    ours = best(samples, REFERENCE) or samples[0]
    losses = [s.losses[-1] for s in samples if s.name not in PRODUCTS]
    target = max(losses)
    yield (
        f"{problem}, {problem.rows:,} rows; ratios are times of one round by those of {ours}, median (95 % interval)"
    )
    yield (
        f"  {'':28} {'epoch ms':>9} {'step us':>9} {'GFLOP/s':>8} {'ratio':>22} {'first s':>8} {'loss':>9} "
        f"{'s to ' + format(target, '.2g'):>10} {'MB':>6}"
    )
    steps = -(-problem.rows // problem.batch)
    for name in names(samples):
        s = best(samples, name)
        assert s is not None
        middle, (times, low, high) = median(s.seconds), ratio(s, ours)
        alone = name in PRODUCTS
        reached = None if alone else seconds_to(s, target)
        yield (
            f"  {s!s:28} {1e3 * middle:9.2f} {1e6 * middle / steps:9.1f} {problem.flops / middle / 1e9:8.1f} "
            f"{f'{times:.2f} ({low:.2f} to {high:.2f})':>22} {s.first:8.2f} "
            + (f"{'':9} {'':10} {s.memory:6.0f}" if alone or reached is None
               else f"{s.losses[-1]:9.3g} {reached:10.2f} {s.memory:6.0f}")
        )  # fmt: skip
    for s in samples:
        for p in samples:
            if s.name == "tinynet numba" and p.name in PRODUCTS and p.threads == s.threads:
                share, low, high = ratio(p, s)
                yield f"  {s}: its matrix {p.name} take {share:.0%} ({low:.0%} to {high:.0%}) of a step"


def of_prediction(what: str, samples: list[Samples]) -> Iterator[str]:
    """One row: microseconds a call; bulk: rows a second."""
    yield f"prediction, 30-64-32-1, {what if what == 'one row' else f'{BULK:,} rows at once'}"
    for name in names(samples):
        s = best(samples, name)
        assert s is not None
        p50, p99 = np.percentile(s.seconds, [50, 99])
        if what == "one row":
            yield f"  {s!s:32} p50 {1e6 * p50:8.2f} us   p99 {1e6 * p99:8.2f} us"
        else:
            speed = BULK / p50 / 1e6
            yield f"  {s!s:32} p50 {1e3 * p50:8.2f} ms   p99 {1e3 * p99:8.2f} ms   {speed:8.2f} million rows/s"


def of_starts(found: dict[str, list[float]]) -> Iterator[str]:
    yield "a whole process, from start to end"
    for name, times in found.items():
        yield f"  {name:52} {median(times):7.3f} s"


def kept(
    training: list[tuple[Problem, list[Samples]]],
    prediction: dict[str, list[Samples]],
    starting: dict[str, list[float]],
    crossing: Measured,
) -> dict[str, Any]:
    """Everything, raw samples included, as JSON holds it; of thousands of calls with one row their percentiles."""
    trained = [{"problem": asdict(problem), "samples": [asdict(s) for s in found]} for problem, found in training]
    predicted = {what: [asdict(s) for s in found] for what, found in prediction.items()}
    for one in predicted.get("one row", []):
        one["percentiles of seconds"] = np.percentile(one.pop("seconds"), range(101)).round(9).tolist()
    crossed = [
        {"problem": asdict(problem), "samples": [asdict(s) for s in found], "parts of a step": parts}
        for problem, found, parts in crossing
    ]
    return {
        "machine": machine(), "training": trained, "prediction": predicted, "starts": starting, "crossover": crossed,
    }  # fmt: skip
