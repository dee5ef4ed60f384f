"""`python -m tinynet integrate PLAN.toml`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tinynet.tabular.integrate import integrate
from tinynet.tabular.integrate.plan import EXAMPLE

HELP = "several tables to one row per patient, admission or time point, with nothing from after the prediction time"


def arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.description = HELP
    parser.epilog = f"An example of a plan:\n\n{EXAMPLE}"
    parser.add_argument("plan", metavar="PLAN.toml", type=Path)
    parser.add_argument(
        "--out", type=Path, default=Path("out"), help="folder for table.csv, table1.csv, flow.txt (default: out)"
    )
    parser.add_argument("--memory", default="", metavar="1GB", help="the most memory that DuckDB may take")


def run(chosen: argparse.Namespace) -> int:
    """Integrate and write; returns the exit code: 0, or 1 with one sentence where something is wrong."""
    try:
        done = integrate(chosen.plan, memory_limit=chosen.memory)
        done.write(chosen.out)
    except (ValueError, KeyError, ImportError, OSError) as error:
        print(error.args[0] if isinstance(error, KeyError) else error, file=sys.stderr)
        return 1
    print(done)
    print(f"\nwritten: {chosen.out / 'table.csv'}, table1.csv, flow.txt")
    return 0
