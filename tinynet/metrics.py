"""Metrics by name: numbers for people, of targets t, outputs y and sample weights w; none of them is trained on.

All are exact over the rows given (Keras estimates areas under curves from 200 thresholds; these are not estimates).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.losses import Loss
from tinynet.losses import get as loss_named
from tinynet.registry import unknown
from tinynet.settings import real

MetricFunction = Callable[[Array, Array, Array], float]


def mean(values: Array, w: Array) -> float:
    """The weighted mean; NaN where all weights are 0."""
    total = w.sum()
    return float((values * w).sum() / total) if total else float("nan")


def binary_accuracy(t: Array, y: Array, w: Array, threshold: float = 0.5) -> float:
    """The share of outputs on the right side of the threshold."""
    return mean(((y > threshold) == (t > 0.5)).mean(axis=1), w)


def categorical_accuracy(t: Array, y: Array, w: Array) -> float:
    """The share of rows whose greatest output is the one-hot class."""
    return mean((y.argmax(axis=1) == t.argmax(axis=1)).astype(float), w)


def sparse_categorical_accuracy(t: Array, y: Array, w: Array) -> float:
    """The share of rows whose greatest output is the class number."""
    return mean((y.argmax(axis=1) == t[:, 0]).astype(float), w)


def accuracy(t: Array, y: Array, w: Array) -> float:
    """Binary for one output, categorical for several, sparse where t has one column and y several."""
    if y.shape[1] == 1:
        return binary_accuracy(t, y, w)
    return (sparse_categorical_accuracy if t.shape[1] == 1 else categorical_accuracy)(t, y, w)


def ranked(t: Array, y: Array, w: Array) -> tuple[Array, Array]:
    """Weights of the true and of the false positives at each distinct threshold, from high to low, summed up."""
    if y.shape[1] != 1:
        raise ValueError(f"areas under curves are for one output, a probability of yes; this model has {y.shape[1]}")
    order = np.argsort(-y[:, 0], kind="stable")
    score, positive, weight = y[order, 0], t[order, 0] > 0.5, w[order]
    last = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)  # ties count together
    return np.cumsum(positive * weight)[last], np.cumsum(~positive * weight)[last]


def auc(t: Array, y: Array, w: Array) -> float:
    """The area under the ROC curve: how often a positive is ranked above a negative, ties half; NaN of one class."""
    true, false = ranked(t, y, w)
    if not true[-1] or not false[-1]:
        return float("nan")
    x, height = np.append(0.0, false / false[-1]), np.append(0.0, true / true[-1])
    return float(np.sum(np.diff(x) * (height[1:] + height[:-1])) / 2.0)


def pr_auc(t: Array, y: Array, w: Array) -> float:
    """Average precision: the precision at each threshold, weighted with the recall gained there; NaN of one class."""
    true, false = ranked(t, y, w)
    if not true[-1] or not false[-1]:
        return float("nan")
    with np.errstate(invalid="ignore"):
        precision_at = np.where(true + false > 0, true / (true + false), 0.0)
    return float(np.sum(np.diff(np.append(0.0, true)) * precision_at) / true[-1])


def precision(t: Array, y: Array, w: Array, threshold: float = 0.5) -> float:
    """Of the outputs above the threshold, the share that is positive; 0 where none is above."""
    found = (y > threshold) * w[:, None]
    return float((found * (t > 0.5)).sum() / total) if (total := found.sum()) else 0.0


def recall(t: Array, y: Array, w: Array, threshold: float = 0.5) -> float:
    """Of the positives, the share with an output above the threshold; 0 where there are none."""
    positive = (t > 0.5) * w[:, None]
    return float((positive * (y > threshold)).sum() / total) if (total := positive.sum()) else 0.0


def root_mean_squared_error(t: Array, y: Array, w: Array) -> float:
    """The root of the mean squared error, in the units of t."""
    return float(mean(((y - t) ** 2).mean(axis=1), w) ** 0.5)


def r2_score(t: Array, y: Array, w: Array) -> float:
    """1 - squared error / squared deviation from the mean, averaged over the outputs; NaN where t does not vary."""
    with np.errstate(divide="ignore", invalid="ignore"):
        error = ((y - t) ** 2 * w[:, None]).sum(axis=0)
        spread = ((t - (t * w[:, None]).sum(axis=0) / w.sum()) ** 2 * w[:, None]).sum(axis=0)
        return float(np.mean(np.where(spread > 0, 1.0 - error / spread, np.nan)))


METRICS: dict[str, MetricFunction] = {
    "accuracy": accuracy,
    "acc": accuracy,
    "binary_accuracy": binary_accuracy,
    "categorical_accuracy": categorical_accuracy,
    "sparse_categorical_accuracy": sparse_categorical_accuracy,
    "auc": auc,
    "pr_auc": pr_auc,
    "precision": precision,
    "recall": recall,
    "root_mean_squared_error": root_mean_squared_error,
    "rmse": root_mean_squared_error,
    "r2_score": r2_score,
}
LOSS_METRICS = (
    "mean_squared_error", "mse", "mean_absolute_error", "mae", "poisson", "binary_crossentropy",
    "categorical_crossentropy", "sparse_categorical_crossentropy",
)  # fmt: skip


class Metric:
    """A metric under the name that history gives it; the subclasses are Keras's names for some, with their options."""

    def __init__(self, name: str, function: MetricFunction, **options: Any) -> None:
        self.name, self.function, self.options = name, function, options

    def __call__(self, t: Array, y: Array, w: Array) -> float:
        """Of t (n, columns), y (n, outputs) and weights w (n,), in double."""
        return float(self.function(t.astype(np.float64), y.astype(np.float64), w.astype(np.float64).reshape(-1)))

    def saved(self) -> str | dict[str, Any]:
        """A description from which `get` makes the metric again."""
        if type(self) is Metric:
            return self.name
        return {"class": type(self).__name__, "name": self.name, **self.options}


