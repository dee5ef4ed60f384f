"""What a model goes by on the whole: by shuffling a column, and by setting it to each of its values."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.settings import whole
from tinynet.tabular.frame import Columns
from tinynet.tabular.predictor import Predictor


def importance(model: Any, table: Any, y: Any, repeats: int = 5, seed: int = 0) -> dict[str, tuple[float, float]]:
    """Column -> (how much the mean loss grows when its values are dealt out anew among the rows, its standard deviation
    over `repeats`), the largest first. Log loss for classes, squared error for amounts; rows the model did not learn
    from, please.

    A column is shuffled as it stands in the table, so that its indicators, pieces and vectors go with it. Columns that
    say the same cover for each other, and both look unimportant.

    Source: L. Breiman, Random forests, 2001.
    """
    predictor = model if isinstance(model, Predictor) else model.predictor_
    given, generator = predictor.table(table), np.random.default_rng(seed)
    truth = np.asarray(y)
    if truth.shape != (given.count,):
        raise ValueError(f"y has {truth.shape} values; one for each of {given.count} rows is expected")
    base = loss(predictor, given, truth)
    found = {}
    for name in predictor.schema.features:
        if name in given:
            worse = []
            for _ in range(whole("repeats", repeats, 1)):
                shuffled = Columns({**given, name: given[name][generator.permutation(given.count)]})
                worse.append(loss(predictor, shuffled, truth) - base)
            found[name] = (float(np.mean(worse)), float(np.std(worse)))
    return dict(sorted(found.items(), key=lambda item: -item[1][0]))


def loss(predictor: Predictor, table: Columns, y: Array) -> float:
    said = predictor.answers(table)
    if predictor.outcome.kind != "classes":
        amount = said if said.ndim == 1 else said[:, said.shape[1] // 2]
        return float(np.mean((y.astype(np.float64) - amount) ** 2))
    places = {label: place for place, label in enumerate(predictor.classes)}
    p = said[np.arange(len(y)), [places[label] for label in y.tolist()]]
    return float(-np.mean(np.log(np.maximum(p, 1e-15))))


def partial_dependence(model: Any, table: Any, column: str, values: Any = None) -> tuple[list[Any], Array]:
    """(values, the mean answer (values,) or (values, classes) over the rows when each has that value of the column).

    `values` default: for numbers the 5 to 95 % quantiles in 10 steps, else the column's kinds, at most 20.

    Source: J. Friedman, Greedy function approximation, 2001. Rows are made that may not exist; read it beside how often
    values occur together.
    """
    predictor = model if isinstance(model, Predictor) else model.predictor_
    given = predictor.table(table)
    if column not in given:
        raise KeyError(f"the table has no column {column!r}")
    if values is None:
        if predictor.schema[column].role == "numeric" and given[column].dtype.kind in "iuf":
            present = given[column].astype(np.float64)
            values = np.unique(np.nanquantile(present, np.linspace(0.05, 0.95, 10)))
        else:
            values = list(dict.fromkeys(given[column].tolist()))[:20]
    chosen = list(values)
    means = []
    for value in chosen:
        same = np.full(given.count, value, given[column].dtype if given[column].dtype.kind == "O" else None)
        means.append(predictor.answers(Columns({**given, column: same})).mean(axis=0))
    return chosen, np.array(means)
