"""How good predictions are: every measure of a task at once, for many reweightings of the persons at once.

An interval by bootstrap needs each measure a thousand times. Three facts make that quick:

- Most measures are functions of sums over rows. The rows are added up within each person once; a draw, which says how
  often each person counts, is then one product of a matrix with these sums.
- Areas under curves need the rows sorted once: how often a row counts does not change its place.
- Calibration slopes are found by Newton's method, which starts at the estimate of all rows, where score and information
  are sums too. One such step is accurate to order 1/n (the k-step bootstrap, Andrews 2002); with few rows it goes on.

Areas under curves compare rows of one fold only, because folds are predicted by different models, and their scales
differ: pooling them would make a useless model look worse than chance (Parker, Günter and Bedo 2007). Each fold
counts by its number of pairs (ROC) or of positives (precision-recall). Everything else pools the rows of all folds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tinynet.formulas.vocabulary import Array

TINY = float(np.finfo(float).eps)  # probabilities are kept this far from 0 and 1 in logarithms, as in scikit-learn
EXACT_ROWS = 1_000  # up to here Newton's method goes on to the end in every draw
STEPS = 25
GREATER, LESS, ONE, ZERO = "greater", "less", "one", "zero"  # what is better: more, less, near 1, near 0

BETTER = {
    "AUROC": GREATER, "AUPRC": GREATER, "Brier score": LESS, "log loss": LESS, "calibration slope": ONE,
    "calibration intercept": ZERO, "observed / expected": ONE, "accuracy": GREATER, "balanced accuracy": GREATER,
    "R2": GREATER, "MAE": LESS, "RMSE": LESS, "mean error": ZERO, "Poisson deviance": LESS, "gamma deviance": LESS,
    "Tweedie deviance": LESS,
}  # fmt: skip
MAIN = {
    "binary": "AUROC", "multiclass": "AUROC", "regression": "R2", "count": "Poisson deviance", "cost": "gamma deviance",
}  # fmt: skip
CHANCE = {"AUROC": 0.5, "R2": 0.0}  # what a model without skill has
AT_THRESHOLD = ("sensitivity", "specificity", "PPV", "NPV", "net benefit")
TWEEDIE_POWER = 1.5  # between Poisson (1) and gamma (2): costs, many of them exactly zero (Jørgensen 1987)


def better(measure: str) -> str:
    """What is better for a measure: "greater", "less", "one" or "zero"."""
    return BETTER.get(measure, GREATER)


def logit(p: Array) -> Array:
    """log(p / (1 - p)), with p kept off 0 and 1."""
    kept = np.clip(p, TINY, 1.0 - TINY)
    odds: Array = np.log(kept) - np.log1p(-kept)
    return odds


def sigmoid(z: Array) -> Array:
    """1 / (1 + exp(-z)), in a form that cannot overflow."""
    p: Array = 0.5 * (1.0 + np.tanh(0.5 * z))
    return p


def unit_deviance(y: Array, mean: Array, power: float) -> Array:
    """Twice the log likelihood lost against a perfect prediction, row by row (McCullagh and Nelder 1989, section 8.3).

    power 1 is Poisson, 2 gamma, and 1 < power < 2 Tweedie's, which allows zeros among costs.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        if power == 1.0:
            lost = np.where(y > 0, y * np.log(y / mean), 0.0) - y + mean
        elif power == 2.0:
            lost = np.log(mean / y) + y / mean - 1.0
        else:
            lost = (
                y ** (2 - power) / ((1 - power) * (2 - power))
                - y * mean ** (1 - power) / (1 - power)
                + mean ** (2 - power) / (2 - power)
            )
    deviance: Array = 2.0 * lost
    return deviance


# ------------------------------------------------------------------------------------------------------ sums over rows


@dataclass(frozen=True)
class Sums:
    """A measure that is a function of sums: `rows` (n, k), and `value` of their totals (k, draws)."""

    rows: Array
    value: Callable[[Array], Array]


