"""Consistency: rows that come twice, columns that hold two kinds of thing, and columns that say nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.tabular.quality.report import Finding, listed, rows_are, rows_at
from tinynet.tabular.quality.view import CODE, MOSTLY, Seen, View

SHAPES = re.compile(r"\d+")
MANY = 50  # kinds; more need grouping before a network learns from them


def consistency(view: View) -> Iterator[Finding]:
    n = view.rows
    constant = [seen.name for seen in view.seen.values() if len(seen.known) == 1 and seen.present.all()]
    if constant:
        yield Finding(
            "consistency", "constant", "note", constant, n, f"{listed(constant)}: the same value in every row"
        )
    if len(view.features) > 0.2 * n:
        text = f"{len(view.features)} columns for {rows_are(n)}: a model can learn each row by heart"
        yield Finding(
            "consistency", "many columns", "warning", [], n, text, {"columns per row": len(view.features) / n}
        )
    yield from duplicates(view)
    for seen in [*view.others, *filter(None, [view.target])]:
        yield from mixtures(view, seen)
        if (
            seen is not view.target
            and not seen.numeric
            and not seen.dated
            and len(seen.known) > MANY
            and seen.name not in view.set_aside
        ):
            rare = int((seen.counts < 5).sum())
            text = f"{seen.name!r} has {len(seen.known):,} kinds, {rare:,} of them in fewer than 5 rows: group them"
            yield Finding("consistency", "many kinds", "note", [seen.name], int(seen.counts.sum()), text)


def row_numbers(columns: list[Seen], n: int) -> Array:
    """(n,): a whole number for each different row."""
    at = np.zeros(n, np.int64)
    for seen in columns:
        at = np.unique(at * (len(seen.known) + 1) + seen.places + 1, return_inverse=True)[1]
    return at


def duplicates(view: View) -> Iterator[Finding]:
    """Equal rows, identifiers and dates left out; told as wrong only where chance would not make so many."""
    columns = [seen for seen in view.features if not seen.dated and len(seen.known) > 1]
    if len(columns) < 2 or view.rows < 2:
        return
    at = row_numbers(columns, view.rows)
    known = np.any([seen.present for seen in columns], axis=0)
    size = np.bincount(at[known], minlength=at.max() + 1)
    again = int((size[size > 1] - 1).sum())
    if not again:
        return
    total = view.rows
    alike = float(np.prod([(np.bincount(seen.places + 1) / total) @ (np.bincount(seen.places + 1) / total)
                           for seen in columns]))  # fmt: skip
    by_chance = total * (total - 1) / 2 * alike
    usual = by_chance > 0.01 * again or len(columns) < 5
    names = [seen.name for seen in columns]
    text = f"{rows_are(again)} repeat{'s' if again == 1 else ''} another row in all {len(columns)} features" + (
        ", as few and coarse columns make likely"
        if usual
        else "; one may be in the training set and its twin in the test"
    )
    twin = known & (size[at] > 1)
    yield Finding(
        "consistency", "duplicate rows", "note" if usual else "warning", [], again, text, examples=rows_at(twin)
    )
    if view.target is None:
        return
    both = row_numbers([*columns, view.target], total)
    different = np.bincount(at[np.unique(both, return_index=True)[1]], minlength=at.max() + 1)
    torn = (different > 1) & (size > 1)
    if torn.any():
        count = int(size[torn].sum())
        text = f"{rows_are(count)} are equal to another in all {len(names)} features and differ in the target"
        severity = "note" if usual else "warning"
        yield Finding(
            "consistency", "same features, other target", severity, [view.target.name], count, text,
            examples=rows_at(torn[at] & known),
        )  # fmt: skip


def mixtures(view: View, seen: Seen) -> Iterator[Finding]:
    """Numbers among texts, one kind spelled in several ways, dates in several forms."""
    if not seen.known or not any(isinstance(v, str) for v in seen.known):
        return
    total = int(seen.counts.sum())
    numbers = int(seen.counts[~np.isnan(seen.values)].sum())
    codes = all(CODE.fullmatch(str(v)) for v, x in zip(seen.known, seen.values, strict=True) if np.isnan(x))
    if 0.5 * total < numbers < total and not codes:
        words = total - numbers
        text = f"{seen.name!r} holds numbers, and in {rows_are(words)} something that is none"
        yield Finding(
            "consistency", "mixed types", "warning", [seen.name], words, text, {"numbers": numbers / total},
            rows_at(seen.present & np.isnan(seen.numbers)),
        )  # fmt: skip
    if seen.numeric:
        return
    forms: dict[str, list[int]] = {}
    for i, value in enumerate(seen.known):
        forms.setdefault(" ".join(re.split(r"[\s_\-./]+", str(value).casefold())).strip(), []).append(i)
    twice = [kinds for kinds in forms.values() if len(kinds) > 1]
    if twice:
        count = sum(int(seen.counts[kinds].sum() - seen.counts[kinds].max()) for kinds in twice)
        text = f"{seen.name!r}: {len(twice)} kinds are spelled in more than one way, in {rows_are(count)}"
        chosen = np.isin(np.arange(len(seen.known)), [i for kinds in twice for i in kinds])
        yield Finding(
            "consistency", "spelled differently", "warning", [seen.name], count, text,
            examples=view.kinds_said(seen, chosen),
        )  # fmt: skip
    shapes: dict[str, int] = {}
    for value, count in zip(seen.known, seen.counts.tolist(), strict=True):
        digits = SHAPES.sub(lambda m: "9" if len(m[0]) < 3 else "9999", str(value))
        if re.fullmatch(r"(9999|9)[-/. ](9|\w{3})[-/. ](9999|9)([T ].*)?", digits):
            shape = digits.replace("T", " ").split(" ")[0] if digits[0] == "9" and digits.count(" ") < 2 else digits
            shapes[shape] = shapes.get(shape, 0) + count
    if len(shapes) > 1 and sum(shapes.values()) >= MOSTLY * total:
        odd = sum(shapes.values()) - max(shapes.values())
        text = f"{seen.name!r} holds dates in {len(shapes)} forms; {rows_are(odd)} differ from the most common one"
        yield Finding("consistency", "mixed dates", "serious", [seen.name], odd, text)
