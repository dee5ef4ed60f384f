"""What a column seems to be, told from its name and values."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.registry import unknown
from tinynet.tabular.cells import distinct, number
from tinynet.tabular.frame import read
from tinynet.tabular.schema import Column

GAPS = {"?", "na", "n/a", "#n/a", "nan", "null", "nil", ".", "-", "--", "<na>", "nat", "missing"}
NOT_MEASURED = {"none", "not measured", "not done", "not tested", "not performed", "not taken", "not recorded"}


def inferred(frame: Any, given: dict[str, str | None]) -> dict[str, Column]:
    """Every column's role; `given` names the target, group and time."""
    columns = read(frame)
    roles: dict[str, str] = {}
    for role, name in given.items():
        if name is None:
            continue
        if name not in columns:
            raise KeyError(unknown("column", name, list(columns)))
        if name in roles:
            raise ValueError(f"column {name!r} cannot be both the {roles[name]} and the {role}")
        roles[name] = role
    return {name: one(name, values, roles.get(name)) for name, values in columns.items()}


def one(name: str, values: Array, role: str | None) -> Column:
    known, places = distinct(values)
    counts = np.bincount(places[places >= 0], minlength=len(known))
    missing = [v for v in known if isinstance(v, str) and v.lower() in GAPS]
    if role is not None:
        return Column(role, missing=missing)
    present = [v for v in known if v not in missing]
    if len(present) < 2:
        return Column("ignored", missing=missing, note="no value" if not present else "one value only")
    if all(not isinstance(v, str) or number(v) is not None for v in present):
        return Column("numeric", missing=missing)
    not_measured = [v for v in present if v.lower() in NOT_MEASURED]
    return Column("category", missing=missing, not_measured=not_measured, note=f"{len(counts)} kinds")
