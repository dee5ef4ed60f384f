"""What a network must be measured against: prevalence or mean, logistic or ridge regression, gradient boosting.

Plain preprocessing on purpose, as a careful person would do it in ten lines: medians and missing indicators,
standardised numbers, one column per category. Everything is fitted inside the folds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinynet.formulas.vocabulary import Array

RARE = 10  # a category of fewer training rows counts as rare
MOST_CATEGORIES = 100  # columns for one category; the others count as rare
HISTGB_CATEGORIES = 254  # what HistGradientBoosting can take, one kept for the rare


@dataclass(frozen=True)
class Plain:
    """A table as one matrix of floats: numbers as they are, categories as arbitrary numbers, gaps as NaN."""

    matrix: Array
    categories: Array  # (columns,) bool


def columns_of(x: Any) -> Iterator[tuple[str, Array]]:
    """(name, values) of each column of an array or a frame of pandas or polars; an array's are named 0, 1, ..."""
    if hasattr(x, "columns"):
        for i, name in enumerate(x.columns):
            yield str(name), np.asarray(x.iloc[:, i] if hasattr(x, "iloc") else x[name])
    else:
        for i, column in enumerate(np.asarray(x).T):
            yield str(i), column


def taken(x: Any, rows: Array) -> Any:
    """These rows of an array or a frame."""
    return x.iloc[rows] if hasattr(x, "iloc") else x[rows]


def plain(x: Any) -> Plain:
    """The table for the baselines. Categories are numbered over all rows: a number is a name, and nothing is fitted."""
    numbers, categories = [], []
    for _, values in columns_of(x):
        column, category = plain_column(values)
        numbers.append(column)
        categories.append(category)
    return Plain(np.column_stack(numbers), np.array(categories, bool))


def plain_column(values: Array) -> tuple[Array, bool]:
    """(floats, whether they name categories); dates are days since 1970."""
    if values.dtype.kind in "biuf":
        column = values.astype(float)
    elif values.dtype.kind in "mM":
        unit = values.astype("datetime64[s]" if values.dtype.kind == "M" else "timedelta64[s]")
        column = np.where(np.isnat(unit), np.nan, unit.astype(float) / 86400.0)
    else:
        gap = np.array([value is None or value != value or str(value) == "<NA>" for value in values], bool)
        number = not gap.all() and all(isinstance(value, int | float | np.number) for value in values[~gap])
        column = np.full(len(values), np.nan)
        if not number:
            column[~gap] = np.unique([str(value) for value in values[~gap]], return_inverse=True)[1]
            return column, True
        column[~gap] = [float(value) for value in values[~gap]]
    return np.where(np.isfinite(column), column, np.nan), False


def baselines(task: str, categories: Array, seed: int = 0) -> dict[str, Any]:
    """The estimators beside which ours is judged, by name, for a `Plain` matrix with these categories.

    Parameters
    ----------
    task : "binary", "multiclass", "regression", "count" or "cost"
    categories : (columns,) bool, which columns hold the numbers of categories
    seed : for HistGradientBoosting's own split
    """
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge, TweedieRegressor

    if task in ("binary", "multiclass"):
        return {
            "prevalence": DummyClassifier(strategy="prior"),
            "logistic regression": linear(categories, LogisticRegression(max_iter=1000)),
            "HistGradientBoosting": boosted(categories, HistGradientBoostingClassifier(random_state=seed)),
        }
    line, loss = {
        "regression": (Ridge(), "squared_error"),
        "count": (PoissonRegressor(max_iter=1000), "poisson"),
        "cost": (TweedieRegressor(power=1.5, link="log", max_iter=1000), "poisson"),
    }[task]
    name = {"regression": "ridge regression", "count": "Poisson regression", "cost": "Tweedie regression"}[task]
    return {
        "mean": DummyRegressor(),
        name: linear(categories, line),
        "HistGradientBoosting": boosted(categories, HistGradientBoostingRegressor(loss=loss, random_state=seed)),
    }


def linear(categories: Array, last: Any) -> Any:
    """Numbers: median for gaps, an indicator of gaps, standardised. Categories: one column each, rare ones together."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numeric = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), StandardScaler()
    )
    encoder = OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=RARE, max_categories=MOST_CATEGORIES, dtype=float
    )
    return make_pipeline(
        make_column_transformer((numeric, np.flatnonzero(~categories)), (encoder, np.flatnonzero(categories))), last
    )


def boosted(categories: Array, last: Any) -> Any:
    """Gaps and categories as HistGradientBoosting itself takes them."""
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=HISTGB_CATEGORIES)
    last.set_params(categorical_features=np.arange(len(categories)) < categories.sum())
    return make_pipeline(make_column_transformer((encoder, np.flatnonzero(categories)), remainder="passthrough"), last)
