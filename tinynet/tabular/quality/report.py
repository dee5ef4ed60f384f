"""What a look at a table gives: findings, each in plain words, and together as text, JSON or one HTML page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from tinynet.formulas.vocabulary import Array

SEVERITIES = ("serious", "warning", "note")
AREAS = ("completeness", "accuracy", "consistency", "leakage", "labels")
SHOWN = 10  # names of columns in one sentence


@dataclass(frozen=True)
class Finding:
    """One thing that is, or may be, wrong.

    area : one of AREAS
    kind : a short fixed name for the check, such as "predicts alone"
    severity : "serious" (a result would be wrong), "warning" (decide what to do about it), "note" (good to know)
    columns : the columns concerned
    rows : how many rows are concerned
    text : the finding in words; it names columns and counts rows, and never shows a value of a row
    numbers : the measurements behind it
    examples : where to look: numbers of rows, counted from 0, or kinds that many rows share
    """

    area: str
    kind: str
    severity: str
    columns: list[str]
    rows: int
    text: str
    numbers: dict[str, float] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)

    @property
    def said(self) -> str:
        """The text, with the examples."""
        return f"{self.text} ({'; '.join(self.examples)})" if self.examples else self.text


@dataclass
class Quality:
    """All findings on a table, the serious ones first.

    rows, target, group, time : what was looked at
    missing : each column's number of gaps
    thresholds : the numbers by which the checks decide
    """

    rows: int
    target: str | None
    group: str | None
    time: str | None
    missing: dict[str, int]
    findings: list[Finding]
    thresholds: dict[str, float]

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def find(self, kind: str, column: str | None = None) -> list[Finding]:
        """The findings of one kind, of those that concern `column` where one is named."""
        return [f for f in self.findings if f.kind == kind and (column is None or column in f.columns)]

    def counts(self) -> dict[str, int]:
        """How many findings there are of each severity."""
        return {s: sum(f.severity == s for f in self.findings) for s in SEVERITIES}

    def heading(self) -> str:
        said = [f"{name} {value!r}" for name in ("target", "group", "time") if (value := getattr(self, name))]
        counts = ", ".join(
            f"{count} {severity}{'s' * (count != 1 and severity != 'serious')}"
            for severity, count in self.counts().items()
        )
        return f"{self.rows:,} rows x {len(self.missing)} columns; {', '.join(said) or 'no target given'}: {counts}"

    def __str__(self) -> str:
        lines = ["Data quality: " + self.heading()]
        for severity in SEVERITIES:
            chosen = [f for f in self.findings if f.severity == severity]
            if chosen:
                lines += ["", severity.upper()]
                lines += [f"  [{f.area}: {f.kind}] {f.said}" for f in chosen]
        if not self.findings:
            lines.append("Nothing was found. That is no proof that nothing is wrong.")
        return "\n".join(lines)

    def to_json(self) -> str:
        """The report as JSON."""
        plain: dict[str, Any] = {**asdict(self), "counts": self.counts()}
        return json.dumps(plain, ensure_ascii=False, indent=1)

    def to_html(self) -> str:
        """The report as one page that needs no other file."""
        from tinynet.tabular.quality.page import page

        return page(self)


def listed(names: list[str]) -> str:
    """Names of columns for a sentence, the first few of many."""
    said = ", ".join(repr(name) for name in names[:SHOWN])
    return said if len(names) <= SHOWN else f"{said} and {len(names) - SHOWN} more"


def are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def rows_at(mask: Array) -> list[str]:
    """Where the first rows of some are, for a person who has the file."""
    at = np.flatnonzero(mask)[:3].tolist()
    return [f"row{'s' * (len(at) > 1)} {', '.join(map(str, at))}{', ...' * (int(mask.sum()) > 3)}"] if at else []


def rows_are(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def percent(share: float) -> str:
    if 0 < share < 0.0005:
        return "<0.1 %"
    return f"{100 * share:.0f} %" if share >= 0.1 or share == 0 else f"{100 * share:.1f} %"
