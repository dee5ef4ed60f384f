"""Which score finds planted errors of labels: errors are planted in real tables, and every score ranks the rows.

    TINYNET_DATA=../shared/data python benchmarks/quality/mislabels.py [--sets heart_cleveland] [--out FILE]

5 % and 10 % of the labels are made wrong: at random among the other classes; or one way, from the last class (the event)
to the first, as where events are missed (at most 40 % of them); or of whole persons. Amounts are swapped among rows,
moved by a decimal place, or shifted by two standard deviations. Beside `likely_mislabels`: chance; the loss of logistic
or ridge regression and of HistGradientBoosting on rows held out (5 folds, whole persons); confident learning (Northcutt
2021: the margin less each class's mean confidence) on those of logistic regression; self-influence, the square of a
row's own gradient in the networks; for amounts the distance from the median. Average precision, and the precision among
the first k, k errors having been planted, which then is the recall, too.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from held_out import HELD_OUT
from run import sampled
from sets import SETS, Set
from sklearn.base import clone
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from tinynet.tabular import TabularClassifier, TabularRegressor
from tinynet.tabular.baselines import baselines, plain
from tinynet.tabular.ensemble import KINDS
from tinynet.tabular.explain.factors import factors, forward, in_double
from tinynet.tabular.explain.influence import inputs
from tinynet.tabular.frame import read
from tinynet.tabular.heads import heads
from tinynet.tabular.mislabels import likely_mislabels

CHOSEN = [
    "breast_cancer", "heart_cleveland", "mammographic_masses", "actg175", "cardiotocography", "support2",
    "diabetes_progression", "randhie",
]  # fmt: skip
RATES, SEEDS = (0.05, 0.10), (0, 1)
OURS = "likely_mislabels"


def planted(y: Any, how: str, rate: float, groups: Any, random: np.random.Generator) -> tuple[Any, Any]:
    """(y with errors, which rows are wrong)."""
    t, n = y.copy(), len(y)
    rows = random.choice(n, round(rate * n), replace=False)
    if how == "one way":
        own = np.flatnonzero(y == y.max())
        rows = random.choice(own, min(len(rows), round(0.4 * len(own))), replace=False)
        t[rows] = 0
    elif how == "at random":
        t[rows] = (y[rows] + random.integers(1, y.max() + 1, len(rows))) % (y.max() + 1)
    elif how == "whole persons":
        persons = random.permutation(np.unique(groups))
        many = np.searchsorted(np.cumsum([np.sum(groups == one) for one in persons]), rate * n) + 1
        for one in persons[:many]:
            own = groups == one
            t[own] = (y[own] + random.integers(1, y.max() + 1)) % (y.max() + 1)
    elif how == "swapped":
        t[rows] = y[np.roll(rows, 1)]
    elif how == "decimal place":
        t[rows] *= random.choice([0.1, 10.0], len(rows))
    else:
        t[rows] += random.choice([-2.0, 2.0], len(rows)) * y.std()
    return t, t != y


def scores(chosen: Set, t: Any, seed: int) -> Iterator[tuple[str, Any]]:
    """(name, the rows' scores, the most doubtful highest)."""
    n, table, classes = len(t), plain(read(chosen.x)), chosen.task != "regression"
    yield "chance", np.random.default_rng(seed).random(n)
    if not classes:
        yield "distance from the median", np.abs(t - np.median(t))
    options: dict[str, Any] = {"n_splits": 5, "shuffle": True, "random_state": seed}
    grouped = StratifiedGroupKFold(**options) if classes else GroupKFold(5)
    alone = StratifiedKFold(**options) if classes else KFold(**options)
    folds = list((alone if chosen.groups is None else grouped).split(chosen.x, t, chosen.groups))
    for name, other in list(baselines(chosen.task, table, seed).items())[1:]:
        said = np.zeros((n, t.max() + 1)) if classes else np.zeros(n)
        for learn, ask in folds:
            made = clone(other).fit(table.matrix[learn], t[learn])
            said[ask] = made.predict_proba(table.matrix[ask]) if classes else made.predict(table.matrix[ask])
        if not classes:
            yield f"{name}, held out", np.abs(t - said)
            continue
        yield f"{name}, held out", -said[np.arange(n), t]
        if "logistic" in name:
            less = said - [said[t == kind, kind].mean() for kind in range(t.max() + 1)]
            own = less[np.arange(n), t]
            less[np.arange(n), t] = -np.inf
            yield "confident learning on that", less.max(axis=1) - own
    ours = (TabularClassifier if classes else TabularRegressor)(random_state=seed, verbose=0)
    ours.fit(chosen.x, t, groups=chosen.groups)
    yield "self-influence", self_influence(ours.predictor_, chosen.x, t)
    yield OURS, likely_mislabels(ours, chosen.x, t).score


def self_influence(predictor: Any, x: Any, t: Any) -> Any:
    """|dL_i/dtheta|^2, the mean over the networks as they are weighed."""
    ensemble, (head, *_) = predictor.ensembles[0], heads("squared_error", t, predictor.outcome)
    rows, total = inputs(predictor, x), np.zeros(len(t))
    for kind, share in zip(KINDS, ensemble.parts, strict=True):
        for model in ensemble.members[kind] if share else []:
            network = in_double(model.layers, rows.shape[1], model.weights)
            w, z = forward(network, rows)
            for a, dz in factors(network, w, head.loss.f.derivative(z, head.t.astype(float))):
                total += share * (1.0 if a.ndim == 1 else (a * a).sum(axis=1)) * (dz * dz).sum(axis=1)
    return total


def kinds(chosen: Set) -> list[str]:
    if chosen.task == "regression":
        return ["swapped", "decimal place", "shifted"]
    return ["at random", "one way", *(["whole persons"] if chosen.groups is not None else [])]


def measured(name: str, chosen: Set) -> Iterator[dict[str, Any]]:
    y = chosen.y.astype(float) if chosen.task == "regression" else np.unique(chosen.y, return_inverse=True)[1]
    for how in kinds(chosen):
        for rate in RATES:
            for seed in SEEDS:
                t, wrong = planted(y, how, rate, chosen.groups, np.random.default_rng(seed))
                for score, found in scores(chosen, t, seed):
                    first = np.argsort(-found, kind="stable")[: wrong.sum()]
                    yield {
                        "set": name, "rows": len(y), "errors": how, "rate": rate, "seed": seed, "planted": int(wrong.sum()),
                        "score": score, "average precision": round(float(average_precision_score(wrong, found)), 4),
                        "precision in the first k": round(float(wrong[first].mean()), 4),
                    }  # fmt: skip


def page(records: list[dict[str, Any]]) -> str:
    """The means over seeds, as Markdown: average precision, and behind it the precision among the first k."""
    lines = ["# Planted errors of labels\n", "Made by `python benchmarks/quality/mislabels.py --out benchmarks/results/"
             f"mislabels`: average precision / precision among the first k, of k planted, means of {len(SEEDS)} seeds.\n"]  # fmt: skip
    for amounts in (False, True):
        part = [r for r in records if (r["errors"] in ("swapped", "decimal place", "shifted")) == amounts]
        names = list(dict.fromkeys(r["score"] for r in part))
        lines += [f"| set (rows), errors | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
        for key in dict.fromkeys((r["set"], r["rows"], r["errors"], r["rate"]) for r in part):
            own = [r for r in part if (r["set"], r["rows"], r["errors"], r["rate"]) == key]
            lines.append(f"| {key[0]} ({key[1]:,}), {key[3]:.0%} {key[2]} | {' | '.join(cells(own, names))} |")
        for how in dict.fromkeys(r["errors"] for r in part):
            own = [r for r in part if r["errors"] == how]
            lines.append(f"| **mean, {how}** | {' | '.join(cells(own, names))} |")
        lines.append("")
    return "\n".join(lines)


def cells(records: list[dict[str, Any]], names: list[str]) -> Iterator[str]:
    for name in names:
        own = [r for r in records if r["score"] == name]
        yield " / ".join(f"{np.mean([r[m] for r in own]):.2f}" for m in ("average precision", "precision in the first k"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", default=CHOSEN, choices=[*SETS, *HELD_OUT], metavar="SET")
    parser.add_argument("--rows", type=int, default=3000, help="at most so many rows of a set; default 3000")
    parser.add_argument("--out", type=Path, help="also write FILE.json and FILE.md")
    given = parser.parse_args()
    folder = Path(os.environ.get("TINYNET_DATA", ""))
    if "TINYNET_DATA" not in os.environ and set(given.sets) & set(SETS):
        sys.exit("set TINYNET_DATA to the folder that holds the sets, or give --sets breast_cancer diabetes_progression")
    records: list[dict[str, Any]] = []
    for name in given.sets:
        records += measured(name, sampled(SETS[name](folder / name) if name in SETS else HELD_OUT[name](), given.rows))
        print(name, flush=True)
        if given.out:
            given.out.with_suffix(".json").write_text(json.dumps(records, indent=0) + "\n")
            given.out.with_suffix(".md").write_text(page(records))
    print(page(records))


if __name__ == "__main__":
    main()
