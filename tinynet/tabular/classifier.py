"""A classifier for tables: raw columns in, calibrated probabilities out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, column_or_1d

from tinynet.formulas.vocabulary import Array
from tinynet.registry import unknown
from tinynet.tabular.calibrate import Isotonic
from tinynet.tabular.ensemble import Held
from tinynet.tabular.estimator import TabularEstimator
from tinynet.tabular.heads import heads
from tinynet.tabular.predictor import Outcome

CALIBRATIONS = ["scale", "isotonic"]
MISPRICED = (
    "class_weight makes the rare class look more common than it is: the probabilities are then no risks any more "
    "(they are not calibrated); to find more cases, lower the threshold instead"
)


class TabularClassifier(ClassifierMixin, TabularEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """An ensemble of networks for tables, two classes or more; a scikit-learn estimator.

    For each of `members` parts of the rows (whole groups) an additive network and a deep one learn from the other
    parts and stop by this one. What they say of the parts held out decides how they are mixed and scaled, so that the
    probabilities are calibrated.

    Parameters
    ----------
    schema : what the columns are: a Schema, or its file; default inferred
    members : parts, and networks of each kind; default 5
    hidden : widths of the deep networks' hidden layers
    dropout : behind each hidden layer
    learning_rate, weight_decay : the deep networks'
    epochs : at most
    calibrate : how probabilities are made risks by the rows held out: "scale" (default; a z + b, Platt 1999), or
        "isotonic" after it (Zadrozny and Elkan 2002), for some 1,000 rows and more
    class_weight : {label: weight} or "balanced"; default none, since weights spoil calibration
    backend : "auto" (numba where it is installed), "numba" or "numpy"
    n_jobs : networks trained at a time; default one for each core
    random_state : a seed, for the same result on any number of threads
    verbose : 1 shows a progress bar, 0 does not; default "auto", on a terminal

    Attributes
    ----------
    classes_ : the labels, in the order of predict_proba's columns
    predictor_ : what predicts, with NumPy alone, and can be saved
    history_ : "loss" and "val_loss" of each epoch, the mean over the deep networks
    n_parameters_ : how many numbers were learned, in all networks together
    n_features_in_, feature_names_in_ : as in scikit-learn

    >>> model = TabularClassifier(random_state=0).fit({"age": [20, 30, 70, 80] * 9}, ["well", "well", "ill", "ill"] * 9)
    >>> model.predict({"age": [25, 75]}).tolist()
    ['well', 'ill']
    """

    def __init__(
        self,
        schema: Any = None,
        *,
        members: int = 5,
        hidden: Sequence[int] = (128, 64),
        dropout: float = 0.3,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.1,
        epochs: int = 30,
        calibrate: str = "scale",
        class_weight: Any = None,
        backend: str = "auto",
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: Any = "auto",
    ) -> None:
        self.schema = schema
        self.members = members
        self.hidden = hidden
        self.dropout = dropout
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.epochs = epochs
        self.calibrate = calibrate
        self.class_weight = class_weight
        self.backend = backend
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None, eval_set: Any = None
    ) -> TabularClassifier:
        """Learn.

        Parameters
        ----------
        X : a frame (pandas, polars, ...), a dictionary of columns or an array, (n, columns)
        y : (n,) labels
        sample_weight : (n,) 0 or more
        groups : (n,) whose rows belong together, such as patients; they stay on one side of every split
        eval_set : (X, y) to stop by instead of parts of the training rows

        Raises
        ------
        ValueError : where y has one class, or the table cannot be learned from
        """
        if self.calibrate not in CALIBRATIONS:
            raise ValueError(unknown("calibration", str(self.calibrate), CALIBRATIONS))
        table = self._table(X, reset=True)
        labels, numbers = self._labels(y, table.count)
        if len(labels) < 2:
            raise ValueError(f"y has one class only in {table.count} rows; a classifier needs at least two classes")
        weight = self._weights(sample_weight, table.count)
        if self.class_weight is not None:
            warnings.warn(MISPRICED, UserWarning, stacklevel=2)
            weight = weight * compute_class_weight(self.class_weight, classes=labels, y=labels[numbers])[numbers]
        judged = None
        if eval_set is not None:
            table_judged = self._table(eval_set[0], reset=False)
            judged = table_judged, [self._numbers(eval_set[1], labels, table_judged.count)[:, None].astype(np.float32)]
        outcome = Outcome("classes", labels.tolist())
        self.classes_ = labels
        self._fit(
            table, numbers, heads("", numbers, outcome), len(labels), weight, groups, judged, outcome,
        )  # fmt: skip
        return self

    def _calibrate(self, outcome: Outcome, held: list[Held]) -> None:
        if self.calibrate == "isotonic":
            p = outcome([held[0].z])
            one = p[:, 1] if p.shape[1] == 2 else p
            outcome.calibration = Isotonic.fitted(held[0].t.astype(int), one, held[0].weight)

    def _labels(self, y: Any, n: int) -> tuple[Array, Array]:
        """(the labels, each row's number among them)."""
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        column = column_or_1d(y, warn=True)
        if len(column) != n:
            raise ValueError(f"y has {len(column)} labels for {n} rows of the table; one each is expected")
        if column.dtype.kind == "O" and any(value is None or value != value for value in column):
            raise ValueError("y has missing labels; leave such rows out")
        if column.dtype.kind == "f":
            assert_all_finite(column, input_name="y")
        check_classification_targets(column)
        labels, numbers = np.unique(column, return_inverse=True)
        return labels, numbers

    def _numbers(self, y: Any, labels: Array, n: int) -> Array:
        """Each row's number among labels that are known."""
        found, numbers = self._labels(y, n)
        if not np.isin(found, labels).all():
            raise ValueError("eval_set has labels that y has not")
        return np.searchsorted(labels, found)[numbers]

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class, (n, classes), in the order of `classes_`."""
        return self._answers(X)

    def predict(self, X: Any) -> Array:
        """The most probable class of each row, (n,)."""
        found = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[found])
