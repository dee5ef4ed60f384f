"""The command: `python -m tinynet demo`, and the others that `--help` lists."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import tinynet
from tinynet.tabular import commands as tables


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 where all is well, 1 where something failed, 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m tinynet", description=tinynet.__doc__)
    parser.add_argument("--version", action="version", version=f"tinynet {tinynet.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="the main job on real health data: preprocess, train, evaluate, deploy")
    demo.add_argument(
        "--out", type=Path, default=Path("out"), help="folder for the figure and the model (default: out)"
    )
    proof = commands.add_parser("gradcheck", help="prove the gradient of every layer, activation and loss")
    proof.add_argument(
        "--backend", choices=("numpy", "numba"), default="numpy", help="whose gradients (default: numpy)"
    )
    commands.add_parser("warmup", help="compile what the numba backend needs, once, so that no fit waits for it")
    bench = commands.add_parser("bench", help="measure training and prediction, against peers that are installed")
    bench.add_argument("--quick", action="store_true", help="fewer networks and rounds, in less than two minutes")
    bench.add_argument("--backends", default="numpy,numba", metavar="A,B", help="default: numpy,numba")
    bench.add_argument(
        "--peers", default="all", metavar="A,B", help='"all" that are installed (default), "none", or their names'
    )
    bench.add_argument("--out", type=Path, default=Path("out"), help="folder for bench.json and bench.png")
    gpu = commands.add_parser("gpu-check", help="prove the GPU backend as far as this machine can, and say how far")
    gpu.add_argument("--out", type=Path, help="file for what was found, as JSON")
    tables.add(commands)
    chosen = parser.parse_args(arguments)
    if chosen.command == "bench":
        return measure(chosen.backends, chosen.peers, chosen.quick, chosen.out)
    if chosen.command == "demo":
        from tinynet import demo as main_job

        main_job.run(chosen.out)
        return 0
    if chosen.command == "gpu-check":
        from tinynet.gpu_check import check

        return check(chosen.out)
    if chosen.command in ("train", "evaluate", "predict"):
        return tables.run(chosen)
    return warmup() if chosen.command == "warmup" else gradcheck(chosen.backend)


def measure(backends: str, peers: str, quick: bool, out: Path) -> int:
    """Run the benchmark; wrong words are told in one sentence."""
    from tinynet.backends import choose
    from tinynet.bench import BACKENDS, PEERS, run

    asked = [name.strip() for name in backends.split(",")]
    others = {"all": list(PEERS), "none": []}.get(peers, [name.strip() for name in peers.split(",")])
    for what, given, known in (("backend", asked, BACKENDS), ("peer", others, PEERS)):
        for name in given:
            if name not in known:
                print(f"there is no {what} {name!r}; there are: {', '.join(known)}", file=sys.stderr)
                return 2
    try:
        for name in asked:
            choose(name)
    except ImportError as error:
        print(error, file=sys.stderr)
        return 1
    run(asked, others, quick, out)
    return 0


def warmup() -> int:
    """Compile every kernel of the numba backend into its cache on disk."""
    from tinynet.backends import choose

    try:
        choose("numba")
    except ImportError as error:
        print(error, file=sys.stderr)
        return 1
    from tinynet.backends.numba_warmup import warmup as compile_all

    compile_all(("float32", "float64"), partial(print, flush=True))
    print("all is compiled and kept")
    return 0


def gradcheck(backend: str) -> int:
    """Print the largest error of each layer, activation and loss."""
    from tinynet.backends import choose
    from tinynet.proof import TOLERANCE, prove

    print(f"{'explicit backward against central differences, float64':<68} {'compared':>8} {'error':>9}")
    worst = 0.0
    try:
        choose(backend)
        for what, reports in prove(backend):
            compared, error = sum(r.compared for r in reports), max(r.error for r in reports)
            print(f"{what:<68} {compared:>8} {error:>9.1e}", flush=True)
            worst = max(worst, error)
    except (tinynet.GradientError, ImportError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"all gradients agree; largest relative error {worst:.1e}, tolerance {TOLERANCE:.0e}")
    return 0
