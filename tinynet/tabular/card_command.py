"""`python -m tinynet card MODEL`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

HELP = "a model card and a TRIPOD+AI skeleton of a model file, as Markdown"


def add(commands: Any) -> None:
    """The command, for argparse."""
    one = commands.add_parser("card", help=HELP, description=f"{HELP}. What the file cannot know is left to you.")
    one.add_argument("model", metavar="MODEL", help="the file that train wrote")
    one.add_argument("--evaluation", type=Path, metavar="FILE", help="what Evaluation.to_json gave")
    one.add_argument("--out", type=Path, metavar="FILE", help="a Markdown file; default: standard output")
    one.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> None:
    """Print the card, or write it where a file is named."""
    from tinynet.tabular.card import OPEN, card
    from tinynet.tabular.predictor import Predictor, load

    model = load(chosen.model)
    if not isinstance(model, Predictor):
        raise ValueError(f"{Path(chosen.model).name} holds a network without its columns; `train` writes what is meant")
    evaluation = None
    if chosen.evaluation is not None:
        try:
            evaluation = json.loads(chosen.evaluation.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise ValueError(f"{chosen.evaluation.name} is no JSON file, as Evaluation.to_json writes one") from None
    text = card(model, evaluation)
    if chosen.out is None:
        print(text, end="")
        return
    chosen.out.write_text(text, encoding="utf-8")
    print(f"the card is in {chosen.out}; {text.count(OPEN)} places are left to its authors")
