"""The model card and the TRIPOD+AI skeleton: what the file and an evaluation know, and what authors must add.

Sources: M. Mitchell et al., Model cards for model reporting, FAT* 2019; TRIPOD+AI as in `tripod`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinynet.tabular.evaluation import number
from tinynet.tabular.facts import Facts
from tinynet.tabular.predictor import Predictor
from tinynet.tabular.tripod import checklist

OPEN = "To be filled in by the authors: "
KINDS = {
    "classes": "the probability of each class",
    "amount": "an amount",
    "log": "an amount of 0 or more, its mean by a logarithmic link",
    "two-part": "a cost: the probability of any at all, times the mean cost where there is one",
    "quantiles": "quantiles of an amount",
}


def card(model: Predictor, evaluation: Mapping[str, Any] | None = None) -> str:
    """The card as Markdown; what is no fact from the file or the evaluation comes behind `OPEN`.

    Parameters
    ----------
    model : as `tinynet.load` gives it
    evaluation : what `Evaluation.to_dict` gave; default none

    Raises
    ------
    ValueError : where the evaluation is none, or is one of another kind of outcome
    """
    if evaluation is not None:
        checked(model, evaluation)
    parts = [
        f"# Model card: {model.target or 'tabular model'}",
        "Facts in this card come from the model file"
        + (" and from its evaluation" if evaluation else "")
        + f"; what they cannot know is marked “{OPEN.strip()}”.",
        *section("Intended use", intended()),
        *section("What it predicts", predicts(model)),
        *section("What it learned from", learned(model)),
        *section("What it needs", []),
        table(["column", "what it is", "gaps in training", "most training rows"], columns(model)),
        *section("How it was made", made(model)),
        *section("How good it is", judged(evaluation)),
        *([table(["", *evaluation["models"]], measures(evaluation))] if evaluation else []),
        *section("How sure one answer is", sure(model)),
        *section("Limits", limits(model, evaluation)),
        "## TRIPOD+AI: what a report of this model must say",
        "The 27 items of the statement (Collins et al., BMJ 2024;385:e078378, doi:10.1136/bmj-2023-078378) with their "
        "parts, in short words of our own; the full words, and the form to hand in, are at "
        "https://www.tripod-statement.org. D: of the development of a model; E: of its evaluation.",
        *checklist(tripod(model, evaluation), table, OPEN + "all of it"),
    ]
    return "\n\n".join(parts) + "\n"


def checked(model: Predictor, evaluation: Mapping[str, Any]) -> None:
    """Raises ValueError where this is no evaluation, or one of another outcome."""
    needed = ("task", "main", "classes", "facts", "models", "verdict", "caveats")
    if not isinstance(evaluation, Mapping) or any(name not in evaluation for name in needed):
        raise ValueError(f"an evaluation has {', '.join(needed)}, as Evaluation.to_json writes them; this has not all")
    classes = [str(one) for one in model.classes]
    if list(evaluation["classes"]) != classes:
        raise ValueError(
            f"the evaluation is of {len(evaluation['classes'])} classes and the model of {len(classes)}, or they are "
            "named otherwise; an evaluation of the same outcome is expected"
        )


def section(heading: str, lines: list[str]) -> list[str]:
    return [f"## {heading}", *(["\n".join(f"- {line}" for line in lines)] if lines else [])]


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


# ---------------------------------------------------------------------------------------------------- what is told


def intended() -> list[str]:
    return [
        OPEN + "who should use it, for which persons, at which moment, and for which decision",
        OPEN + "who should not, and for what it was not made",
        "It is for research and teaching, not for the care of patients, unless those responsible have shown otherwise.",
    ]


def predicts(model: Predictor) -> list[str]:
    lines = [f"Outcome: {model.target or OPEN + 'its name'}"]
    lines.append(f"Answer: {KINDS[model.outcome.kind]}")
    if model.classes:
        lines.append("Classes: " + ", ".join(str(one) for one in model.classes))
    if model.outcome.levels:
        lines.append("Quantiles: " + ", ".join(f"{level:g}" for level in model.outcome.levels))
    return [*lines, OPEN + "how and when the outcome was determined, its unit, and who knew the predictors then"]


def learned(model: Predictor) -> list[str]:
    facts, known = model.facts, []
    if facts is None:
        known = ["The file is of a version that kept no facts of the training: " + OPEN + "rows, persons, events"]
    else:
        known = [
            f"Rows: {facts.rows:,}",
            f"Persons (groups): {facts.persons:,}" if facts.persons is not None
            else "Persons: no groups were given, each row counted as a person of its own",
            *([f"Share of each class: {shares(model, facts)}"] if facts.shares else []),
            f"Fingerprint (SHA-256 of the schema and of counts, not of values): `{facts.fingerprint}`",
        ]  # fmt: skip
    return [*known, OPEN + "source, dates, places, and who was included and left out"]


def shares(model: Predictor, facts: Facts) -> str:
    return ", ".join(
        f"{label} {100 * share:.1f} %" for label, share in zip(model.classes, facts.shares, strict=True)
    )  # fmt: skip


def columns(model: Predictor) -> list[list[str]]:
    """A line for each column that is learned from."""
    schema, facts, rows = model.schema, model.facts, []
    used = {feature.origin for feature in model.preprocessor.features}
    for name in schema.features:
        one = schema[name]
        what = f"{one.role} ({one.codes})" if one.codes else one.role
        what += f", {one.unit}" if one.unit else ""
        what += "" if name in used else "; not used, it has one value"
        gap = "-" if facts is None else f"{100 * facts.missing.get(name, 0.0):.1f} %"
        found = None if facts is None else facts.ranges.get(name)
        rows.append([name, what, gap, "-" if found is None else f"{found[0]:.4g} to {found[1]:.4g}"])
    return rows


def members(model: Predictor) -> str:
    networks = sum(len(kind) for ensemble in model.ensembles for kind in ensemble.members.values())
    return f"{networks} networks, {model.parameters:,} parameters together"


def made(model: Predictor) -> list[str]:
    facts = model.facts
    lines = [
        f"Ensemble: {members(model)}; additive and deep ones, each stopped by rows that it did not learn from",
        *(f"Share of the deep networks: {ensemble.share:.1f}" for ensemble in model.ensembles),
        "Numbers: gaps become the training median and are marked; "
        + ("quantiles of the normal distribution" if model.preprocessor.numeric == "quantile" else "robust scaling"),
        "Kinds: rare and unknown ones share a place; gaps have one of their own",
    ]
    if facts is not None:
        told = ", ".join(f"{name} {value}" for name, value in facts.settings.items() if value is not None)
        lines += [f"Settings: {told}", f"Software: tinynet {facts.version}"]
    return lines


def judged(evaluation: Mapping[str, Any] | None) -> list[str]:
    if evaluation is None:
        return ["No evaluation was given. " + OPEN + "performance on rows that the model never met, with intervals"]
    facts = evaluation["facts"]
    return [*evaluation["verdict"], f"Split: {facts['split']}; {facts['rows']:,} rows"]


def measures(evaluation: Mapping[str, Any]) -> list[list[str]]:
    models = evaluation["models"]
    return [
        [measure, *(interval(record["measures"].get(measure)) for record in models.values())]
        for measure in next(iter(models.values()))["measures"]
    ]


def interval(found: list[float | None] | None) -> str:
    value, low, high = (float("nan") if one is None else one for one in (found or [None] * 3))
    return number(value) if low != low or high != high else f"{number(value)} ({number(low)} to {number(high)})"


def sure(model: Predictor) -> list[str]:
    if model.conformal is None:
        return ["The file has no conformal interval or set.", OPEN + "how sure one answer is"]
    coverage = f"{100 * model.conformal.coverage:.0f} %"
    if model.classes:
        said = f"`predict_set` names the classes that cannot be ruled out: for each class, the true one in {coverage}"
    else:
        said = f"`predict_interval` gives an interval that holds the truth in {coverage}"
    return [
        f"{said} of new rows like the training's (split-conformal; Vovk 2005).",
        "It was set by rows held out from learning, which also ended training: on new rows it may be a little less.",
        "It is promised on average, not for one person, one subgroup, another place or another year.",
        "`remarks` names for each row what is missing, unknown or out of range.",
    ]


def limits(model: Predictor, evaluation: Mapping[str, Any] | None) -> list[str]:
    found = list(evaluation["caveats"]) if evaluation else []
    facts = model.facts
    if facts is not None and facts.persons is None:
        found.append("Where a person has several rows, the numbers above are too good, since no groups were given.")
    if facts is not None and facts.settings.get("class_weight") is not None:
        found.append("Classes were weighted: the probabilities are no risks.")
    if evaluation is not None:
        parts = evaluation.get("subgroups", [])
        names = ", ".join(dict.fromkeys(part["column"] for part in parts))
        found.append(f"Subgroups judged apart: {names}." if parts else "No subgroups were judged apart.")
    return [*found, OPEN + "known weaknesses, unfair consequences that were considered, and how use is watched"]


# ------------------------------------------------------------------------------------------------------- TRIPOD+AI


def tripod(model: Predictor, evaluation: Mapping[str, Any] | None) -> dict[str, str]:
    """What is known of the items of TRIPOD+AI, by number; the others are the authors' alone."""
    facts, outcome, schema = model.facts, model.target or "the outcome", model.schema
    events = f"; {shares(model, facts)}" if facts and facts.shares else ""
    size = f"{facts.rows:,} rows{events}" if facts else OPEN + "number of rows"
    gapped = sum(share > 0 for share in facts.missing.values()) if facts else 0
    aside = [name for name in schema.columns if name not in schema.features and name != schema.target]
    known = {
        "1": f"outcome: {outcome}; " + OPEN + "the title",
        "4": "development" + (" and internal validation" if evaluation else "") + "; " + OPEN + "anything else",
        "7": "gaps, kinds and numbers as under “How it was made”, by the same rules for everybody; "
             + OPEN + "quality checks (`python -m tinynet quality` makes a report)",
        "8a": f"{outcome}; " + OPEN + "definition, time horizon, how and when assessed",
        "9a": f"{len(schema.features)} columns were learned from, none chosen by the outcome"
              + (f"; not used: {', '.join(aside)}" if aside else "") + "; " + OPEN + "why these columns",
        "9b": "the columns are listed under “What it needs”; " + OPEN + "how and when they were measured",
        "10": f"{size}; " + OPEN + "how the size was arrived at",
        "11": (f"{gapped} of {len(schema.features)} columns have gaps; a gap becomes the median and a mark, or a kind "
               "of its own, and no row is left out for it; " if facts else "") + OPEN + "why values are missing",
        "12a": f"each network learned from a part of the rows and stopped by another; {members(model)}"
               + (f"; judged by {evaluation['facts']['split']}" if evaluation else "; " + OPEN + "how it was judged"),
        "12b": "numbers are scaled and cut into pieces at quantiles; up to "
               f"{model.preprocessor.onehot} kinds have a column each, more an embedding",
        "12c": "ensemble of additive and deep networks, settings as under “How it was made”; "
               + OPEN + "why this type, and whether settings were tuned",
        "12d": ("the rows of one person stayed together; " if facts and facts.persons is not None else "")
               + OPEN + "clusters",
        "12f": OPEN + "none is in the file, unless you recalibrated it",
        "12g": "`tinynet.load(FILE).predict(TABLE)`, with NumPy alone",
        "13": "no class weights, so that risks stay calibrated"
              if facts and "class_weight" in facts.settings and facts.settings["class_weight"] is None
              else "does not apply: an amount is predicted" if not model.classes
              else OPEN + "whether classes were weighted, and recalibrated",
        "15": KINDS[model.outcome.kind] + "; no threshold is in the file"
              + (", `predict` gives the most probable class" if model.classes else ""),
        "18e": "no row of the data is in the file; " + OPEN + "whether and where others get the data",
        "18f": (f"tinynet {facts.version}, MIT licence; " if facts else "") + OPEN + "your own code",
        "20a": f"{size}; " + OPEN + "flow (`python -m tinynet integrate` counts what each rule removed), follow-up",
        "20b": "share of gaps by column under “What it needs”; "
               + OPEN + "a table 1 (`python -m tinynet integrate` makes one)",
        "21": f"development: {size}"
              + (f"; evaluation: {evaluation['facts']['evaluated']:,} rows" if evaluation else ""),
        "22": f"the file itself: {members(model)}; " + OPEN + "licence and limits of use",
        "23a": " ".join(evaluation["verdict"]) if evaluation else OPEN + "performance with intervals",
        "26": " ".join([*(evaluation["caveats"] if evaluation else []), OPEN + "further limitations"]),
        "27a": "`remarks` names each row's missing, unknown and out-of-range input; gaps are filled and marked; "
               + OPEN + "from how many gaps on the answer should not be used",
    }  # fmt: skip
    if evaluation:
        named = ", ".join(next(iter(evaluation["models"].values()))["measures"])
        known["12e"] = (
            f"{named}; beside {', '.join(list(evaluation['models'])[1:]) or 'no other model'}; " + OPEN + "why"
        )
        if facts and facts.rows == evaluation["facts"]["rows"]:
            known["16"] = "internal validation: as many rows as were learned from; " + OPEN + "is it the same table"
    return known
