"""How good the networks are on health tables, beside what one would otherwise use, on the same folds.

    TINYNET_DATA=../shared/data python benchmarks/quality/run.py [--sets support2 randhie] [--rows 12000] [--out FILE]

For each set of `sets.py` (files in TINYNET_DATA) and `held_out.py` (inside Python packages): TabularClassifier or
TabularRegressor with its defaults, scikit-learn's MLP (with early stopping), HistGradientBoosting, logistic or ridge
regression, and RealMLP where pytabkit is installed; all but ours and HistGradientBoosting with plain preprocessing (see
tinynet/tabular/baselines.py). AUROC (several classes: the mean of each against the rest) or R2 with 95 % intervals by
person, the difference ours - theirs on the same bootstrap draws, and the slope of calibration. Last, the mean paired
difference over the sets with its standard error over the sets; --out writes FILE.json and FILE.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from held_out import HELD_OUT
from sets import SETS, Set
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline

from tinynet.tabular import TabularClassifier, TabularRegressor
from tinynet.tabular.baselines import baselines, linear, plain
from tinynet.tabular.evaluate import evaluate
from tinynet.tabular.evaluation import Evaluation
from tinynet.tabular.frame import read

SEED = 0
NO_SKILL = ("parkinsons_telemonitoring",)  # where the best is to predict the mean


class ByIndex(TransformerMixin, BaseEstimator):
    """The rows of a matrix that a frame's index names: the same numbered categories in training and in testing."""

    def __init__(self, matrix: Any = None) -> None:
        self.matrix = matrix

    def fit(self, x: Any, y: Any = None) -> ByIndex:
        return self

    def transform(self, x: Any) -> Any:
        return self.matrix[x.index]

    def __sklearn_is_fitted__(self) -> bool:
        return True


def contenders(chosen: Set) -> dict[str, Any]:
    """The others, by name, for the set's frame."""
    table = plain(read(chosen.x))
    regression = chosen.task == "regression"
    others = baselines(chosen.task, table, SEED)
    mlp = (MLPRegressor if regression else MLPClassifier)(early_stopping=True, max_iter=300, random_state=SEED)
    others["scikit-learn MLP"] = linear(table.categories, mlp)
    try:
        from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor
    except ImportError:
        pass
    else:
        real = (RealMLP_TD_Regressor if regression else RealMLP_TD_Classifier)(random_state=SEED)
        others["RealMLP"] = linear(table.categories, real)
    return {name: make_pipeline(ByIndex(table.matrix), model) for name, model in others.items()}


def sampled(chosen: Set, rows: int | None) -> Set:
    """At most so many rows, whole groups, for a quick look; numbers of a quick look are said to be so."""
    n = len(chosen.y)
    x = chosen.x.reset_index(drop=True)
    if rows is None or n <= rows:
        return Set(x, chosen.y, chosen.groups, chosen.task, chosen.splits)
    group = np.arange(n) if chosen.groups is None else np.unique(chosen.groups, return_inverse=True)[1]
    kept = np.random.default_rng(SEED).random(group.max() + 1)[group] < rows / n
    groups = None if chosen.groups is None else chosen.groups[kept]
    return Set(x[kept].reset_index(drop=True), chosen.y[kept], groups, chosen.task, chosen.splits)


def judged(chosen: Set) -> Evaluation:
    """Ours beside the others."""
    ours = (TabularRegressor if chosen.task == "regression" else TabularClassifier)(random_state=SEED)
    grouping: dict[str, Any] = {"no_group": "one row per person"} if chosen.groups is None else {}
    return evaluate(
        ours, chosen.x, chosen.y, groups=chosen.groups, splits=chosen.splits, baselines=contenders(chosen), seed=SEED,
        name="tinynet", jobs=1, **grouping,
    )  # fmt: skip


def measured(name: str, make: Callable[[], Set], rows: int | None) -> dict[str, Any]:
    """The numbers of one set."""
    chosen = sampled(make(), rows)
    start = time.perf_counter()
    found = judged(chosen)
    seconds = time.perf_counter() - start
    record: dict[str, Any] = {
        "rows": found.facts["rows"],
        "persons": found.facts["persons"],
        "split": found.facts["split"],
        "measure": found.main,
        "verdict": found.verdict(),
        "models": {},
    }
    for other, one in found.models.items():
        record["models"][other] = {
            "value": numbers(one.measures[found.main]),
            "slope": numbers(one.measures.get("calibration slope")),
            "ours - this": numbers(one.difference.get(found.main)),
        }
    print(f"\n{name}: {record['rows']} rows, {record['split']}; {seconds:.0f} s", flush=True)
    for other, said in record["models"].items():
        difference = "" if said["ours - this"] is None else f"  ours - this {told(said['ours - this'])}"
        print(f"  {other:<22} {found.main} {told(said['value'])}  slope {told(said['slope'])}{difference}", flush=True)
    return record


