"""Integrated gradients: how much each column adds on the way from the reference to the patient."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tinynet.formulas.vocabulary import Array

NODES, WEIGHTS = np.polynomial.legendre.leggauss(8)
TOLERANCE = 1e-3  # of the score difference; what is farther from adding up is no explanation
FLOOR = 1e-6  # of a score difference, in the score's own unit
DEEPEST = 14  # halvings


class Attribution(NamedTuple):
    """What `integrated` found: contributions (columns,), the scores at both ends, what is left, and pieces it took."""

    contributions: Array
    start: float
    end: float
    residual: float
    pieces: int


def integrated(score: Callable[[Array], tuple[Array, Array]]) -> Attribution:
    """c_j = integral over s from 0 to 1 of (dscore / dx_j)(start + s (end - start)) (end_j - start_j).

    The way is cut in halves where the score bends: each piece knows how far its contributions are from adding up to its
    own change of the score, and is cut while that is more than a tenth of what may be left.

    Source: M. Sundararajan, A. Taly, Q. Yan, Axiomatic attribution for deep networks, 2017.
    """
    ends, _ = score(np.array([0.0, 1.0]))
    start, end = float(ends[0]), float(ends[1])
    allowed = 0.1 * TOLERANCE * max(abs(end - start), FLOOR)
    total: Array | None = None
    pieces, open_pieces = 0, [(0.0, 1.0, start, end, 0)]
    while open_pieces:
        low, high, at_low, at_high, depth = open_pieces.pop()
        middle = (low + high) / 2
        values, slopes = score(np.append(middle + (high - low) / 2 * NODES, middle))
        found = (high - low) / 2 * (WEIGHTS @ slopes[:-1])
        if abs(found.sum() - (at_high - at_low)) > allowed * (high - low) and depth < DEEPEST:
            between = float(values[-1])
            open_pieces += [(low, middle, at_low, between, depth + 1), (middle, high, between, at_high, depth + 1)]
            continue
        total = found if total is None else total + found
        pieces += 1
    assert total is not None
    return Attribution(total, start, end, float(end - start - total.sum()), pieces)


def holds(found: Attribution) -> bool:
    """Whether the contributions add up, to a thousandth of the score difference."""
    return abs(found.residual) <= TOLERANCE * max(abs(found.end - found.start), FLOOR)