def ratio(over: Array, under: Array) -> Array:
    """over / under, NaN where nothing is under."""
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient: Array = np.where(under > 0, over / under, np.nan)
    return quotient


def mean_of(values: Array) -> Sums:
    """The mean over the rows."""
    return Sums(np.column_stack([values, np.ones(len(values))]), lambda s: ratio(s[0], s[1]))


def share(yes: Array, among: Array) -> Sums:
    """Of the rows `among`, the share that is `yes`."""
    return Sums(np.column_stack([yes & among, among]).astype(float), lambda s: ratio(s[0], s[1]))


def at_threshold(y: Array, p: Array, threshold: float) -> dict[str, Sums]:
    """What happens to those who are treated when their risk is `threshold` or more.

    sensitivity = TP / events, specificity = TN / others, PPV = TP / treated, NPV = TN / untreated;
    net benefit = TP / n - FP / n * threshold / (1 - threshold) (Vickers and Elkin 2006).
    """
    event, treated = y == 1, p >= threshold
    odds = threshold / (1.0 - threshold)
    return {
        "sensitivity": share(treated, event),
        "specificity": share(~treated, ~event),
        "PPV": share(event, treated),
        "NPV": share(~event, ~treated),
        "net benefit": mean_of((treated & event) - odds * (treated & ~event)),
    }


def r2_of(y: Array, p: Array) -> Sums:
    """1 - squared error / squared deviation from the mean of y."""
    shift = y - y.mean()  # the same spread, with sums that lose no digits

    def value(s: Array) -> Array:
        fraction = ratio(s[0], s[2] - ratio(s[1] ** 2, s[3]))
        return 1.0 - fraction

    return Sums(np.column_stack([(y - p) ** 2, shift, shift**2, np.ones(len(y))]), value)


def linear_slope(y: Array, p: Array) -> Sums:
    """The slope of the straight line of y on the prediction: below 1, the predictions are too extreme."""
    a, b = y - y.mean(), p - p.mean()

    def value(s: Array) -> Array:
        ab, bb, sum_a, sum_b, n = s
        return ratio(ab - ratio(sum_a * sum_b, n), bb - ratio(sum_b**2, n))

    return Sums(np.column_stack([a * b, b * b, a, b, np.ones(len(y))]), value)


def balanced_accuracy(y: Array, hit: Array, classes: int) -> Sums:
    """The mean over the classes of the share that is found; NaN where a class has no rows."""
    own = y[:, None] == np.arange(classes)
    return Sums(
        np.column_stack([own & hit[:, None], own]).astype(float), lambda s: ratio(s[:classes], s[classes:]).mean(axis=0)
    )


def sums_of(task: str, y: Array, p: Array, thresholds: Sequence[float]) -> dict[str, Sums]:
    """The measures of a task that are functions of sums. For classes y holds numbers; p is (n,) or (n, classes)."""
    if task == "binary":
        found = {
            "Brier score": mean_of((p - y) ** 2),
            "log loss": mean_of(-np.log(np.clip(np.where(y == 1, p, 1.0 - p), TINY, 1.0))),
            "observed / expected": Sums(np.column_stack([y, p]), lambda s: ratio(s[0], s[1])),
        }
        for threshold in thresholds:
            for name, one in at_threshold(y, p, threshold).items():
                found[f"{name} at {threshold:g}"] = one
        return found
    if task == "multiclass":
        own = y[:, None] == np.arange(p.shape[1])
        hit = p.argmax(axis=1) == y
        return {
            "log loss": mean_of(-np.log(np.clip((p * own).sum(axis=1), TINY, 1.0))),
            "Brier score": mean_of(((p - own) ** 2).sum(axis=1)),
            "accuracy": mean_of(hit.astype(float)),
            "balanced accuracy": balanced_accuracy(y, hit, p.shape[1]),
        }
    square = mean_of((p - y) ** 2)
    found = {
        "R2": r2_of(y, p),
        "MAE": mean_of(np.abs(p - y)),
        "RMSE": Sums(square.rows, lambda s: np.sqrt(square.value(s))),
        "mean error": mean_of(p - y),
        "calibration slope": linear_slope(y, p),
    }
    if task == "count":
        return {"Poisson deviance": mean_of(unit_deviance(y, p, 1.0)), **found}
    if task == "cost":
        zeros = bool((y == 0).any())
        power, name = (TWEEDIE_POWER, "Tweedie deviance") if zeros else (2.0, "gamma deviance")
        return {name: mean_of(unit_deviance(y, p, power)), **found}
    return found


