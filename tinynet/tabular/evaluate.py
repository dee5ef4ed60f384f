"""`evaluate`: a model judged by rows that it never met, beside simple models on the same folds, with intervals."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.progress import Progress
from tinynet.tabular.baselines import baselines as simple_models
from tinynet.tabular.baselines import plain, taken
from tinynet.tabular.evaluation import Evaluation, ModelRecord
from tinynet.tabular.frame import Columns, read
from tinynet.tabular.intervals import bootstrapped, interval
from tinynet.tabular.measures import MAIN, Measures, measured, ordered
from tinynet.tabular.splits import Fold, numbered, planned, refuse_hidden_persons
from tinynet.tabular.subgroups import Subgroup, subgroups_of

TASKS = ("binary", "multiclass", "regression", "count", "cost")


def evaluate(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    groups: Any = None,
    no_group: str | None = None,
    time: Any = None,
    site: Any = None,
    splits: int = 5,
    repeats: int = 1,
    baselines: bool | Mapping[str, Any] = True,
    subgroups: Sequence[str] | Mapping[str, Any] | None = None,
    thresholds: Sequence[float] | None = None,
    task: str | None = None,
    name: str | None = None,
    draws: int = 1000,
    seed: int = 0,
    jobs: int | None = None,
    progress: bool | None = None,
) -> Evaluation:
    """Judge an estimator by cross-validation, beside baselines on the same folds, with 95 % intervals by person.

    Everything is fitted inside the folds. Nothing is chosen by the results, and nothing is kept but predictions.

    Parameters
    ----------
    estimator : any scikit-learn estimator, not fitted: a classifier with predict_proba, or a regressor
    X : (n, columns) an array, or a frame of pandas or polars
    y : (n,) the outcomes; of two classes the one sorted last is the event
    groups : (n,) whose row it is, or the name of a column of X, which is then no feature; persons stay whole
    no_group : in words, why rows may be split although a column looks like a person's identifier
    time : (n,) or a column's name: learn from the past, predict what comes after
    site : (n,) or a column's name: leave out one whole site
    splits : number of folds; default 5
    repeats : how often the folds are drawn anew; default 1
    baselines : True for prevalence or mean, logistic or ridge regression and HistGradientBoosting; False for none; or
        scikit-learn estimators by name, which get X as it is
    subgroups : names of columns of X, or values (n,) by name, to judge apart; default: columns named like sex, age,
        ethnicity or site
    thresholds : risks at or above which a person would be treated; default: the share of events
    task : "binary", "multiclass", "regression", "count" (Poisson) or "cost" (gamma); default: a regressor's is
        "regression", a classifier's follows from the number of classes
    name : of the model in the report; default "network" for tinynet's own, else the class
    draws : bootstrap draws; default 1000
    seed : of splits, draws and baselines
    jobs : how many fits run at the same time, each in a process of its own; default: one for each core
    progress : whether to draw a progress bar; default: on a terminal

    Returns
    -------
    Evaluation : str() of it is a table, `.to_json()` its numbers, `.report(path)` a page to read

    Raises
    ------
    ValueError, TypeError : in one sentence, where data or settings do not allow an honest evaluation
    """
    rows = row_count(X)
    columns = read(X)
    names = list(columns) if hasattr(X, "columns") else []
    time, site = (column_of(X, one, names, what) if isinstance(one, str) else one
                  for what, one in (("time", time), ("site", site)))  # fmt: skip
    if isinstance(groups, str):
        group_name, groups = groups, column_of(X, groups, names, "groups")
        X = without(X, names.index(group_name))
        del columns[group_name]
    if groups is None and names:
        refuse_hidden_persons(iter(columns.items()), no_group)
    group = np.arange(rows) if groups is None else numbered(groups, "groups", rows)[1]
    task, outcome, classes = outcomes(estimator, y, rows, task)
    plan = planned(
        outcome, len(classes), None if groups is None else group, time, site, splits, repeats, seed
    )  # fmt: skip
    chosen = chosen_thresholds(thresholds, task, outcome)
    used = learned(estimator, columns)
    models, inputs = contenders(estimator, X, used, task, baselines, name, seed)
    parts = subgroups_of(columns if names else {}, subgroups, site, rows)
    del columns
    width = len(used)
    del used
    done = fitted_folds(models, inputs, outcome, group if groups is not None else None, plan.folds, task, classes, jobs,
                        progress)  # fmt: skip
    return assembled(list(models), done, outcome, group, plan.folds, task, classes, chosen, parts, progress,
                     {"split": plan.words, "rows": rows, "columns": width,
                      "groups": None if groups is None else int(group.max()) + 1, "seed": seed, "draws": draws,
                      "no_group": no_group})  # fmt: skip


# ------------------------------------------------------------------------------------------------- what was given


def row_count(x: Any) -> int:
    shape = np.shape(x)
    if len(shape) != 2 or not shape[0] or not shape[1]:
        raise ValueError(f"X is a table with rows and columns; its shape is {shape}")
    return int(shape[0])


def column_of(x: Any, name: str, names: list[str], what: str) -> Array:
    """The values of a column that is given by name."""
    if name not in names:
        import difflib

        near = difflib.get_close_matches(name, names, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise KeyError(f"{what}: X has no column {name!r}{hint}")
    at = names.index(name)
    return np.asarray(x.iloc[:, at] if hasattr(x, "iloc") else x[x.columns[at]])


def without(x: Any, at: int) -> Any:
    """The frame without the column of this number."""
    return x.drop(columns=x.columns[at]) if hasattr(x, "iloc") else x.drop(x.columns[at])


def learned(estimator: Any, columns: Columns) -> Columns:
    """The columns that the estimator learns from by its schema: what is kept from it is no advantage of a simple model.

    All, for an estimator that has no schema.
    """
    if not hasattr(estimator, "known_schema"):
        return columns
    features = set(estimator.known_schema(columns).features)
    return Columns({name: values for name, values in columns.items() if name in features}) or columns


def outcomes(estimator: Any, y: Any, rows: int, task: str | None) -> tuple[str, Array, list[Any]]:
    """(task, y as numbers, the classes as they were given)."""
    from sklearn.base import is_classifier

    if task is not None and task not in TASKS:
        raise ValueError(f"task is one of {', '.join(TASKS)}; given was {task!r}")
    given = np.asarray(y)
    if given.shape != (rows,):
        raise ValueError(f"y has one value for each of the {rows} rows of X; its shape is {given.shape}")
    if is_classifier(estimator) if task is None else task in TASKS[:2]:
        found, number = numbered(given, "y", rows)
        if len(found) < 2:
            raise ValueError("y has one class only; there is nothing to tell apart")
        if task == "binary" and len(found) > 2:
            raise ValueError(f"task='binary' is for two classes; y has {len(found)}")
        if given.dtype.kind == "f" and len(found) > max(20, rows // 10):
            raise ValueError(f"y has {len(found)} different numbers: that is a task for a regressor")
        return "binary" if len(found) == 2 else "multiclass", number, [value.item() for value in found]
    if given.dtype.kind not in "biuf":
        raise TypeError(f"a regressor's y is numbers; this one's type is {given.dtype}")
    numbers = given.astype(float)
    if not np.isfinite(numbers).all():
        raise ValueError(f"y is missing or infinite in {(~np.isfinite(numbers)).sum()} of {rows} rows")
    if task in ("count", "cost") and (numbers < 0).any():
        raise ValueError(f"task={task!r} is for y of 0 and more; {(numbers < 0).sum()} rows are below 0")
    if numbers.min() == numbers.max():
        raise ValueError("y is the same in every row; there is nothing to predict")
    return task or "regression", numbers, []


def chosen_thresholds(given: Sequence[float] | None, task: str, y: Array) -> list[float]:
    """The thresholds of risk; where none is given, the share of events."""
    if task != "binary":
        if given is not None:
            raise ValueError(f"thresholds are for two classes; the task is {task}")
        return []
    if given is None:
        return [float(f"{y.mean():.2g}")] if y.mean() < 0.995 else [0.5]
    wrong = [one for one in given if not 0.0 < one < 1.0]
    if wrong:
        raise ValueError(f"a threshold is a risk between 0 and 1; given was {wrong[0]!r}")
    return sorted({float(one) for one in given})


def contenders(
    estimator: Any,
    x: Any,
    columns: Columns,
    task: str,
    baselines: bool | Mapping[str, Any],
    name: str | None,
    seed: int,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the models by name, ours first; what each gets as X)."""
    own = type(estimator).__module__.split(".")[0] == "tinynet"
    ours = name or ("network" if own else type(estimator).__name__)
    models, inputs = {ours: estimator}, {ours: x}
    others: Mapping[str, Any]
    if baselines is True:
        table = plain(columns)
        others, theirs = simple_models(task, table, seed), table.matrix
    else:
        others, theirs = baselines or {}, x
    for other, model in others.items():
        if other == ours:
            raise ValueError(f"the model and a baseline are both named {ours!r}: give another name=")
        models[other], inputs[other] = model, theirs
    return models, inputs


