"""What names and dates say: what is known only after the outcome, and what was measured later than the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from tinynet.tabular.quality.report import Finding, listed, rows_are
from tinynet.tabular.quality.view import View

# English words for what happens at or after an outcome; parts of a name, and whole words that are too short for parts.
LATER = re.compile(
    r"death|dead|died|deceas|mortal|surv(?!ey)|expire|discharg|disch|outcome|follow_?up|readmi|autopsy|dispos|charges?|"
    r"costs?$|cst$|relapse|recur|progress|complication|off_?(trt|treat)|censor|resuscit"
)
LATER_WORDS = {"los", "slos", "dod", "fu", "dnr", "event", "cens", "billing"}
LATER_NAMES = {"days", "status", "duration", "futime"}  # as whole names
SCORES = re.compile(r"score|apache|saps|sofa|aps$|tiss|bi[_-]?rads|risk|prognos|predict|probab")


def names(view: View) -> Iterator[Finding]:
    target = view.target
    if target is None:
        return
    later, scores = [], []
    for seen in view.features:
        name = "_".join(seen.words)
        plain = seen.name.lower()
        if LATER.search(plain) or LATER_WORDS & set(seen.words) or plain in LATER_NAMES:
            later.append(seen.name)
        elif SCORES.search(plain) or SCORES.search(name):
            scores.append(seen.name)
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
