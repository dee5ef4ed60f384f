"""Settings: the numbers that people choose, such as units and learning_rate, each checked in one sentence.

A message shows what was given only where it is short and no data: a number or a word; of anything else its type.
"""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

LONGEST = 40  # characters of a word that a message shows
LARGEST = float(np.finfo(np.float64).max)


def shown(value: Any) -> str:
    """`value` for a message: itself where it is a number or a short word, or a few of them, else what it is."""
    if value is None or isinstance(value, (bool, int, float, np.number, np.bool_)):
        return repr(value.item() if isinstance(value, np.generic) else value)[:LONGEST]
    if isinstance(value, str):
        return repr(value if len(value) <= LONGEST else value[:LONGEST] + "...")
    if isinstance(value, (list, tuple)) and len(value) <= 3 and all(isinstance(v, (int, type(None))) for v in value):
        inside = ", ".join(map(shown, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside})"
    return f"of type {type(value).__name__}"


def flag(what: str, value: Any) -> bool:
    """`value` as True or False, 1 and 0 being these too; ValueError where it is neither."""
    if not isinstance(value, (bool, np.bool_)) and not (isinstance(value, (int, np.integer)) and value in (0, 1)):
        raise ValueError(f"{what} is True or False; given was {shown(value)}")
    return bool(value)


def one_of(value: Any, allowed: tuple[Any, ...]) -> bool:
    """Whether a plain value is among those allowed; an array or a table is among none."""
    return isinstance(value, (bool, int, float, str, type(None))) and value in allowed


def whole(what: str, value: Any, least: int) -> int:
    """`value` as a whole number of at least `least`, 3.0 being one; ValueError where it is none."""
    whole = isinstance(value, (int, np.integer)) or (isinstance(value, float) and value.is_integer())
    if not whole or isinstance(value, bool) or value < least:
        raise ValueError(f"{what} is a whole number of at least {least}; given was {shown(value)}")
    return int(value)


def real(
    what: str,
    value: Any,
    *,
    above: float = -math.inf,
    least: float = -math.inf,
    below: float = math.inf,
    most: float = math.inf,
) -> float:
    """`value` as a finite number within the bounds; ValueError where it is none."""
    number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    value = value.item() if isinstance(value, np.generic) else value
    if not (number and abs(value) <= LARGEST and above < value < below and least <= value <= most):
        bounds = {"above": above, "at least": least, "below": below, "at most": most}
        said = " and ".join(f"{word} {bound:g}" for word, bound in bounds.items() if math.isfinite(bound))
        raise ValueError(f"{what} is {said or 'a number'}; given was {shown(value)}")
    return float(value)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