# --------------------------------------------------------------------------------------------------------- the folds


@dataclass(frozen=True)
class Part:
    """Rows of X, cut out where they are used: no copy stays here of a task that waits or is at work elsewhere."""

    x: Any
    rows: Array

    def cut(self) -> Any:
        return taken(self.x, self.rows)

    def __reduce__(self) -> tuple[Any, ...]:
        return Part, (self.cut(), slice(None))


@dataclass(frozen=True)
class FoldResult:
    """What one model gave in one fold."""

    predicted: Array
    training: dict[str, float]
    history: dict[str, list[float]] | None
    parameters: int | None


def fitted_folds(
    models: dict[str, Any], inputs: dict[str, Any], y: Array, group: Array | None, folds: list[Fold], task: str,
    classes: list[Any], jobs: int | None, progress: bool | None,
) -> dict[str, list[FoldResult]]:  # fmt: skip
    """Each model's result in each fold, several at a time."""
    from joblib import Parallel, delayed

    work = [(name, fold) for fold in folds for name in models]
    bar = Progress(len(work), "folds", show=progress)
    labels = np.asarray(classes)[y] if classes else y
    workers = min(jobs or os.cpu_count() or 1, len(work))
    ready = {name: alone(model) if workers > 1 else model for name, model in models.items()}
    tasks = (
        delayed(fold_result)(
            ready[name], Part(inputs[name], fold.train), labels[fold.train], Part(inputs[name], fold.test),
            None if group is None else group[fold.train], task, classes, f"{name}, {fold.name}",
        )
        for name, fold in work
    )  # fmt: skip
    found: dict[str, list[FoldResult]] = {name: [] for name in models}
    # a task is as large as a table: no more wait than are at work, and none lies in shared memory besides
    parallel = Parallel(n_jobs=workers, return_as="generator", pre_dispatch="n_jobs", max_nbytes=None)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "A worker stopped", UserWarning)  # it grew, and a fresh one takes its place
        for i, ((name, _), result) in enumerate(zip(work, parallel(tasks), strict=True)):
            found[name].append(result)
            bar.update(i + 1)
    bar.close()
    return found


