"""95 % intervals by bootstrap over whole persons, for measures and for the difference between two models.

Rows of one person are alike, so a table of 5,875 rows from 42 people knows about as much as 42 numbers. What is
drawn again is therefore the person, with all rows (the cluster bootstrap; Davison and Hinkley 1997, section 3.8). In a
draw the same persons serve all models and measures: what makes a draw easy is common to all, and cancels in
differences.

The ends are percentiles of the draws, corrected twice. For bias (Efron 1981): repeated rows are ties with themselves,
which lifts average precision, so that its draws lie above the estimate. And expanded for few persons (Hesterberg 2015,
"What teachers should know about the bootstrap"): the percentiles where a normal interval would be as wide as a t
interval. On 250 samples of 50 and of 200 rows, a fifth of them events, plain percentiles covered the true AUPRC in 59 %
and 80 %, these in 89 % and 93 %; AUROC, Brier score and log loss were covered in 95 % or more by all.

The intervals are those of the predictions as they are. The luck of folds and of initial weights is not in them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.progress import Progress

LEVEL = 0.95
FEW = 20  # fewer groups than this: said beside the interval
CHUNK_BYTES = 32_000_000
MOST_UNDEFINED = 0.05  # of the draws; more, and no interval is given

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Estimate:
    """A number with its interval."""

    value: float
    low: float
    high: float

    def __format__(self, numbers: str) -> str:
        """With the format of its numbers, as in f"{estimate:.3f}"; without an interval where there is none."""
        if not np.isfinite(self.value):
            return "-"
        if not np.isfinite([self.low, self.high]).all():
            return f"{self.value:{numbers}} (no interval)"
        return f"{self.value:{numbers}} ({self.low:{numbers}} to {self.high:{numbers}})"

    def excludes(self, value: float) -> bool:
        """Whether the whole interval lies on one side of `value`."""
        return bool(self.low > value or self.high < value)


def draws_of(groups: int, draws: int, seed: int, width: int) -> Iterator[Array]:
    """How often each group counts, (some draws, groups), as many draws at a time as fit with `width` rows."""
    generator = np.random.default_rng(seed)
    at_once = max(1, CHUNK_BYTES // (8 * max(width, 1)))
    for start in range(0, draws, at_once):
        some = min(at_once, draws - start)
        yield np.stack(
            [np.bincount(generator.integers(0, groups, groups), minlength=groups) for _ in range(some)]
        ).astype(float)


def bootstrapped(
    statistic: Callable[[Array], dict[Key, Array]],
    groups: int,
    draws: int,
    seed: int,
    rows: int | None = None,
    show: bool | None = None,
) -> tuple[dict[Key, float], dict[Key, Array]]:
    """The numbers of `statistic` with each group counted once, and in each draw, (draws,).

    Parameters
    ----------
    statistic : takes counts (some draws, groups), gives for each name an array (some draws,)
    groups : how many there are
    draws : how many draws
    seed : of the draws; the same seed gives the same draws
    rows : how many rows the groups have, for the size of the pieces
    show : whether to draw a progress bar; default: on a terminal
    """
    once = {name: float(value[0]) for name, value in statistic(np.ones((1, groups))).items()}
    parts: dict[Key, list[Array]] = {name: [] for name in once}
    bar, done = Progress(draws, "intervals", show=show), 0
    for counts in draws_of(groups, draws, seed, rows or groups):
        for name, values in statistic(counts).items():
            parts[name].append(values)
        done += len(counts)
        bar.update(done)
    bar.close()
    return once, {name: np.concatenate(values) for name, values in parts.items()}


def interval(value: float, drawn: Array, groups: int) -> Estimate:
    """`value` with the expanded, bias-corrected percentile interval of the draws.

    NaN for both ends where there are fewer than two groups or more than one draw in twenty left the number undefined
    (no events, for instance).
    """
    from scipy.special import ndtr, ndtri, stdtrit

    defined = drawn[np.isfinite(drawn)]
    if groups < 2 or not np.isfinite(value) or len(defined) < (1.0 - MOST_UNDEFINED) * len(drawn):
        return Estimate(value, np.nan, np.nan)
    z = float(stdtrit(groups - 1, (1.0 - LEVEL) / 2.0) * np.sqrt(groups / (groups - 1.0)))
    below = float((defined < value).mean() + (defined == value).mean() / 2.0)
    shift = 2.0 * float(ndtri(np.clip(below, 1.0 / len(defined), 1.0 - 1.0 / len(defined))))
    low, high = np.quantile(defined, ndtr([shift + z, shift - z]))
    return Estimate(value, float(low), float(high))


def wilson(yes: int, n: int) -> tuple[float, float]:
    """The 95 % interval of the share yes / n (Wilson 1927), sound for few persons too."""
    z, part = 1.959964, yes / n
    middle = (part + z * z / (2 * n)) / (1 + z * z / n)
    half = z * (part * (1 - part) / n + z * z / (4 * n * n)) ** 0.5 / (1 + z * z / n)
    return middle - half, middle + half
