"""`python -m tinynet bench`: tinynet's machines against each other, PyTorch, JAX, scikit-learn and ONNX Runtime.

Training: the same network, batch, optimizer, initial weights and order of rows for all, an epoch or a tenth of a second
each in turn, every contestant a process of its own with every number of threads asked for, of which its best counts.
What is compared is the ratio of each round. Then predictions, one row and many, and what the first second costs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from tinynet.bench.crossover import Measured
from tinynet.bench.problem import PROBLEMS, Problem
from tinynet.bench.turns import Samples, predicting, training
from tinynet.progress import Progress
from tinynet.settings import cores

DEFAULT_BACKENDS = ("numpy", "numba")
BACKENDS = (*DEFAULT_BACKENDS, "cupy")
PEERS = ("scikit-learn", "PyTorch eager", "torch.compile", "JAX", "ONNX Runtime")
SLOW = "torch.compile"  # compiles for a minute a network; not with --quick


def contestants(backends: Sequence[str], peers: Sequence[str]) -> list[str]:
    """The names of trainers and predictors that are asked for."""
    found = [f"tinynet {backend}" for backend in ("numba", "numpy") if backend in backends]
    if "numba" in backends:
        found += ["products alone", "products by BLAS", "tinynet predictor()"]
    both = {"JAX": ["JAX scan", "JAX jit"]}
    return found + [name for peer in peers for name in both.get(peer, [peer])]


def run(
    backends: Sequence[str] = DEFAULT_BACKENDS,
    peers: Sequence[str] = PEERS,
    quick: bool = False,
    tf32: bool = False,
    out: Path = Path("out"),
) -> None:
    """Measure, print the tables, and write `bench.json` and `bench.png` into the folder `out`.

    Parameters
    ----------
    backends : of "numpy", "numba", and "cupy", which adds the comparison of CPU and GPU
    peers : of `PEERS`; those that are not installed are left out, and named
    tf32 : whether tinynet and PyTorch run on the GPU with TF32, too, as contestants of their own
    quick : two networks and fewer rounds, in less than two minutes
    out : the folder
    """
    from tinynet.bench import crossover, figure, table
    from tinynet.bench.starts import starts

    asked = [peer for peer in peers if not (quick and peer == SLOW)]
    names = contestants(backends, asked)
    problems: Sequence[Problem] = PROBLEMS[:3:2] if quick else PROBLEMS
    rounds, threads = (3 if quick else 15), thread_counts(quick)
    trained: list[tuple[Problem, list[Samples]]] = []
    predicted: dict[str, list[Samples]] = {}
    told = table.machine()
    print(f"{told['processor']}, {told['cores']} cores, Python {told['python']}, {told['packages']}", flush=True)
    with closing(Progress(len(problems) + 3, "bench")) as progress:
        for number, problem in enumerate(problems):
            found = training(problem, names, threads, rounds, lambda what, n=number: progress.update(n, what))  # type: ignore[misc]
            trained.append((problem, found))
            show(progress, table.of_training(problem, found))
        for number, what in enumerate(("one row", "bulk"), len(problems)):
            shared = [1] if what == "one row" else threads
            predicted[what] = predicting(what, names, shared, rounds, lambda w, n=number: progress.update(n, w))  # type: ignore[misc]
            show(progress, table.of_prediction(what, predicted[what]))
        crossing: Measured = []
        if "cupy" in backends:
            ours = [name for name in names if name in ("tinynet numba", "tinynet numpy")]
            for problem in crossover.grid(quick):
                crossing.append(
                    crossover.measure(problem, ours, rounds, tf32, partial(progress.update, len(problems) + 2))
                )
                show(progress, crossover.told(*crossing[-1]))
        starting = starts(2 if quick else 9, lambda what: progress.update(len(problems) + 2, what))
        show(progress, table.of_starts(starting))
    there = {s.name for _, found in trained for s in found} | {s.name for found in predicted.values() for s in found}
    lacking = [peer for peer in asked if not any(peer.split()[0] in name for name in there)]
    if lacking:
        print(f"not installed, so not measured: {', '.join(lacking)}")
    out.mkdir(parents=True, exist_ok=True)
    (out / "bench.json").write_text(json.dumps(table.kept(trained, predicted, starting, crossing)) + "\n")
    figure.draw(trained, out / "bench.png")
    if crossing:
        crossover.draw(crossing, out / "crossover.png")
    print(f"raw samples: {out / 'bench.json'}; figure: {out / 'bench.png'}" + ", crossover.png" * bool(crossing))


def thread_counts(quick: bool) -> list[int]:
    """1, 2, 4, ... and all cores; in a quick run 1 and all."""
    most = cores()
    return sorted({1, most} | (set() if quick else {2**i for i in range(most.bit_length())}))


def show(progress: Progress, lines: Iterable[str]) -> None:
    """Print a table where the progress bar was."""
    progress.close()
    print("\n".join(lines), end="\n\n", flush=True)
