"""What `evaluate` found: measures, differences, verdict; as a table, as JSON without any row's value, as a report."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.tabular.intervals import FEW, Estimate
from tinynet.tabular.measures import CHANCE, LESS, better

if TYPE_CHECKING:
    from tinynet.tabular.subgroups import Subgroup

EVENTS_PER_PARAMETER = 10  # a rule of thumb for regression (Peduzzi 1996), far from met by any network


@dataclass(frozen=True)
class ModelRecord:
    """One model's measures; `difference` is ours - this model's, on the same draws."""

    name: str
    measures: dict[str, Estimate]
    difference: dict[str, Estimate]
    training: dict[str, float]  # measures on the rows it learned from, mean of the folds
    parameters: int | None
    histories: list[dict[str, list[float]]] = field(repr=False)
    predicted: Array = field(repr=False)


@dataclass(frozen=True)
class Evaluation:
    """The result of `evaluate`.

    Attributes
    ----------
    task : "binary", "multiclass", "regression", "count" or "cost"
    main : the measure of the verdict, fixed by the task
    classes : their names; of two, the last is the event
    thresholds : of risk, for sensitivity and the like
    models : records by name; the first is ours, the others are baselines
    subgroups : judged apart
    facts : how the data were split, numbers of rows, persons and events
    outcome, fold, group : (predictions,) of each out-of-fold prediction; never written to a file
    """

    task: str
    main: str
    classes: list[str]
    thresholds: list[float]
    models: dict[str, ModelRecord]
    subgroups: list[Subgroup]
    facts: dict[str, Any]
    outcome: Array = field(repr=False)
    fold: Array = field(repr=False)
    group: Array = field(repr=False)

    @property
    def ours(self) -> ModelRecord:
        return next(iter(self.models.values()))

    @property
    def others(self) -> list[ModelRecord]:
        return list(self.models.values())[1:]

    @property
    def gap(self) -> float:
        """The generalisation gap: the main measure on the rows learned from - on rows never met."""
        return self.ours.training.get(self.main, np.nan) - self.ours.measures[self.main].value

    @property
    def events_per_parameter(self) -> float | None:
        """Rows of the rarest class (regression: rows) for each number that the model learned."""
        if not self.ours.parameters:
            return None
        return float((self.facts["events"] or self.facts["rows"]) / self.ours.parameters)

    def verdict(self) -> list[str]:
        """In plain words: is there skill, is it better than simple models, can the risks be believed."""
        return [*self.skill(), *(self.against(other) for other in self.others if self.has_skill(other)), *self.belief()]

    def skill(self) -> list[str]:
        """Whether the model is shown to be better than chance."""
        chance, found = CHANCE.get(self.main), self.ours.measures[self.main]
        if chance is None:
            reference = self.models.get("mean")
            if reference is None:
                return []
            difference = reference.difference[self.main]
            if np.isfinite(difference.high) and difference.high < 0:
                return []
            return [f"No skill is shown: the {self.main} is not below that of the {reference.name}."]
        if found.low > chance:
            return []
        if not np.isfinite(found.low):
            return [f"Too few persons or events for an interval of {self.main} ({number(found.value)})."]
        return [
            f"No skill is shown: {self.main} {worded(found)}; {number(chance)} is what "
            f"{'chance gives' if self.main == 'AUROC' else 'predicting the mean gives'}."
        ]

    def has_skill(self, other: ModelRecord) -> bool:
        """Whether a baseline is worth a sentence: not prevalence or mean, which have no skill."""
        return other.name not in ("prevalence", "mean")

    def against(self, other: ModelRecord) -> str:
        """One sentence on ours against another model."""
        difference = other.difference[self.main]
        sign = -1.0 if better(self.main) == LESS else 1.0
        ends = sorted((sign * difference.low, sign * difference.high))
        start = f"The {self.ours.name}" if self.ours.name == "network" else self.ours.name
        if not np.isfinite(ends).all():
            word = "cannot be compared with"
        else:
            word = "is better than" if ends[0] > 0 else "is worse than" if ends[1] < 0 else "is not better than"
        return (
            f"{start} {word} {other.name}: {self.main} {number(self.ours.measures[self.main].value)} against "
            f"{number(other.measures[self.main].value)}, difference {worded(difference)}."
        )

    def belief(self) -> list[str]:
        """Whether the risks can be believed."""
        slope = self.ours.measures.get("calibration slope")
        if slope is None or not np.isfinite([slope.low, slope.high]).all():
            return []
        what = "risks" if self.task == "binary" else "predictions"
        if not slope.excludes(1.0):
            return [f"The {what} are neither too extreme nor too timid: calibration slope {worded(slope)}."]
        how = "too extreme" if slope.high < 1 else "too timid"
        return [f"The {what} are {how}: calibration slope {worded(slope)}, where 1 is perfect."]

    def caveats(self) -> list[str]:
        """What must be known to read the numbers."""
        found = ["The intervals are 95 %, by bootstrap of "
                 f"{'whole persons (groups)' if self.facts['groups'] else 'rows'}, "
                 f"{self.facts['draws']:,} draws, the same for all models. "
                 "The luck of folds and of initial weights is not in them."]  # fmt: skip
        if self.facts["persons"] < FEW:
            found.append(f"There are only {self.facts['persons']} {'groups' if self.facts['groups'] else 'rows'}: "
                         "intervals of so few are rough.")  # fmt: skip
        if self.task in ("binary", "multiclass"):
            found.append("AUROC and AUPRC compare rows of the same fold only; the other measures pool all folds.")
        if self.facts["no_group"]:
            found.append(f"Rows are split without regard to persons; the reason given: {self.facts['no_group']}.")
        per = self.events_per_parameter
        if per is not None:
            what = "events" if self.classes else "rows"
            found.append(f"The {self.ours.name} has {self.ours.parameters:,} parameters: {per:.2g} {what} for each.")
        return found

    def __str__(self) -> str:
        """The verdict, the measures of all models and of the subgroups, and what the intervals are."""
        lines = [*self.verdict(), "", f"{self.facts['rows']:,} rows, {self.facts['split']}", ""]
        names = list(self.models)
        rows = [["", *names]]
        rows += [
            [measure, *(cell(self.models[name].measures.get(measure)) for name in names)]
            for measure in self.ours.measures
        ]
        lines += aligned(rows)
        if self.others:
            lines += ["", f"Difference, {self.ours.name} minus"]
            lines += aligned(
                [["", *names[1:]]]
                + [
                    [m, *(cell(other.difference.get(m), sign=True) for other in self.others)]
                    for m in self.ours.measures
                ]
            )
        if self.subgroups:
            lines += ["", f"Subgroups, {self.ours.name}"]
            lines += aligned(
                [["", "rows", self.main]]
                + [[part.label, f"{part.rows:,}", cell(part.measures.get(self.main))] for part in self.subgroups]
            )
        gap = self.ours.training.get(self.main)
        if gap is not None:
            lines += ["", f"{self.main} on rows learned from {number(gap)}, on rows never met "
                          f"{number(self.ours.measures[self.main].value)}: gap "
                          f"{number(self.gap, sign=True)}"]  # fmt: skip
        return "\n".join([*lines, "", *self.caveats()])

    def to_dict(self) -> dict[str, Any]:
        """All numbers; no value of any row."""

        def plain(estimates: dict[str, Estimate]) -> dict[str, Any]:
            return {name: [finite(one.value), finite(one.low), finite(one.high)] for name, one in estimates.items()}

        return {
            "task": self.task,
            "main": self.main,
            "classes": self.classes,
            "thresholds": self.thresholds,
            "verdict": self.verdict(),
            "caveats": self.caveats(),
            "facts": self.facts,
            "generalisation_gap": finite(self.gap),
            "events_per_parameter": self.events_per_parameter,
            "models": {
                name: {
                    "measures": plain(record.measures),
                    "difference": plain(record.difference),
                    "training": {measure: finite(value) for measure, value in record.training.items()},
                    "parameters": record.parameters,
                }
                for name, record in self.models.items()
            },
            "subgroups": [
                {"column": part.column, "label": part.label, "rows": part.rows, "persons": part.persons,
                 "events": part.events, "measures": plain(part.measures)}
                for part in self.subgroups
            ],
        }  # fmt: skip

    def to_json(self) -> str:
        """`to_dict` as JSON; a number that is not defined is null."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False, ensure_ascii=False)

    def report(self, path: str | Path, title: str = "Evaluation") -> Path:
        """Write the report, one HTML file that needs nothing else; see `tinynet.tabular.report`."""
        from tinynet.tabular.report import html

        path = Path(path)
        path.write_text(html(self, title), encoding="utf-8")
        return path


def finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def number(value: float, sign: bool = False) -> str:
    """Three decimals below 10, else three significant digits; without the 0 before the point, as journals write."""
    if not np.isfinite(value):
        return "-"
    size = abs(value)
    text = f"{size:.3f}" if size < 10 else f"{size:.1f}" if size < 1000 else f"{size:,.0f}"
    text = text[1:] if text.startswith("0.") else text
    minus = value < 0 and float(text.replace(",", "")) != 0
    return ("-" if minus else "+" if sign else "") + text


def worded(estimate: Estimate) -> str:
    """ ".002 (95 % -.010 to .006)"."""
    if not np.isfinite([estimate.low, estimate.high]).all():
        return f"{number(estimate.value)} (no interval)"
    return f"{number(estimate.value)} (95 % {number(estimate.low)} to {number(estimate.high)})"


def cell(estimate: Estimate | None, sign: bool = False) -> str:
    """A cell of a table."""
    if estimate is None or not np.isfinite(estimate.value):
        return "-"
    if not np.isfinite([estimate.low, estimate.high]).all():
        return number(estimate.value, sign)
    return f"{number(estimate.value, sign)} ({number(estimate.low)} to {number(estimate.high)})"


def aligned(rows: list[list[str]]) -> list[str]:
    """Rows of cells as lines, columns two spaces apart."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
