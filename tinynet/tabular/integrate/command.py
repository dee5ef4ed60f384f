"""`python -m tinynet integrate PLAN.toml`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tinynet.tabular.integrate import integrate
from tinynet.tabular.integrate.plan import EXAMPLE

HELP = "several tables to one row per patient, admission or time point, with nothing from after the prediction time"


def add(commands: Any) -> None:
    """The command, for argparse."""
    one = commands.add_parser(
        "integrate",
        help=HELP,
        description=HELP,
        epilog=f"An example of a plan:\n\n{EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one.add_argument("plan", metavar="PLAN.toml", type=Path)
    one.add_argument(
        "--out", type=Path, default=Path("out"), help="folder for table.csv, table1.csv, flow.txt (default: out)"
    )
    one.add_argument("--memory", default="", metavar="1GB", help="the most memory that DuckDB may take")
    one.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> None:
    """Integrate, write and print."""
    done = integrate(chosen.plan, memory_limit=chosen.memory)
    done.write(chosen.out)
    print(done)
    print(f"\nwritten: {chosen.out / 'table.csv'}, table1.csv, flow.txt")