def numbers(one: Any) -> list[float] | None:
    """The value and the two ends of its interval."""
    return None if one is None else [round(float(x), 5) for x in (one.value, one.low, one.high)]


def told(one: list[float] | None) -> str:
    return "-" if one is None else f"{one[0]:.3f} ({one[1]:.3f} to {one[2]:.3f})"


def means(records: dict[str, Any], names: Iterable[str]) -> Iterator[tuple[str, str, float, float, int]]:
    """(measure, model, mean of ours - theirs over the sets, its standard error, number of sets)."""
    differences: dict[tuple[str, str], list[float]] = {}
    for name in names:
        if name in NO_SKILL:
            continue
        for other, said in records[name]["models"].items():
            if said["ours - this"] is not None and other not in ("prevalence", "mean"):
                differences.setdefault((records[name]["measure"], other), []).append(said["ours - this"][0])
    for (measure, other), values in sorted(differences.items()):
        error = np.std(values, ddof=1) / len(values) ** 0.5 if len(values) > 1 else float("nan")
        yield measure, other, float(np.mean(values)), float(error), len(values)


def page(records: dict[str, Any], rows: int | None) -> str:
    """The numbers as Markdown."""
    lines = [
        "# Quality on health tables\n",
        f"Made by `python benchmarks/quality/run.py{f' --rows {rows}' if rows else ''} --out "
        "benchmarks/results/quality` on 2 cores, without a GPU. Defaults everywhere; the same folds for all; one "
        "repeat; 95 % intervals by bootstrap of persons, 1,000 draws. `ours - x` is paired, on the same draws. A "
        "run with `--sets` leaves the lines of the other sets as they were.\n",
    ]
    for title, names in kinds(records):
        lines += [f"## {title}\n", "| set | n (persons) | folds | model | score | calibration slope | ours - this |",
                  "|---|---|---|---|---|---|---|"]  # fmt: skip
        for name in names:
            record = records[name]
            n = f"{record['rows']:,}" + ("" if record["persons"] == record["rows"] else f" ({record['persons']:,})")
            for i, (model, said) in enumerate(record["models"].items()):
                first = [name, n, record["split"].split("-fold")[0]] if not i else ["", "", ""]
                score = f"{record['measure']} {told(said['value'])}"
                lines.append(
                    f"| {' | '.join([*first, model, score, told(said['slope']), told(said['ours - this'])])} |"
                )
        lines += ["", "| measure | against | mean of ours - this | standard error over the sets | sets |",
                  "|---|---|---|---|---|"]  # fmt: skip
        lines += [
            f"| {m} | {o} | {mean:+.4f} | {f'{error:.4f}' if n > 1 else '-'} | {n} |"
            for m, o, mean, error, n in means(records, names)
        ]
        lines.append("")
    lines.append(f"Sets without skill to be had ({', '.join(NO_SKILL)}) are no part of the means.")
    return "\n".join(lines) + "\n"


def kinds(records: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """What was measured, in two parts."""
    for title, made in (("Sets that the defaults were chosen on", SETS), ("Sets that nothing was chosen on", HELD_OUT)):
        if names := [name for name in made if name in records]:
            yield title, names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = [*SETS, *HELD_OUT]
    parser.add_argument("--sets", nargs="*", choices=every, metavar="SET", help=f"default: all of {', '.join(every)}")
    parser.add_argument("--rows", type=int, help="take at most so many rows of a set, for a quick look")
    parser.add_argument(
        "--out", type=Path, help="also write FILE.json and FILE.md; with --sets, others keep their lines"
    )
    given = parser.parse_args()
    folder = Path(os.environ.get("TINYNET_DATA", ""))
    if "TINYNET_DATA" not in os.environ and (given.sets is None or set(given.sets) & set(SETS)):
        sys.exit(f"set TINYNET_DATA to the folder that holds the sets, or give --sets {' '.join(HELD_OUT)}")
    records: dict[str, Any] = {}
    if given.out and given.sets is not None and given.out.with_suffix(".json").exists():
        records = json.loads(given.out.with_suffix(".json").read_text())  # of the other sets
    for name in every if given.sets is None else given.sets:
        if name in SETS and not (folder / name).is_dir():
            sys.exit(f"there is no folder {name!r} in TINYNET_DATA")
        make = partial(SETS[name], folder / name) if name in SETS else HELD_OUT[name]
        records[name] = measured(name, make, given.rows)
        if given.out:
            given.out.parent.mkdir(parents=True, exist_ok=True)
            given.out.with_suffix(".json").write_text(json.dumps(records, indent=1) + "\n")
            given.out.with_suffix(".md").write_text(page(records, given.rows))
    for title, names in kinds(records):
        print(f"\n{title}: mean paired difference, ours - theirs, and its standard error over the sets")
        for measure, other, mean, error, n in means(records, names):
            print(f"  {measure:<8} {other:<22} {mean:+.4f} +- {error:.4f}  ({n} sets)")


if __name__ == "__main__":
    main()
