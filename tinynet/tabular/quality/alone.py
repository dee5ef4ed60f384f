"""A column that alone predicts the target too well: known after it, made from it, or worth a closer look."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinynet import metrics
from tinynet.formulas.vocabulary import Array
from tinynet.tabular.quality.names import suspected
from tinynet.tabular.quality.report import Finding, listed, percent, rows_are
from tinynet.tabular.quality.view import Seen, View

TOO_GOOD = 0.90  # AUROC of one column alone
TOO_GOOD_R2 = 0.80  # R2 of one column alone
PERFECT = 0.995
EASY = 0.3  # of the columns above TOO_GOOD: then the classes lie apart by nature, as in easy tasks
HIGH = 0.75  # AUROC that is looked at where it also stands out from the other columns'
STANDS_OUT = 4.0  # times the median of the columns' AUROC - 1/2
FOLDS = 5
PRIOR = 5.0  # rows that the whole table's mean counts for in a level's mean
MOST = 20_000  # rows that are used; more change an AUROC by less than 0.01
EXPECTED = 20.0  # rows of other classes that a level should have, and has none of
LEVELS = 300


def alone(view: View) -> Iterator[Finding]:
    target = view.target
    if target is None or len(target.known) < 2:
        return
    rng = np.random.default_rng(0)
    rows = np.flatnonzero(target.present)
    rows = np.sort(rng.choice(rows, MOST, replace=False)) if len(rows) > MOST else rows
    if len(rows) < 50:
        return
    owner = view.person.places[rows] if view.person is not None else np.arange(len(rows))
    fold = rng.permutation(owner.max() + 2)[owner] % FOLDS  # a person is in one fold
    names = [seen.name for seen in view.features if not seen.dated]
    scores = {name: score(view[name].codes[rows], target, rows, fold) for name in names}
    yield from zeros(view, target)
    if not view.classes:
        for name, r2 in scores.items():
            if r2 >= TOO_GOOD_R2:
                text = (
                    f"{name!r} alone predicts {target.name!r} with R2 {r2:.2f} (cross-validated; {TOO_GOOD_R2} is the "
                    "threshold): is it known before, and no part of it?"
                )
                yield Finding("leakage", "predicts alone", "serious", [name], len(rows), text, {"R2": round(r2, 4)})
        return
    yield from ordered(view, target, rows, fold)
    # the columns that a suspect is held against are those whose names do not accuse them already
    named = suspected(view)
    honest = [abs(s - 0.5) for name, s in scores.items() if name not in named and s < TOO_GOOD]
    usual = float(np.median(honest)) if honest else 0.0
    good = [name for name, auroc in scores.items() if TOO_GOOD <= auroc < PERFECT]
    if len(good) > max(1.0, EASY * len(scores)):
        text = (
            f"{listed(good)} each alone predict {target.name!r} with AUROC {min(scores[n] for n in good):.2f} or more "
            "(cross-validated): an easy task by nature, or all of them are made from the outcome?"
        )
        seen_all = {name: round(scores[name], 4) for name in good}
        yield Finding("leakage", "predicts alone", "warning", good, len(rows), text, seen_all)
        scores = {name: auroc for name, auroc in scores.items() if name not in good}
    out = {}
    for name, auroc in scores.items():
        if auroc >= TOO_GOOD:
            text = (
                f"{name!r} alone predicts {target.name!r} with AUROC {auroc:.2f} (cross-validated; {TOO_GOOD} is the "
                "threshold): is it known before the outcome, and not made from it?"
            )
            yield Finding("leakage", "predicts alone", "serious", [name], len(rows), text, {"AUROC": round(auroc, 4)})
        elif auroc >= HIGH and auroc - 0.5 >= STANDS_OUT * usual and len(scores) >= 10:
            out[name] = round(auroc, 4)
    if out:
        said = ", ".join(f"{name!r} ({auroc:.2f})" for name, auroc in out.items())
        text = (
            f"{said} alone predict{'s' * (len(out) == 1)} {target.name!r} with an AUROC (cross-validated) far above "
            f"the usual column's {usual + 0.5:.2f}: a verdict, a score or an outcome?"
        )
        yield Finding("leakage", "predicts alone", "warning", list(out), len(rows), text, out)
    yield from one_class(view, target)


def score(codes: Array, target: Seen, rows: Array, fold: Array) -> float:
    """The target from the level's mean in the other folds: AUROC, one class against the rest, weighted; or R2."""
    if not target.continuous:
        classes = [k for k, count in enumerate(target.counts) if count >= 2 * FOLDS]
        classes = classes[1:] if len(target.known) == 2 else classes
        truths = [(target.places[rows] == k).astype(float) for k in classes]
    else:
        truths = [target.numbers[rows]]
    total = weight = 0.0
    for truth in truths:
        guess = np.empty(len(rows))
        for k in range(FOLDS):
            held = fold == k
            mean = truth[~held].mean() if (~held).any() else 0.0
            count = np.bincount(codes[~held], minlength=codes.max() + 1)
            sums = np.bincount(codes[~held], truth[~held], minlength=codes.max() + 1)
            guess[held] = ((sums + PRIOR * mean) / (count + PRIOR))[codes[held]]
        ones = np.ones(len(rows))
        if target.continuous:
            return metrics.r2_score(truth[:, None], guess[:, None], ones)
        value = metrics.auc(truth[:, None], guess[:, None], ones)
        total, weight = total + value * truth.sum(), weight + truth.sum()
    return total / weight if weight else 0.5