def alone(model: Any) -> Any:
    """A copy of the model that works on one core, where it leaves the number open: the folds have the others."""
    from sklearn.base import clone

    fresh = clone(model, safe=False)
    if hasattr(fresh, "get_params") and fresh.get_params(deep=False).get("n_jobs", 1) is None:
        fresh.set_params(n_jobs=1)
    return fresh


def fold_result(
    model: Any, train: Part, labels: Array, test: Part, group: Array | None, task: str, classes: list[Any], where: str
) -> FoldResult:
    """Fit a fresh copy of the model on the training part, and predict the other part."""
    from sklearn.base import clone

    x, x_test = train.cut(), test.cut()
    fresh = clone(model, safe=False)
    takes_groups = group is not None and "groups" in inspect.signature(fresh.fit).parameters
    fresh.fit(x, labels, **({"groups": group} if takes_groups else {}))
    predicted, again = (predictions(fresh, part, task, classes, where) for part in (x_test, x))
    y = np.searchsorted(classes, labels) if classes else labels
    training = measured(task, y, again, np.zeros(len(y)))
    history = getattr(fresh, "history_", None)
    return FoldResult(predicted, training, dict(history) if isinstance(history, dict) else None, parameters_of(fresh))


def predictions(model: Any, x: Any, task: str, classes: list[Any], where: str) -> Array:
    """(n,) risks or means, (n, classes) probabilities of several classes."""
    if not classes:
        p = np.asarray(model.predict(x), float)
        if p.size != len(x):
            raise ValueError(
                f"{where}: predict gave the shape {p.shape}; one number for each of {len(x)} rows can be judged, "
                "such as that of a single quantile"
            )
        p = p.reshape(len(x))
        if task in ("count", "cost"):
            p = np.maximum(p, np.finfo(float).tiny)  # a mean of 0 has no likelihood
    else:
        if not hasattr(model, "predict_proba"):
            raise TypeError(
                f"{where}: {type(model).__name__} has no predict_proba; a risk cannot be judged without one"
            )
        p = np.asarray(model.predict_proba(x), dtype=float)
        expected: tuple[int, ...] = (len(x), len(classes))
        if p.shape != expected:
            raise ValueError(f"{where}: predict_proba gave the shape {p.shape}; expected was {expected}")
        p = p[:, 1] if len(classes) == 2 else p
    if not np.isfinite(p).all():
        raise ValueError(f"{where}: the model predicted NaN or infinity in {(~np.isfinite(p)).sum()} of {len(x)} rows")
    return p


