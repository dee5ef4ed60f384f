"""`python -m tinynet schema DATA`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tinynet.tabular.schema import Schema

HELP = "what each column seems to be: a list to read, to put right, and to give to the other commands"


def add(commands: Any) -> None:
    """The command, for argparse."""
    one = commands.add_parser("schema", help=HELP, description=HELP)
    one.add_argument("data", metavar="DATA", help="a CSV or Parquet file")
    one.add_argument("--target", metavar="COLUMN", help="what is predicted")
    one.add_argument("--group", metavar="COLUMN", help="whose row it is, such as the patient")
    one.add_argument("--time", metavar="COLUMN", help="when a row was recorded")
    one.add_argument("--drop", metavar="COLUMN", nargs="+", default=[], help="columns that must not be learned from")
    one.add_argument("--out", type=Path, metavar="FILE", help="a TOML file, one line a column, for --schema")
    one.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> None:
    """Print the schema, and write it where a file is named."""
    schema = Schema.infer(chosen.data, chosen.target, chosen.group, chosen.time).drop(*chosen.drop)
    print(schema)
    if chosen.out is not None:
        schema.save(chosen.out)
        print(f"\nwritten: {chosen.out}; put right what is wrong, and give it to train with --schema {chosen.out}")
