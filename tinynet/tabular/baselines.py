"""What a network must be measured against: prevalence or mean, logistic or ridge regression, gradient boosting.

Plain preprocessing on purpose, as a careful person would do it in ten lines: medians and missing indicators,
standardised numbers, one column per category. Everything is fitted inside the folds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.tabular import dates
from tinynet.tabular.cells import LARGEST, distinct, looked_up
from tinynet.tabular.frame import Columns

RARE = 10  # a category of fewer training rows counts as rare
MOST_CATEGORIES = 100  # columns for one category; the others count as rare
FEW = 4  # kinds that HistGradientBoosting gets as kinds; with more it does better on their numbers (.676 against .644
# on diabetes130, the same on support2 and actg175)


@dataclass(frozen=True)
class Plain:
    """A table as one matrix of floats: numbers as they are, categories as arbitrary numbers, gaps as NaN."""

    matrix: Array
    categories: Array  # (columns,) bool


def taken(x: Any, rows: Array) -> Any:
    """These rows of an array or a frame."""
    return x.iloc[rows] if hasattr(x, "iloc") else x[rows]


def plain(columns: Columns) -> Plain:
    """The table for the baselines. Categories are numbered over all rows: a number is a name, and nothing is fitted."""
    found = [plain_column(values) for values in columns.values()]
    return Plain(np.column_stack([numbers for numbers, _ in found]), np.array([kinds for _, kinds in found], bool))


def plain_column(values: Array) -> tuple[Array, bool]:
    """(floats, whether they name categories) of a column as `frame.read` gives it; dates are days since 1970."""
    if values.dtype != object:
        return np.where(np.abs(values) <= LARGEST, values, np.nan), False
    known, places = distinct(values)
    days = dates.all_days(known[:1], False) and dates.all_days(known, dates.month_first(known))
    if known and np.isfinite(days).all():
        return looked_up(days, places), False
    order = np.argsort(np.array(known, dtype=str)) if known else np.empty(0, int)
    return looked_up(np.argsort(order).astype(float).tolist(), places), True


def baselines(task: str, table: Plain, seed: int = 0) -> dict[str, Any]:
    """The estimators beside which ours is judged, by name, for the rows of a `Plain` matrix.

    Parameters
    ----------
    task : "binary", "multiclass", "regression", "count" or "cost"
    table : all rows; only which columns are categories, and of how many kinds, is taken from it
    seed : for HistGradientBoosting's own split
    """
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge, TweedieRegressor

    if task in ("binary", "multiclass"):
        return {
            "prevalence": DummyClassifier(strategy="prior"),
            "logistic regression": linear(table.categories, LogisticRegression(max_iter=1000)),
            "HistGradientBoosting": boosted(table, HistGradientBoostingClassifier(random_state=seed)),
        }
    line, loss = {
        "regression": (Ridge(), "squared_error"),
        "count": (PoissonRegressor(max_iter=1000), "poisson"),
        "cost": (TweedieRegressor(power=1.5, link="log", max_iter=1000), "poisson"),
    }[task]
    name = {"regression": "ridge regression", "count": "Poisson regression", "cost": "Tweedie regression"}[task]
    return {
        "mean": DummyRegressor(),
        name: linear(table.categories, line),
        "HistGradientBoosting": boosted(table, HistGradientBoostingRegressor(loss=loss, random_state=seed)),
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


def boosted(table: Plain, last: Any) -> Any:
    """Gaps as HistGradientBoosting itself takes them; categories of few kinds as such, of many by their numbers."""
    from sklearn.pipeline import make_pipeline

    from tinynet.tabular.filled import Filled

    kinds = np.array([len(np.unique(column[~np.isnan(column)])) for column in table.matrix.T])
    return make_pipeline(Filled(), last.set_params(categorical_features=table.categories & (kinds <= FEW)))
