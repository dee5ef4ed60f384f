"""What is wrong with a table, said before a model learns from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tinynet.tabular.frame import read
from tinynet.tabular.quality import (
    accuracy,
    alone,
    completeness,
    consistency,
    contradictions,
    labels,
    names,
    persons,
    redundant,
    restated,
    units,
)
from tinynet.tabular.quality.report import SEVERITIES, Finding, Quality, are, listed
from tinynet.tabular.quality.view import View
from tinynet.tabular.schema import Column, Schema

# Identifiers and persons first: what they find is set aside, or keeps folds apart, for the checks that follow.
CHECKS: list[Callable[[View], Iterator[Finding]]] = [
    persons.identifiers,
    persons.persons,
    completeness.completeness,
    accuracy.accuracy,
    consistency.consistency,
    redundant.redundant,
    contradictions.contradictions,
    units.units,
    names.names,
    alone.alone,
    restated.restated,
    labels.labels,
]
THRESHOLDS = {
    "missing, warned above (share)": completeness.MUCH,
    "implausible, robust deviations": accuracy.FAR,
    "last digits 0 and 5 (share)": accuracy.PREFERRED,
    "one column's AUROC, serious": alone.TOO_GOOD,
    "one column's R2, serious": alone.TOO_GOOD_R2,
    "one column's AUROC, looked at where it stands out": alone.HIGH,
    "rows of other classes expected, none seen": alone.EXPECTED,
    "rare class (rows)": labels.RARE,
}


def data_quality(
    frame: Any,
    schema: Schema | None = None,
    target: str | None = None,
    group: str | None = None,
    time: str | None = None,
    *,
    header: bool | None = None,
    progress: bool | None = None,
) -> Quality:
    """Look a table over: completeness, accuracy, consistency, leakage and labels.

    The findings show counts and the names of columns, never a value of a row. They are suspicions by stated rules: an
    honest predictor can be strong, and a leak can be weak, so a clean report is no proof.

    Parameters
    ----------
    frame : any table that `tinynet.tabular.frame.read` knows, a path among them
    schema : what the columns are (markers of gaps, possible ranges, levels); default: inferred
    target, group, time : the columns that are predicted, whose rows belong together, and when rows were recorded;
        default: the schema's. Without a group, columns that may be one are looked for.
    header : for a CSV path, as in `read`
    progress : whether to draw a progress bar; default: on a terminal

    Raises
    ------
    KeyError : where there is no such column, with the nearest name
    ValueError : where the table has no rows, or one column has two roles

    >>> report = data_quality({"height": [170.0 + i % 20 for i in range(99)] + [780.0]})
    >>> [finding.kind for finding in report.find("implausible")]
    ['implausible']
    """
    from tinynet.progress import Progress

    table = read(frame, header=header)
    if not table or not len(next(iter(table.values()))):
        raise ValueError("the table has no rows; at least one is expected")
    given = {"target": target, "group": group, "time": time}
    known = Schema.infer(table, **given) if schema is None else with_roles(schema, given)
    view = View(table, known)
    findings: list[Finding] = []
    bar = Progress(len(CHECKS), "quality", show=progress)
    for done, check in enumerate(CHECKS):
        bar.update(done)
        findings += check(view)
    bar.close()
    findings = told_by_suspects(findings)
    findings.sort(key=lambda f: SEVERITIES.index(f.severity))
    missing = {seen.name: int((~seen.present).sum()) for seen in view.seen.values()}
    return Quality(view.rows, known.target, known.group, known.time, missing, findings, THRESHOLDS)


def told_by_suspects(findings: list[Finding]) -> list[Finding]:
    """The findings, with columns that a serious suspect of leakage tells as suspects too."""
    suspects = {c for f in findings if f.area == "leakage" and f.severity == "serious" for c in f.columns}
    persons = {c for f in findings if f.kind == "one person, several rows" for c in f.columns}
    out = []
    for f in findings:
        if f.kind == "identifier" and f.columns[0] in persons:
            continue  # said already, and more of it
        if f.kind == "redundant" and f.columns[-1] in suspects:
            names = [name for name in f.columns[:-1] if name not in suspects]
            if names:
                text = f"{listed(names)} {are(names)} told by {f.columns[-1]!r}, which is itself a suspect of leakage"
                out.append(Finding("leakage", "told by a suspect", "serious", names, f.rows, text))
            continue
        out.append(f)
    return out


def with_roles(schema: Schema, given: dict[str, str | None]) -> Schema:
    """The schema with the target, group and time that are given in place of its own."""
    from dataclasses import replace

    columns = dict(schema.columns)
    for role, name in given.items():
        if name is not None:
            schema[name]
            for other, column in columns.items():
                if column.role == role and other != name:
                    columns[other] = replace(column, role="ignored")
            columns[name] = Column(role, missing=schema[name].missing, levels=schema[name].levels)
    return Schema(columns)
