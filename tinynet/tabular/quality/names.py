"""What names and dates say: what is known only after the outcome, and what was measured later than the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from tinynet.tabular.clinical import words_of
from tinynet.tabular.quality.report import Finding, listed, rows_are
from tinynet.tabular.quality.view import Seen, View, name_parts

# English words for what happens at or after an outcome; parts of a name, and whole words that are too short for parts.
LATER = re.compile(
    r"death|dead|died|deceas|mortal|surv(?!ey)|expire|discharg|disch|outcome|follow_?up|readmi|autopsy|dispos|charges?|"
    r"costs?$|cst$|relapse|recur|progress(?!t|ive)|complication|off_?(trt|treat)|censor|resuscit|^dnr"
)
LATER_WORDS = {"los", "slos", "dod", "fu", "dnr", "event", "cens", "billing"}
LATER_NAMES = {"days", "time", "status", "duration", "futime"}  # as whole names
SCORES = re.compile(r"score|apache|saps|sofa|aps$|tiss|bi[_-]?rads|risk|prognos|predict|probab")
# prg2m, weight_6months, hba1c_12mo, day30: the end of a name that says how long after the start
AHEAD = re.compile(r"(.*[a-z])[_. -]*(\d{1,3})[_. -]*(d|days?|w|wks?|weeks?|m|mo|mos|months?|y|yr|yrs|years?)$", re.I)
PAST = re.compile(r"\b(mg|ml|g|l|per|past|last|prev|previous|prior|history|hx)\b")


def names(view: View) -> Iterator[Finding]:
    target = view.target
    if target is None:
        return
    later = [seen.name for seen in view.features if named_later(seen.name)]
    scores = [seen.name for seen in view.features if named_score(seen) and seen.name not in later]
    if later:
        text = (
            f"{listed(later)}: by the name, known only at or after the outcome; keep what is known at prediction time"
        )
        yield Finding("leakage", "named after the outcome", "warning", later, view.rows, text)
    if scores:
        text = f"{listed(scores)}: by the name, a verdict or score of people or other models that may hold the answer"
        yield Finding("leakage", "named like a score", "warning", scores, view.rows, text)
    shared = [
        seen.name for seen in view.features
        if {w for w in seen.words if len(w) > 3} & {w for w in target.words if len(w) > 3}
    ]  # fmt: skip
    if shared and len(shared) < 0.2 * len(view.features):
        text = f"{listed(shared)} share a word of their name with the target {target.name!r}: a part of it?"
        yield Finding("leakage", "named like the target", "warning", shared, view.rows, text)
    yield from series(view)
    yield from after(view)


def named_later(name: str) -> bool:
    plain = name.lower()
    return bool(LATER.search(plain) or LATER_WORDS & set(name_parts(name)) or plain in LATER_NAMES)


def named_score(seen: Seen) -> bool:
    return bool(SCORES.search(seen.name.lower()) or SCORES.search("_".join(seen.words)))


def suspected(view: View) -> set[str]:
    """The columns that their names accuse."""
    return {seen.name for seen in view.features if named_later(seen.name) or named_score(seen)}


def series(view: View) -> Iterator[Finding]:
    """cd40, cd420, cd496: one thing at times 0, 20 and 96, of which the later ones may be after the prediction."""
    everything = list(view.seen)
    for base in everything:
        stem = base[:-1]
        if not base.endswith("0") or not stem or base[-2:-1] in ("0", ".") or len(stem) < 2:
            continue
        later = [n for n in everything if re.fullmatch(re.escape(stem) + r"[1-9]\d*", n)]
        steps = sorted(int(n[len(stem) :]) for n in later)
        if later and steps != list(range(1, len(steps) + 1)):
            text = f"{listed(later)} look like {base!r} at later times: drop those after the prediction time"
            yield Finding("leakage", "measured later", "warning", later, view.rows, text)
    named = ahead(everything)
    if named:
        text = f"{listed(named)}: by the name, at a time ahead; drop what is measured after the prediction time"
        yield Finding("leakage", "measured later", "warning", named, view.rows, text)


def ahead(names: list[str]) -> list[str]:
    """The names that end with a length of time; with one letter for its unit, where two names do so alike."""
    found = {name: at for name in names if (at := AHEAD.fullmatch(name)) and not PAST.search(" ".join(words_of(at[1])))}
    out = []
    for name, at in found.items():
        alike = sum(other[1] == at[1] or other.groups()[1:] == at.groups()[1:] for other in found.values())
        if len(at[3]) > 1 or (len(at[1]) >= 3 and alike > 1):
            out.append(name)
    return out


def after(view: View) -> Iterator[Finding]:
    """Dates later than the time that the schema declares."""
    if view.time is None or not view.time.dated:
        return
    for seen in view.others:
        if not seen.dated:
            continue
        with np.errstate(invalid="ignore"):
            late = int((seen.days > view.time.days).sum())
        if late:
            text = f"{seen.name!r} is after {view.time.name!r} in {rows_are(late)}: it is not known at that time"
            yield Finding("leakage", "after the time", "serious", [seen.name], late, text)
