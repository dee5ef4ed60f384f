"""Sets that come inside Python packages: nothing was ever chosen by what came out on them.

They answer whether defaults that were chosen on the sets of sets.py hold elsewhere: imaging, laboratory, cases, a drug
trial and insurance. pip install scikit-learn lifelines scikit-survival linearmodels
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pandas as pd
from sets import Set


def breast_cancer() -> Set:
    """scikit-learn: a malignant tumour, of 30 measures of an image of cells."""
    from sklearn.datasets import load_breast_cancer

    held = load_breast_cancer(as_frame=True)
    return Set(held.data, (held.target == 0).to_numpy().astype(int), None, "binary")


def gbsg2() -> Set:
    """lifelines: breast cancer that came back or death during follow-up, of what was known at operation."""
    frame = pd.read_csv(str(files("lifelines.datasets") / "gbsg2.csv"))
    return Set(frame.drop(columns=["time", "cens"]), frame["cens"].to_numpy(), None, "binary")


def flchain() -> Set:
    """scikit-survival: death during follow-up of 7,874 residents, of age, sex and blood; no cause of death."""
    from sksurv.datasets import load_flchain

    x, y = load_flchain()
    return Set(plain_types(x.drop(columns="chapter")), y["death"].astype(int), None, "binary")


def whas500() -> Set:
    """scikit-survival: death during follow-up after a heart attack, of what was known at admission."""
    from sksurv.datasets import load_whas500

    x, y = load_whas500()
    return Set(plain_types(x.drop(columns="los")), y["fstat"].astype(int), None, "binary")


def actg320() -> Set:
    """scikit-survival: AIDS or death in a drug trial; 96 events."""
    from sksurv.datasets import load_aids

    x, y = load_aids()
    return Set(plain_types(x), y["censor"].astype(int), None, "binary")


def meps() -> Set:
    """linearmodels: ln of a year's expense for drugs, of Americans above 64 and their insurance."""
    frame = pd.read_csv(str(files("linearmodels.datasets.meps") / "meps.csv.bz2"))
    return Set(frame.drop(columns=["drugexp", "ldrugexp"]), frame["ldrugexp"].to_numpy(), None, "regression")


def diabetes_progression() -> Set:
    """scikit-learn: how far diabetes went in a year, of 10 measures of 442 patients."""
    from sklearn.datasets import load_diabetes

    held = load_diabetes(as_frame=True, scaled=False)
    return Set(held.data, held.target.to_numpy(float), None, "regression")


def birth_weight() -> Set:
    """linearmodels: a newborn's weight, of 1,388 births: family, cigarettes; there is little skill to be had."""
    frame = pd.read_csv(str(files("linearmodels.datasets.birthweight") / "birthweight.csv.bz2"), na_values=".")
    frame = frame.rename(columns=str.strip)
    return Set(frame.drop(columns=["bwght", "lbwght", "bwghtlbs"]), frame["bwght"].to_numpy(float), None, "regression")


def plain_types(x: Any) -> Any:
    """Categories as text, and numbers that were read as text as numbers."""
    as_text = x.astype(dict.fromkeys(x.columns[x.dtypes == "category"], object)).reset_index(drop=True)
    return as_text.apply(numbers_where_all_are)


def numbers_where_all_are(column: Any) -> Any:
    try:
        return pd.to_numeric(column)
    except (ValueError, TypeError):
        return column


HELD_OUT: dict[str, Callable[[], Set]] = {
    made.__name__: made
    for made in (
        breast_cancer, gbsg2, flchain, whas500, actg320, meps, diabetes_progression, birth_weight,
    )
}  # fmt: skip
