"""The commands `train`, `evaluate` and `predict`: from a file with a table to a model, a report, or risks."""

from __future__ import annotations

import argparse
import csv
import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.registry import unknown
from tinynet.tabular.cells import spelled
from tinynet.tabular.encoders import numbers
from tinynet.tabular.frame import Columns, read, read_chunks
from tinynet.tabular.labelled import as_classes, labelled
from tinynet.tabular.schema import Schema

TASKS = {"classes": None, "amount": "squared_error", "count": "poisson", "cost": "two-part"}
MOST_CLASSES = 10  # of a target of numbers; with more different ones it is an amount
EXAMPLE = """example:
  python -m tinynet train patients.csv --target died --group patient_id --out model.safetensors --report report.html
  python -m tinynet predict model.safetensors new_patients.csv --out risks.csv
  python -m tinynet mislabels patients.csv --target died --group patient_id --out doubtful.csv
"""


def add(commands: Any) -> None:
    """The commands, for argparse."""
    described = {
        "train": "learn from a table: a model file, and with --report an honest evaluation",
        "evaluate": "cross-validate on a table, beside simple models on the same folds",
        "mislabels": "which rows to look up first for a wrong label or amount: those that a model of the table doubts",
    }
    for name, said in described.items():
        one = commands.add_parser(
            name, help=said, description=said, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        one.add_argument("data", metavar="DATA", help="a CSV or Parquet file")
        one.add_argument("--target", required=True, metavar="COLUMN", help="what is predicted")
        who = one.add_mutually_exclusive_group()
        who.add_argument("--group", metavar="COLUMN", help="whose row it is, such as the patient: kept on one side")
        who.add_argument("--no-group", metavar="WHY", help='why rows need no group, as in "one row per person"')
        one.add_argument("--schema", metavar="FILE", help="what the columns are (TOML); default: inferred")
        one.add_argument("--task", choices=list(TASKS), help="default: classes for text or up to 10 different numbers")
        one.add_argument("--seed", type=int, default=0, help="of everything drawn; default 0")
        one.set_defaults(run={"train": train, "evaluate": evaluate, "mislabels": mislabels}[name])
        if name == "mislabels":
            one.add_argument(
                "--out", type=Path, metavar="FILE", help="a CSV file with all rows, the most doubtful first"
            )
            one.set_defaults(time=None, site=None)  # nothing is judged
            continue
        how = one.add_mutually_exclusive_group()
        how.add_argument(
            "--time", metavar="COLUMN", help="judge out of time: learn from the past, predict what comes after"
        )
        how.add_argument("--site", metavar="COLUMN", help="judge by site: predict each site by what the others teach")
        one.add_argument("--report", type=Path, metavar="FILE", help="an HTML page to read, from 5-fold validation")
        one.add_argument("--json", type=Path, metavar="FILE", help="the validation's numbers, for card --evaluation")
        if name == "train":
            one.add_argument("--out", type=Path, default=Path("model.safetensors"), help="default: model.safetensors")
            one.add_argument("--save-schema", metavar="FILE", help="write the schema that was used, to read and edit")
    said = "risks, classes or amounts for the rows of a table"
    one = commands.add_parser(
        "predict", help=said, description=said, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    one.add_argument("model", metavar="MODEL", help="the file that train wrote")
    one.add_argument("data", metavar="DATA", help="a CSV or Parquet file")
    one.add_argument("--out", type=Path, help="a CSV file; default: standard output")
    one.add_argument(
        "--keep", metavar="COLUMN", nargs="+", default=[], help="columns written in front, as the row's id"
    )
    one.add_argument("--remarks", action="store_true", help="a column more: what is missing, unknown or out of range")
    one.set_defaults(run=predict)


def train(chosen: argparse.Namespace) -> None:
    refuse_lost(chosen.out, chosen.report, chosen.json)
    job, start = prepared(chosen), time.perf_counter()
    estimator = job.estimator.fit(job.table, job.y, groups=job.groups)
    estimator.predictor_.target = chosen.target
    estimator.save(chosen.out)
    print(f"trained in {time.perf_counter() - start:.0f} s; the model is in {chosen.out}")
    if chosen.save_schema:
        estimator.predictor_.schema.save(chosen.save_schema)
        print(f"the schema is in {chosen.save_schema}")
    if chosen.report is not None or chosen.json is not None:
        judge(chosen, job)
    else:
        print("how good it is, beside simple models: give --report report.html")


def mislabels(chosen: argparse.Namespace) -> None:
    """Train, and rank the rows by how much the model doubts their labels; numbers are those of the file's rows."""
    from tinynet.tabular.mislabels import likely_mislabels

    refuse_lost(chosen.out)
    job = prepared(chosen)
    found = likely_mislabels(job.estimator.fit(job.table, job.y, groups=job.groups), job.table, job.y)
    print(found.told(job.rows))
    if chosen.out is not None:
        with opened(chosen.out) as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(
                ["row", "place", "probability of its label" if found.classes else "times the usual distance"]
            )
            for place, row in enumerate(found.rows.tolist(), 1):
                writer.writerow([job.rows[row], place, f"{found.size[row]:.6g}"])
        print(f"all rows, the most doubtful first: {chosen.out}")


def evaluate(chosen: argparse.Namespace) -> None:
    refuse_lost(chosen.report, chosen.json)
    judge(chosen, prepared(chosen))


def refuse_lost(*paths: Path | None) -> None:
    """Raises FileNotFoundError where a file would have no folder: before the work, not after it."""
    for path in paths:
        if path is not None and not path.resolve().parent.is_dir():
            raise FileNotFoundError(f"the folder {str(path.parent)!r} for {path.name} does not exist")


def judge(chosen: argparse.Namespace, job: Job) -> None:
    """Cross-validate, print the table, and write the report where asked."""
    from tinynet.tabular.evaluate import evaluate as cross_validated

    task = {"count": "count", "cost": "cost"}.get(chosen.task or "")
    frame = as_frame(job.table, job.estimator.schema)
    job.table.clear()  # the frame holds it now
    found = cross_validated(
        job.estimator,
        frame,
        job.y,
        groups=job.groups,
        no_group=chosen.no_group,
        time=chosen.time,
        site=chosen.site,
        task=task,
        seed=chosen.seed,
    )
    print(found)
    if chosen.report is not None:
        found.report(chosen.report, f"Evaluation: {chosen.target}")
        print(f"the report is in {chosen.report}")
    if chosen.json is not None:
        chosen.json.write_text(found.to_json() + "\n", encoding="utf-8")
        print(f"the numbers are in {chosen.json}")


class Job(NamedTuple):
    """The features, y and groups of the rows that have a target, an estimator not fitted yet, the rows' numbers."""

    table: Columns
    y: Array
    groups: Array | None
    estimator: Any
    rows: Array


def prepared(chosen: argparse.Namespace) -> Job:
    """What is learned from, as the command line says."""
    try:
        from tinynet.tabular.classifier import TabularClassifier
        from tinynet.tabular.regressor import TabularRegressor
    except ImportError:
        raise ImportError("training on tables needs scikit-learn: pip install 'tinynet[tabular,fast]'") from None
    from tinynet.tabular.splits import refuse_hidden_persons

    table = read(chosen.data)
    for name in filter(None, (chosen.target, chosen.group, chosen.time, chosen.site)):
        if name not in table:
            raise KeyError(unknown("column", name, list(table)))
    if chosen.target == chosen.group:
        raise ValueError(f"column {chosen.target!r} cannot be both the target and the group")
    if chosen.target in (chosen.time, chosen.site):
        raise ValueError(f"column {chosen.target!r} cannot be both the target and what rows are split by")
    given = Schema.infer(table, chosen.target, chosen.group, chosen.time)
    known, y, numeric = labelled(table, chosen.target, given[chosen.target].missing)
    if len(known) < table.count:
        print(f"{table.count - len(known)} of {table.count} rows have no {chosen.target!r} and are left out")
        table = table.rows(known)
    groups = None
    if chosen.group is not None:
        groups = np.array([str(value) for value in table[chosen.group].tolist()])
    else:
        refuse_hidden_persons(iter(table.items()), chosen.no_group)
    schema = Schema.load(chosen.schema) if chosen.schema else given
    features = Columns({name: column for name, column in table.items() if name not in (chosen.target, chosen.group)})
    different = len(np.unique(y)) if numeric else len(set(y.tolist()))
    task = chosen.task or ("amount" if numeric and different > MOST_CLASSES else "classes")
    schema = Schema({n: c for n, c in schema.columns.items() if n not in (chosen.target, chosen.group)})
    if task == "classes":
        if different < 2:
            raise ValueError(f"the target {chosen.target!r} has one class only; at least two are needed")
        labels = as_classes(y, numeric)
        print(f"{len(labels)} rows, {len(schema.features)} columns, {different} classes of {chosen.target!r}")
        return Job(features, labels, groups, TabularClassifier(schema, random_state=chosen.seed), known)
    if not numeric:
        raise ValueError(f"the target {chosen.target!r} holds text; --task {task} is for numbers")
    print(f"{len(y)} rows, {len(schema.features)} columns, {chosen.target!r} as {task}")
    return Job(features, y, groups, TabularRegressor(schema, loss=TASKS[task] or "", random_state=chosen.seed), known)


def as_frame(table: Columns, schema: Schema) -> Any:
    """The table as a pandas frame, for the folds; a file's numbers are numbers, so that the baselines see them too."""
    try:
        import pandas as pd
    except ImportError:
        raise ImportError("evaluation cuts tables into folds with pandas: pip install pandas") from None
    seen = {
        name: numbers(values, schema[name]) if name in schema and schema[name].role == "numeric" else values
        for name, values in table.items()
    }
    return pd.DataFrame({name: pd.Series(values, dtype=values.dtype) for name, values in seen.items()})


def predict(chosen: argparse.Namespace) -> None:
    from tinynet.tabular.predictor import Predictor, load

    model = load(chosen.model)
    if not isinstance(model, Predictor):
        raise ValueError(f"{Path(chosen.model).name} holds a network without its columns; `train` writes what is meant")
    target = model.target or "target"
    rows = 0
    with opened(chosen.out) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        for i, part in enumerate(read_chunks(chosen.data)):
            if not part.count:
                continue
            for name in chosen.keep:
                if name not in part:
                    raise KeyError(unknown("column", name, list(part)))
            said = model.answers(part)
            if i == 0:
                writer.writerow([*chosen.keep, *header(model, target), *(["remarks"] if chosen.remarks else [])])
            found = said.reshape(part.count, -1)
            cells = [[plain(value) for value in part[name].tolist()] for name in chosen.keep]
            if model.classes:
                cells.append([model.classes[place] for place in found.argmax(axis=1)])
            cells += [list(map(repr, column)) for column in found.T.tolist()]
            if chosen.remarks:
                cells.append(list(map("; ".join, model.remarks(part))))
            writer.writerows(zip(*cells, strict=True))
            rows += part.count
    if not rows:
        raise ValueError(f"{Path(chosen.data).name} has no rows")
    if chosen.out is not None:
        print(f"{rows} rows predicted; they are in {chosen.out}")


def plain(value: Any) -> str:
    """A cell as it was; nothing for a gap."""
    if isinstance(value, float):
        return "" if math.isnan(value) else spelled(value) if math.isfinite(value) else repr(value)
    return value or ""


def header(model: Any, target: str) -> list[str]:
    """The names of the columns that `predict` writes."""
    if model.classes:
        return [f"predicted {target}", *(f"P({target} = {label})" for label in model.classes)]
    if model.outcome.kind == "quantiles":
        return [f"{level:g} quantile of {target}" for level in model.outcome.levels]
    return [f"predicted {target}"]


@contextmanager
def opened(path: Path | None) -> Iterator[TextIO]:
    """The file to write to; standard output where there is none."""
    if path is None:
        yield sys.stdout
        return
    refuse_lost(path)
    with open(path, "w", encoding="utf-8", newline="") as stream:
        yield stream
