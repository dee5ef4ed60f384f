"""One answer taken apart, in the words, units and roundings of those who asked."""

from __future__ import annotations

import html
import io
import math
from dataclasses import dataclass
from typing import Any

SHOWN = 12  # effects that are shown; the rest is one line
SMALL = 0.01  # of the largest effect; what is smaller goes into that line, too
BAR = 24  # signs of the longest bar
CAUTION = (
    "This is what the model goes by, not what causes the outcome; columns that say the same share their part."
)  # fmt: skip


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

    what : whose score it is: "risk of died = 1", or the amount
    unit : how the score adds up: "odds" (it is their logarithm), "times" (an amount's logarithm) or "plus" (the amount)
    score, reference : the score of this row, and of the reference patient
    answer, reference_answer : the same as a probability or an amount
    effects : by size; they add up to score - reference, but for `residual`
    residual : what the effects leave, at most a thousandth of the difference
    members : (lowest, highest) answer among the networks of the ensemble
    sure : what cannot be ruled out, or an interval; empty where the model cannot tell
    missing : the columns in which this row has nothing
    remarks : what else the answer rests on less firmly
    compared : who the reference patient is
    """

    what: str
    unit: str
    score: float
    reference: float
    answer: float
    reference_answer: float
    effects: list[Effect]
    residual: float
    members: tuple[float, float]
    sure: str
    missing: list[str]
    remarks: list[str]
    compared: str

    def lines(self) -> list[tuple[str, float]]:
        """(words, contribution) to show: what raises, then what lowers, by size, and all smaller ones together."""
        effects = [e for e in self.effects if e.contribution]
        own = [e for e in effects if abs(e.contribution) >= SMALL * abs(effects[0].contribution)][:SHOWN]
        rest = [e.contribution for e in effects[len(own) :]]
        own.sort(key=lambda e: (e.contribution < 0, -abs(e.contribution)))
        said = [(f"{e.column}: {e.value}{compared(e)}", e.contribution) for e in own]
        return [*said, *([(f"{len(rest)} other columns together", sum(rest))] if rest else [])]

    def __str__(self) -> str:
        lines = self.lines()
        most = max((abs(c) for _, c in lines), default=0.0) or 1.0
        text = [
            self.headline(),
            f"{HOW[self.unit]} What moves it from there:",
            *(f"  {'raises' if c > 0 else 'lowers'}  {self.size(c)}  {'#' * round(BAR * abs(c) / most):{BAR}}  {words}"
              for words, c in lines),
            f"  all together {self.size(self.score - self.reference).strip()}; not accounted for: {self.left()} of it",
        ]  # fmt: skip
        return "\n".join([*text, *self.doubts(), CAUTION])

    def left(self) -> str:
        """The share of the way that the effects leave."""
        share = abs(self.residual) / max(abs(self.score - self.reference), 1e-6)
        return f"{100 * share:.2g} %" if share >= 1e-4 else "under 0.01 %"

    def headline(self) -> str:
        """The answer, and what it is compared with."""
        answer, other = self.said(self.answer), self.said(self.reference_answer)
        return f"{self.what[0].upper()}{self.what[1:]}: {answer}. {self.compared}: {other}."

    def doubts(self) -> list[str]:
        """How sure the answer is, and what it rests on less firmly."""
        low, high = map(self.said, self.members)
        text = [f"How sure: the networks of the ensemble, each by itself, say {low} to {high}."]
        text[0] += f" {self.sure}." if self.sure else ""
        if self.missing:
            text.append(f"Missing in {len(self.missing)} of {len(self.effects)} columns: {', '.join(self.missing)}.")
        text += [f"Less firm: {one}." for one in self.remarks]
        return text if len(text) > 1 else [*text, "Nothing is missing, unknown or out of the training rows' range."]

    def said(self, answer: float) -> str:
        """A risk in percent, or an amount."""
        return percent(answer) if self.unit == "odds" else rounded(answer)

    def size(self, contribution: float) -> str:
        """What a contribution does to the odds or the amount."""
        if self.unit == "plus":
            return f"{'+' if contribution >= 0 else '-'}{rounded(abs(contribution)):<7}"
        factor = math.exp(min(abs(contribution), 700.0))
        if factor >= 100:  # two figures, and no powers of ten
            return f"x {'' if contribution > 0 else '1/'}{float(f'{factor:.2g}'):<6,.0f}"
        factor = factor if contribution > 0 else 1 / factor
        return f"x {factor:<6.2f}" if factor >= 0.0995 else f"x {factor:<6.2g}"

    def draw(self, axes: Any) -> None:
        """The effects as bars, into Matplotlib's axes."""
        lines = self.lines()[::-1]
        sizes = [contribution for _, contribution in lines]
        axes.barh(range(len(lines)), sizes, color=["#c8553d" if c > 0 else "#3d7ea6" for c in sizes], height=0.7)
        words = [said if len(said) < 62 else said[:60] + "..." for said, _ in lines]
        axes.set_yticks(range(len(lines)), words, parse_math=False)  # a dollar is a dollar
        axes.axvline(0, color="#333333", linewidth=1)
        if self.unit != "plus":
            axes.margins(x=0.08)
            low, high = axes.get_xlim()
            ticks = factors(low, high)
            axes.set_xticks([math.log(f) for f in ticks], [f"x {f:g}" for f in ticks])
            axes.set_xlim(low, high)
        axes.set_xlabel(
            {"odds": "odds, times", "times": "amount, times", "plus": "added"}[self.unit] + " (red raises, blue lowers)"
        )
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
        drawn = io.StringIO()
        self.figure().savefig(drawn, format="svg")
        picture = drawn.getvalue()
        doubts = "".join(f"<li>{html.escape(one)}</li>" for one in [*self.doubts(), CAUTION])
        return (
            '<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            "<title>One answer, explained</title><style>body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;"
            "margin:2rem auto;padding:0 1rem}svg{max-width:100%;height:auto}pre{overflow:auto;font-size:13px}</style>"
            f"<h1>One answer, explained</h1><p>{html.escape(self.headline())}</p><p>{HOW[self.unit]}</p>"
            f"{picture[picture.index('<svg') :]}<ul>{doubts}</ul>"
            f"<details><summary>The same as text, with numbers</summary><pre>{html.escape(str(self))}</pre></details>\n"
        )


HOW = {
    "odds": "Each line multiplies the odds, p / (1 - p).",
    "times": "Each line multiplies the amount.",
    "plus": "Each line adds to the amount.",
}


def compared(e: Effect) -> str:
    """What the value is compared with, where it is another."""
    return f" (compared with {e.reference})" if e.reference != e.value else ""


def percent(p: float) -> str:
    """A risk as one would say it: a decimal near 0 and 1, and no false certainty."""
    if p < 0.0005 or p > 0.9995:
        return "under 0.05 %" if p < 0.5 else "over 99.95 %"
    return f"{100 * p:.0f} %" if 0.0995 <= p <= 0.9005 else f"{100 * p:.1f} %"


def rounded(value: float) -> str:
    """Four figures, and a whole number whole."""
    return f"{value:.0f}" if abs(value) >= 1000 and abs(value) < 1e9 else f"{value:.4g}"


def factors(low: float, high: float) -> list[float]:
    """Round factors whose logarithms lie from low to high, 1 among them, a handful."""
    steps = [
        [10.0, 1e2, 1e3, 1e4, 1e6, 1e9],
        [2.0, 5.0, 10.0, 20.0, 50.0, 100.0],
        [1.25, 1.5, 2.0, 3.0],
        [1.1, 1.2, 1.3],
    ]
    far = max(-low, high)
    chosen = next((s for s in steps if s[0] <= math.exp(min(far, 40.0)) ** 0.5), [1.02, 1.04, 1.06, 1.08])
    both = [1.0, *chosen, *(1.0 / f for f in chosen)]
    return sorted(float(f"{f:.2g}") if f < 1 else f for f in both if low <= math.log(f) <= high)
