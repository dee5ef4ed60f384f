"""Intervals as text, such as "[70-80)", "60 - 69", "> 89", "under $11k", "90+"."""

from __future__ import annotations

import math
import re

from tinynet.tabular.cells import number

SIZE = r"[$€£]?\s*(-?\d[\d,]*\.?\d*|-?\.\d+)\s*([kKmM](?![A-Za-z]))?"
UNIT = r"\s*(?:years?|yrs?|y|%|mo|months?|days?|d)?\.?(?:\s+old)?\s*"
CLOSED = re.compile(rf"([\[(])?\s*{SIZE}\s*(?:-|–|—|\.\.|,|;|to|TO|to <)\s*<?{SIZE}{UNIT}([\])])?")
BELOW = re.compile(rf"(?:<=?|≤|under|below|less than|up to|at most)\s*{SIZE}{UNIT}", re.I)
ABOVE = re.compile(rf"(?:>=?|≥|over|above|more than|at least)\s*{SIZE}{UNIT}", re.I)
AND_MORE = re.compile(rf"{SIZE}{UNIT}(?:\+|and over|and older|and above|or more|or older|plus){UNIT}", re.I)
TIMES = {"": 1.0, "k": 1e3, "m": 1e6}


def size(digits: str, times: str | None) -> float:
    return float(digits.replace(",", "")) * TIMES[(times or "").lower()]


def band(text: str) -> tuple[float, float] | None:
    """(least, most) of the interval that a text spells, an open end being infinite; None where it spells none."""
    if found := CLOSED.fullmatch(text):
        low, high = size(found[2], found[3] or found[5]), size(found[4], found[5])
        return (low, high) if low < high else None
    if found := BELOW.fullmatch(text):
        return -math.inf, size(found[1], found[2])
    if found := ABOVE.fullmatch(text) or AND_MORE.fullmatch(text):
        return size(found[1], found[2]), math.inf
    return None


def midpoints(texts: list[str], levels: list[str] | None = None) -> list[float]:
    """Each level's number: a number itself, an interval its middle, an open one its end and half a usual width beyond.

    The usual width is the median of the closed intervals' among `levels` (default: the texts), 0 where there are none.
    NaN for what is no level.
    """
    found = [band(text) for text in texts]
    known = found if levels is None else map(band, levels)
    widths = sorted(high - low for low, high in filter(None, known) if math.isfinite(high - low))
    half = widths[len(widths) // 2] / 2 if widths else 0.0
    out = []
    for text, ends in zip(texts, found, strict=True):
        plain = number(text)
        if ends is None:
            out.append(math.nan if plain is None else plain)
        elif math.isinf(ends[0]):
            out.append(ends[1] - half)
        else:
            out.append(ends[0] + half if math.isinf(ends[1]) else (ends[0] + ends[1]) / 2)
    return out
