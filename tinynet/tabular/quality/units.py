"""Two units in one column: two clusters, and between them a factor that two units have."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.tabular.quality.report import Finding
from tinynet.tabular.quality.view import Seen, View

# NIST SP 811 for the units; molar masses for the laboratory's (glucose 180.16, cholesterol 386.65, creatinine 113.12,
# bilirubin 584.66, urea nitrogen 28.01 g/mol): (the larger number's unit, the smaller's, factor)
FACTORS = [
    ("lb", "kg", 2.20462), ("cm", "in", 2.54), ("cm", "m", 100.0), ("mm", "cm", 10.0), ("g", "kg", 1000.0),
    ("mmHg", "kPa", 7.50062), ("mg/dL", "mmol/L (glucose)", 18.016), ("mg/dL", "mmol/L (cholesterol)", 38.665),
    ("mg/dL", "mmol/L (triglycerides)", 88.57), ("umol/L", "mg/dL (creatinine)", 88.42),
    ("umol/L", "mg/dL (bilirubin)", 17.104), ("mg/dL", "mmol/L (urea nitrogen)", 2.8011), ("months", "years", 12.0),
    ("days", "weeks", 7.0), ("days", "years", 365.25), ("minutes", "hours", 60.0),
]  # fmt: skip
LEAST = 5  # rows in the smaller cluster
MOST = 5000  # rows looked at, evenly over the table
APART = 4.0  # robust standard deviations between the clusters
NEAR = 0.5  # once in one unit, the clusters' medians differ by less than so many


def units(view: View) -> Iterator[Finding]:
    for seen in view.features:
        found = two_units(seen) if seen.numeric and len(seen.known) > 10 else None
        if found:
            larger, smaller, count = found
            text = (
                f"{seen.name!r} seems to hold two units: of the rows looked at {count:,} form a cluster apart, "
                f"and {larger} against {smaller} would bring it to the others"
            )
            yield Finding("consistency", "mixed units", "serious", [seen.name], count, text)


def two_units(seen: Seen) -> tuple[str, str, int] | None:
    """(unit of the larger numbers, of the smaller, rows in the smaller cluster); None where there is one cluster."""
    x = seen.numbers[np.isfinite(seen.numbers)]
    if len(x) < 30:
        return None
    x = x[np.linspace(0, len(x) - 1, min(MOST, len(x))).astype(int)]
    fits = []
    if (x > 0).all():
        log = np.log(x)
        for larger, smaller, factor in FACTORS:
            step = float(np.log(factor))
            if fit := clusters(log, lambda v, s=step: v - s, lambda v, s=step: v + s):  # type: ignore[misc]
                fits.append((fit[0], larger, smaller, fit[1]))
    if fit := clusters(x, lambda f: (f - 32.0) / 1.8, lambda c: 1.8 * c + 32.0):
        median = np.median(x)
        if 20 < median < 120:  # Fahrenheit's degrees and Celsius' are told apart by what bodies have
            fits.append((fit[0], "Fahrenheit", "Celsius", fit[1]))
    if not fits:
        return None
    _, larger, smaller, count = min(fits)
    return larger, smaller, count


def clusters(x: Array, down: Callable[[Array], Array], up: Callable[[Array], Array]) -> tuple[float, int] | None:
    """(misfit, rows in the smaller cluster) where x is one cluster in two units.

    `down` takes the larger numbers to the smaller ones' unit, `up` the other way.
    Each number is taken in the unit that brings it nearer to the middle; the middle is the median of what results. It
    is then asked that the clusters lie apart, that few numbers lie between, that both agree in middle and in spread.
    """
    best = None
    for into in (down, up):  # the larger cluster may be in the smaller unit or in the larger
        other, middle = into(x), np.median(x)
        for _ in range(10):
            moved = np.abs(other - middle) < np.abs(x - middle)
            middle = np.median(np.where(moved, other, x))
        count = int(moved.sum())
        if not LEAST <= count <= 0.5 * len(x) + 1:
            continue
        one, two = x[~moved], other[moved]
        spread, spread_two = spread_of(one), spread_of(two)
        if not spread or not 0.4 < spread_two / spread < 2.5:
            continue
        there = x[moved]
        gap = there.min() - one.max() if np.median(there) > np.median(one) else one.min() - there.max()
        apart = abs(np.median(there) - np.median(one)) / max(spread, spread_of(there))
        between = gap > 0 or apart > 2 * APART
        allowed = NEAR if count < 50 else NEAR / 2
        misfit = abs(np.median(two) - np.median(one)) / spread
        if apart > APART and between and misfit < allowed and (best is None or misfit < best[0]):
            best = float(misfit), count
    return best


def spread_of(x: Array) -> float:
    return float(1.4826 * np.median(np.abs(x - np.median(x))))
