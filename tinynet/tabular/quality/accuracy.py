"""Accuracy: values that cannot be, that hardly can be, and that were rounded by hand."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.tabular.clinical import unit_names
from tinynet.tabular.quality.report import Finding, listed, rows_are, rows_at
from tinynet.tabular.quality.view import Seen, View

FAR = 10.0  # robust standard deviations from the median, as they are, and FAR_LOG as logarithms: hardly possible
RARE = 0.01  # what is far in more rows than this is how the quantity is distributed
FAR_LOG = 7.0
LEVELS = 12  # whole numbers of at most so many levels are a scale
SENTINELS = (-1.0, -9.0, -99.0, -999.0, -9999.0, 99.0, 999.0, 9999.0, 99999.0, 888.0, 777.0)
PREFERRED = 0.40  # share of last digits that are 0 or 5; by chance one in five is
LONGEST_LIFE = 123.0 * 365.25  # days: the oldest age known is 122 years
# 1900-01-01, 1901-01-01, 1970-01-01, 2099-12-31, 9999-12-31 as days
PLACEHOLDERS = (-25567.0, -25202.0, 0.0, 47481.0, 2932896.0)
BIRTH = {"dob", "birth", "born", "birthdate", "dateofbirth", "birthday"}


def accuracy(view: View) -> Iterator[Finding]:
    digits: list[Seen] = []
    strange: dict[str, Array] = {}
    zeros: dict[str, int] = {}
    for seen in view.others:
        if seen.dated:
            continue
        if seen.numeric:
            yield from impossible(seen)
            if seen.name not in view.set_aside:
                if sentinel := sentinels(seen):
                    text = f"{seen.name!r}: {rows_are(sentinel)} at a far number that often stands for a gap"
                    yield Finding("accuracy", "hidden gap", "serious", [seen.name], sentinel, text)
                elif nought := zero_apart(seen):
                    zeros[seen.name] = nought
                elif (far := outlying(seen.numbers) | off_scale(seen)).any():
                    strange[seen.name] = far
                if preferred(seen) > PREFERRED:
                    digits.append(seen)
    if zeros:
        text = f"{listed(list(zeros))}: 0 stands far from all other values: does it mean 'none', or 'not measured'?"
        yield Finding(
            "accuracy", "hidden gap", "warning", list(zeros), max(zeros.values()), text,
            {name: float(count) for name, count in zeros.items()},
            [f"{name!r}: {where}" for name in list(zeros)[:3] for where in rows_at(view[name].numbers == 0)],
        )  # fmt: skip
    if strange:
        counts = {name: float(far.sum()) for name, far in strange.items()}
        total = int(sum(counts.values()))
        text = (
            f"{listed(list(strange))}: {total:,} value{'s are' if total > 1 else ' is'} implausibly far from the others"
        )
        yield Finding(
            "accuracy", "implausible", "warning", list(strange), int(max(counts.values())), text, counts,
            [f"{name!r}: {where}" for name in list(strange)[:3] for where in rows_at(strange[name])],
        )  # fmt: skip
    if digits:
        names = [seen.name for seen in digits]
        text = f"{listed(names)}: last digits 0 and 5 are preferred, so the numbers were rounded by hand"
        yield Finding(
            "accuracy", "digit preference", "note", names, view.rows, text,
            {seen.name: round(preferred(seen), 3) for seen in digits},
        )  # fmt: skip
    yield from dates(view)


def impossible(seen: Seen) -> Iterator[Finding]:
    infinite = int(np.isinf(seen.numbers).sum())
    if infinite:
        text = f"{seen.name!r} is infinite in {rows_are(infinite)}"
        yield Finding("accuracy", "infinite", "serious", [seen.name], infinite, text)
    if seen.column.range is not None:
        least, most = seen.column.range
        outside = (seen.numbers < least) | (seen.numbers > most)
        if outside.any():
            count, unit = int(outside.sum()), f" {seen.column.unit}" if seen.column.unit else ""
            text = f"{seen.name!r} is outside its possible range, {least:g} to {most:g}{unit}, in {rows_are(count)}"
            yield Finding("accuracy", "impossible", "serious", [seen.name], count, text, examples=rows_at(outside))
    elif seen.continuous and (known := unit_names(seen.name)):
        scaled = bool((seen.values < 0).any())
        text = f"{seen.name!r} is not in {' or '.join(known)}" + (
            ": it was standardised, or has another unit" if scaled else " in most rows: which unit has it?"
        )
        severity = "warning" if known == ["years"] and not scaled else "note"
        yield Finding("accuracy", "unknown unit", severity, [seen.name], int(seen.present.sum()), text)


def outlying(numbers: Array) -> Array:
    """(n,): where a number is far from the rest, on the scale on which the rest is the more even one.

    The distance is (x - median) / (1.4826 MAD), of numbers that are not 0 where most are, as they are and,
    where none is negative, as logarithms: a quantity that is skewed, such as a cost, is far where both are.
    """
    finite = np.isfinite(numbers)
    rest = numbers[finite]
    if len(rest) and (rest == np.median(rest)).mean() > 0.25:
        rest = rest[rest != np.median(rest)]
    if len(rest) < 30 or len(np.unique(rest)) < 10:
        return np.zeros(len(numbers), bool)
    far = finite & (distance(numbers, rest) > FAR)
    if (rest >= 0).all() and far.any():
        positive = np.where(finite & (numbers > 0), numbers, np.nan)
        far &= distance(np.log(positive), np.log(rest[rest > 0])) > FAR_LOG
    return far if far.sum() <= max(RARE * finite.sum(), 1) else np.zeros(len(numbers), bool)


def distance(numbers: Array, rest: Array) -> Array:
    middle = np.median(rest)
    spread = max(1.4826 * np.median(np.abs(rest - middle)), np.ptp(np.quantile(rest, [0.05, 0.95])) / 3.29)
    with np.errstate(invalid="ignore"):
        away: Array = np.nan_to_num(np.abs(numbers - middle) / max(spread, 1e-300), nan=0.0, posinf=0.0)
    return away


def off_scale(seen: Seen) -> Array:
    """(n,): rows outside a scale of whole numbers, such as 0 and 55 where the others are 2, 3, 4, 5, 6.

    Below a scale a step must be missing; above it, where counts run thin by themselves, the whole length of the scale.
    """
    none = np.zeros(len(seen.places), bool)
    if not seen.whole or not 4 <= len(seen.known) <= LEVELS:
        return none
    order = np.argsort(seen.values)
    levels, counts = seen.values[order], seen.counts[order]
    cuts = np.flatnonzero(np.diff(levels) > 1) + 1
    parts = [list(part) for part in np.split(np.arange(len(levels)), cuts)]
    body = max(parts, key=lambda part: counts[part].sum())
    if len(body) < 4 or counts[body].sum() < 0.95 * counts.sum():
        return none
    low, high = levels[body[0]], levels[body[-1]]
    outside = (seen.numbers < low) | (seen.numbers > high + (high - low))
    return outside if outside.sum() <= RARE * counts.sum() else none


def sentinels(seen: Seen) -> int:
    """Rows with 999, -9 or the like where that number is alone, beyond all others, and comes at least three times."""
    at = [i for i, value in enumerate(seen.values) if value in SENTINELS]
    for i in at:
        value = seen.values[i]
        rest = np.sort(np.delete(seen.values, i))
        rest = rest[np.isfinite(rest)]
        if len(rest) < 5 or seen.counts[i] < 3:
            continue
        span, step = rest[-1] - rest[0], (np.diff(rest)[-1] if value > 0 else np.diff(rest)[0])
        alone = value > rest[-1] + max(0.5 * span, 3 * step) if value > 0 else value < rest[0] and rest[0] >= 0
        if alone and (value > 0 or len(rest) > LEVELS or value < -1):
            return int(seen.counts[i])
    return 0


def zero_apart(seen: Seen) -> int:
    """Rows that are 0 in a column of positive quantities that come nowhere near it, such as a blood pressure."""
    above = seen.numbers[np.isfinite(seen.numbers) & (seen.numbers != 0)]
    count = int((seen.numbers == 0).sum())
    if not seen.continuous or count < 3 or count > len(above) or (above < 0).any() or len(np.unique(above)) < 20:
        return 0
    least = above.min()
    return count if least > 0.1 * np.median(above) and least > 4 * (1.0 if seen.whole else 0.0) else 0


def preferred(seen: Seen) -> float:
    """The share of whole numbers of two and more digits that end in 0 or 5; 0 where there are too few to say."""
    values = np.abs(seen.values)
    usable = (values >= 10) & np.isfinite(values)
    counts = seen.counts[usable]
    if not seen.whole or usable.sum() < 20 or counts.sum() < 100:
        return 0.0
    return float(counts[values[usable] % 5 == 0].sum() / counts.sum())


def dates(view: View) -> Iterator[Finding]:
    """Dates to come, and lives longer than any known."""
    tomorrow = time.time() // 86400 + 2.0
    dated = [seen for seen in view.seen.values() if seen.dated]
    for seen in dated:
        mark = np.isin(np.floor(seen.days), PLACEHOLDERS)
        if mark.sum() >= 3:
            text = f"{seen.name!r}: {rows_are(int(mark.sum()))} with a date that often stands for a gap"
            yield Finding(
                "accuracy", "hidden gap", "serious", [seen.name], int(mark.sum()), text, examples=rows_at(mark)
            )
            seen.days = np.where(mark, np.nan, seen.days)
    late = [seen for seen in dated if (np.nan_to_num(seen.days, nan=-np.inf) > tomorrow).any()]
    if late:
        count = int(np.any([np.nan_to_num(seen.days, nan=-np.inf) > tomorrow for seen in late], axis=0).sum())
        names = [seen.name for seen in late]
        text = f"{listed(names)}: {rows_are(count)} with dates in the future; they may have been shifted to hide them"
        yield Finding("accuracy", "future date", "warning", names, count, text)
    for birth in dated:
        if not BIRTH & {"".join(birth.words), *birth.words}:
            continue
        for other in dated:
            with np.errstate(invalid="ignore"):
                old, early = other.days - birth.days > LONGEST_LIFE, other.days < birth.days - 1
            for wrong, kind, said in (
                (old, "impossible age", f"is more than 123 years after {birth.name!r} in {{}}: ages were hidden"),
                (early, "before birth", f"is before {birth.name!r} in {{}}"),
            ):
                if other is not birth and wrong.any():
                    text = f"{other.name!r} {said.format(rows_are(int(wrong.sum())))}"
                    yield Finding(
                        "accuracy", kind, "serious", [birth.name, other.name], int(wrong.sum()), text,
                        examples=rows_at(wrong),
                    )  # fmt: skip
