"""The page: one HTML file with every figure inside, for a reader who is no engineer, on a phone too."""

from __future__ import annotations

from html import escape
from typing import Any

import tinynet
from tinynet.demo.story import APART, DRAWS, FOLDS, MEMBERS, Story
from tinynet.tabular import card, figures, report
from tinynet.tabular.evaluation import Evaluation
from tinynet.tabular.explain.explanation import HOW
from tinynet.tabular.quality.page import mark
from tinynet.tabular.quality.report import Finding
from tinynet.tabular.report import figure

CSS = """
h3 { font-size: 1.02rem; margin: 1.6rem 0 .3rem; color: #00507e; }
nav ul { padding-left: 1.1rem; } nav li { margin: .3rem 0; }
summary { cursor: pointer; color: #00507e; padding: .3rem 0; }
ul.findings { list-style: none; padding: 0; margin: .4rem 0; } ul.findings li { padding: .15rem 0 .15rem 1.6rem;
  text-indent: -1.6rem; } ul.findings svg { width: 16px; height: 16px; vertical-align: -2px; margin-right: 9px; }
.kind { color: #666; font-size: .88rem; text-transform: uppercase; letter-spacing: .04em; margin: 0 0 .2rem; }
code { background: #f1f1ee; padding: .1rem .3rem; border-radius: 4px; overflow-wrap: anywhere; }
pre { background: #f1f1ee; padding: .7rem .9rem; border-radius: 6px; overflow-x: auto; } pre code { padding: 0; }
dd { overflow-wrap: anywhere; }
.wide svg { min-width: 38rem; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; } }
"""
MOST_COLUMNS = 8
WORDS = {
    "AUROC": "of one person with the event and one without it, how often the one with it has the higher risk; 1 is "
    "always, .5 is chance",
    "mean absolute error": "how far the predictions are from what happened, on average, in the outcome's unit",
    "R2": "the share of the differences between persons that the predictions explain; 1 is all, 0 is none",
    "cross-validation": "the persons are parted into folds, and each fold is predicted by networks that learned from "
    "the other folds only",
    "95 % interval": "where the true number lies, as far as so many persons can tell; where that of a difference holds "
    "0, no difference is shown",
    "logistic regression, ridge": "the simple models: a weighted sum of the columns",
    "HistGradientBoosting": "a strong rival: hundreds of small decision trees, scikit-learn's",
    "precision, recall": "of the alarms, the share that is true; of the events, the share that raised an alarm "
    "(sensitivity)",
    "Tweedie deviance": "how far predicted costs are from those seen, more so where costs are small; less is better",
    "calibration": "of those with a predicted risk of 20 %, does the event come to 20 %? A slope of 1 is right; "
    "below 1 the risks are too extreme, above 1 too timid",
    "net benefit": "true alarms less false ones, where the risk from which one would act says what a false one counts",
    "loss, epoch": "what training makes smaller; one time through all rows",
    "odds": "the risk divided by what is left of 1: a risk of 50 % has odds of 1, one of 75 % of 3, one of 10 % of 1/9",
    "leak": "a column that knows the answer already, such as one written after the outcome",
}


def page(stories: list[Story], absent: list[str]) -> str:
    """The whole page.

    Parameters
    ----------
    stories : in their order
    absent : a sentence for each table that was left out
    """
    title = "From a health table to a model that travels"
    toc = "".join(
        f'<li><a href="#{s.of.name}">{escape(s.of.title)}</a> <span class="quiet">{escape(s.of.kind)}; '
        f"{s.quality.rows:,} rows. {escape(s.evaluation.verdict()[0])}</span></li>"
        for s in stories
    )
    left = "".join(f"<p>{escape(one)}</p>" for one in absent)
    about = (
        "<p>Small neural networks learn from real, public health data, and are judged by persons that they never met, "
        "beside simple models. Where a simple model is as good, the page says so. Each table goes through the same six "
        f"steps; nothing was chosen by the results. Validation has {FOLDS} folds and an ensemble of {MEMBERS} networks "
        f"of each of two kinds; intervals are 95 %, from {DRAWS:,} bootstrap draws.</p>{words()}"
    )
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n'
        f"<style>{report.CSS}{CSS}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{about}<nav><ul>{toc}</ul></nav>"
        f"{left}{''.join(map(chapter, stories))}<footer><p>Written by tinynet {tinynet.__version__}. The data are "
        "public and come inside Python packages. For research and teaching, not for the care of patients.</p></footer>"
        "\n</main>\n</body>\n</html>\n"
    )


