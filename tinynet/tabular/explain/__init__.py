"""Why a model says what it says of one patient, and what it goes by on the whole."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.tabular.encoders import plain
from tinynet.tabular.explain.asked import answer, chosen, patient_of, predictor_of
from tinynet.tabular.explain.importance import importance, partial_dependence
from tinynet.tabular.explain.influence import Influence, influence
from tinynet.tabular.explain.path import TOLERANCE, holds, integrated
from tinynet.tabular.explain.reference import typical
from tinynet.tabular.explain.score import Score
from tinynet.tabular.facts import gap
from tinynet.tabular.frame import Columns
from tinynet.tabular.predictor import Predictor

__all__ = ["Effect", "Explanation", "Influence", "explain", "importance", "influence", "partial_dependence"]

SHOWN = 12  # effects that are printed; the rest is one line
BAR = 24  # signs of the longest bar


@dataclass(frozen=True)
class Effect:
    """What one column adds to the score: the patient's value instead of the reference's, in words."""

    column: str
    value: str
    reference: str
    contribution: float


@dataclass(frozen=True)
class Explanation:
    """One answer taken apart.

    what : what the score is: "log-odds of ...", "the logarithm of ..." or an amount
    score, reference : the score of this row, and of the reference patient
    answer, reference_answer : the same as a probability or an amount
    effects : by size; they add up to score - reference, but for `residual`
    residual : what the effects leave, at most a thousandth of the difference
    members : (lowest, highest) answer among the networks of the ensemble
    remarks : what the answer rests on less firmly
    """

    what: str
    score: float
    reference: float
    answer: float
    reference_answer: float
    effects: list[Effect]
    residual: float
    members: tuple[float, float]
    remarks: list[str]

    def lines(self) -> list[tuple[str, float]]:
        """(words, contribution) to show: the largest effects, and the others together."""
        said = [(f"{e.column}: {e.value} (reference: {e.reference})", e.contribution) for e in self.effects]
        rest = said[SHOWN:]
        more = [(f"{len(rest)} other columns together", sum(c for _, c in rest))] if rest else []
        return said[:SHOWN] + more

    def __str__(self) -> str:
        low, high = self.members
        text = [
            f"{self.answer:.4g} (the networks of the ensemble say {low:.4g} to {high:.4g}); the reference patient: "
            f"{self.reference_answer:.4g}",
            f"{self.what}: {self.reference:+.3f} for the reference, {self.score:+.3f} here. What makes the difference:",
        ]
        lines = self.lines()
        most = max((abs(c) for _, c in lines), default=0.0) or 1.0
        for words, contribution in lines:
            bar = "#" * round(BAR * abs(contribution) / most)
            text.append(f"  {contribution:+8.3f}  {'raises' if contribution > 0 else 'lowers':6} {bar:{BAR}}  {words}")
        text.append(f"  {self.residual:+8.3f}  left over")
        text += (
            ["What this answer rests on less firmly:", *(f"  {one}" for one in self.remarks)] if self.remarks else []
        )
        return "\n".join(text)

    def draw(self, axes: Any) -> None:
        """The effects as bars, into Matplotlib's axes."""
        lines = self.lines()[::-1]
        sizes = [contribution for _, contribution in lines]
        axes.barh(range(len(lines)), sizes, color=["#c8553d" if c > 0 else "#3d7ea6" for c in sizes], height=0.7)
        axes.set_yticks(range(len(lines)), [words if len(words) < 62 else words[:60] + "..." for words, _ in lines])
        axes.axvline(0, color="#333333", linewidth=1)
        axes.set_xlabel(f"adds to {self.what}: red raises, blue lowers")
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)

    @property
    def height(self) -> float:
        """Of the figure, in inches."""
        return 0.7 + 0.34 * max(len(self.lines()), 2)

    def figure(self) -> Any:
        """The effects as bars, a Matplotlib figure."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, self.height), layout="constrained")
        self.draw(figure.subplots())
        return figure

    def to_html(self) -> str:
        """A page with the figure and the words."""
        import io

        drawn = io.StringIO()
        self.figure().savefig(drawn, format="svg")
        picture = drawn.getvalue()
        return (
            '<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            "<title>One answer, explained</title><style>body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;"
            "margin:2rem auto;padding:0 1rem}svg{max-width:100%;height:auto}pre{overflow:auto}</style>"
            f"<h1>One answer, explained</h1>{picture[picture.index('<svg') :]}<pre>{html.escape(str(self))}</pre>\n"
        )


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
    if reference is not None:
        other = predictor.table(reference).rows(np.array([0]))
        start, words = preprocessor.transform(other), {n: shown(predictor, other, n) for n in words}
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
    return Explanation(
        what,
        found.end,
        found.start,
        answer(predictor, [one(end) for one in predictor.ensembles], place),
        answer(predictor, [one(start) for one in predictor.ensembles], place),
        effects,
        found.residual,
        (min(said), max(said)),
        predictor.remarks(patient)[0],
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
    text = f"{value:.6g}" if isinstance(value, (float, np.floating)) else plain(value)
    return f"{text} {column.unit}" if column.unit and column.role == "numeric" else text
