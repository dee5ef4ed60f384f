"""Columns that have no value at all in the rows to learn from, which HistGradientBoosting cannot take."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from tinynet.formulas.vocabulary import Array


class Filled(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A matrix of floats, with 0 in each column in which fit found nothing but NaN: nothing can be learned from it."""

    def fit(self, X: Array, y: Any = None) -> Filled:
        self.empty_ = np.isnan(X).all(axis=0)
        return self

    def transform(self, X: Array) -> Array:
        return np.where(self.empty_, 0.0, X)