def one_class(view: View, target: Seen) -> Iterator[Finding]:
    """Levels, or gaps, in which all rows are of one class, where at least 20 of others were to be expected."""
    have = target.present
    share = target.counts / target.counts.sum()
    for seen in view.features:
        codes = np.asarray(seen.places + 1) if len(seen.known) <= LEVELS else (seen.places >= 0).astype(int)
        width = int(codes.max()) + 1
        table = np.bincount(codes[have] * len(share) + target.places[have], minlength=width * len(share))
        table = table.reshape(width, len(share))
        size = table.sum(axis=1)
        pure = (table.max(axis=1) == size) & (size * (1 - share[table.argmax(axis=1)]) >= EXPECTED)
        if pure.any():
            gap, levels, count = bool(pure[0]), int(pure[1:].sum()), int(size[pure].sum())
            where = " and ".join(
                [f"{levels} of its {len(seen.known)} values"] * bool(levels) + ["the rows where it is missing"] * gap
            )
            text = (
                f"{seen.name!r}: in {where} ({rows_are(count)}, {percent(count / view.rows)}) {target.name!r} is "
                "always the same: these rows are decided, or the column is known after the outcome"
            )
            shown = view.kinds_said(seen, pure[1:]) if len(pure) == len(seen.known) + 1 else []
            yield Finding("leakage", "decides the target", "serious", [seen.name], count, text, examples=shown)


def zeros(view: View, target: Seen) -> Iterator[Finding]:
    """Of a quantity that is often 0: columns that, where they are above 0, meet no 0: parts or counts of it."""
    nought = target.numbers == 0
    if view.classes or not 0.05 < nought.mean() < 0.95:
        return
    found = []
    for seen in view.features:
        if seen.numeric and (seen.values >= 0).all():
            above = (seen.numbers > 0) & target.present
            expected = above.sum() * nought.mean()
            if expected >= EXPECTED and above.mean() < 0.99 and (above & nought).sum() <= 0.05 * expected:
                found.append(seen.name)
    if found:
        text = (
            f"{listed(found)}: where {'it is' if len(found) == 1 else 'one is'} above 0, {target.name!r} is, too: "
            "counted with it, or parts of it"
        )
        yield Finding("leakage", "decides the target", "serious", found, view.rows, text)


def ordered(view: View, target: Seen, rows: Array, fold: Array) -> Iterator[Finding]:
    """The place of a row in the file, or its number, that tells the target: sorted by it, or drawn in batches."""
    place = np.arange(view.rows) * 20 // view.rows
    if (auroc := score(place[rows], target, rows, fold)) >= HIGH:
        text = (
            f"the place of a row in the file tells {target.name!r} (AUROC {auroc:.2f}): the rows are sorted, or came "
            "in batches; shuffle before any split, and let no row number in"
        )
        yield Finding("leakage", "order tells the target", "note", [], view.rows, text, {"AUROC": round(auroc, 4)})
        return  # numbers of rows would say it again
    for name in sorted(view.set_aside):
        seen = view[name]
        if seen is view.person or not seen.whole:
            continue
        if (auroc := score(seen.codes[rows], target, rows, fold)) >= HIGH:
            text = f"the identifier {name!r} tells {target.name!r} (AUROC {auroc:.2f}): numbers were given by outcome"
            yield Finding(
                "leakage", "identifier tells the target", "serious", [name], view.rows, text, {"AUROC": round(auroc, 4)}
            )
