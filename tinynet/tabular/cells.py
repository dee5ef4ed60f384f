"""Cells of a table: whatever a library puts into one becomes a number, text or a gap."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from tinynet.formulas.vocabulary import Array

LARGEST = 1e100  # no measurement is beyond it: it counts as infinite
EXACT = 2**53  # whole numbers beyond it are not exact in float64: they are identifiers, and stay text
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?", re.ASCII)
INFINITE = {"inf": math.inf, "+inf": math.inf, "-inf": -math.inf, "infinity": math.inf, "-infinity": -math.inf}
GAPS = {"NAType", "NaTType"}  # pandas's missing values, told by name: pandas need not be installed


def number(text: str) -> float | None:
    """The number that a text spells, such as "-1.5e3", "1,250" or "inf"; None where it spells none."""
    if NUMBER.fullmatch(text):
        return float(text)
    if THOUSANDS.fullmatch(text):
        return float(text.replace(",", ""))
    return INFINITE.get(text.lower())


def spelled(value: float) -> str:
    """A number as text, whole ones without a point: 3.0 is "3"."""
    return str(int(value)) if abs(value) < EXACT and value == int(value) else repr(value)


def column(values: Any, name: str) -> Array:
    """One column as float64, NaN being a gap, or as text (an array of str, None being a gap).

    Numbers and truth values become float64, times between dates become days; dates become ISO text (UTC where they
    have a time zone), bytes UTF-8 text, a list in a cell its items joined by ";". Whole numbers beyond 2**53 stay exact
    as text. Text is stripped; empty text is a gap.

    Raises
    ------
    TypeError : for cells that hold anything else, such as complex numbers or dictionaries
    """
    array = values if isinstance(values, np.ndarray) else None
    if isinstance(array, np.ma.MaskedArray):
        masked = np.ma.getmaskarray(array)
        array = array.data.astype(object)
        array[masked] = None
    if array is not None and array.ndim != 1:
        return from_objects(list(array), name)
    if array is not None and array.dtype.kind in "bf":
        with np.errstate(over="ignore"):  # what is too large for float64 becomes infinite
            return np.array(array, np.float64)
    if array is not None and array.dtype.kind in "iu":
        if array.size and (array.max() > EXACT or array.min() < -EXACT):
            return texts([str(v) for v in array.tolist()])
        return np.array(array, np.float64)
    if array is not None and array.dtype.kind == "M":
        # nanoseconds since 1970 cannot hold every date, seconds can
        spelled_dates = np.datetime_as_string(array.astype("datetime64[s]")).tolist()
        return texts([None if date == "NaT" else date for date in spelled_dates])
    if array is not None and array.dtype.kind == "m":
        days: Array = array.astype("timedelta64[s]").astype(np.float64) / 86400.0
        days[np.isnat(array)] = np.nan
        return days
    if array is not None and array.dtype.kind == "c":
        raise TypeError(f"column {name!r} holds complex numbers; a cell is a number, text or a date")
    return from_objects(array.tolist() if array is not None else list(values), name)


def from_objects(values: Sequence[Any], name: str) -> Array:
    """A column from Python's objects: numbers where all are numbers, else text."""
    kinds = set(map(type, values))
    if not kinds <= {str, type(None)}:
        if kinds <= {float, int, bool, type(None)} and kinds != {type(None)}:
            plain: Sequence[Any] = values
        else:
            plain = [cell(value, name, row) for row, value in enumerate(values)]
        present = [value for value in plain if value is not None]
        whole = [value for value in present if isinstance(value, int)]
        exact = not whole or max(map(abs, whole)) <= EXACT
        if exact and present and not any(isinstance(value, str) for value in present):
            return np.array([math.nan if value is None else value for value in plain], np.float64)
        values = [v if v is None or isinstance(v, str) else words(v) for v in plain]
    return texts(values)


def words(value: float) -> str | None:
    """A number among texts, as text."""
    if isinstance(value, int):
        return str(int(value))
    return None if math.isnan(value) else spelled(value) if math.isfinite(value) else repr(value)


def texts(values: Iterable[str | None]) -> Array:
    """Text in an array: stripped, empty as None, equal texts being one object."""
    listed = list(values)
    known = dict.fromkeys(listed)
    for value in known:
        known[value] = tidy(value or "") or None
    out = np.empty(len(listed), object)
    out[:] = list(map(known.__getitem__, listed))
    return out


def tidy(text: str) -> str:
    """A text without blanks around it, and without halves of characters, which no file can hold."""
    text = text.strip().strip("\0").strip()
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def cell(value: Any, name: str, row: int) -> float | int | str | None:
    """One object as a number, text or None."""
    if value is None or isinstance(value, str):
        return None if value is None else str(value)
    if type(value).__name__ in GAPS:
        return None
    value = value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value
    if isinstance(value, np.generic):
        if value.dtype.kind in "mM":
            alone = column(np.array([value]), name)[0]
            return None if alone is None or alone != alone else alone
        value = value.item()
    if isinstance(value, (bool, int)):
        return int(value)
    if isinstance(value, Decimal) and value.is_nan():  # a signalling one cannot be compared
        return None
    if isinstance(value, (float, Decimal, Fraction)):
        try:
            return None if value != value else float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            raise TypeError(f"column {name!r} holds bytes that are no UTF-8 text, first in row {row}") from None
    if isinstance(value, datetime.datetime):
        return (value if value.tzinfo is None else value.astimezone(datetime.UTC).replace(tzinfo=None)).isoformat()
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds() / 86400.0
    if type(value).__name__ in ("Interval", "Period"):
        return str(value)
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray)):
        items = sorted(value, key=str) if isinstance(value, (set, frozenset)) else list(value)
        inside = [cell(item, name, row) for item in items]
        if not any(isinstance(item, (list, tuple, set, frozenset, np.ndarray)) for item in items):
            return ";".join(item if isinstance(item, str) else words(item) or "" for item in inside if item is not None)
    raise TypeError(
        f"column {name!r} holds something of type {type(value).__name__} in row {row}; "
        "a cell is a number, text, a date, or a list of numbers or texts"
    )


def distinct(values: Array) -> tuple[list[Any], Array]:
    """(the different values without gaps, in order of first sight, each row's place among them; -1 for a gap).

    All work on text is done once a different value, not once a row.
    """
    if values.dtype == object:
        table: dict[Any, int] = {value: i for i, value in enumerate(v for v in dict.fromkeys(values) if v is not None)}
        table[None] = -1
        places = np.fromiter(map(table.__getitem__, values), np.intp, len(values))
        return list(table)[:-1], places
    known, places = np.unique(values, return_inverse=True, equal_nan=True)
    gaps = np.isnan(known)
    return known[~gaps].tolist(), np.where(gaps[places], -1, places) if len(known) else places.astype(np.intp)


def looked_up(table: Sequence[float], places: Array, gap: float = math.nan) -> Array:
    """table[places], with `gap` where a place is -1."""
    return np.array([*table, gap], np.float64)[places]
