"""What is asked: of which model, which row, and which class or quantile."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.registry import unknown
from tinynet.settings import whole
from tinynet.tabular.frame import Columns
from tinynet.tabular.predictor import Predictor


def predictor_of(model: Any, what: str) -> Predictor:
    """The predictor of a fitted estimator, or that it is already. Raises TypeError for anything else."""
    predictor = model if isinstance(model, Predictor) else getattr(model, "predictor_", None)
    if not isinstance(predictor, Predictor):
        raise TypeError(f"{what} takes a fitted tabular model, not {type(model).__name__}")
    return predictor


def patient_of(predictor: Predictor, table: Any, row: int) -> Columns:
    """One row of a table. Raises IndexError where there is no such row."""
    given = predictor.table(table)
    if not 0 <= whole("row", row, 0) < given.count:
        raise IndexError(f"row {row} is asked for; the table has {given.count} rows, counted from 0")
    return given.rows(np.array([row]))


def chosen(predictor: Predictor, x: Array, of: Any) -> tuple[int, str]:
    """(place of the class or level that is asked for, what it is called)."""
    outcome = predictor.outcome
    known = outcome.classes if outcome.kind == "classes" else outcome.levels if outcome.kind == "quantiles" else []
    if of is not None and of not in known:
        raise ValueError(unknown("class or level", str(of), [str(one) for one in known]))
    target = predictor.target or "the target"
    if outcome.kind == "classes":
        z = predictor.ensembles[0](x)
        place = known.index(of) if of is not None else 1 if len(known) == 2 else int(z[0].argmax())
        return place, f"risk of {target} = {known[place]}"
    if outcome.kind == "quantiles":
        place = known.index(of) if of is not None else int(np.abs(np.array(known) - 0.5).argmin())
        return place, f"the {known[place]:g} quantile of {target}"
    return 0, target


def answer(predictor: Predictor, z: list[Array], place: int) -> float:
    """The probability, calibrated, or the amount, in the target's own unit."""
    said = predictor.outcome(z)[0]
    return float(said[place]) if np.ndim(said) else float(said)