# ----------------------------------------------------------------------------------------------- areas under curves


class Ranking:
    """Areas under the ROC and the precision-recall curve within folds, for many weightings of the same rows.

    AUROC = (pairs of one fold with the event ranked above the other, ties half) / (pairs of one fold).
    AUPRC = average precision: the precision at each threshold, weighted with the recall gained there.
    """

    def __init__(self, positive: Array, score: Array, fold: Array, group: Array) -> None:
        order = np.lexsort((-score, fold))
        s, f, positive = score[order], fold[order], positive[order]
        new_fold = np.append(True, f[1:] != f[:-1])
        block = np.cumsum(new_fold | np.append(True, s[1:] != s[:-1])) - 1  # rows of one score in one fold
        starts = np.append(np.flatnonzero(np.diff(block, prepend=-1)), len(s))
        self.group = group[order]
        self.positive = np.flatnonzero(positive)
        # Only blocks with an event count in either sum, and these are few where events are.
        blocks, self.first_event = np.unique(block[self.positive], return_index=True)
        self.start, self.end = starts[blocks], starts[blocks + 1]
        own = (np.cumsum(new_fold) - 1)[self.start]
        fold_starts = np.append(np.flatnonzero(new_fold), len(s))
        folds, self.first, self.fold = np.unique(own, return_index=True, return_inverse=True)
        self.fold_start, self.fold_end = fold_starts[folds], fold_starts[folds + 1]

    def __call__(self, counts: Array) -> tuple[Array, Array]:
        """(AUROC, AUPRC) of each row of counts (draws, groups); NaN where one of the classes is absent."""
        if not len(self.positive):
            return np.full(len(counts), np.nan), np.full(len(counts), np.nan)
        roc, pr = np.array([self.areas(count) for count in counts]).T
        return roc, pr

    def areas(self, count: Array) -> tuple[float, float]:
        """Both areas of one draw."""
        w = count[self.group]
        up_to = np.zeros(len(w) + 1)
        np.cumsum(w, out=up_to[1:])
        yes = np.add.reduceat(w[self.positive], self.first_event)
        no = up_to[self.end] - up_to[self.start] - yes
        positives = np.add.reduceat(yes, self.first)
        negatives = up_to[self.fold_end] - up_to[self.fold_start] - positives
        true = np.cumsum(yes) - (np.cumsum(positives) - positives)[self.fold]
        treated = up_to[self.end] - up_to[self.fold_start][self.fold]
        pairs = positives @ negatives
        if not pairs > 0:
            return np.nan, np.nan
        below = negatives[self.fold] - (treated - true) + 0.5 * no
        gained = np.divide(yes * true, treated, out=np.zeros_like(yes), where=treated > 0).sum()
        return float(yes @ below / pairs), float(gained / positives.sum())


# ------------------------------------------------------------------------------------------------ logistic calibration