class BinaryAccuracy(Metric):
    """The share of outputs on the right side of `threshold`; default 0.5."""

    def __init__(self, name: str = "binary_accuracy", threshold: float = 0.5) -> None:
        super().__init__(name, partial(binary_accuracy, threshold=threshold), threshold=threshold)


class CategoricalAccuracy(Metric):
    """The share of rows whose greatest output is the one-hot class."""

    def __init__(self, name: str = "categorical_accuracy") -> None:
        super().__init__(name, categorical_accuracy)


class SparseCategoricalAccuracy(Metric):
    """The share of rows whose greatest output is the class number."""

    def __init__(self, name: str = "sparse_categorical_accuracy") -> None:
        super().__init__(name, sparse_categorical_accuracy)


def one_threshold(threshold: float, thresholds: Any) -> float:
    """Keras calls it thresholds; a list of several is not supported."""
    return real("thresholds", threshold if thresholds is None else thresholds)


class AUC(Metric):
    """The exact area under the ROC curve, or with `curve="PR"` the average precision; so Keras's `num_thresholds`
    decides nothing.
    """

    def __init__(self, curve: str = "ROC", name: str = "auc", num_thresholds: int = 200) -> None:
        if curve not in ("ROC", "PR"):
            raise ValueError(f"curve is 'ROC' or 'PR'; given was {curve!r}")
        super().__init__(name, auc if curve == "ROC" else pr_auc, curve=curve)


class Precision(Metric):
    """Of the outputs above `threshold` (default 0.5), the share that is positive."""

    def __init__(self, threshold: float = 0.5, name: str = "precision", thresholds: float | None = None) -> None:
        threshold = one_threshold(threshold, thresholds)
        super().__init__(name, partial(precision, threshold=threshold), threshold=threshold)


class Recall(Metric):
    """Of the positives, the share with an output above `threshold` (default 0.5)."""

    def __init__(self, threshold: float = 0.5, name: str = "recall", thresholds: float | None = None) -> None:
        threshold = one_threshold(threshold, thresholds)
        super().__init__(name, partial(recall, threshold=threshold), threshold=threshold)


class MeanAbsoluteError(Metric):
    """The mean of |y - t|."""

    def __init__(self, name: str = "mean_absolute_error") -> None:
        super().__init__(name, from_loss(loss_named("mean_absolute_error")))


