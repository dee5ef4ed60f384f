"""Calibration after training: temperature, isotonic regression, and recalibration for a new site.

All are fitted on predictions for rows that the model never met, such as the out-of-fold predictions of `evaluate`.
What is fitted is a few numbers, kept as JSON; using them needs NumPy alone. None of them changes who is ranked above
whom, except that isotonic regression makes ties.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.tabular.crowd import CROWD
from tinynet.tabular.measures import TINY, fitted_logistic, logit, sigmoid


class Calibration:
    """What the kinds below have in common: settings as plain numbers, and their call on probabilities."""

    fields: tuple[str, ...] = ()

    def get_config(self) -> dict[str, Any]:
        """Everything that is needed to make it again, as JSON can hold it."""
        found: dict[str, Any] = {"class": type(self).__name__}
        for name in self.fields:
            value = getattr(self, name)
            found[name] = value.tolist() if isinstance(value, np.ndarray) else value
        return found

    def __call__(self, p: Array) -> Array:
        raise NotImplementedError


class Temperature(Calibration):
    """p -> softmax(log(p) / T); for two classes sigmoid(logit(p) / T). T above 1 makes risks less extreme (Guo 2017).

    Parameters
    ----------
    temperature : T, above 0
    """

    fields = ("temperature",)

    def __init__(self, temperature: float) -> None:
        if not temperature > 0:
            raise ValueError(f"a temperature is above 0; given was {temperature!r}")
        self.temperature = float(temperature)

    @classmethod
    def fitted(cls, y: Array, p: Array) -> Temperature:
        """T with the least log loss on outcomes y (n,), class numbers, and risks (n,) or probabilities (n, classes).

        Raises ValueError where p has no information about y: then no temperature is best.
        """
        from scipy.optimize import minimize_scalar

        y, p = checked(y, p)

        def loss(log_temperature: float) -> float:
            q = cls(float(np.exp(log_temperature)))(p)
            own = np.where(y == 1, q, 1.0 - q) if q.ndim == 1 else q[np.arange(len(y)), y]
            return float(-np.log(np.clip(own, TINY, 1.0)).mean())

        best = minimize_scalar(loss, bounds=(-6.0, 6.0), method="bounded", options={"xatol": 1e-8})
        if best.x > 5.99:
            raise ValueError("no temperature fits: these predictions say nothing about the outcomes")
        return cls(float(np.exp(best.x)))

    def __call__(self, p: Array) -> Array:
        """The calibrated risks or probabilities, of the shape of p."""
        p = np.asarray(p, float)
        if p.ndim == 1:
            return sigmoid(logit(p) / self.temperature)
        z = np.log(np.clip(p, TINY, 1.0)) / self.temperature
        e = np.exp(z - z.max(axis=1, keepdims=True))
        whole: Array = e / e.sum(axis=1, keepdims=True)
        return whole


class Isotonic(Calibration):
    """The rising step-like line with the least squared error (Zadrozny and Elkan 2002), class by class.

    Needs about 1,000 rows or more; with fewer, take the temperature. Beyond the risks seen, the end's value holds.
    Five rows that follow each other in risk count as one, so that no corner is one person's risk and outcome.

    Parameters
    ----------
    x, y : for each class, the corners of its line
    """

    fields = ("x", "y")

    def __init__(self, x: list[list[float]], y: list[list[float]]) -> None:
        if len(x) != len(y) or any(len(a) != len(b) or not a for a, b in zip(x, y, strict=False)):
            raise ValueError("Isotonic: x and y hold, for each class, equally many corners")
        self.x, self.y = x, y

    @classmethod
    def fitted(cls, y: Array, p: Array, weight: Array | None = None) -> Isotonic:
        """The lines for outcomes y (n,), numbers of classes, and risks (n,) or probabilities (n, classes).

        `weight` (n,) says how much each row counts; default 1.
        """
        from sklearn.isotonic import IsotonicRegression

        y, p = checked(y, p)
        corners = []
        for kind, column in enumerate(p.T if p.ndim == 2 else [p]):
            line = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
            parts = np.array_split(np.argsort(column, kind="stable"), max(len(y) // CROWD, 1))
            own, w = y == (kind if p.ndim == 2 else 1), np.ones(len(y)) if weight is None else np.ravel(weight)
            total = np.array([w[rows].sum() for rows in parts])
            x, seen = (
                np.array([w[rows] @ of[rows] for rows in parts]) / np.maximum(total, TINY) for of in (column, own)
            )
            line.fit(x, seen, sample_weight=total)
            corners.append((line.X_thresholds_.astype(float).tolist(), line.y_thresholds_.astype(float).tolist()))
        return cls([x for x, _ in corners], [y for _, y in corners])

    def __call__(self, p: Array) -> Array:
        """The calibrated risks or probabilities, of the shape of p; of several classes divided by their sum."""
        p = np.asarray(p, float)
        if p.ndim == 1:
            line: Array = np.interp(p, self.x[0], self.y[0])
            return line
        lines = np.column_stack([np.interp(column, x, y) for column, x, y in zip(p.T, self.x, self.y, strict=True)])
        total = lines.sum(axis=1, keepdims=True)
        return np.where(total > 0, lines / np.where(total > 0, total, 1.0), 1.0 / p.shape[1])


class Recalibration(Calibration):
    """p -> sigmoid(a + b logit(p)): a model taken to a new place, where the outcome is rarer or risks are less clear.

    The intercept alone (b = 1) needs some 50 events of the new place, both some 200 (Steyerberg 2004; Vergouwe 2017).
    Two classes only.

    Parameters
    ----------
    intercept, slope : a and b
    """

    fields = ("intercept", "slope")

    def __init__(self, intercept: float, slope: float = 1.0) -> None:
        self.intercept, self.slope = float(intercept), float(slope)

    @classmethod
    def fitted(cls, y: Array, p: Array, slope: bool = True) -> Recalibration:
        """By maximum likelihood on outcomes y (n,), 0 or 1, and risks (n,); with `slope=False` the intercept alone.

        Raises ValueError where there is no maximum: one class only, separated classes, or one risk for all.
        """
        y, p = checked(y, p)
        if p.ndim != 1:
            raise ValueError("Recalibration is for two classes: one risk for each row")
        z, one = logit(p), np.ones((len(p), 1))
        if slope:
            found = fitted_logistic(np.column_stack([one, z]), y, 0.0, np.array([0.0, 1.0]))
        else:
            found = fitted_logistic(one, y, z, np.zeros(1))
        if not np.isfinite(found).all():
            raise ValueError("no recalibration fits these rows: one class only, classes apart, or one risk for all")
        return cls(*found.tolist())

    def __call__(self, p: Array) -> Array:
        """The recalibrated risks (n,)."""
        return sigmoid(self.intercept + self.slope * logit(np.asarray(p, float)))


KINDS: dict[str, type[Calibration]] = {kind.__name__: kind for kind in (Temperature, Isotonic, Recalibration)}


def from_config(config: dict[str, Any]) -> Calibration:
    """The calibration that `get_config` described."""
    kind = config.get("class")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"there is no calibration named {kind!r}; there are {', '.join(KINDS)}")
    return KINDS[kind](**{name: value for name, value in config.items() if name != "class"})


def cross_fitted(kind: Any, y: Array, p: Array, fold: Array) -> Array:
    """Each fold's predictions, calibrated by a calibration that is fitted on the other folds: what it does to new rows.

    Parameters
    ----------
    kind : Temperature, Isotonic or Recalibration
    y, p : outcomes and out-of-fold predictions
    fold : (n,) the number of each prediction's fold
    """
    found = np.empty_like(np.asarray(p, float))
    for one in np.unique(fold):
        own = fold == one
        found[own] = kind.fitted(y[~own], p[~own])(p[own])
    return found


def checked(y: Any, p: Any) -> tuple[Array, Array]:
    """Outcomes as numbers of classes, and finite probabilities for as many rows."""
    y, p = np.asarray(y), np.asarray(p, float)
    if y.ndim != 1 or not len(y) or p.shape[:1] != y.shape or p.ndim > 2:
        raise ValueError(f"y is (n,) and p is (n,) or (n, classes); their shapes are {y.shape} and {p.shape}")
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("p holds probabilities, from 0 to 1; some are outside or missing")
    classes = 2 if p.ndim == 1 else p.shape[1]
    if not np.isin(y, np.arange(classes)).all():
        raise ValueError(f"y holds the numbers of the classes, 0 to {classes - 1}; some values are others")
    return y.astype(int), p
