"""Why a model says what it says of one patient, and what it goes by on the whole."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.tabular.cells import number
from tinynet.tabular.encoders import plain
from tinynet.tabular.explain.asked import answer, chosen, patient_of, predictor_of
from tinynet.tabular.explain.explanation import Effect, Explanation, rounded
from tinynet.tabular.explain.importance import importance, partial_dependence
from tinynet.tabular.explain.influence import Influence, influence
from tinynet.tabular.explain.path import TOLERANCE, holds, integrated
from tinynet.tabular.explain.reference import typical
from tinynet.tabular.explain.score import Score
from tinynet.tabular.facts import gap
from tinynet.tabular.frame import Columns
from tinynet.tabular.predictor import Predictor

__all__ = ["Effect", "Explanation", "Influence", "explain", "importance", "influence", "partial_dependence"]


def explain(model: Any, table: Any, row: int = 0, reference: Any = None, of: Any = None) -> Explanation:
    """Which columns move one row's answer away from the reference patient's, and by how much, by integrated gradients.

    Parameters
    ----------
    model : a fitted TabularClassifier or TabularRegressor, or what `tinynet.load` gives
    table : a table, or one row as a dictionary
    row : which row of it, counted from 0; default the first
    reference : a table whose first row is the patient to compare with; default the training rows' median numbers and
        most frequent kinds, with nothing missing
    of : the class (default: the last of two, else the most probable) or the level of the quantile (default: that
        nearest 1/2)

    Raises
    ------
    IndexError : where there is no such row
    ValueError : for an unknown class or level, and where the contributions do not add up to a thousandth of the score
        difference: then there is no explanation

    A column's contribution belongs to this way from this reference, not to what the column causes. Columns that say
    the same share their contribution.

    Sources: Sundararajan, Taly, Yan, Axiomatic attribution for deep networks, 2017.
    """
    predictor = predictor_of(model, "explain")
    patient = patient_of(predictor, table, row)
    preprocessor, pieces = predictor.preprocessor, predictor.pieces
    end = preprocessor.transform(patient)
    start, words = typical(preprocessor)
    compared = "The reference patient (median numbers and most frequent kinds of the training rows)"
    if reference is not None:
        other = predictor.table(reference).rows(np.array([0]))
        start, words = preprocessor.transform(other), {n: shown(predictor, other, n) for n in words}
        compared = "The reference patient (as given)"
    start, end = pieces(start), pieces(end)
    place, what = chosen(predictor, end, of)
    found = integrated(Score(predictor, start, end, place))
    if not holds(found):
        raise ValueError(
            f"the contributions leave {abs(found.residual):.2g} of a score difference of "
            f"{abs(found.end - found.start):.2g}, more than {TOLERANCE:g} of it; there is no explanation of this row"
        )
    sums = dict.fromkeys(words, 0.0)
    for feature, contribution in zip(origins(predictor, end.shape[1]), found.contributions.tolist(), strict=True):
        sums[feature] += contribution
    effects = [Effect(name, shown(predictor, patient, name), words[name], c) for name, c in sums.items()]
    effects.sort(key=lambda effect: -abs(effect.contribution))
    said = [answer(predictor, z, place) for z in each_member(predictor, end)]
    missing = [name for name in words if gap(patient[name], predictor.schema[name].missing)[0]]
    empty = {f"{name} is missing" for name in missing}
    return Explanation(
        what,
        {"classes": "odds", "log": "times", "two-part": "times"}.get(predictor.outcome.kind, "plus"),
        found.end,
        found.start,
        answer(predictor, [one(end) for one in predictor.ensembles], place),
        answer(predictor, [one(start) for one in predictor.ensembles], place),
        effects,
        found.residual,
        (min(said), max(said)),
        certainty(predictor, patient),
        missing,
        [remark for remark in predictor.remarks(patient)[0] if remark not in empty],
        compared,
    )


def origins(predictor: Predictor, columns: int) -> list[str]:
    """The table's column behind each column that the networks read."""
    features = predictor.preprocessor.features
    names = [feature.origin for feature in features]
    for feature, edges in zip(features, predictor.pieces.edges, strict=True):
        names += [feature.origin] * max(len(edges) - 1, 0)
    assert len(names) == columns
    return names


def each_member(predictor: Predictor, x: Array) -> list[list[Array]]:
    """For each member of the ensembles that counts, every ensemble's z as this member alone would say it."""
    said: list[list[Array]] = []
    counts = [
        [kind for kind, share in zip(("additive", "deep"), e.parts, strict=True) if share] for e in predictor.ensembles
    ]
    for i in range(min(len(e.members[kinds[0]]) for e, kinds in zip(predictor.ensembles, counts, strict=True))):
        for order in range(max(map(len, counts))):
            z = []
            for ensemble, kinds in zip(predictor.ensembles, counts, strict=True):
                member = ensemble.members[kinds[min(order, len(kinds) - 1)]][i]
                z.append(ensemble.shift + ensemble.scale * member.predict(x).astype(np.float64))
            said.append(z)
    return said


def shown(predictor: Predictor, table: Columns, name: str) -> str:
    """A column's value in the first row, as the one who asks gave it, with its unit."""
    column = predictor.schema[name]
    if gap(table[name], column.missing)[0]:
        return "missing"
    value = table[name][0]
    text = rounded(float(value)) if isinstance(value, (float, np.floating)) else plain(value)
    if column.role == "numeric" and isinstance(value, str) and (read := number(value)) is not None:
        text = rounded(read)
    return f"{text} {column.unit}" if column.unit and column.role == "numeric" else text


def certainty(predictor: Predictor, patient: Columns) -> str:
    """What cannot be ruled out, or an interval, in words; empty where the model keeps neither."""
    if predictor.conformal is None:
        return ""
    coverage = predictor.conformal.coverage
    if predictor.outcome.kind != "classes":
        low, high = predictor.predict_interval(patient)[0]
        if not np.isfinite([low, high]).all():  # too few rows were held out
            return ""
        return f"With {100 * coverage:.0f} % coverage the amount lies between {rounded(low)} and {rounded(high)}"
    possible = predictor.predict_set(patient)[0]
    rare, usual = (
        " or ".join(str(one) for one, inside in zip(predictor.classes, possible, strict=True) if inside == kind)
        for kind in (False, True)
    )
    of, share = predictor.target or "the target", f"(under {100 - 100 * coverage:.0f} %)"
    if not rare:
        return f"Such an answer is not rare (over {100 - 100 * coverage:.0f} %) for any value of {of}"
    return f"Such an answer is rare {share} where {of} is {rare}" + (
        f", and not rare where it is {usual}" if usual else ""
    )