def fitted_logistic(x: Array, y: Array, offset: Array | float, start: Array) -> Array:
    """The coefficients (k,) of a logistic regression of y on x (n, k), by Newton's method with halved steps.

    NaN where there is no maximum: the classes are separated, or x does not vary.
    """
    theta, likelihood = start.astype(float), -np.inf
    for _ in range(STEPS):
        score, information = score_and_information(x, y, offset, theta)
        step = solved(information.sum(axis=0).reshape(1, x.shape[1], -1), score.sum(axis=0)[None])[0]
        likelihood = log_likelihood(x, y, offset, theta)
        while np.isfinite(step).all() and log_likelihood(x, y, offset, theta + step) < likelihood - 1e-9 * abs(
            likelihood
        ):
            step = step / 2.0
        theta = theta + step
        if not np.isfinite(theta).all() or np.abs(theta).max() > 1e6:
            break
        if np.abs(step).max() < 1e-8 * (1.0 + np.abs(theta).max()):
            found: Array = theta
            return found
    return np.full(len(start), np.nan)


def log_likelihood(x: Array, y: Array, offset: Array | float, theta: Array) -> float:
    """The sum of log P(y)."""
    z = x @ theta + offset
    return float((y * z - np.logaddexp(0.0, z)).sum())


def score_and_information(x: Array, y: Array, offset: Array | float, theta: Array) -> tuple[Array, Array]:
    """Of each row: x (y - p), (n, k), and x x^T p (1 - p), (n, k k)."""
    p = sigmoid(x @ theta + offset)
    products = (x[:, :, None] * x[:, None, :]).reshape(len(x), -1)
    return x * (y - p)[:, None], products * (p * (1.0 - p))[:, None]


def solved(information: Array, score: Array) -> Array:
    """information^-1 score for each of (draws, k, k) and (draws, k); NaN where it is singular."""
    good = np.logical_and(np.isfinite(information).all(axis=(1, 2)), np.isfinite(score).all(axis=1))
    information = np.where(good[:, None, None], information, 0.0)
    size = np.abs(information).max(axis=(1, 2), keepdims=True)
    size[size == 0] = 1.0
    scaled = information / size
    good &= np.abs(np.linalg.det(scaled)) > 1e-12
    found = np.full(score.shape, np.nan)
    found[good] = np.linalg.solve(scaled[good], (score / size[:, 0])[good][..., None])[..., 0]
    return found


class LogisticCalibration:
    """Cox's (1958) logistic regression of the outcome on the logit of the risk; slope 1 and intercept 0 are perfect.

    logit P(y = 1) = a + slope logit(p). A slope below 1: the risks are too extreme, as after overfitting. The
    intercept is the one with the slope held at 1, calibration in the large: above 0, the risks are too low on the whole
    (Van Calster et al. 2019, "Calibration: the Achilles heel of predictive analytics").
    """

    def __init__(self, y: Array, p: Array, group: Array, groups: int) -> None:
        z = logit(p)
        ones = np.ones((len(z), 1))
        self.group = group
        self.parts = []
        for x, offset, start in ((np.column_stack([ones, z]), 0.0, np.array([0.0, 1.0])), (ones, z, np.zeros(1))):
            best = fitted_logistic(x, y, offset, start)
            rows = np.hstack(score_and_information(x, y, offset, best)) if np.isfinite(best).all() else None
            self.parts.append((x, offset, best, None if rows is None else added_up(rows, group, groups)))
        self.y = y

    def __call__(self, counts: Array) -> tuple[Array, Array]:
        """(slope, intercept) of each row of counts (draws, groups)."""
        slope, intercept = (self.refitted(counts, *part)[:, -1] for part in self.parts)
        return slope, intercept

    def refitted(self, counts: Array, x: Array, offset: Array | float, best: Array, sums: Array | None) -> Array:
        """The coefficients (draws, k) of each draw."""
        k = x.shape[1]
        if sums is None:
            return np.full((len(counts), k), np.nan)
        totals = counts @ sums
        theta = best + solved(totals[:, k:].reshape(-1, k, k), totals[:, :k])
        if len(x) > EXACT_ROWS:
            return theta
        products, w = (x[:, :, None] * x[:, None, :]).reshape(len(x), -1), counts[:, self.group]
        for _ in range(STEPS):
            p = sigmoid(theta @ x.T + offset)
            step = solved(((w * p * (1.0 - p)) @ products).reshape(-1, k, k), (w * (self.y - p)) @ x)
            theta = theta + step
            theta[~(np.abs(theta) < 1e6).all(axis=1)] = np.nan
            going = np.isfinite(theta).all(axis=1)
            if not (np.abs(step[going]) > 1e-8 * (1.0 + np.abs(theta[going]))).any():
                return theta
        theta[(np.abs(step) > 1e-8 * (1.0 + np.abs(theta))).any(axis=1)] = np.nan
        return theta


