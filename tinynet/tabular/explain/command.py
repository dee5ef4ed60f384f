"""`python -m tinynet explain MODEL DATA`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tinynet.tabular.explain import explain, influence
from tinynet.tabular.frame import read
from tinynet.tabular.labelled import as_classes, labelled
from tinynet.tabular.predictor import Predictor, load
from tinynet.tabular.schema import Schema

HELP = "one patient: what raised and lowered the risk, what is out of range or missing, how sure the model is"
EXAMPLE = """example:
  python -m tinynet explain model.safetensors new_patients.csv --row 3 --training patients.csv
"""


def add(commands: Any) -> None:
    """The command, for argparse."""
    one = commands.add_parser(
        "explain", help=HELP, description=HELP, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    one.add_argument("model", metavar="MODEL", type=Path, help="the file that train wrote")
    one.add_argument("data", metavar="DATA", help="a CSV or Parquet file")
    one.add_argument("--row", type=int, default=0, help="which row of it, counted from 0; default 0")
    one.add_argument("--of", metavar="CLASS", help="the class whose risk is explained; default: the last of two")
    one.add_argument("--out", type=Path, metavar="FILE", help="an HTML page with a figure, too")
    one.add_argument(
        "--training", metavar="FILE", help="the table it learned from: names, by number, the rows that drove the answer"
    )
    one.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> None:
    """Print one row's explanation, and write it where a file is named."""
    model = load(chosen.model)
    if not isinstance(model, Predictor):
        raise ValueError(f"{chosen.model.name} holds a network without columns; explain takes a model of a table")
    of = next((label for label in model.classes if str(label) == chosen.of), chosen.of)
    found = explain(model, chosen.data, chosen.row, of=of)
    print(found)
    if chosen.training is not None:
        print(f"\n{drove(model, chosen, of)}")
    if chosen.out is not None:
        chosen.out.write_text(found.to_html(), encoding="utf-8")
        print(f"\nwritten: {chosen.out}")


def drove(model: Predictor, chosen: argparse.Namespace, of: Any) -> str:
    """The training rows that drove the answer, by the numbers that they have in their file."""
    if not model.target:
        raise ValueError(f"{chosen.model.name} does not name the column that it predicts, as those that train wrote do")
    table = read(chosen.training)
    rows, y, numeric = labelled(table, model.target, Schema.infer(table, model.target)[model.target].missing)
    y = as_classes(y, numeric) if model.classes else y
    return influence(model, chosen.data, chosen.row, training=table.rows(rows), y=y, of=of).told(rows)
