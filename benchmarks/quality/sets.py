"""The sets of the quality benchmark: which file, columns and cohort, what is predicted, who belongs together.

Each recipe reads one folder of TINYNET_DATA and gives a table, the outcome and the groups; nothing is fitted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Set:
    """A table with its outcome.

    x : the columns to learn from, a pandas frame
    y : (n,) the outcome
    groups : (n,) the person of each row, None where every row is a person of its own
    task : "binary", "multiclass" or "regression"
    splits : folds; grouped where there are groups
    """

    x: Any
    y: Any
    groups: Any
    task: str
    splits: int = 5


MARKERS = ["", "?", "NA", "NaN"]  # "None" in diabetes130 says that nothing was measured: a kind, not a gap


def table(path: Path, **options: Any) -> Any:
    """A CSV file as a frame; only the markers of these sets are gaps."""
    return pd.read_csv(path, keep_default_na=False, na_values=MARKERS, low_memory=False, **options)


def support2(folder: Path) -> Set:
    """Death in hospital, of what was known on day 3; no outcome, later treatment or other model's score."""
    frame = table(folder / "support2.csv", index_col=0)
    after = [
        "death",
        "slos",
        "d.time",
        "sfdm2",
        "charges",
        "totcst",
        "totmcst",
        "avtisst",
        "dnr",
        "dnrday",
        "sps",
        "aps",
        "surv2m",
        "surv6m",
        "prg2m",
        "prg6m",
    ]
    return Set(frame.drop(columns=[*after, "hospdead"]), frame["hospdead"].to_numpy(), None, "binary")


def diabetes130(folder: Path) -> Set:
    """Readmission within 30 days; all rows, grouped by patient, 3 folds."""
    frame = table(folder / "diabetic_data.csv")
    y = (frame["readmitted"] == "<30").to_numpy().astype(int)
    x = frame.drop(columns=["encounter_id", "patient_nbr", "readmitted"])
    return Set(x, y, frame["patient_nbr"].to_numpy(), "binary", 3)


def heart_cleveland(folder: Path) -> Set:
    """Heart disease of any degree."""
    names = [
        "age",
        "sex",
        "cp",
        "trestbps",
        "chol",
        "fbs",
        "restecg",
        "thalach",
        "exang",
        "oldpeak",
        "slope",
        "ca",
        "thal",
        "num",
    ]
    frame = table(folder / "processed.cleveland.data", names=names, header=None)
    return Set(frame.drop(columns="num"), (frame["num"] > 0).to_numpy().astype(int), None, "binary")


def mammographic_masses(folder: Path) -> Set:
    """Malignancy, without the radiologist's own verdict (BI-RADS)."""
    frame = table(folder / "mammographic_masses.data")
    return Set(frame.drop(columns=["BI-RADS", "Severity"]), frame["Severity"].to_numpy().astype(int), None, "binary")


def arrhythmia(folder: Path) -> Set:
    """A normal electrocardiogram or not, of 279 measurements of 452 people."""
    frame = table(folder / "arrhythmia.data")
    return Set(frame.drop(columns=frame.columns[-1]), (frame.iloc[:, -1] != 1).to_numpy().astype(int), None, "binary")


def actg175(folder: Path) -> Set:
    """An event in a drug trial, of what was known at randomisation."""
    frame = table(folder / "ACTG175.csv", index_col=0)
    after = ["pidnum", "days", "cd420", "cd496", "cd820", "offtrt", "r", "treat", "cens"]
    x = frame.drop(columns=after).astype({"arms": str})
    return Set(x, frame["cens"].to_numpy(), None, "binary")


def cardiotocography(folder: Path) -> Set:
    """Normal, suspect or pathological, grouped by recording."""
    frame = table(folder / "ctg_raw.csv")
    restate = [
        "FileName",
        "Date",
        "SegFile",
        "b",
        "e",
        "A",
        "B",
        "C",
        "D",
        "E",
        "AD",
        "DE",
        "LD",
        "FS",
        "SUSP",
        "CLASS",
        "NSP",
    ]
    frame = frame[frame["NSP"].notna()]
    y = frame["NSP"].to_numpy().astype(int)
    return Set(frame.drop(columns=restate), y, frame["FileName"].astype(str).to_numpy(), "multiclass")


def parkinsons_telemonitoring(folder: Path) -> Set:
    """The disease's score, of 42 subjects' voices, grouped by subject: there is little or no skill to be had."""
    frame = table(folder / "parkinsons_updrs.data", sep="\t")
    x = frame.drop(columns=["subject#", "motor_UPDRS", "total_UPDRS"])
    return Set(x, frame["total_UPDRS"].to_numpy(), frame["subject#"].to_numpy(), "regression")


def randhie(folder: Path) -> Set:
    """ln(1 + a year's medical spend), grouped by person; no part of the spend and no visits among the columns."""
    frame = table(folder / "randhie.csv")
    after = [
        "meddol",
        "outpdol",
        "drugdol",
        "suppdol",
        "mentdol",
        "inpdol",
        "totadm",
        "inpmis",
        "mentvis",
        "mdvis",
        "notmdvis",
        "lnmeddol",
        "binexp",
    ]
    y = np.log1p(frame["meddol"].to_numpy(float))
    return Set(frame.drop(columns=[*after, "zper"]), y, frame["zper"].to_numpy(), "regression")


SETS: dict[str, Callable[[Path], Set]] = {
    made.__name__: made
    for made in (
        support2, diabetes130, heart_cleveland, randhie, mammographic_masses, arrhythmia, actg175, cardiotocography,
        parkinsons_telemonitoring,
    )
}  # fmt: skip
