"""The report: one HTML file, verdict first, that needs no network, no script and no other file, and prints well."""

from __future__ import annotations

from html import escape

import numpy as np

import tinynet
from tinynet.tabular import figures
from tinynet.tabular.evaluation import Evaluation, cell, number
from tinynet.tabular.measures import GREATER, LESS, ONE, better

CSS = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans CJK SC", "PingFang SC",
  "Microsoft YaHei", sans-serif; color: #222; background: #f6f6f4; margin: 0; }
main { max-width: 66rem; margin: 2rem auto; background: #fff; padding: 2.2rem 2.8rem 3rem; border-radius: 10px;
  box-shadow: 0 1px 4px #0002; }
h1 { font-size: 1.75rem; margin: 0 0 .2rem; line-height: 1.2; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .5rem; padding-top: .9rem; border-top: 1px solid #e4e4e0; }
.quiet, figcaption, footer { color: #666; font-size: .88rem; }
.verdict { background: #eef5fa; border-left: 5px solid #0072B2; padding: .9rem 1.2rem; margin: 1.4rem 0;
  border-radius: 0 6px 6px 0; }
.verdict.bad { background: #fdf3ec; border-color: #D55E00; }
.verdict p { margin: .25rem 0; }
.verdict p:first-child { font-weight: 600; font-size: 1.06rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .32rem .7rem .32rem 0; border-bottom: 1px solid #eee; vertical-align: top;
  white-space: nowrap; }
thead th { border-bottom: 2px solid #bbb; }
tbody th { font-weight: 500; }
td small { color: #777; display: block; }
td.ours { color: #00507e; font-weight: 600; }
td.ours small { font-weight: 400; }
.clear { font-weight: 700; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(23rem, 100%), 1fr)); gap: 1.2rem 1.6rem; }
figure { margin: 0; break-inside: avoid; }
figure h3 { font-size: 1rem; margin: .4rem 0 0; }
svg { width: 100%; height: auto; }
svg text { font-family: inherit !important; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.4rem; margin: .4rem 0; }
dt { color: #666; } dd { margin: 0; }
@media print { body { background: #fff; font-size: 10.5pt; }
  main { box-shadow: none; margin: 0; padding: 0; max-width: none; }
  h2 { break-after: avoid; } tr, figure, .verdict { break-inside: avoid; }
  .figures { grid-template-columns: 1fr 1fr; } }
@media (max-width: 40rem) { main { padding: 1.2rem; margin: 0; border-radius: 0; }
  .figures { grid-template-columns: 1fr; } }
"""
LEARNING = "A validation loss that rises while the training loss falls: the network begins to remember."
WANTED = {GREATER: "more is better", LESS: "less is better", ONE: "1 is perfect"}


def html(e: Evaluation, title: str) -> str:
    """The whole page.

    Parameters
    ----------
    e : the result of `evaluate`
    title : what the page is about, in plain text
    """
    parts = [
        verdict(e),
        section("The data", facts(e)),
        section("How good it is", measures(e)),
        section("Curves", curves(e)),
        section(f"{start(e)} minus the others", differences(e)) if e.others else "",
        section("Learned or remembered", generalisation(e)),
        section("Subgroups", subgroups(e)) if e.subgroups else "",
        section("How to read this", "".join(f"<p>{escape(one)}</p>" for one in e.caveats())),
    ]
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{escape(title)}</title>\n'
        f"<style>{CSS}</style>\n</head>\n<body>\n<main>\n<h1>{escape(title)}</h1>\n"
        f'<div class="quiet">{escape(subtitle(e))}</div>\n{"".join(parts)}'
        f"<footer><p>Written by tinynet {tinynet.__version__}. No row of the data is in this file. For research and "
        f"teaching, not for the care of patients.</p></footer>\n</main>\n</body>\n</html>\n"
    )


def start(e: Evaluation) -> str:
    """The model's name at the start of a sentence."""
    return "The network" if e.ours.name == "network" else e.ours.name


def section(heading: str, body: str) -> str:
    return f"<section>\n<h2>{escape(heading)}</h2>\n{body}\n</section>\n"


def subtitle(e: Evaluation) -> str:
    """What was done, in one line."""
    what = {
        "binary": f"Risk of {e.classes[-1] if e.classes else ''}",
        "multiclass": f"One of {len(e.classes)} classes",
        "regression": "A number",
        "count": "A count",
        "cost": "A cost",
    }[e.task]
    return f"{what}, {e.facts['rows']:,} rows, {e.facts['split']}."


def verdict(e: Evaluation) -> str:
    """The verdict in words, coloured where the model is not better or has no skill."""
    words = e.verdict()
    bad = any(word in sentence for sentence in words for word in ("worse", "not better", "No skill", "cannot"))
    body = "".join(f"<p>{escape(one)}</p>" for one in words)
    return f'<div class="verdict{" bad" if bad else ""}">{body}</div>\n'


def facts(e: Evaluation) -> str:
    """What the table is, as a list."""
    rows = [
        ("Rows and columns", f"{e.facts['rows']:,} x {e.facts['columns']:,}"),
        ("Persons (groups)", f"{e.facts['groups']:,}" if e.facts["groups"] else "each row its own"),
        ("Split", f"{e.facts['split']}; {len(e.facts['folds'])} folds"),
    ]
    if e.classes:
        shares = ", ".join(f"{name}: {100 * share:.1f} %" for name, share in e.facts["class_shares"].items())
        rows.append(("Classes", shares + (f"; the event is {e.classes[1]}" if e.task == "binary" else "")))
        rows.append(("Events" if e.task == "binary" else "Rarest class", f"{e.facts['events']:,} rows"))
    if e.facts["evaluated"] < e.facts["rows"]:
        rows.append(("Predicted", f"{e.facts['evaluated']:,} rows; the others only taught"))
    body = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows)
    return f"<dl>{body}</dl>"


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table of cells that are HTML already."""
    top = "".join(f"<th>{one}</th>" for one in head)
    body = "".join(f"<tr><th>{row[0]}</th>{''.join(row[1:])}</tr>\n" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def td(text: str, kind: str = "") -> str:
    """A cell; the interval, in brackets, on a line of its own."""
    value, bracket, rest = text.partition(" (")
    small = f"<small>{escape(rest.rstrip(')'))}</small>" if bracket else ""
    return f"<td{f' class={chr(34)}{kind}{chr(34)}' if kind else ''}>{escape(value)}{small}</td>"


def measures(e: Evaluation) -> str:
    """Every measure of every model with its interval."""
    rows = []
    for measure in e.ours.measures:
        hint = WANTED.get(better(measure), "0 is perfect")
        cells = [
            td(cell(record.measures.get(measure)), "" if i else "ours") for i, record in enumerate(e.models.values())
        ]
        rows.append([f'{escape(measure)}<br><span class="quiet">{hint}</span>', *cells])
    note = '<p class="quiet">Small: 95 % interval. Same folds for all; everything fitted inside them.</p>'
    return table(["", *(escape(name) for name in e.models)], rows) + note


def differences(e: Evaluation) -> str:
    """Ours minus each other model; bold where the interval does not hold 0."""
    rows = []
    for measure in e.ours.measures:
        found = [other.difference.get(measure) for other in e.others]
        if any(one is not None and np.isfinite(one.value) for one in found):
            rows.append(
                [
                    escape(measure),
                    *(td(cell(one, sign=True), "clear" if one and one.excludes(0.0) else "") for one in found),
                ]
            )
    note = '<p class="quiet">Paired: the same persons in each draw. Bold: the interval does not hold 0.</p>'
    return table(["", *(escape(other.name) for other in e.others)], rows) + note


def figure(title: str, svg: str, caption: str) -> str:
    return f"<figure><h3>{escape(title)}</h3>{svg}<figcaption>{escape(caption)}</figcaption></figure>\n" if svg else ""


def curves(e: Evaluation) -> str:
    """The figures that fit the task."""
    if e.task == "binary":
        found = [
            figure("Who is ranked above whom", figures.roc(e), "ROC curve, mean of the folds. The diagonal is chance."),
            figure("How many alarms are true", figures.precision_recall(e), "Precision against recall, mean of folds."),
            figure("Can the risks be believed", figures.calibration(e),
                   "Tenths of the predicted risks; the diagonal is perfect. Thin line: logistic calibration."),
            figure("Is it worth acting on", figures.decision(e),
                   "Decision curve: true alarms less false ones, weighed by the threshold. The highest line is best."),
        ]  # fmt: skip
    elif e.task == "multiclass":
        found = [figure("How it learned", figures.learning(e), LEARNING)]
    else:
        found = [
            figure("Predicted and seen", figures.predicted_and_seen(e), "Means of tenths; the diagonal is perfect."),
            figure("How large the errors are", figures.errors(e), f"{start(e)}; the most extreme 1 % is left out."),
        ]
    body = "".join(found)
    return f'<div class="figures">{body}</div>' if body else '<p class="quiet">No curves are drawn for this task.</p>'


def generalisation(e: Evaluation) -> str:
    """Training against validation, events per parameter, and the learning curves."""
    rows = []
    for measure, value in e.ours.training.items():
        met, never = value, e.ours.measures[measure].value if measure in e.ours.measures else np.nan
        if np.isfinite([met, never]).all():
            rows.append([escape(measure), td(number(met)), td(number(never)), td(number(met - never, sign=True))])
    found = table(["", "rows it learned from", "rows it never met", "gap"], rows)
    per = e.events_per_parameter
    if per is not None:
        what = "events" if e.classes else "rows"
        found += f'<p class="quiet">{e.ours.parameters:,} parameters, {per:.2g} {what} for each.</p>'
    if e.task != "multiclass":
        found += f'<div class="figures">{figure("How it learned", figures.learning(e), LEARNING)}</div>'
    return found


def subgroups(e: Evaluation) -> str:
    """The forest plot and its numbers."""
    slope = any("calibration slope" in part.measures for part in e.subgroups)
    rows = [
        [escape(part.label), td(f"{part.rows:,}"), td("-" if part.events is None else f"{part.events:,}"),
         td(cell(part.measures.get(e.main))), *([td(cell(part.measures.get("calibration slope")))] if slope else [])]
        for part in e.subgroups
    ]  # fmt: skip
    head = ["", "rows", "events", escape(e.main), *(["calibration slope"] if slope else [])]
    note = (
        '<p class="quiet">Not adjusted for how many subgroups there are: by chance, one interval in twenty misses.</p>'
    )
    return figures.forest(e) + table(head, rows) + note
