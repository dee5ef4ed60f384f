"""Split-conformal intervals and sets: how sure is one prediction, with a coverage that holds whatever the model is.

Where rows are exchangeable, a new row is covered with probability at least `coverage`, on average over samples of the
rows that calibrate (Vovk 2005; Lei et al. 2018). Not promised: coverage for each single person or subgroup, nor at
another site or in another year, where rows are not exchangeable.

Rows of one person are not exchangeable; persons are. With `groups`, each person counts once, shared among the person's
rows: the quantile is over sum_g 1/m_g sum_i delta(score_gi) / (G + 1), with 1 / (G + 1) at infinity, and a new
*person's* row is covered (Lee, Barber and Willett 2023, "Distribution-free inference with hierarchical data"). With
one row for each person that is the usual rank ceil((n + 1) coverage).

The scores must come from rows that the model never met. With out-of-fold predictions (Vovk 2015, cross-conformal) the
coverage is about as stated, and the guarantee is weaker: 1 - 2 (1 - coverage) (Barber et al. 2021).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.tabular.calibrate import checked


def conformal_quantile(score: Array, coverage: float, groups: Array | None = None) -> float:
    """The least score that covers a new group's row with this probability; infinity where there are too few groups.

    Parameters
    ----------
    score : (n,) how badly each held-out row was predicted
    coverage : between 0 and 1, as 0.9
    groups : (n,) whose row it is; default: each row its own
    """
    if not 0.0 < coverage < 1.0:
        raise ValueError(f"coverage is between 0 and 1, as 0.9; given was {coverage!r}")
    score = np.asarray(score, float)
    if score.ndim != 1 or not np.isfinite(score).all():
        raise ValueError("every row that calibrates has one finite prediction and outcome; some are missing")
    if groups is not None and np.shape(groups) != score.shape:
        raise ValueError(f"groups has one value for each row; its shape is {np.shape(groups)}, not {score.shape}")
    number = np.arange(len(score)) if groups is None else np.unique(groups, return_inverse=True)[1]
    rows = np.bincount(number)
    order = np.argsort(score, kind="stable")
    covered = np.cumsum(1.0 / rows[number[order]])
    needed = coverage * (len(rows) + 1)
    place = int(np.searchsorted(covered, needed - 1e-9 * needed))
    return float(score[order][place]) if place < len(score) else np.inf


class ConformalInterval:
    """prediction +- width, where width is the conformal quantile of |y - prediction| (Lei et al. 2018).

    Parameters
    ----------
    width : half the length, in the unit of y
    coverage : what was asked for
    """

    def __init__(self, width: float, coverage: float) -> None:
        self.width, self.coverage = float(width), float(coverage)

    @classmethod
    def fitted(cls, y: Any, predicted: Any, coverage: float = 0.9, groups: Any = None) -> ConformalInterval:
        """From held-out outcomes (n,) and predictions (n,)."""
        return cls(conformal_quantile(np.abs(np.subtract(y, predicted)), coverage, groups), coverage)

    def __call__(self, predicted: Any) -> tuple[Array, Array]:
        """(low, high) of each prediction."""
        predicted = np.asarray(predicted, float)
        return predicted - self.width, predicted + self.width

    def get_config(self) -> dict[str, Any]:
        return {"class": "ConformalInterval", "width": finite_or_none(self.width), "coverage": self.coverage}


class ConformalizedQuantiles:
    """[low - width, high + width] of predicted quantiles: as long as each row needs (Romano et al. 2019, CQR).

    Parameters
    ----------
    width : what is added on both sides; below 0 where the quantiles were too wide
    coverage : what was asked for
    """

    def __init__(self, width: float, coverage: float) -> None:
        self.width, self.coverage = float(width), float(coverage)

    @classmethod
    def fitted(cls, y: Any, low: Any, high: Any, coverage: float = 0.9, groups: Any = None) -> ConformalizedQuantiles:
        """From held-out outcomes (n,) and the predicted quantiles, as the 5 % and the 95 % for a coverage of 0.9."""
        outside = np.maximum(np.subtract(low, y), np.subtract(y, high))
        return cls(conformal_quantile(outside, coverage, groups), coverage)

    def __call__(self, low: Any, high: Any) -> tuple[Array, Array]:
        """(low, high) of each row; where they would cross, both are the middle."""
        a, b = np.asarray(low, float) - self.width, np.asarray(high, float) + self.width
        middle = (a + b) / 2.0
        return np.minimum(a, middle), np.maximum(b, middle)

    def get_config(self) -> dict[str, Any]:
        return {"class": "ConformalizedQuantiles", "width": finite_or_none(self.width), "coverage": self.coverage}


class ConformalSets:
    """The classes that cannot be ruled out: those with 1 - p at most the conformal quantile of their own class.

    Each class has its own quantile (Vovk's Mondrian form; Sadinle et al. 2019), so that each class is covered as
    stated. With one quantile for all, a rare event could be missed nearly always while 90 % of all rows are covered.
    Too few rows of a class: the class is never ruled out.

    Parameters
    ----------
    limits : for each class, the greatest 1 - p that keeps it in the set
    coverage : what was asked for
    """

    def __init__(self, limits: list[float | None], coverage: float) -> None:
        self.limits = np.array([np.inf if one is None else one for one in limits], float)
        self.coverage = float(coverage)

    @classmethod
    def fitted(cls, y: Any, p: Any, coverage: float = 0.9, groups: Any = None) -> ConformalSets:
        """From held-out outcomes (n,), numbers of classes, and risks (n,) or probabilities (n, classes)."""
        y, p = checked(y, p)
        p = np.column_stack([1.0 - p, p]) if p.ndim == 1 else p
        limits: list[float | None] = []
        for kind in range(p.shape[1]):
            own = y == kind
            whose = None if groups is None else np.asarray(groups)[own]
            limits.append(conformal_quantile(1.0 - p[own, kind], coverage, whose))
        return cls(limits, coverage)

    def __call__(self, p: Any) -> Array:
        """(n, classes) bool: which classes are in each row's set."""
        p = np.asarray(p, float)
        p = np.column_stack([1.0 - p, p]) if p.ndim == 1 else p
        inside: Array = 1.0 - p <= self.limits
        return inside

    def get_config(self) -> dict[str, Any]:
        return {
            "class": "ConformalSets",
            "limits": [finite_or_none(float(one)) for one in self.limits],
            "coverage": self.coverage,
        }


def coarse(value: float) -> float:
    """The least number of three digits that is not below: covers no less, and is no single row's score any more."""
    if not np.isfinite(value) or value == 0.0:
        return value
    unit = 10.0 ** (np.floor(np.log10(abs(value))) - 2)
    return float(np.ceil(value / unit) * unit)


def finite_or_none(value: float) -> float | None:
    """Infinity is None, for JSON has no infinity."""
    return value if np.isfinite(value) else None


def from_config(config: dict[str, Any]) -> ConformalInterval | ConformalizedQuantiles | ConformalSets:
    """What `get_config` described."""
    kind, coverage = config.get("class"), config.get("coverage", 0.9)
    if kind == "ConformalSets":
        return ConformalSets(config["limits"], coverage)
    for made in (ConformalInterval, ConformalizedQuantiles):
        if kind == made.__name__:
            return made(np.inf if config["width"] is None else config["width"], coverage)
    raise ValueError(f"there is no conformal kind named {kind!r}")


def held_out(outcome: Any, said: list[tuple[Array, Array]], y: Array, groups: Array | None, coverage: float) -> Any:
    """The conformal kind that fits an outcome, from what a model's parts said of rows that they did not learn from.

    What is kept is coarse (see `coarse`), for a file must not hold a score by which somebody could be told. Several
    words for one row are averaged; rows of which a part said nothing are left out. Training ended by these
    rows, and they weighed the networks, so they are not quite as good as new ones.

    Parameters
    ----------
    outcome : how z becomes answers; see `tinynet.tabular.predictor.Outcome`
    said : (rows (m,), z (m, outputs)) of each part
    y : (n,) the truth: numbers of classes, or amounts
    groups : (n,) whose row it is, or None
    coverage : for quantiles their own is taken, the highest level - the lowest

    Returns None for a two-part cost, whose length would be that of its rare large costs, and for a single quantile.
    """
    if outcome.kind == "two-part" or (outcome.kind == "quantiles" and len(outcome.levels) < 2):
        return None
    z = []
    for rows, words in said:
        total = np.zeros((len(y), words.shape[1]))
        np.add.at(total, rows, words)
        with np.errstate(invalid="ignore"):
            z.append(total / np.bincount(rows, minlength=len(y))[:, None])
    known = np.all([np.isfinite(one).all(axis=1) for one in z], axis=0)
    answers, y = outcome([one[known] for one in z]), np.asarray(y)[known]
    own = None if groups is None else np.asarray(groups)[known]
    if outcome.kind == "classes":
        sets = ConformalSets.fitted(y, answers if answers.shape[1] > 2 else answers[:, 1], coverage, own)
        return ConformalSets([1.0 + coarse(limit - 1.0) for limit in sets.limits.tolist()], coverage)
    if outcome.kind == "quantiles":
        coverage = outcome.levels[-1] - outcome.levels[0]
        found = ConformalizedQuantiles.fitted(y, answers[:, 0], answers[:, -1], coverage, own)
        return ConformalizedQuantiles(coarse(found.width), coverage)
    return ConformalInterval(coarse(ConformalInterval.fitted(y, answers, coverage, own).width), coverage)
