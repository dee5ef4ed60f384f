"""Persons with several rows: who they are, what about them cannot change, and who may be on both sides of a split."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.tabular.quality.report import Finding, listed, percent, rows_are, rows_at
from tinynet.tabular.quality.view import Seen, View

IDENTIFIERS = {"id", "ids", "nbr", "mrn", "ssn", "uuid", "guid", "key", "pid", "pidnum", "idp"}
NAMED = {"subject", "patient", "person", "filename", "identifier", "participant"}
KINDS = 30  # a column named like an identifier with fewer values is a coded kind
UNCHANGING = {"sex", "gender", "race", "ethnicity", "dob", "birth", "birthdate", "birthday", "female", "male", "black"}
SPLITS = {"train", "training", "test", "testing", "val", "valid", "validation", "dev", "holdout"}
SAME = 0.98  # rows of one person agree so often in what belongs to a person
LARGEST = 0.15  # of the rows: one person has no more
HOUSEHOLD = 20  # persons at most
MET = 30  # pairs of persons who share a rare value; fewer say nothing
ALIKE = 0.85  # of the way from agreement by chance to full agreement
BY_CHANCE = 0.75  # rows of different persons agree less often than this


def named_as_identifier(seen: Seen) -> bool:
    return bool((IDENTIFIERS | NAMED) & {*seen.words, "".join(seen.words)})


def identifiers(view: View) -> Iterator[Finding]:
    """Columns that name rows. They are set aside for the other checks."""
    for seen in view.others:
        alone = len(seen.known) == seen.counts.sum() and len(seen.known) >= 20
        ordered = alone and seen.whole and seen.present.all() and bool((np.diff(seen.numbers) > 0).all())
        textual = alone and not seen.numeric and not seen.dated
        if alone and (
            ordered or textual or (named_as_identifier(seen) and (seen.whole or not (seen.numeric or seen.dated)))
        ):
            view.set_aside.add(seen.name)
            text = f"{seen.name!r} is different in every row: it names or counts rows, and is no feature"
            yield Finding("leakage", "identifier", "warning", [seen.name], int(seen.counts.sum()), text)
        elif (
            named_as_identifier(seen)
            and len(seen.known) > max(KINDS, 0.005 * view.rows)
            and (seen.whole or not (seen.numeric or seen.dated))
        ):
            view.set_aside.add(seen.name)
            text = f"{seen.name!r} is named like an identifier, with {len(seen.known):,} values: no feature"
            yield Finding("leakage", "identifier", "warning", [seen.name], int(seen.counts.sum()), text)


def repeats(group: Seen) -> Array:
    """(pairs, 2): rows that follow each other within a person."""
    order = np.argsort(group.places, kind="stable")
    order = order[group.places[order] >= 0]
    same = group.places[order[1:]] == group.places[order[:-1]]
    return np.stack([order[:-1][same], order[1:][same]], axis=1)


def belongs(view: View, pairs: Array, skip: Seen) -> list[str]:
    """The columns in which rows of one person agree, and rows of different persons mostly do not."""
    out = []
    for seen in view.seen.values():
        if seen is skip or seen is view.target or len(seen.known) < 2:
            continue
        share = np.bincount(seen.places + 1) / view.rows
        agree = (seen.places[pairs[:, 0]] == seen.places[pairs[:, 1]]).mean()
        if agree >= SAME and share @ share <= BY_CHANCE:
            out.append(seen.name)
    return out


def persons(view: View) -> Iterator[Finding]:
    groups = [view.group] if view.group is not None else candidates(view)
    view.person = groups[0] if groups else None
    for group in groups:
        pairs = repeats(group)
        if not len(pairs):
            continue
        known = len(group.known)
        largest = int(group.counts.max())
        owned = belongs(view, pairs, group)
        given = group is view.group
        text = (
            f"{rows_are(int(group.counts.sum()))} belong to {known:,} groups by {group.name!r}, "
            f"up to {largest:,} in one: "
            + ("split by it" if given else "it looks like one person's rows; give it as the group, and split by it")
        )
        severity = "warning" if given else "serious"
        yield Finding("leakage", "one person, several rows", severity, [group.name], len(pairs), text)
        view.set_aside.add(group.name)
        yield from contradictions(view, group, pairs)
        yield from recognised(view, group, owned)
        yield from households(view, group, owned)
        yield from interpolated(view, group)
        yield from splits(view, group)
    if not groups:
        yield from splits(view, None)


def candidates(view: View) -> list[Seen]:
    """The column that most likely names persons, if there is one: several other columns agree within its rows."""
    found = []
    for seen in view.others:
        rows = int(seen.counts.sum())
        usable = (seen.whole or not seen.numeric) and not seen.dated and rows >= 0.9 * view.rows
        if not usable or len(seen.known) < max(20, 0.002 * rows) or len(seen.known) > 0.95 * rows:
            continue
        if seen.counts.max() > LARGEST * rows:
            continue
        owned = belongs(view, repeats(seen), seen)
        if len(owned) >= (1 if named_as_identifier(seen) else 2):
            found.append((not named_as_identifier(seen), -len(owned), seen))
    found.sort(key=lambda item: item[:2])
    return [seen for _, _, seen in found[:1]]


def contradictions(view: View, group: Seen, pairs: Array) -> Iterator[Finding]:
    for seen in view.others:
        if seen is group or not UNCHANGING & {*seen.words, "".join(seen.words)} or len(seen.known) < 2:
            continue
        a, b = seen.places[pairs[:, 0]], seen.places[pairs[:, 1]]
        torn = (a != b) & (a >= 0) & (b >= 0)
        if torn.any():
            count = len(np.unique(group.places[pairs[torn, 0]]))
            text = (
                f"{seen.name!r} cannot change, but does in {count:,} of {len(group.known):,} groups by {group.name!r}"
            )
            where = np.isin(np.arange(view.rows), pairs[torn, 1])
            yield Finding(
                "consistency", "contradictory repeats", "warning", [seen.name], int(torn.sum()), text,
                examples=rows_at(where),
            )  # fmt: skip


def recognised(view: View, group: Seen, owned: list[str]) -> Iterator[Finding]:
    """A few columns that together name the person: a model may learn who it is in place of what it should."""
    from tinynet.tabular.quality.consistency import row_numbers

    usable = sorted((view[name] for name in owned if name not in view.set_aside), key=lambda s: -len(s.known))[:4]
    if not usable:
        return
    at = row_numbers(usable, view.rows)
    pairs = np.unique(np.stack([at, group.places], axis=1), axis=0)
    alone = np.bincount(pairs[:, 0], minlength=at.max() + 1)[at] == 1
    share = float(alone.mean())
    if share >= 0.5:
        names = [seen.name for seen in usable]
        text = (
            f"{listed(names)} together tell who it is in {percent(share)} of the rows, where rows of a person are apart"
        )
        yield Finding("leakage", "recognises persons", "warning", names, int(alone.sum()), text, {"share": share})


def households(view: View, group: Seen, owned: list[str]) -> Iterator[Finding]:
    """Persons who share a rare value, and with it much else: families, villages, practices that have no number."""
    first = np.unique(group.places[group.present], return_index=True)[1]
    first = np.flatnonzero(group.present)[first]  # one row of each person
    for by in (view[name] for name in owned):
        places = by.places[first]
        counts = np.bincount(places[places >= 0], minlength=len(by.known))
        small = (counts > 0) & (counts <= HOUSEHOLD)
        if not 0.1 * len(first) < small.sum() < 0.9 * len(first):
            continue
        order = np.argsort(places, kind="stable")
        order = order[(places[order] >= 0) & small[places[order]]]
        pairs = first[np.stack([order[:-1], order[1:]], axis=1)[places[order[:-1]] == places[order[1:]]]]
        if len(pairs) < MET:
            continue
        shared = []
        for seen in (view[name] for name in owned if name != by.name):
            if seen.numeric and by.numeric and monotone(seen.numbers, by.numbers):
                continue  # such as the logarithm
            share = np.bincount(seen.places[first] + 1) / len(first)
            chance = share @ share
            agree = (seen.places[pairs[:, 0]] == seen.places[pairs[:, 1]]).mean()
            if chance < BY_CHANCE and agree - chance > ALIKE * (1 - chance):
                shared.append(seen.name)
        if len(shared) >= 3:
            text = (
                f"many of the {len(first):,} groups by {group.name!r} share {by.name!r}, and with it {listed(shared)}: "
                "families or the like, which should stay in one part of a split"
            )
            yield Finding("leakage", "groups of persons", "warning", [by.name, *shared], len(pairs), text)
            return


def monotone(x: Array, y: Array) -> bool:
    """Whether one column is a rising or falling function of the other, such as the logarithm."""
    both = np.isfinite(x) & np.isfinite(y)
    by = np.argsort(y[both], kind="stable")
    rise = np.diff(x[both][by])
    return bool((rise >= 0).all() or (rise <= 0).all())


def interpolated(view: View, group: Seen) -> Iterator[Finding]:
    """A target that lies on straight lines over time within a person was not measured in every row."""
    target = view.target
    if target is None or not target.continuous:
        return
    clocks = [view.time] if view.time else [s for s in view.others if {"time", "day", "days", "date"} & set(s.words)]
    for clock in clocks:
        at = clock.days if clock.dated else clock.numbers
        rows = np.flatnonzero(np.isfinite(at) & np.isfinite(target.numbers) & group.present)
        rows = rows[np.lexsort((at[rows], group.places[rows]))]
        kept = apart(target.numbers[rows], group.places[rows], 0.01 * float(np.std(target.numbers[rows])))
        t, y, g = at[rows][kept], target.numbers[rows][kept], group.places[rows][kept]
        inner = (g[2:] == g[:-2]) & (t[2:] > t[:-2])
        if inner.sum() < 50:
            continue
        share_of_time = (t[1:-1] - t[:-2])[inner] / (t[2:] - t[:-2])[inner]
        rise = (y[2:] - y[:-2])[inner]
        off = np.abs((y[1:-1] - y[:-2])[inner] - share_of_time * rise)
        share = float((off <= 0.05 * np.abs(rise)).mean())
        if share > 0.5:
            text = (
                f"{target.name!r} lies on straight lines over {clock.name!r} in {percent(share)} of the rows: it was "
                "interpolated, not measured"
            )
            count = int(share * len(rows))
            yield Finding("labels", "interpolated target", "serious", [target.name, clock.name], count, text)
            return


def apart(y: Array, person: Array, step: float) -> Array:
    """The rows, in their order, that differ by at least `step` from the row kept before: rounding then weighs less."""
    kept: list[int] = []
    for i, (value, owner) in enumerate(zip(y.tolist(), person.tolist(), strict=True)):
        if not kept or owner != person[kept[-1]] or abs(value - y[kept[-1]]) >= step:
            kept.append(i)
    return np.array(kept, np.intp)


def splits(view: View, group: Seen | None) -> Iterator[Finding]:
    """A column that says train or test, and persons who are in both."""
    for split in view.others:
        kinds = {str(v).casefold() for v in split.known}
        if not 2 <= len(kinds) <= 5 or not kinds <= SPLITS:
            continue
        view.set_aside.add(split.name)
        if group is None:
            continue
        pairs = np.unique(np.stack([group.places, split.places], axis=1)[group.present & split.present], axis=0)
        both = int((np.bincount(pairs[:, 0]) > 1).sum())
        if both:
            text = f"{both:,} groups by {group.name!r} have rows in several parts of the split {split.name!r}"
            yield Finding("leakage", "person in several splits", "serious", [group.name, split.name], both, text)
