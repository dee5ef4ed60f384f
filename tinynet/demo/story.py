"""One table from first look to the file that travels: quality, evaluation, one patient, deployment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import tinynet
from tinynet.demo.sets import HealthSet
from tinynet.formulas.vocabulary import Array
from tinynet.tabular.card import card
from tinynet.tabular.evaluation import Evaluation
from tinynet.tabular.explain import Explanation, explain
from tinynet.tabular.predictor import Predictor
from tinynet.tabular.quality.report import Quality
from tinynet.tabular.schema import Schema

SEED = 0
FOLDS, MEMBERS, DRAWS = 5, 3, 500  # few members and draws, so that five tables take minutes; the page says so
APART = 5  # every fifth person is put aside for the last steps
SHOWN_RISK, SHOWN_AMOUNT = 0.75, 0.9  # the patient shown is nearest to this risk, or at this quantile of the amounts
ROUNDING = 1e-6
REPEATS = 5  # of each column's shuffling
ALONE = Path(__file__).with_name("alone.py")


@dataclass(frozen=True)
class Patient:
    """One row that was put aside.

    given : what was asked, by column
    answer : the risk or the amount
    sure : in words, the conformal set or interval
    remarks : what the answer rests on less firmly
    truth : what happened
    why : the answer taken apart
    """

    given: dict[str, Any]
    answer: float
    sure: str
    remarks: list[str]
    truth: str
    why: Explanation


@dataclass(frozen=True)
class Story:
    """What was found with one table.

    quality : of the whole table, target and all
    columns, features : how many columns are learned from, and how many numbers for the network they become
    evaluation : cross-validated, beside simple models
    model : fitted on four fifths of the persons
    importance : by column, how much worse the answers are where the column is shuffled among those put aside
    patient : one of these
    file : the model
    gap : the largest difference of the answers of a process with NumPy alone
    loaded : the packages of that process
    """

    of: HealthSet
    quality: Quality
    columns: int
    features: int
    evaluation: Evaluation
    model: Predictor
    importance: dict[str, float]
    patient: Patient
    file: Path
    gap: float
    loaded: list[str]


def told(one: HealthSet, out: Path, rows: int | None = None, draws: int = DRAWS) -> Story:
    """Go through all steps with one table; writes the model file and its card into `out`.

    Parameters
    ----------
    one : the table
    out : a folder
    rows : at most so many, the first ones; default all
    draws : bootstrap draws for the intervals
    """
    from tinynet.tabular.evaluate import evaluate
    from tinynet.tabular.quality import data_quality

    frame = one.load().iloc[:rows]
    quality = data_quality(frame, target=one.target, group=one.group)
    x = frame.drop(columns=[one.target, *one.after, *([one.group] if one.group else [])])
    y, groups = frame[one.target].to_numpy(), frame[one.group].to_numpy() if one.group else None
    made = estimator(one, Schema.infer(x))
    evaluation = evaluate(
        made, x, y, groups=groups, no_group=None if one.group else "one row per person", splits=FOLDS, draws=draws,
        task="cost" if one.task == "cost" else None, seed=SEED,
    )  # fmt: skip
    apart = put_aside(len(x), groups)
    made.fit(x[~apart], y[~apart], groups=None if groups is None else groups[~apart])
    made.predictor_.target = one.target
    file = out / f"{one.name}.safetensors"
    made.save(file)
    (out / f"{one.name}.md").write_text(card(made.predictor_, evaluation.to_dict()), encoding="utf-8")
    asked = [plain(row) for row in x[apart].to_dict("records")]
    answers, loaded = alone(file, asked)
    gap = float(np.abs(answers - made.predictor_.answers(asked)).max())
    if not gap <= ROUNDING * max(1.0, float(np.abs(answers).max())):
        raise ArithmeticError(f"the file's answers differ by {gap:.1e} in a process with NumPy alone")
    return Story(
        one, quality, x.shape[1], len(made.predictor_.preprocessor.features), evaluation, made.predictor_,
        importance(made, x[apart], y[apart], evaluation.main), chosen(made.predictor_, asked, y[apart]), file, gap,
        loaded,
    )  # fmt: skip


def estimator(one: HealthSet, schema: Schema) -> Any:
    """The network of the story, not fitted."""
    from tinynet.tabular import TabularClassifier, TabularRegressor

    settings = {"schema": schema, "members": MEMBERS, "random_state": SEED}
    if one.task == "classes":
        return TabularClassifier(**settings)
    return TabularRegressor(loss="two-part" if one.task == "cost" else "squared_error", **settings)


def put_aside(rows: int, groups: Array | None) -> Array:
    """(rows,) bool: every fifth person at random, whole."""
    person = np.arange(rows) if groups is None else np.unique(groups, return_inverse=True)[1]
    place = np.random.default_rng(SEED).permutation(int(person.max()) + 1)
    aside: Array = place[person] % APART == 0
    return aside


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSON can hold it; a gap is None."""
    values = {str(name): value.item() if hasattr(value, "item") else value for name, value in row.items()}
    return {name: None if value != value else value for name, value in values.items()}


