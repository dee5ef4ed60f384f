"""The data of the demo: real, public, and inside Python packages, so that nothing has to be fetched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

PERSONS = 1200  # of the insurance experiment, drawn at random: the whole would take minutes
TWO_YEARS = 730  # days


@dataclass(frozen=True)
class HealthSet:
    """One table and what is asked of it.

    name : of its files
    kind : where such data come from
    title, about : for the reader
    target : the column that is predicted
    asked : the prediction in words, "the risk that ..."
    load : gives the table as a pandas frame
    package : the Python package that has it
    task : "classes", "amount" or "cost"
    group : the column of the person, where persons have several rows
    after : columns that are known only after the prediction, or restate the target, and why they are left out
    unit : of an amount
    """

    name: str
    kind: str
    title: str
    about: str
    target: str
    asked: str
    load: Callable[[], Any]
    package: str
    task: str = "classes"
    group: str | None = None
    after: dict[str, str] = field(default_factory=dict)
    unit: str = ""


def breast_cancer() -> Any:
    """Wisconsin (Diagnostic), where scikit-learn has 0 for malignant: in words here."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer(as_frame=True)
    frame = bunch.data.copy()
    frame["tumour"] = np.where(bunch.target == list(bunch.target_names).index("malignant"), "malignant", "benign")
    return frame


def diabetes() -> Any:
    """In the patients' own units."""
    from sklearn.datasets import load_diabetes

    frame = load_diabetes(as_frame=True, scaled=False).frame
    names = {"bp": "mean_blood_pressure", "s1": "cholesterol", "s2": "ldl", "s3": "hdl", "s4": "cholesterol_per_hdl",
             "s5": "log_triglycerides", "s6": "glucose", "target": "progression"}  # fmt: skip
    return frame.rename(columns=names)


def packaged(package: str, file: str) -> Any:
    """A CSV file that a package carries, read without importing the package."""
    import pandas as pd

    found = find_spec(package)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"{package} is not installed: pip install tinynet[demo]", name=package)
    return pd.read_csv(Path(found.origin).parent / file)


def insurance() -> Any:
    """The years of some persons, in words where the names are short."""
    frame = packaged("statsmodels", "datasets/randhie/src/randhie.csv")
    persons = np.random.default_rng(0).permutation(np.unique(frame["zper"]))[:PERSONS]
    names = {"zper": "person", "coins": "coinsurance_percent", "xage": "age", "educdec": "education_years",
             "num": "family_size", "mhi": "mental_health_index", "disea": "chronic_diseases",
             "physlm": "physical_limitation", "tookphys": "had_physical_examination", "lpi": "log_incentive",
             "idp": "individual_deductible", "logc": "log_coinsurance", "fmde": "log_maximum_deductible",
             "lfam": "log_family_size", "fchild": "girl", "ghindx": "general_health_index",
             "mdeoff": "maximum_expense_offered",
             "pioff": "incentive_to_take_part", "linc": "log_income", "hlthg": "health_good", "hlthf": "health_fair",
             "hlthp": "health_poor", "meddol": "cost"}  # fmt: skip
    return frame[frame["zper"].isin(persons)].reset_index(drop=True).rename(columns=names)


def within(frame: Any, time: str, event: str, name: str) -> Any:
    """Whether the event came within two years; who was lost before, without the event, is left out."""
    known = (frame[time] >= TWO_YEARS) | (frame[event] == 1)
    frame = frame[known].reset_index(drop=True)
    frame[name] = np.where((frame[event] == 1) & (frame[time] <= TWO_YEARS), "yes", "no")
    return frame


def registry() -> Any:
    """In words."""
    names = {"horTh": "hormone_therapy", "menostat": "menopause", "tsize": "tumour_size_mm", "tgrade": "tumour_grade",
             "pnodes": "positive_nodes", "progrec": "progesterone_receptor", "estrec": "oestrogen_receptor",
             "time": "days", "cens": "event"}  # fmt: skip
    return within(packaged("lifelines", "datasets/gbsg2.csv").rename(columns=names), "days", "event", "relapse")


