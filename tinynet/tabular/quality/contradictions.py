"""What cannot be true together: dates in the wrong order, a least above a greatest, men who are pregnant."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.tabular.clinical import spellings, unit_of
from tinynet.tabular.quality.report import Finding, rows_are, rows_at
from tinynet.tabular.quality.view import Seen, View

ORDERED = 0.97  # one date comes before another in so many rows that the other rows are wrong
LEAST = 30  # rows with both
OFF = 0.10  # a body mass index that differs so much from weight / height^2
OPPOSITES = [
    ("min", "max"),
    ("minimum", "maximum"),
    ("low", "high"),
    ("lower", "upper"),
    ("start", "end"),
    ("begin", "end"),
]
PRESSURES = ({"sbp", "systolic", "systolic bp", "systolic blood pressure", "sysbp", "ap hi"},
             {"dbp", "diastolic", "diastolic bp", "diastolic blood pressure", "diabp", "ap lo"})  # fmt: skip
OF_WOMEN = re.compile(r"pregnan|gravid|(^|_)parity|menopaus|gestation|ovar|uter(us|ine)|cervical_cancer")
NO = {"0", "0.0", "no", "n", "f", "false", "none", "never", "not applicable"}
METRES, KILOGRAMS = {"cm": 0.01, "m": 1.0, "in": 0.0254}, {"kg": 1.0, "lb": 1 / 2.20462}


def contradictions(view: View) -> Iterator[Finding]:
    yield from dates(view)
    yield from numbers(view)
    yield from body(view)
    yield from sexes(view)


def told(view: View, columns: list[Seen], wrong: Array, said: str) -> Iterator[Finding]:
    count = int(wrong.sum())
    if count:
        text = f"{said} in {rows_are(count)}"
        names = [seen.name for seen in columns]
        yield Finding("consistency", "contradiction", "warning", names, count, text, examples=rows_at(wrong))


def dates(view: View) -> Iterator[Finding]:
    """Two dates of which one nearly always comes first."""
    dated = [seen for seen in view.seen.values() if seen.dated]
    for i, one in enumerate(dated):
        for other in dated[:i]:
            with np.errstate(invalid="ignore"):
                before, after = one.days < other.days, one.days > other.days
            # where most are equal, neither comes first: what is copied from the other may be changed later
            both, apart = int((np.isfinite(one.days) & np.isfinite(other.days)).sum()), int((before | after).sum())
            for first, second, good, wrong in ((one, other, before, after), (other, one, after, before)):
                if both >= LEAST and apart > 0.5 * both and good.sum() >= ORDERED * apart:
                    said = f"{first.name!r} comes before {second.name!r} in nearly all rows, and after it"
                    yield from told(view, [first, second], wrong, said)


def numbers(view: View) -> Iterator[Finding]:
    """Pairs of columns whose names say which one is less."""
    numeric = {seen.name.lower(): seen for seen in view.features if seen.numeric}
    pairs = []
    for name, seen in numeric.items():
        for low, high in OPPOSITES:
            other = re.sub(rf"(?<![a-z]){low}(?![a-z])", high, name)
            if other != name and other in numeric:
                pairs.append((seen, numeric[other]))
    upper, lower = ([seen for seen in numeric.values() if names & set(spellings(seen.name))] for names in PRESSURES)
    pairs += [(lower[0], upper[0])] if len(lower) == len(upper) == 1 else []
    for least, most in pairs:
        with np.errstate(invalid="ignore"):
            wrong = least.numbers > most.numbers
        if wrong.mean() < 0.5:
            yield from told(view, [least, most], wrong, f"{least.name!r} is above {most.name!r}")


def body(view: View) -> Iterator[Finding]:
    """A body mass index that is not weight / height^2."""
    found: dict[str, tuple[Seen, str]] = {}
    for seen in view.features:
        if seen.numeric and seen.continuous and (unit := unit_of(seen.name, float(np.nanmedian(seen.numbers)))):
            for kind in ("height", "weight", "bmi"):
                if {kind, {"height": "ht", "weight": "wt", "bmi": "body mass index"}[kind]} & set(spellings(seen.name)):
                    found.setdefault(kind, (seen, unit[0]))
    if len(found) < 3:
        return
    (height, metre), (weight, kilogram), (bmi, _) = (found[kind] for kind in ("height", "weight", "bmi"))
    if metre not in METRES or kilogram not in KILOGRAMS:
        return
    with np.errstate(all="ignore"):
        should = weight.numbers * KILOGRAMS[kilogram] / (height.numbers * METRES[metre]) ** 2
        wrong = np.abs(bmi.numbers / should - 1.0) > OFF
    yield from told(
        view, [bmi, weight, height], wrong, f"{bmi.name!r} is not {weight.name!r} / {height.name!r}^2, by over 10 %,"
    )


def sexes(view: View) -> Iterator[Finding]:
    """What only women have, in rows that say they are of men."""
    for sex in view.seen.values():
        kinds = [str(v).casefold() for v in sex.known]
        if not {"sex", "gender"} & set(sex.words) or not {"m", "male", "man"} & set(kinds):
            continue
        men = sex.present & np.isin(sex.places, [i for i, kind in enumerate(kinds) if kind in ("m", "male", "man")])
        for seen in view.features:
            if not OF_WOMEN.search("_".join(seen.words)):
                continue
            no = [str(v).casefold() in NO for v in seen.known]
            wrong = men & seen.present & ~np.isin(seen.places, np.flatnonzero(no))
            yield from told(view, [seen, sex], wrong, f"{seen.name!r} is said of men ({sex.name!r})")
