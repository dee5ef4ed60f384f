"""A regressor for tables: amounts, counts, costs, and quantiles of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import assert_all_finite, column_or_1d

from tinynet.formulas.vocabulary import Array
from tinynet.registry import unknown
from tinynet.settings import real
from tinynet.tabular.estimator import TabularEstimator
from tinynet.tabular.heads import heads
from tinynet.tabular.predictor import Outcome

LOSSES = {
    "squared_error": "the mean of any amount",
    "absolute_error": "the median of any amount",
    "poisson": "the mean of counts, 0 or more, with a log link",
    "gamma": "the mean of positive amounts such as costs, with a log link",
    "two-part": "the mean of costs of which many are 0: whether there is any, times how much there then is (gamma)",
    "quantile": "quantiles of any amount",
}


class TabularRegressor(RegressorMixin, TabularEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """An ensemble of networks for tables, for a number; a scikit-learn estimator. See TabularClassifier for how.

    Parameters
    ----------
    schema : what the columns are: a Schema, or its file; default inferred
    loss : "squared_error" (default), "absolute_error", "poisson" (counts), "gamma" (costs), "two-part" (costs of which
        many are 0: P(any) E(cost where any)), or "quantile"
    quantiles : for "quantile", levels between 0 and 1; default (0.05, 0.5, 0.95)
    members, hidden, dropout, learning_rate, weight_decay, epochs, backend, n_jobs, random_state, verbose :
        as for TabularClassifier

    Attributes
    ----------
    predictor_ : what predicts, with NumPy alone, and can be saved
    history_ : "loss" and "val_loss" of each epoch, the mean over the deep networks (of the first part, where
        there are several)
    n_parameters_ : how many numbers were learned, in all networks together
    n_features_in_, feature_names_in_ : as in scikit-learn

    >>> table = {"age": [20, 30, 40, 50, 60, 70] * 8}
    >>> model = TabularRegressor(loss="poisson", random_state=0).fit(table, [1, 0, 2, 3, 4, 5] * 8)
    >>> young, old = model.predict({"age": [20, 70]})
    >>> bool(0 < young < old)
    True
    """

    def __init__(
        self,
        schema: Any = None,
        *,
        loss: str = "squared_error",
        quantiles: Sequence[float] = (0.05, 0.5, 0.95),
        members: int = 5,
        hidden: Sequence[int] = (128, 64),
        dropout: float = 0.3,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.1,
        epochs: int = 30,
        backend: str = "auto",
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: Any = "auto",
    ) -> None:
        self.schema = schema
        self.loss = loss
        self.quantiles = quantiles
        self.members = members
        self.hidden = hidden
        self.dropout = dropout
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.epochs = epochs
        self.backend = backend
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None, eval_set: Any = None
    ) -> TabularRegressor:
        """Learn.

        Parameters
        ----------
        X : a frame (pandas, polars, ...), a dictionary of columns or an array, (n, columns)
        y : (n,) numbers
        sample_weight : (n,) 0 or more
        groups : (n,) whose rows belong together, such as patients; they stay on one side of every split
        eval_set : (X, y) to stop by instead of parts of the training rows

        Raises
        ------
        ValueError : where y is not what the loss takes, or the table cannot be learned from
        """
        if not isinstance(self.loss, str) or self.loss not in LOSSES:
            raise ValueError(unknown("loss", self.loss, list(LOSSES)))
        table = self._table(X, reset=True)
        amounts = self._amounts(y, table.count)
        weight = self._weights(sample_weight, table.count)
        outcome = self._outcome(amounts, weight)
        targets = heads(self.loss, amounts, outcome)
        judged = None
        if eval_set is not None:
            table_judged = self._table(eval_set[0], reset=False)
            told = heads(self.loss, self._amounts(eval_set[1], table_judged.count, "the y of eval_set"), outcome)
            judged = table_judged, [np.where(mask[:, None], t, np.nan).astype(np.float32) for _, _, t, mask in told]
        self._fit(table, amounts, targets, 0, weight, groups, judged, outcome)
        return self

    def _amounts(self, y: Any, n: int, what: str = "y") -> Array:
        """y as (n,) numbers that the loss takes."""
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        column = column_or_1d(y, warn=True)
        try:
            amounts = column.astype(np.float64)
        except (ValueError, TypeError):
            raise ValueError(f"{what} holds what is no number; TabularClassifier predicts classes") from None
        assert_all_finite(amounts, input_name="y")
        if len(amounts) != n:
            raise ValueError(f"{what} has {len(amounts)} numbers for {n} rows of the table; one each is expected")
        wrong = amounts < 0 if self.loss in ("poisson", "two-part") else amounts <= 0
        if self.loss in ("poisson", "gamma", "two-part") and wrong.any():
            allowed = "above 0" if self.loss == "gamma" else "of 0 or more"
            raise ValueError(
                f"the loss {self.loss!r} is for numbers {allowed}; {int(wrong.sum())} of {n} rows of {what} differ"
                + ('; "two-part" is for costs of which some are 0' if self.loss == "gamma" else "")
            )
        if self.loss == "poisson" and not amounts.any():
            raise ValueError(f"{what} is 0 in all {n} rows; there is nothing to learn")
        if self.loss == "two-part" and not (amounts > 0).any():
            raise ValueError(f"{what} is 0 in all {n} rows; there is nothing to learn")
        checked: Array = amounts
        return checked

    def _outcome(self, y: Array, weight: Array) -> Outcome:
        """How the networks' answers are scaled back, by the training rows."""
        if self.loss in ("poisson", "gamma"):
            return Outcome("log", mean=float(np.average(y, weights=weight)))
        if self.loss == "two-part":
            some = (y > 0) & (weight > 0)
            return Outcome("two-part", mean=float(np.average(y[some], weights=weight[some])))
        mean = float(np.average(y, weights=weight))
        deviation = float(np.sqrt(np.average((y - mean) ** 2, weights=weight))) or 1.0
        if self.loss == "quantile":
            levels = sorted(real("a quantile", level, above=0.0, below=1.0) for level in self.quantiles)
            if not levels:
                raise ValueError("quantiles has no level; give at least one, such as 0.5")
            return Outcome("quantiles", mean=mean, deviation=deviation, levels=levels)
        return Outcome("amount", mean=mean, deviation=deviation)

    def predict(self, X: Any) -> Array:
        """The amount of each row (n,); for "quantile" with several levels (n, levels), in ascending order."""
        found = self._answers(X)
        return found[:, 0] if found.ndim == 2 and found.shape[1] == 1 else found
