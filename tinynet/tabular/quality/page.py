"""The report as one HTML page without any other file: a figure of the columns, and the findings below."""

from __future__ import annotations

from html import escape

from tinynet.tabular.quality.report import AREAS, SEVERITIES, Quality, percent
from tinynet.tabular.quality.view import SHARED

# Colours of Okabe and Ito (2008), which people with any colour vision tell apart; the shapes differ too.
COLOURS = {"serious": "#D55E00", "warning": "#E69F00", "note": "#56B4E9"}
MOST = 60  # columns in the figure; of more, those with most to say
ROW, NAME, BAR, AREA = 20, 190, 150, 92  # pixels
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem; margin-bottom: .2rem } h2 { font-size: 1.15rem; margin: 1.8rem 0 .5rem }
table { border-collapse: collapse; width: 100% }
td { vertical-align: top; padding: .3rem .7rem .3rem 0; border-top: 1px solid #ddd }
td:first-child { white-space: nowrap; color: #555; width: 18rem }
.quiet { color: #555 } svg { max-width: 100%; height: auto }
"""

INTRODUCTION = f"""
<p class='quiet'>Findings are suspicions by stated rules: read them with somebody who knows how the data came to be. No
patient's value is shown: only names of columns, numbers of rows (counted from 0) and kinds that at least
{SHARED} rows share.</p>
<p>{{serious}} <b>serious</b>: a result would be wrong. {{warning}} <b>warning</b>: decide what to do about it. {{note}}
<b>note</b>: good to know. <b>Leakage</b> is what a model would see in this table, but not at the bedside, because it is
known only later, or says the answer. <b>AUROC</b> is how often a patient with the outcome is ranked above one without:
0.5 is guessing, 1 is always. The <b>target</b> is what is to be predicted.</p>
"""


def page(report: Quality) -> str:
    parts = [
        "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'><title>Data quality</title>"
        f"<style>{STYLE}</style></head><body><h1>Data quality</h1><p>{escape(report.heading())}</p>",
        INTRODUCTION.format(**{severity: mark(severity) for severity in SEVERITIES}),
        "<h2>Where, column by column</h2>",
        figure(report),
    ]
    for severity in SEVERITIES:
        chosen = [f for f in report if f.severity == severity]
        if chosen:
            rows = "".join(f"<tr><td>{f.area}: {escape(f.kind)}</td><td>{escape(f.said)}</td></tr>" for f in chosen)
            parts.append(f"<h2>{mark(severity)} {severity.capitalize()} ({len(chosen)})</h2><table>{rows}</table>")
    if not report.findings:
        parts.append("<p>Nothing was found. That is no proof that nothing is wrong.</p>")
    limits = "".join(f"<tr><td>{escape(name)}</td><td>{value:g}</td></tr>" for name, value in report.thresholds.items())
    parts.append(f"<h2>Thresholds</h2><table>{limits}</table></body></html>")
    return "\n".join(parts)


def mark(severity: str) -> str:
    """A small picture of a severity, for a heading."""
    return f"<svg width='16' height='16' role='img' aria-label='{severity}'>{shape(severity, 8, 8)}</svg>"


def shape(severity: str, x: float, y: float) -> str:
    fill = f"fill='{COLOURS[severity]}'"
    if severity == "serious":
        return f"<rect x='{x - 6}' y='{y - 6}' width='12' height='12' {fill}/>"
    if severity == "warning":
        return f"<path d='M{x} {y - 7} L{x + 7} {y + 6} L{x - 7} {y + 6} Z' {fill}/>"
    return f"<circle cx='{x}' cy='{y}' r='5' {fill}/>"


def figure(report: Quality) -> str:
    """A line for each column: its name, the share that is missing, and the worst finding in each area."""
    worst: dict[tuple[str, str], int] = {}
    for finding in report:
        for column in finding.columns:
            at = (column, finding.area)
            worst[at] = min(worst.get(at, len(SEVERITIES)), SEVERITIES.index(finding.severity))
    names = list(report.missing)
    if len(names) > MOST:
        weight = {
            name: sum(4.0 ** (2 - worst[name, area]) for area in AREAS if (name, area) in worst) for name in names
        }
        kept = set(sorted(names, key=lambda name: -weight[name])[:MOST])
        names = [name for name in names if name in kept]
    width, height = NAME + BAR + 40 + AREA * len(AREAS), ROW * len(names) + 34
    out = [
        f"<svg viewBox='0 0 {width} {height}' width='{width}' role='img' aria-label='Findings by column' "
        "font-family='system-ui, sans-serif' font-size='12'>",
        f"<text x='{NAME}' y='16' fill='#555'>missing</text>",
    ]
    left = NAME + BAR + 40
    for i, area in enumerate(AREAS):
        out.append(f"<text x='{left + AREA * (i + 0.5)}' y='16' text-anchor='middle' fill='#555'>{area}</text>")
    for row, name in enumerate(names):
        y = 34 + ROW * row
        said = name if len(name) <= 26 else name[:25] + "…"
        share = report.missing[name] / report.rows
        bold = " font-weight='bold'" if name == report.target else ""
        if row % 2 == 0:
            out.append(f"<rect x='0' y='{y - ROW / 2}' width='{width}' height='{ROW}' fill='#f5f5f5'/>")
        out.append(f"<text x='4' y='{y + 4}'{bold}>{escape(said)}<title>{escape(name)}</title></text>")
        out.append(f"<rect x='{NAME}' y='{y - 5}' width='{BAR}' height='10' fill='#e4e4e4'/>")
        out.append(f"<rect x='{NAME}' y='{y - 5}' width='{BAR * share:.1f}' height='10' fill='#555'/>")
        if share:
            out.append(f"<text x='{NAME + BAR + 5}' y='{y + 4}' fill='#555'>{percent(share)}</text>")
        for i, area in enumerate(AREAS):
            if (name, area) in worst:
                out.append(shape(SEVERITIES[worst[name, area]], left + AREA * (i + 0.5), y))
    out.append("</svg>")
    if len(names) < len(report.missing):
        out.append(f"<p class='quiet'>{len(names)} of {len(report.missing)} columns: those with most findings.</p>")
    return "".join(out)