def parameters_of(model: Any) -> int | None:
    """How many numbers the model learned, where it says so: `n_parameters_`, or coefficients and intercepts."""
    last = model[-1] if hasattr(model, "steps") else model
    if hasattr(last, "n_parameters_"):
        return int(last.n_parameters_)
    for weights, biases in (("coefs_", "intercepts_"), ("coef_", "intercept_")):
        if hasattr(last, weights):
            parts = [getattr(last, weights), getattr(last, biases, [])]
            return int(sum(np.size(one) for part in parts for one in (part if isinstance(part, list) else [part])))
    return None


# ------------------------------------------------------------------------------------------------------- the numbers


def assembled(
    models: list[str], done: dict[str, list[FoldResult]], y: Array, group: Array, folds: list[Fold], task: str,
    classes: list[Any], thresholds: list[float], parts: list[Subgroup], progress: bool | None,
    facts: dict[str, Any],
) -> Evaluation:  # fmt: skip
    """Every measure with its interval, from the predictions of the folds."""
    where = np.concatenate([fold.test for fold in folds])
    number = np.concatenate([np.full(len(fold.test), i) for i, fold in enumerate(folds)])
    repeat = np.concatenate([np.full(len(fold.test), fold.repeat) for fold in folds])
    predicted = {name: np.concatenate([result.predicted for result in done[name]]) for name in models}
    persons = len(np.unique(group[where]))
    group = np.unique(group[where], return_inverse=True)[1]
    inside = [("", np.ones(len(where), bool)), *((part.label, part.inside[where]) for part in parts)]
    # a subgroup is judged by the main measure, calibration and loss of our model; the whole by everything of all models
    judged: dict[tuple[str, str], list[Measures]] = {}
    for label, rows in inside:
        for name in models if not label else models[:1]:
            own = [rows & (repeat == i) for i in range(repeat.max() + 1)]
            judged[label, name] = [
                Measures(
                    task, y[where][r], predicted[name][r], number[r], group[r], persons, thresholds if not label else ()
                )
                for r in own
                if r.any()
            ]

    def statistic(counts: Array) -> dict[tuple[str, str, str], Array]:
        found = {}
        for key, repeats in judged.items():
            values = [one(counts) for one in repeats]
            for measure in values[0]:
                found[(*key, measure)] = np.mean([one[measure] for one in values if measure in one], axis=0)
        return found

    once, drawn = bootstrapped(statistic, persons, facts["draws"], facts["seed"], len(where), progress)
    estimates = {key: interval(value, drawn[key], persons) for key, value in once.items()}
    records = {}
    ours = models[0]
    for name in models:
        whole = {measure: one for (label, who, measure), one in estimates.items() if (label, who) == ("", name)}
        difference = {
            measure: interval(
                once["", ours, measure] - once["", name, measure],
                drawn["", ours, measure] - drawn["", name, measure],
                persons,
            )
            for measure in ordered(list(whole))
            if name != ours and ("", ours, measure) in once
        }
        results = done[name]
        training = {
            measure: float(np.mean([result.training[measure] for result in results])) for measure in results[0].training
            if all(measure in result.training for result in results)
        }  # fmt: skip
        records[name] = ModelRecord(
            name, {measure: whole[measure] for measure in ordered(list(whole))}, difference, training,
            results[0].parameters,
            [result.history for result in results if result.history], predicted[name],
        )  # fmt: skip
    judged_parts = []
    for part in parts:
        rows = part.inside[where] & (repeat == 0)
        judged_parts.append(
            part.judged(
                {measure: one for (label, _, measure), one in estimates.items() if label == part.label},
                int(rows.sum()), len(np.unique(group[rows])),
                int((y[where][rows] == 1).sum()) if task == "binary" else None,
            )
        )  # fmt: skip
    main = MAIN[task]
    if main not in records[models[0]].measures:  # costs with zeros among them
        main = "Tweedie deviance"
    smallest = int(np.bincount(y.astype(int)).min()) if classes else len(y)
    facts = {**facts, "persons": persons, "events": smallest if classes else None, "evaluated": len(np.unique(where)),
             "folds": [fold.name for fold in folds], "class_shares": class_shares(y, classes)}  # fmt: skip
    return Evaluation(task, main, [str(one) for one in classes], thresholds, records, judged_parts, facts,
                      y[where], number, group)  # fmt: skip


def class_shares(y: Array, classes: list[Any]) -> dict[str, float]:
    """The share of each class."""
    return {str(kind): float((y == i).mean()) for i, kind in enumerate(classes)}
