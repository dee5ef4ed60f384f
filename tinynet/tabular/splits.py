"""Which rows learn and which are predicted: stratified, by group, repeated, out of time, or by site.

A person whose rows lie on both sides is recognised instead of predicted; so persons stay whole in every kind of split.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.tabular import cells, dates
from tinynet.tabular.identifiers import names_person

MANY_GROUPS = 2_000  # above, scikit-learn's StratifiedGroupKFold takes long (24 s for 70,000 groups)
MOST_SITES = 20
SORTED = re.compile(r"\d{4}[-/]?(\d{2}|Q\d|W\d{2})")  # months, quarters and weeks as text: in order as they stand


@dataclass(frozen=True)
class Fold:
    """The rows to learn from and the rows to predict, in which repeat."""

    train: Array
    test: Array
    repeat: int
    name: str  # "fold 3", "after 2019-05-01", "site B"


@dataclass(frozen=True)
class Plan:
    """The folds of an evaluation, and in words how they were made."""

    folds: list[Fold]
    words: str


def numbered(values: Any, what: str, rows: int) -> tuple[Array, Array]:
    """(the distinct values, the number of each row's value), of a column without gaps."""
    column = np.asarray(values)
    if column.shape != (rows,):
        raise ValueError(f"{what} has one value for each of the {rows} rows; its shape is {column.shape}")
    if column.dtype.kind == "O":
        gaps = np.array([value is None or value != value for value in column], bool)
        column = np.array([str(value) for value in column])
    else:
        gaps = np.isnat(column) if column.dtype.kind in "mM" else np.zeros(rows, bool)
        if column.dtype.kind == "f":
            gaps = np.isnan(column)
    if gaps.any():
        raise ValueError(f"{what} is missing in {gaps.sum()} of {rows} rows; every row needs one")
    found, number = np.unique(column, return_inverse=True)
    return found, number


def refuse_hidden_persons(columns: Iterator[tuple[str, Array]], no_group: str | None) -> None:
    """Raise where a column looks like a person's identifier that repeats, and nobody said that this is meant.

    Raises
    ------
    ValueError : naming the column, and what to give
    TypeError : where `no_group` is not a reason in words
    """
    if no_group is not None:
        if not isinstance(no_group, str) or not no_group.strip():
            raise TypeError('no_group is a reason in words, as in no_group="one row per person"')
        return
    for name, values in columns:
        if not names_person(name):
            continue
        text = np.array([str(value) for value in values]) if values.dtype.kind == "O" else values
        persons = len(np.unique(text))
        if 10 <= persons < len(values):
            raise ValueError(
                f"the column {name!r} looks like a person's identifier ({persons} values in {len(values)} rows): give "
                f"groups={name!r} (in a command --group {name}), so that no person is on both sides of a split, or say "
                'in words why not, as in no_group="one row per person" (--no-group)'
            )


def planned(
    y: Array,
    classes: int,
    groups: Array | None,
    time: Any = None,
    site: Any = None,
    splits: int = 5,
    repeats: int = 1,
    seed: int = 0,
) -> Plan:
    """The folds.

    Parameters
    ----------
    y : (n,) the outcomes; for classes their numbers
    classes : how many; 0 for a number that is predicted (nothing to stratify by)
    groups : (n,) the number of each row's person; None: every row is its own
    time : (n,) when each row became known: dates, numbers, or text of these; folds then learn from the past and predict
        what comes after
    site : (n,) where each row is from; folds then leave out one whole site (of more than 20 sites, a share of them)
    splits : how many folds
    repeats : how often the splitting is done anew; for splits at random only
    seed : of the splits

    Raises
    ------
    ValueError : where the rows, persons, classes, dates or sites do not allow this
    """
    rows = len(y)
    for name, value, least in (("splits", splits, 2), ("repeats", repeats, 1)):
        if not isinstance(value, int | np.integer) or value < least:
            raise ValueError(f"{name} is a whole number of at least {least}; given was {value!r}")
    if time is not None and site is not None:
        raise ValueError("give time or site, not both: rows are held out by the one or by the other")
    if (time is not None or site is not None) and repeats > 1:
        raise ValueError("repeats are for splits at random; out of time and by site there is only one way to split")
    group = np.arange(rows) if groups is None else groups
    persons = len(np.unique(group))
    if persons < splits:
        raise ValueError(
            f"{splits} folds need at least as many {'rows' if groups is None else 'groups'}; there are {persons}"
        )
    if time is not None:
        folds, words = out_of_time(time, rows, splits)
    elif site is not None:
        folds, words = by_site(site, rows, splits, seed)
    else:
        folds = [
            fold for repeat in range(repeats) for fold in at_random(y, classes, group, persons, splits, repeat, seed)
        ]
        words = f"{splits}-fold cross-validation{f', {repeats} times' if repeats > 1 else ''}"
        words += ", classes in the same shares" if classes else ""
    if groups is not None:
        folds = [Fold(fold.train[~np.isin(group[fold.train], group[fold.test])], *rest(fold)) for fold in folds]
        words += ", whole persons (groups) held out"
    for fold in folds:
        refuse_one_sided(fold, y, classes)
    return Plan(folds, words)


def rest(fold: Fold) -> tuple[Array, int, str]:
    return fold.test, fold.repeat, fold.name


def at_random(
    y: Array, classes: int, group: Array, persons: int, splits: int, repeat: int, seed: int
) -> Iterator[Fold]:
    """Folds of whole groups, with the classes in about the same shares."""
    from sklearn.model_selection import KFold, StratifiedGroupKFold, StratifiedKFold

    options: dict[str, Any] = {"n_splits": splits, "shuffle": True, "random_state": seed + repeat}
    if classes:
        with_class = [len(np.unique(group[y == kind])) for kind in range(classes)]
        rarest = int(np.argmin(with_class))
        if with_class[rarest] < splits:
            who = "rows" if persons == len(y) else "groups"
            raise ValueError(
                f"the rarest class has {with_class[rarest]} {who}, too few for {splits} folds: take fewer folds, or "
                "join it with another class"
            )
    if classes and persons == len(y):
        parts = StratifiedKFold(**options).split(y, y)
    elif classes and persons <= MANY_GROUPS:
        parts = StratifiedGroupKFold(**options).split(y, y, group)
    else:
        present, number = np.unique(group, return_inverse=True)
        stratum = np.zeros(len(present), int)
        if classes:  # a person's class is the rarest that this person has
            commonness = np.argsort(np.argsort(-np.bincount(y.astype(int), minlength=classes)))
            np.maximum.at(stratum, number, commonness[y.astype(int)])
        by_person = StratifiedKFold(**options).split(stratum, stratum) if classes else KFold(**options).split(stratum)
        parts = ((np.flatnonzero(np.isin(number, a)), np.flatnonzero(np.isin(number, b))) for a, b in by_person)
    for i, (train, test) in enumerate(parts):
        yield Fold(train, test, repeat, f"fold {i + 1}")


def out_of_time(time: Any, rows: int, splits: int) -> tuple[list[Fold], str]:
    """Each fold predicts a stretch of time from all that came before; rows of one moment stay together.

    The rows are cut into splits + 1 stretches of about the same size; the first only teaches.
    """
    moments, number = in_order(*numbered(time, "time", rows))
    ranked = np.sort(number)
    cuts = np.unique(ranked[[round(rows * i / (splits + 1)) for i in range(1, splits + 1)]])
    cuts = cuts[cuts > 0]
    if len(cuts) < splits:
        raise ValueError(f"time has too few different values for {splits} folds; there are {len(moments)}")
    ends = np.append(cuts[1:], len(moments))
    folds = [
        Fold(np.flatnonzero(number < a), np.flatnonzero((number >= a) & (number < b)), 0, f"from {moments[a]}")
        for a, b in zip(cuts, ends, strict=True)
    ]
    return folds, f"out of time: {splits} stretches of time, each predicted from all that came before"


def in_order(moments: Array, number: Array) -> tuple[Array, Array]:
    """(the distinct moments from the first to the last, the number of each row's); text is read as dates or numbers.

    Raises ValueError where text is neither: in the order of letters, 1/12/2019 would come before 2/1/2019.
    """
    if moments.dtype.kind not in "US":
        return moments, number
    texts = moments.astype(str).tolist()
    if all(map(SORTED.fullmatch, texts)):
        return moments, number
    found = np.array(dates.all_days(texts, dates.month_first(texts)))
    if np.isnan(found).any():
        found = np.array([np.nan if (value := cells.number(text)) is None else value for text in texts])
    if np.isnan(found).any():
        raise ValueError(
            f"time holds text that is not read as a date in {int(np.isnan(found)[number].sum())} of {len(number)} "
            "rows; dates such as 2019-03-31, or numbers, are expected"
        )
    _, first, place = np.unique(found, return_index=True, return_inverse=True)
    return moments[first], place[number]


def by_site(site: Any, rows: int, splits: int, seed: int) -> tuple[list[Fold], str]:
    """Each fold leaves out one whole site; of more than 20 sites, one share of the sites."""
    from sklearn.model_selection import KFold

    sites, number = numbered(site, "site", rows)
    if len(sites) < 2:
        raise ValueError("site has one value only; leaving a site out needs at least two")
    if len(sites) <= MOST_SITES:
        folds = [
            Fold(np.flatnonzero(number != i), np.flatnonzero(number == i), 0, f"site {name}")
            for i, name in enumerate(sites)
        ]
        return folds, f"by site: each of {len(sites)} sites predicted by models that never saw it"
    parts = KFold(splits, shuffle=True, random_state=seed).split(sites)
    folds = [
        Fold(np.flatnonzero(np.isin(number, a)), np.flatnonzero(np.isin(number, b)), 0, f"sites, part {i + 1}")
        for i, (a, b) in enumerate(parts)
    ]
    return folds, f"by site: {len(sites)} sites in {splits} parts, each predicted by models that never saw its sites"


def refuse_one_sided(fold: Fold, y: Array, classes: int) -> None:
    """Raise where a fold has nothing to learn from, or a class is missing there."""
    if not len(fold.train):
        raise ValueError(f"{fold.name} has no rows to learn from: all its persons are also among those to predict")
    there = len(np.unique(y[fold.train]))
    if there < classes:
        raise ValueError(
            f"{fold.name} has {there} of {classes} classes to learn from: take fewer folds, or another kind of split"
        )