# ------------------------------------------------------------------------------------------------------ all together


def added_up(rows: Array, group: Array, groups: int) -> Array:
    """The rows (n, k) added up within each group, (groups, k)."""
    return np.column_stack([np.bincount(group, column, groups) for column in rows.T])


class Measures:
    """Every measure of one set of predictions, as a function of how often each group (person) counts.

    Parameters
    ----------
    task : "binary", "multiclass", "regression", "count" or "cost"
    y : (n,) the outcomes; for classes their numbers
    p : (n,) the predicted risk or mean, or (n, classes) the predicted probabilities
    fold : (n,) numbers; rows with the same were predicted by the same model
    group : (n,) the number of each row's group, below `groups`
    thresholds : risks at or above which a person is treated, for sensitivity and the like (binary)
    """

    def __init__(
        self, task: str, y: Array, p: Array, fold: Array, group: Array, groups: int, thresholds: Sequence[float] = ()
    ) -> None:
        sums = sums_of(task, y, p, thresholds)
        self.values = {name: (one.value, one.rows.shape[1]) for name, one in sums.items()}
        self.totals = added_up(np.hstack([one.rows for one in sums.values()]), group, groups)
        self.rankings: list[Ranking] = []
        self.calibration: LogisticCalibration | None = None
        if task == "binary":
            self.rankings = [Ranking(y == 1, p, fold, group)]
            if len(np.unique(np.column_stack([fold, p]), axis=0)) > len(np.unique(fold)):  # the same for all: no slope
                self.calibration = LogisticCalibration(y, p, group, groups)
        elif task == "multiclass":
            self.rankings = [Ranking(y == kind, p[:, kind], fold, group) for kind in range(p.shape[1])]

    def __call__(self, counts: Array) -> dict[str, Array]:
        """Each measure, (draws,), of each row of counts (draws, groups); NaN where a draw leaves it undefined."""
        found: dict[str, Array] = {}
        if self.rankings:
            areas = [ranking(counts) for ranking in self.rankings]
            # several classes: each against the rest, then the plain mean (macro)
            found["AUROC"] = np.mean([roc for roc, _ in areas], axis=0)
            found["AUPRC"] = np.mean([pr for _, pr in areas], axis=0)
        totals, at = (counts @ self.totals).T, 0
        for name, (value, columns) in self.values.items():
            found[name] = value(totals[at : at + columns])
            at += columns
        if self.calibration is not None:
            found["calibration slope"], found["calibration intercept"] = self.calibration(counts)
        return found


def ordered(names: Sequence[str]) -> list[str]:
    """The names as a reader expects them: discrimination, overall, calibration, then thresholds."""
    first = ("AUROC", "AUPRC", "Poisson deviance", "gamma deviance", "Tweedie deviance", "R2", "balanced accuracy",
             "accuracy", "Brier score", "log loss", "MAE", "RMSE", "mean error", "calibration slope",
             "calibration intercept", "observed / expected")  # fmt: skip
    return sorted(names, key=lambda name: first.index(name) if name in first else len(first))


def measured(task: str, y: Array, p: Array, fold: Array, thresholds: Sequence[float] = ()) -> dict[str, float]:
    """Every measure of one set of predictions, each row counting once."""
    row = np.arange(len(y))
    found = Measures(task, y, p, fold, row, len(y), thresholds)(np.ones((1, len(y))))
    return {name: float(found[name][0]) for name in ordered(list(found))}
