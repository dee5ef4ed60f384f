"""The command: `python -m tinynet demo`, `gradcheck`, `quality`, `integrate` and others."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import tinynet


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 where all is well, 1 where something failed, 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m tinynet", description=tinynet.__doc__)
    parser.add_argument("--version", action="version", version=f"tinynet {tinynet.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="the main job on real health data: preprocess, train, evaluate, deploy")
    demo.add_argument(
        "--out", type=Path, default=Path("out"), help="folder for the figure and the model (default: out)"
    )
    commands.add_parser("gradcheck", help="prove the gradient of every layer, activation and loss")
    commands.add_parser("warmup", help="compile what the numba backend needs, once, so that no fit waits for it")
    from tinynet.tabular.integrate import command as integrate
    from tinynet.tabular.quality import command as quality

    for name, module in (("quality", quality), ("integrate", integrate)):
        module.arguments(
            commands.add_parser(name, help=module.HELP, formatter_class=argparse.RawDescriptionHelpFormatter)
        )
    chosen = parser.parse_args(arguments)
    if chosen.command == "quality":
        return quality.run(chosen)
    if chosen.command == "integrate":
        return integrate.run(chosen)
    if chosen.command == "demo":
        from tinynet import demo as main_job

        main_job.run(chosen.out)
        return 0
    return warmup() if chosen.command == "warmup" else gradcheck()


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


def gradcheck() -> int:
    """Print the largest error of each layer, activation and loss."""
    from tinynet.proof import TOLERANCE, prove

    print(f"{'explicit backward against central differences, float64':<68} {'compared':>8} {'error':>9}")
    worst = 0.0
    try:
        for what, reports in prove():
            compared, error = sum(r.compared for r in reports), max(r.error for r in reports)
            print(f"{what:<68} {compared:>8} {error:>9.1e}", flush=True)
            worst = max(worst, error)
    except tinynet.GradientError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"all gradients agree; largest relative error {worst:.1e}, tolerance {TOLERANCE:.0e}")
    return 0
