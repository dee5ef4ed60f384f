"""Numbers that may travel in a file: no single person's value, but what five persons or more have, or a mean of five.

Source: micro-aggregation, J. Domingo-Ferrer and J. M. Mateo-Sanz, Practical data-oriented microaggregation for
statistical disclosure control, 2002.
"""

from __future__ import annotations

import numpy as np

from tinynet.formulas.vocabulary import Array

CROWD = 5  # persons; where rows have no persons, rows


def ranked(x: Array, person: Array | None) -> Array:
    """x (n,) sorted; a value that a person (n,) has in several rows counts once."""
    if person is None:
        return np.sort(x)
    order = np.lexsort((person, x))
    x, person = x[order], person[order]
    again = (x[1:] == x[:-1]) & (person[1:] == person[:-1])
    return x[np.r_[True, ~again]] if len(x) else x


def blurred(x: Array, shares: Array) -> Array:
    """Quantiles of ranked x (n,) at the shares (k,): (k,), or none for fewer than CROWD.

    Each is the value at its place where CROWD persons or more have it, else the mean of the CROWD values around it.
    They never fall.
    """
    if len(x) < CROWD:
        return np.empty(0)
    places = np.round(np.asarray(shares) * (len(x) - 1)).astype(int)
    first = np.clip(places - CROWD // 2, 0, len(x) - CROWD)
    means = np.array([x[at : at + CROWD].mean() for at in first])
    there = x[places]
    sharing = np.searchsorted(x, there, side="right") - np.searchsorted(x, there, side="left")
    found: Array = np.where(sharing >= CROWD, there, np.clip(means, x[first], x[first + CROWD - 1]))
    return found


def blocks(x: Array, most: int) -> Array:
    """Means of consecutive parts of ranked x, each of CROWD values or more and all of about one size; at most `most`.

    No value is in two of them, so that a difference of two means is not of a few persons either. They never fall.
    """
    count = min(most, len(x) // CROWD)
    means = [np.clip(part.mean(), part[0], part[-1]) for part in np.array_split(x, count)] if count else []
    return np.array(means, np.float64)
