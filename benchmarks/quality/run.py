"""How good the networks are on health tables, beside what one would otherwise use, on the same folds.

    TINYNET_DATA=../shared/data python benchmarks/quality/run.py [--sets support2 randhie] [--rows 12000] [--out FILE]

For each set of `sets.py`: TabularClassifier or TabularRegressor with its defaults, scikit-learn's MLP (with early
stopping), HistGradientBoosting, logistic or ridge regression, and RealMLP where pytabkit is installed; all but ours and
HistGradientBoosting with plain preprocessing (see tinynet/tabular/baselines.py). AUROC (several classes: the mean of
each against the rest) or R2 with 95 % intervals by person, the difference ours - theirs on the same bootstrap draws,
and the slope of calibration. Last, the mean paired difference over the sets with its standard error over the sets.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from sets import SETS, Set
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline

from tinynet.tabular import TabularClassifier, TabularRegressor
from tinynet.tabular.baselines import baselines, linear, plain
from tinynet.tabular.evaluate import evaluate
from tinynet.tabular.evaluation import Evaluation

SEED = 0


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
    table = plain(chosen.x)
    regression = chosen.task == "regression"
    others = baselines(chosen.task, table.categories, SEED)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", default=list(SETS), choices=list(SETS), metavar="SET")
    parser.add_argument("--rows", type=int, help="take at most so many rows of a set, for a quick look")
    parser.add_argument("--out", type=Path, help="also write the numbers as JSON")
    given = parser.parse_args()
    if "TINYNET_DATA" not in os.environ:
        sys.exit("set TINYNET_DATA to the folder that holds the sets, one folder each")
    folder = Path(os.environ["TINYNET_DATA"])
    record: dict[str, Any] = {}
    differences: dict[tuple[str, str], list[float]] = {}
    for name in given.sets:
        if not (folder / name).is_dir():
            sys.exit(f"there is no folder {name!r} in TINYNET_DATA")
        chosen = sampled(SETS[name](folder / name), given.rows)
        start = time.perf_counter()
        found = judged(chosen)
        seconds, main_measure = time.perf_counter() - start, found.main
        print(f"\n{name}: {found.facts['rows']} rows, {found.facts['split']}; {seconds:.0f} s", flush=True)
        record[name] = {"rows": found.facts["rows"], "seconds": seconds, "measure": main_measure, "models": {}}
        for other, one in found.models.items():
            value, slope = one.measures[main_measure], one.measures.get("calibration slope")
            difference = one.difference.get(main_measure)
            print(
                f"  {other:<22} {main_measure} {value:.4f}"
                + (f"  slope {slope:.2f}" if slope is not None else "")
                + (f"  ours - this {difference:+.4f}" if difference is not None else ""),
                flush=True,
            )
            record[name]["models"][other] = {
                "value": [value.value, value.low, value.high],
                "slope": None if slope is None else [slope.value, slope.low, slope.high],
                "ours - this": None if difference is None else [difference.value, difference.low, difference.high],
            }
            if difference is not None and other not in ("prevalence", "mean"):
                differences.setdefault((main_measure, other), []).append(difference.value)
        if given.out:
            given.out.write_text(json.dumps(record, indent=1) + "\n")
    print("\nmean paired difference over the sets, ours - theirs, and its standard error over the sets")
    for (measure, other), values in sorted(differences.items()):
        error = np.std(values, ddof=1) / len(values) ** 0.5 if len(values) > 1 else float("nan")
        print(f"  {measure:<8} {other:<22} {np.mean(values):+.4f} +- {error:.4f}  ({len(values)} sets)")


if __name__ == "__main__":
    main()
