"""The command: `python -m tinynet demo`, and the others that `--help` lists."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import tinynet
from tinynet.tabular import card_command as card
from tinynet.tabular import commands as models
from tinynet.tabular import schema_command as schema
from tinynet.tabular.explain import command as explain
from tinynet.tabular.integrate import command as integrate
from tinynet.tabular.quality import command as quality


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 where all is well, 1 where something failed, 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m tinynet", description=tinynet.__doc__)
    parser.add_argument("--version", action="version", version=f"tinynet {tinynet.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add(commands)
    for tables in (quality, schema, integrate, models, explain, card):
        tables.add(commands)
    chosen = parser.parse_args(arguments)
    try:
        return chosen.run(chosen) or 0
    except BrokenPipeError:  # whoever reads has seen enough, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to be said at the end
        return 0
    except (ValueError, TypeError, LookupError, ImportError, ArithmeticError, OSError, tinynet.GradientError) as error:
        said = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f"tinynet {chosen.command}: {said}", file=sys.stderr)
        return 1


def add(commands: Any) -> None:
    """The engine's own commands, for argparse; each sets `run`, a function of what was chosen."""
    one = commands.add_parser("demo", help="the whole story on real health data, as one page: out/index.html")
    one.add_argument("--out", type=Path, default=Path("out"), help="folder for the page and the models (default: out)")
    one.set_defaults(run=demo)
    one = commands.add_parser("gradcheck", help="prove the gradient of every layer, activation and loss")
    one.add_argument("--backend", choices=("numpy", "numba"), default="numpy", help="whose gradients (default: numpy)")
    one.set_defaults(run=gradcheck)
    one = commands.add_parser("warmup", help="compile what the numba backend needs, once, so that no fit waits for it")
    one.set_defaults(run=warmup)
    one = commands.add_parser("bench", help="measure training and prediction, against peers that are installed")
    one.add_argument("--quick", action="store_true", help="fewer networks and rounds, in less than two minutes")
    one.add_argument("--backends", default="numpy,numba", metavar="A,B", help="default: numpy,numba")
    one.add_argument(
        "--peers", default="all", metavar="A,B", help='"all" that are installed (default), "none", or their names'
    )
    one.add_argument("--tf32", action="store_true", help="with cupy: measure TF32, too, under names that say so")
    one.add_argument("--out", type=Path, default=Path("out"), help="folder for bench.json and bench.png")
    one.set_defaults(run=bench)
    one = commands.add_parser("gpu-check", help="prove the GPU backend as far as this machine can, and say how far")
    one.add_argument("--out", type=Path, help="file for what was found, as JSON")
    one.set_defaults(run=gpu_check)


def demo(chosen: argparse.Namespace) -> None:
    from tinynet import demo as main_job

    main_job.run(chosen.out)


def gpu_check(chosen: argparse.Namespace) -> int:
    from tinynet.gpu_check import check

    return check(chosen.out)


def bench(chosen: argparse.Namespace) -> int:
    """Run the benchmark; wrong words are told in one sentence."""
    from tinynet.backends import choose
    from tinynet.bench import BACKENDS, PEERS, run

    asked = [name.strip() for name in chosen.backends.split(",")]
    others = {"all": list(PEERS), "none": []}.get(chosen.peers, [name.strip() for name in chosen.peers.split(",")])
    for what, given, known in (("backend", asked, BACKENDS), ("peer", others, PEERS)):
        for name in given:
            if name not in known:
                print(f"there is no {what} {name!r}; there are: {', '.join(known)}", file=sys.stderr)
                return 2
    for name in asked:
        choose(name)
    run(asked, others, chosen.quick, chosen.tf32, chosen.out)
    return 0


def warmup(chosen: argparse.Namespace) -> None:
    """Compile every kernel of the numba backend into its cache on disk."""
    from tinynet.backends import choose

    choose("numba")
    from tinynet.backends.numba_warmup import warmup as compile_all

    compile_all(("float32", "float64"), partial(print, flush=True))
    print("all is compiled and kept")


def gradcheck(chosen: argparse.Namespace) -> None:
    """Print the largest error of each layer, activation and loss."""
    from tinynet.backends import choose
    from tinynet.proof import TOLERANCE, prove

    choose(chosen.backend)
    print(f"{'explicit backward against central differences, float64':<68} {'compared':>8} {'error':>9}")
    worst = 0.0
    for what, reports in prove(chosen.backend):
        compared, error = sum(r.compared for r in reports), max(r.error for r in reports)
        print(f"{what:<68} {compared:>8} {error:>9.1e}", flush=True)
        worst = max(worst, error)
    print(f"all gradients agree; largest relative error {worst:.1e}, tolerance {TOLERANCE:.0e}")