class MeanSquaredError(Metric):
    """The mean of (y - t)^2."""

    def __init__(self, name: str = "mean_squared_error") -> None:
        super().__init__(name, from_loss(loss_named("mean_squared_error")))


class BinaryCrossentropy(Metric):
    """The mean binary cross-entropy of probabilities."""

    def __init__(self, name: str = "binary_crossentropy") -> None:
        super().__init__(name, from_loss(loss_named("binary_crossentropy")))


class CategoricalCrossentropy(Metric):
    """The mean cross-entropy of probabilities against one-hot classes."""

    def __init__(self, name: str = "categorical_crossentropy") -> None:
        super().__init__(name, from_loss(loss_named("categorical_crossentropy")))


class SparseCategoricalCrossentropy(Metric):
    """The mean cross-entropy of probabilities against class numbers."""

    def __init__(self, name: str = "sparse_categorical_crossentropy") -> None:
        super().__init__(name, from_loss(loss_named("sparse_categorical_crossentropy")))


class RootMeanSquaredError(Metric):
    """The root of the mean squared error."""

    def __init__(self, name: str = "root_mean_squared_error") -> None:
        super().__init__(name, root_mean_squared_error)


class R2Score(Metric):
    """1 - squared error / squared deviation from the mean."""

    def __init__(self, name: str = "r2_score") -> None:
        super().__init__(name, r2_score)


CLASSES: dict[str, type[Metric]] = {
    made.__name__: made
    for made in (
        BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy, AUC, Precision, Recall, MeanAbsoluteError,
        MeanSquaredError, RootMeanSquaredError, R2Score, BinaryCrossentropy, CategoricalCrossentropy,
        SparseCategoricalCrossentropy,
    )
}  # fmt: skip


def own(function: Callable[..., Any]) -> MetricFunction:
    """A function of (y_true, y_pred), as Keras takes them, that returns a number, or one for each row."""

    def mean_of(t: Array, y: Array, w: Array) -> float:
        found = np.asarray(function(t, y))
        if found.dtype.kind not in "biuf":
            name = getattr(function, "__name__", type(function).__name__)
            raise TypeError(f"the metric {name} returned no number but {type(found[()]).__name__}")
        return mean(found.reshape(len(w), -1).mean(axis=1), w) if found.shape[:1] == w.shape else float(np.mean(found))

    return mean_of


def from_loss(loss: Loss) -> MetricFunction:
    """The weighted mean of a loss formula over the rows."""
    return lambda t, y, w: mean(loss.f(y, t).mean(axis=1), w)


def metric_list(what: str, given: Any) -> list[Metric]:
    """The metrics of a list of names, functions and objects; none where None is given."""
    if given is not None and not isinstance(given, (list, tuple)):
        raise TypeError(f"{what} is a list, as in ['accuracy'], not {type(given).__name__}")
    return [get(metric) for metric in given or []]


def get(given: str | dict[str, Any] | Metric | Callable[..., Any]) -> Metric:
    """The metric that `given` names, describes or is; a function of one's own takes (y_true, y_pred) as in Keras."""
    if isinstance(given, Metric):
        return given
    if isinstance(given, dict):
        if not isinstance(given.get("class"), str) or given["class"] not in CLASSES:
            raise ValueError(unknown("metric", given.get("class"), CLASSES))
        return CLASSES[given["class"]](**{key: value for key, value in given.items() if key != "class"})
    if isinstance(given, str):
        name = given.lower()
        if name in METRICS:
            return Metric(given, METRICS[name])
        if name in LOSS_METRICS:
            return Metric(given, from_loss(loss_named(name)))
        if given in CLASSES:
            return Metric(given, CLASSES[given]().function)  # type: ignore[call-arg]
        raise ValueError(unknown("metric", given, [*METRICS, *LOSS_METRICS]))
    if isinstance(given, type) and issubclass(given, Metric):
        raise TypeError(f"give an object, {given.__name__}(), not the class {given.__name__}")
    if callable(given):
        return Metric(getattr(given, "__name__", type(given).__name__), own(given))
    raise TypeError(f"a metric is a name or a function of (y_true, y_pred), not {type(given).__name__}")
