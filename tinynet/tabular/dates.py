"""Dates and times as text, such as "2019-03-31", "31/03/2019 14:05", "31 Mar 2019", as days."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Sequence

NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTHS = {month: i for i, month in enumerate(NAMES, 1)}
CLOCK = r"(?:[T ]\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?\s*(am|pm)?\s*(Z|UTC|[+-]\d{2}:?\d{2})?)?"
YEAR_FIRST = re.compile(rf"(\d{{4}})[-/.](\d{{1,2}})[-/.](\d{{1,2}}){CLOCK}", re.I | re.A)
YEAR_LAST = re.compile(rf"(\d{{1,2}})[-/.](\d{{1,2}})[-/.](\d{{4}}){CLOCK}", re.I | re.A)
NAMED = re.compile(rf"(\d{{1,2}})[- ]([a-z]{{3}})[a-z]*\.?,?[- ](\d{{4}}){CLOCK}", re.I | re.A)


def days(text: str, month_first: bool = False) -> float | None:
    """Days since 1970-01-01 (UTC where a zone is given); None where the text is no date."""
    if found := YEAR_FIRST.fullmatch(text):
        year, month, day = found[1], int(found[2]), found[3]
    elif found := YEAR_LAST.fullmatch(text):
        year, month, day = found[3], int(found[1 if month_first else 2]), found[2 if month_first else 1]
    elif (found := NAMED.fullmatch(text)) and found[2].lower() in MONTHS:
        year, month, day = found[3], MONTHS[found[2].lower()], found[1]
    else:
        return None
    hour, minute, second = (int(part or 0) for part in found.groups()[3:6])
    half, zone = (found[7] or "").lower(), found[8] or ""
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    try:
        whole = datetime.datetime(int(year), month, int(day), hour, minute, second)
    except ValueError:
        return None
    offset = 0.0
    if zone and zone[0] in "+-":
        offset = (int(zone[1:3]) / 24 + int(zone[-2:]) / 1440) * (1 if zone[0] == "+" else -1)
    return (whole - datetime.datetime(1970, 1, 1)) / datetime.timedelta(days=1) - offset


def month_first(texts: Sequence[str]) -> bool:
    """Whether dates such as 03/31/2019 name the month first: a second part goes beyond 12, and no first one does."""
    parts = [found for text in texts if (found := YEAR_LAST.fullmatch(text))]
    return any(int(p[2]) > 12 for p in parts) and not any(int(p[1]) > 12 for p in parts)


def all_days(texts: Sequence[str], first: bool) -> list[float]:
    """Each text's days, NaN for what is no date."""
    return [math.nan if (day := days(text, first)) is None else day for text in texts]