def trial() -> Any:
    """In words, the treatments too."""
    frame = packaged("lifelines", "datasets/ACTG175.csv").drop(columns="Unnamed: 0")
    names = {"wtkg": "weight_kg", "hemo": "haemophilia", "homo": "homosexual_activity",
             "drugs": "injected_drugs", "karnof": "karnofsky_score",
             "oprior": "other_therapy_before", "z30": "zidovudine_last_30_days", "zprior": "zidovudine_before",
             "preanti": "days_treated_before", "str2": "treated_before", "strat": "treated_before_stratum",
             "symptom": "symptoms", "treat": "more_than_zidovudine", "arms": "treatment", "cens": "event",
             "offtrt": "off_treatment", "cd40": "cd4_cells", "cd420": "cd4_cells_week_20", "cd496": "cd4_cells_week_96",
             "cd80": "cd8_cells", "cd820": "cd8_cells_week_20", "r": "cd4_week_96_known"}  # fmt: skip
    arms = {0: "zidovudine", 1: "zidovudine, didanosine", 2: "zidovudine, zalcitabine", 3: "didanosine"}
    frame = frame.rename(columns=names)
    return within(frame.assign(treatment=frame["treatment"].map(arms)), "days", "event", "progressed")


OUTCOME = "part of the outcome"
LATER = "known only weeks after the prediction"
PARTS = ("outpdol", "drugdol", "suppdol", "mentdol", "inpdol", "totadm", "inpmis", "mentvis", "mdvis", "notmdvis",
         "lnmeddol", "binexp")  # fmt: skip
SETS = [
    HealthSet(
        "breast_cancer", "device: imaging features", "Is a breast tumour malignant?",
        "569 patients of the University of Wisconsin; 30 measurements of cell nuclei in a microscope's image, which a "
        "program outlined (Breast Cancer Wisconsin Diagnostic, 1995, CC BY 4.0; in scikit-learn).",
        "tumour", "the risk that the tumour is malignant", breast_cancer, "sklearn",
    ),
    HealthSet(
        "diabetes", "cases: laboratory values", "How far will diabetes progress in a year?",
        "442 patients; age, sex, body mass index, blood pressure and six blood values, and a score of progression one "
        "year later, 25 to 346 (Efron et al. 2004; in scikit-learn).",
        "progression", "the score of progression a year later", diabetes, "sklearn", "amount",
    ),
    HealthSet(
        "relapse", "registry", "Will breast cancer come back within two years?",
        "Women with node-positive breast cancer, followed up by the German Breast Cancer Study Group (GBSG-2, "
        "Schumacher et al. 1994; in lifelines). Those lost before two years are left out.",
        "relapse", "the risk of relapse or death within two years", registry, "lifelines",
        after={"days": OUTCOME, "event": OUTCOME},
    ),
    HealthSet(
        "drug_trial", "randomised drug trial", "Will HIV disease progress within two years?",
        "Adults with HIV in the ACTG 175 trial of four treatments (Hammer et al. 1996; in lifelines). Those lost "
        "before two years are left out.",
        "progressed", "the risk of progression or death within two years", trial, "lifelines",
        after={"days": OUTCOME, "event": OUTCOME, "off_treatment": LATER, "cd4_week_96_known": LATER,
               "cd4_cells_week_20": LATER, "cd4_cells_week_96": LATER, "cd8_cells_week_20": LATER,
               "pidnum": "the patient's number"},
    ),
    HealthSet(
        "insurance", "insurance: costs", "What will a person's medical care cost in a year?",
        f"Years of {PERSONS:,} persons, drawn at random from the 5,912 of the RAND Health Insurance Experiment, the "
        "randomised trial of cost sharing (public domain; in statsmodels).",
        "cost", "the medical cost of a year", insurance, "statsmodels", "cost", "person",
        dict.fromkeys(PARTS, "part of the cost, or counted with it"), "dollars",
    ),
]  # fmt: skip