def alone(file: Path, rows: list[dict[str, Any]]) -> tuple[Array, list[str]]:
    """(the answers, the packages loaded), from a new Python process that can import NumPy and tinynet only."""
    search = [str(Path(tinynet.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-P", str(ALONE), str(file)],
        input=json.dumps(rows),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, search))},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    answer = json.loads(done.stdout)
    return np.array(answer["answers"]), answer["loaded"]


def single(answers: Array) -> Array:
    """(n,) the event's risk, or the amount."""
    return answers[:, -1] if answers.ndim == 2 else answers


def importance(made: Any, x: Any, y: Array, main: str) -> dict[str, float]:
    """How much worse the answers become where one column is shuffled, mean of `REPEATS`; the largest first.

    By the AUROC for classes, the mean absolute error for amounts (Breiman 2001; scikit-learn's).
    """
    from sklearn.inspection import permutation_importance

    scoring = "roc_auc" if main == "AUROC" else "neg_mean_absolute_error"
    found = permutation_importance(made, x, y, scoring=scoring, n_repeats=REPEATS, random_state=SEED, n_jobs=1)
    drops = dict(zip(map(str, x.columns), found.importances_mean.tolist(), strict=True))
    return dict(sorted(drops.items(), key=lambda item: -item[1]))


def chosen(model: Predictor, asked: list[dict[str, Any]], y: Array) -> Patient:
    """One of those put aside, by rule and not by hand: an answer that is high, and not beyond doubt."""
    answers = single(model.answers(asked))
    aim = SHOWN_RISK if model.classes else np.quantile(answers, SHOWN_AMOUNT)
    place = int(np.abs(answers - aim).argmin())
    row = [asked[place]]
    if model.classes:
        inside = model.predict_set(row)[0]
        left = [f"“{label}”" for label, one in zip(model.classes, inside, strict=True) if one]
        out = [f"“{label}”" for label, one in zip(model.classes, inside, strict=True) if not one]
        sure = "neither fits well: answers between the classes were rare among the persons held out"
        if left:
            sure = f"{' and '.join(out) or 'nothing'} can be ruled out, {' and '.join(left)} cannot"
            sure += "; in 9 of 10 persons, what is true is not ruled out"
    elif model.conformal is not None:
        low, high = model.predict_interval(row)[0]
        sure = f"from {low:,.0f} to {high:,.0f}; in 9 of 10 persons, what is true lies in such an interval"
    else:
        sure = "no interval: for so skewed a cost it would be as long as the rare large costs"
    truth = f"{model.target}: {y[place] if model.classes else format(y[place], ',.0f')}"
    return Patient(asked[place], float(answers[place]), sure, model.remarks(row)[0], truth, explain(model, row))