def words() -> str:
    """What a reader may not know, one sentence each."""
    body = "".join(f"<dt>{escape(word)}</dt><dd>{escape(said)}</dd>" for word, said in WORDS.items())
    return f"<details><summary>The words of this page, in one sentence each</summary><dl>{body}</dl></details>"


def chapter(s: Story) -> str:
    """One table's six steps."""
    e = s.evaluation
    return (
        f'<section id="{s.of.name}">\n<h2>{escape(s.of.title)}</h2>\n<p class="kind">{escape(s.of.kind)}</p>'
        f"<p>{escape(s.of.about)} Predicted is {escape(s.of.asked)}.</p>"
        f"<h3>1 &nbsp;Preprocess: is the table sound?</h3>{quality(s)}"
        f"<h3>2 &nbsp;Features: what is learned from</h3>{features(s)}"
        f"<h3>3 &nbsp;Build: two kinds of networks</h3>{built(s)}<h3>4 &nbsp;Train</h3>{trained(s)}"
        f"<h3>5 &nbsp;Evaluate: is it better than simple models?</h3>{report.verdict(e)}{report.facts(e)}"
        f"{report.curves(e)}<details><summary>All measures, with intervals</summary>{report.measures(e)}</details>"
        f"<h3>6 &nbsp;Deploy: one patient, and the file</h3>{patient(s)}{deployed(s)}</section>\n"
    )


def quality(s: Story) -> str:
    """The findings, one of each kind; all of them where the reader asks."""
    findings = list(s.quality)
    if not findings:
        return "<p>Nothing was found. That is no proof that nothing is wrong.</p>"
    kinds: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        kinds.setdefault((finding.severity, finding.kind), []).append(finding)
    first = [(f"{mark(own[0].severity)}{escape(own[0].text)}"
              + (f' <span class="quiet">(and {len(own) - 1} more of this kind)</span>' if len(own) > 1 else ""))
             for own in kinds.values()]  # fmt: skip
    counts = ", ".join(f"{count} {severity}" for severity, count in s.quality.counts().items())
    found = (
        f"<p>{counts}. These are suspicions by stated rules, found in the whole table; whether a strong column is a "
        f"leak or simply informative, people decide.</p>{listed(first)}"
    )
    if len(first) == len(findings):
        return found
    every = listed([f"{mark(f.severity)}{escape(f.text)}" for f in findings])
    return f"{found}<details><summary>all {len(findings)}</summary>{every}</details>"


def listed(items: list[str]) -> str:
    """A list of items that are HTML already."""
    return f'<ul class="findings">{"".join(f"<li>{one}</li>" for one in items)}</ul>'


def features(s: Story) -> str:
    """What is used, and what is left out and why."""
    text = (
        f"<p>{s.columns} columns become {s.features} numbers for the network: scaled numbers, kinds, and marks of gaps."
    )
    text += f" Rows of one person stay together (<code>{escape(s.of.group)}</code>)." if s.of.group else ""
    text += "</p>"
    reasons: dict[str, list[str]] = {}
    for name, why in s.of.after.items():
        reasons.setdefault(why, []).append(f"<code>{escape(name)}</code>")
    lines = "".join(f"<li>{', '.join(names)}: {escape(why)}</li>" for why, names in reasons.items())
    text += (f"<p>Left out, since they would give the answer away or not be known in time:</p><ul>{lines}</ul>"
             if lines else "")  # fmt: skip
    cells = [[f"<code>{escape(row[0])}</code>", *(f"<td>{escape(cell)}</td>" for cell in row[1:])]
             for row in card.columns(s.model)]  # fmt: skip
    head = ["column", "what it is", "missing", "nearly all persons have"]
    return f"{text}<details><summary>All columns that are learned from</summary>{report.table(head, cells)}</details>"


def built(s: Story) -> str:
    """The ensemble."""
    share = s.model.ensembles[0].share
    return (
        f"<p>{2 * MEMBERS} networks{' for each of two parts of the cost' if s.of.task == 'cost' else ''}: half of them "
        "additive (each column has a curve of its own, and the curves add up), half of them deep (columns may work "
        "together). Each stops by rows that it does not learn from, and those rows say how much the deep ones count: "
        f"here {100 * share:.0f} %. Together they have {s.model.parameters:,} parameters.</p>"
    )


