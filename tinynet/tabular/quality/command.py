"""`python -m tinynet quality DATA`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tinynet.tabular.quality import data_quality
from tinynet.tabular.schema import Schema

HELP = "what is wrong with a table: gaps, impossible values, duplicates, leakage, labels"


def add(commands: Any) -> None:
    """The command, for argparse."""
    one = commands.add_parser(
        "quality",
        help=HELP,
        description=f"{HELP}. Exit code 0 where the table was read, whatever was found.",
        epilog="For example: python -m tinynet quality patients.csv --target died --group patient_id --out out/quality",
    )
    one.add_argument("data", metavar="DATA", type=Path, help="a CSV or Parquet file")
    one.add_argument("--target", help="the column that is to be predicted")
    one.add_argument("--group", help="the column whose equal values belong together, such as a patient's number")
    one.add_argument("--time", help="the column that says when a row was recorded")
    one.add_argument("--schema", type=Path, help="a schema as TOML; default: inferred")
    one.add_argument(
        "--no-header", action="store_true", help="the file's first line holds data; columns are x0, x1, ..."
    )
    one.add_argument("--out", type=Path, help="folder for quality.txt, quality.json and quality.html")
    one.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> None:
    """Print the report, and write it where a folder is given."""
    schema = Schema.load(chosen.schema) if chosen.schema else None
    header = False if chosen.no_header else None
    report = data_quality(chosen.data, schema, chosen.target, chosen.group, chosen.time, header=header)
    if chosen.out is not None:
        chosen.out.mkdir(parents=True, exist_ok=True)
        for kind, text in (("txt", str(report) + "\n"), ("json", report.to_json()), ("html", report.to_html())):
            (chosen.out / f"quality.{kind}").write_text(text, encoding="utf-8")
    print(report)
    if chosen.out is not None:
        print(f"\nwritten: {chosen.out / 'quality.html'}, quality.json, quality.txt")
