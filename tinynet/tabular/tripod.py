"""The TRIPOD+AI checklist, each item in short words of our own, with what a file and an evaluation know of it.

Source: G. S. Collins, K. G. M. Moons, P. Dhiman et al., TRIPOD+AI statement: updated guidance for reporting clinical
prediction models that use regression or machine learning methods, BMJ 2024;385:e078378, doi:10.1136/bmj-2023-078378
(open access, CC BY 4.0): 27 items, 52 with their parts. Its full words, and the form to hand in, are at
https://www.tripod-statement.org.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

DEVELOPMENT, EVALUATION, BOTH = "D", "E", "D;E"


@dataclass(frozen=True)
class Item:
    """One line of the checklist.

    number : "1", "3a", ...
    asked : what a report has to say
    of : "D", of the development of a model; "E", of its evaluation; "D;E", of both
    """

    number: str
    asked: str
    of: str = BOTH


SECTIONS: dict[str, list[Item]] = {
    "Title and abstract": [
        Item("1", "Title: development or evaluation of a prediction model, for which persons, of which outcome"),
        Item("2", "Abstract: by the checklist TRIPOD+AI for Abstracts"),
    ],
    "Introduction": [
        Item("3a", "Background: the health problem, diagnosis or prognosis, why a model, which models there are"),
        Item("3b", "Background: for which persons, at which point of their care, to be used by whom"),
        Item("3c", "Background: health inequalities that are known between groups of society"),
        Item("4", "Objectives: is a model developed, evaluated, or both"),
    ],
    "Methods": [
        Item("5a", "Data: the sources, of development and evaluation apart; why these; how representative"),
        Item("5b", "Data: dates of the first and last participant, and of the end of follow-up"),
        Item("6a", "Participants: setting, number and places of centres"),
        Item("6b", "Participants: who was eligible"),
        Item("6c", "Participants: treatments received, and how they were dealt with"),
        Item("7", "Data preparation: processing and quality checks; alike for all groups of society?"),
        Item("8a", "Outcome: definition, time horizon, how and when assessed, why this one; alike for all groups?"),
        Item("8b", "Outcome: who assessed it, where judgement is needed"),
        Item("8c", "Outcome: was its assessment blinded"),
        Item("9a", "Predictors: how the first set was chosen, and what was selected before modelling", DEVELOPMENT),
        Item("9b", "Predictors: definition of each, how and when measured, blinded or not"),
        Item("9c", "Predictors: who assessed them, where judgement is needed"),
        Item("10", "Sample size: how it was arrived at, and why it is enough"),
        Item("11", "Missing data: how they were handled, and why data were left out"),
        Item("12a", "Analysis: which data were used for what; partitions", DEVELOPMENT),
        Item("12b", "Analysis: how predictors were handled: form, scale, transformation", DEVELOPMENT),
        Item("12c", "Analysis: type of model and why, all steps, tuning, internal validation", DEVELOPMENT),
        Item("12d", "Analysis: differences between clusters, such as hospitals or countries"),
        Item("12e", "Analysis: measures and plots of performance, and why these; comparison of models"),
        Item("12f", "Analysis: updating of the model after its evaluation, such as recalibration", EVALUATION),
        Item("12g", "Analysis: how predictions were calculated", EVALUATION),
        Item("13", "Class imbalance: methods used, why and how; recalibration after them"),
        Item("14", "Fairness: what was done for it, and why"),
        Item("15", "Model output: probabilities or classes; thresholds, and how they were found", DEVELOPMENT),
        Item("16", "Training and evaluation: how their data differ in setting, eligibility, outcome, predictors"),
        Item("17", "Ethical approval: which committee; consent or its waiver"),
    ],
    "Open science": [
        Item("18a", "Funding, and the funders' role"),
        Item("18b", "Conflicts of interest of all authors"),
        Item("18c", "Protocol: where it is, or that there was none"),
        Item("18d", "Registration: register and number, or that there was none"),
        Item("18e", "Data sharing: are the data available"),
        Item("18f", "Code sharing: is the code of the analysis available"),
    ],
    "Patient and public involvement": [Item("19", "Who was involved in what, or that nobody was")],
    "Results": [
        Item("20a", "Participants: their flow through the study; with and without the outcome; follow-up time"),
        Item("20b", "Participants: characteristics, treatments, events, missing data; by source and group"),
        Item("20c", "Participants: important predictors and the outcome beside those of the development", EVALUATION),
        Item("21", "Model development: participants and events in each analysis"),
        Item("22", "Model specification: the full model, for others to use and test; limits of use", DEVELOPMENT),
        Item("23a", "Model performance: estimates with intervals, in subgroups too"),
        Item("23b", "Model performance: differences between clusters, where examined"),
        Item("24", "Model updating: results, the updated model and its performance", EVALUATION),
    ],
    "Discussion": [
        Item("25", "Interpretation: the main results, with fairness, objectives and earlier studies"),
        Item("26", "Limitations: sample, size, overfitting, gaps, and what they do to bias and generalisability"),
        Item("27a", "Usability: what to do about poor or missing input when the model is used", DEVELOPMENT),
        Item("27b", "Usability: what users have to do and to know", DEVELOPMENT),
        Item("27c", "Usability: next steps of research, for other places and persons"),
    ],
}  # fmt: skip


def checklist(known: dict[str, str], table: Callable[[list[str], list[list[str]]], str], left: str) -> list[str]:
    """Headings and tables, section by section, as Markdown.

    Parameters
    ----------
    known : what is known, by item
    table : makes a table of a head and rows
    left : what stands where nothing is known
    """
    parts = []
    for section, items in SECTIONS.items():
        rows = [[item.number, item.asked, item.of, known.get(item.number, left)] for item in items]
        parts += [f"### {section}", table(["item", "to report", "of", "what is known"], rows)]
    return parts