def trained(s: Story) -> str:
    """The losses by epoch, and what was learned from which column."""
    return (
        f'<div class="figures">{report.figure("How it learned", figures.learning(s.evaluation), CAPTION)}'
        f"{report.figure('What the answers rest on', weights(s), importance_caption(s.evaluation))}</div>"
    )


CAPTION = "Loss of the first deep network of each fold; it keeps the weights of its best epoch."


def importance_caption(e: Evaluation) -> str:
    what = "AUROC" if e.main == "AUROC" else "mean absolute error"
    return (
        f"Permutation importance: how much worse the {what} is where one column is shuffled among the persons put "
        "aside. Columns that tell the same share the credit, and it is no proof of a cause."
    )


def weights(s: Story) -> str:
    """Permutation importance as bars."""
    shown = list(s.importance.items())[:MOST_COLUMNS]

    def draw(ax: Any) -> None:
        places = range(len(shown))
        ax.barh([-i for i in places], [value for _, value in shown], color=figures.COLOURS[0], height=0.62)
        ax.set_yticks([-i for i in places], [name for name, _ in shown], color=figures.INK)
        ax.axvline(0, color=figures.INK, linewidth=0.8)
        ax.set(xlabel="fall in AUROC" if s.evaluation.main == "AUROC" else "rise of the mean absolute error")
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)

    return figures.drawn(draw)


def said(s: Story) -> str:
    """The patient's answer in words."""
    return f"{s.of.asked}: {amount(s, s.patient.answer)}"


def amount(s: Story, value: float) -> str:
    """A risk or an amount, as people write it."""
    if not s.model.classes:
        return f"{value:,.0f} {s.of.unit}".strip()
    return "under 1 %" if value < 0.01 else "over 99 %" if value > 0.99 else f"{100 * value:.0f} %"


def patient(s: Story) -> str:
    """One row that was put aside."""
    p = s.patient
    given = ", ".join(f"{name} {'missing' if p.given[name] is None else short(p.given[name])}" for name in
                      list(s.importance)[:MOST_COLUMNS])  # fmt: skip
    rows = [
        ("Asked, the columns that count most", given),
        ("Answer", said(s)),
        ("How sure", p.sure),
        ("Remarks", "; ".join(p.remarks) or "nothing is missing, unknown or out of the training's range"),
        ("What happened", p.truth),
    ]
    body = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows)
    rule = "risk is nearest to 75 %" if s.model.classes else "predicted amount is nearest to the highest tenth"
    return (
        f"<p>The model for use learned from the other persons; one in {APART} was put aside. Shown is the one of them "
        f"whose {rule}.</p><dl>{body}</dl>{why(s)}"
    )


def why(s: Story) -> str:
    """The answer taken apart."""
    e = s.patient.why
    drawn = figure(
        "Why this answer",
        figures.drawn(e.draw, 9.2, e.height),
        "What makes the difference from a reference patient, who has the middle value of each number, the most "
        f"frequent kind of each other column, and the answer {amount(s, e.reference_answer)}; this patient has "
        f"{amount(s, e.answer)}. {HOW[e.unit]} Together they make the difference, but for {abs(e.residual):.1g} of the "
        "score (integrated gradients). They say what the model goes by, not what causes the outcome; columns that say "
        "the same share their part.",
    )
    return f'<div class="scroll wide">{drawn}</div>'


def short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def deployed(s: Story) -> str:
    """The file, and the proof."""
    size = s.file.stat().st_size / 1000
    method = "predict_proba" if s.model.classes else "predict"
    code = (
        f'import tinynet\nmodel = tinynet.load("{s.file.name}")\n'
        f"model.{method}(rows)   # a frame, a dictionary, a list of dictionaries, an array\n"
        "model.remarks(rows)   # what is missing, unknown or out of range"
    )
    same = "digit for digit the same" if not s.gap else f"with a largest difference of {s.gap:.0e}"
    return (
        f"<p>The model is one file, <code>{escape(s.file.name)}</code>, {size:,.0f} kB, without any row of the data: "
        "schema, scaling, networks, calibration, and what it knows of its training. Proof: a new Python process that "
        f"can import {' and '.join(s.loaded)} only loaded it and answered for all persons put aside, "
        f"{same}. Its model card, with a TRIPOD+AI skeleton, is <code>{s.of.name}.md</code>; both are "
        "beside this page. No value of the table that fewer than five persons have is in the file.</p>"
        f"<pre><code>{escape(code)}</code></pre>"
    )
