"""The plan of an integration: which tables, one row per what, known until when, summed up how. Written as TOML."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from tinynet.registry import unknown
from tinynet.settings import shown, whole

EXAMPLE = """# One row per admission, with what was known 24 hours after it began.
[rows]
table = "admissions.csv"          # CSV or Parquet, beside this file
key = ["hadm_id"]                 # one row for each
keep = ["subject_id", "admission_type", "insurance"]   # columns known at the prediction time
prediction_time = "admittime"     # required: nothing from this moment on is looked at
after = "24 hours"                # shifts the prediction time
target = "hospital_expire_flag"   # kept, and what table 1 is divided by

[[joins]]                         # one row of this table for each row: anything else is refused
table = "patients.csv"
on = ["subject_id"]
keep = ["gender", "dob"]

[[elapsed]]                       # a date as the time from it to the prediction time
name = "age"
since = "dob"
unit = "years"

[[cohort]]                        # rows that do not fit are removed, rule by rule, and counted
name = "still in hospital"
column = "dischtime"
after_prediction = true           # or: least, most (numbers), is, is_not (lists of values), present = true

[[events]]                        # measurements: many rows become aggregates
table = "labevents.csv"
on = ["hadm_id"]                  # or { stay_id = "hadm_id" }: the table's column = the row's column
time = "charttime"                # or ["charttime", "storetime"]: known when all of them are past
value = "valuenum"
by = "itemid"                     # columns for each item; without `items`, for the `most` frequent ones, named by
                                  # labels = { table = "d_labitems.csv", on = "itemid", column = "label" }
items = { 50912 = "creatinine", 50983 = "sodium" }
window = "24 hours"               # back from the prediction time; without it, all that is earlier
aggregates = ["last", "first", "mean", "min", "max", "slope", "count", "hours since"]

[[codes]]                         # codes: how often each was given before the prediction time
table = "diagnoses_icd.csv"
on = ["subject_id"]
code = "icd9_code"                # or several columns; separator = ";" where a cell holds a list
prefix = 3                        # only the first three characters
most = 20                         # the most frequent ones
time_from = { table = "admissions.csv", on = ["hadm_id"], column = "dischtime" }   # when the code became known
"""
AGGREGATES = ("last", "first", "mean", "min", "max", "slope", "count", "hours since")
UNITS = {"minute": 1 / 1440, "hour": 1 / 24, "day": 1.0, "week": 7.0, "year": 365.25}  # days


@dataclass
class Rows:
    """One row per key; `after`, like every duration here, in days."""

    table: str
    key: list[str]
    prediction_time: str
    keep: list[str] = field(default_factory=list)
    after: float = 0.0
    target: str = ""


@dataclass
class Join:
    """A table with one row for each value of `on`: {its column: the rows' column}."""

    table: str
    on: dict[str, str]
    keep: list[str]


@dataclass
class Elapsed:
    """The time from a date to the prediction time."""

    name: str
    since: str
    unit: str = "days"


@dataclass
class Rule:
    """What a row must fulfil to stay."""

    name: str
    column: str
    least: float | None = None
    most: float | None = None
    is_: list[str] | None = None
    is_not: list[str] | None = None
    present: bool = False
    after_prediction: bool = False


@dataclass
class TimeFrom:
    """Where an event's time stands when it is not in the event's own table."""

    table: str
    on: dict[str, str]
    column: str


@dataclass
class Labels:
    """A dictionary: a table that says in `column` what a code means."""

    table: str
    on: str
    column: str


@dataclass
class Events:
    """Many rows with a time. Measurements have a `value`; codes have none, and are counted.

    Of several `time` columns all must be past; the first says when it was. `by` may be several columns of codes, and
    `separator` the sign between the codes in one cell.
    """

    table: str
    on: dict[str, str]
    time: list[str] = field(default_factory=list)
    time_from: TimeFrom | None = None
    value: str = ""
    by: list[str] = field(default_factory=list)
    separator: str = ""
    labels: Labels | None = None
    items: dict[str, str] = field(default_factory=dict)
    most: int = 20
    least: int = 5
    prefix: int = 0
    window: float | None = None
    aggregates: list[str] = field(default_factory=lambda: ["last", "count"])
    name: str = ""


@dataclass
class Plan:
    """All of it; `folder` is where relative paths start."""

    rows: Rows
    joins: list[Join]
    elapsed: list[Elapsed]
    cohort: list[Rule]
    events: list[Events]
    folder: Path

    def needed(self) -> dict[str, set[str]]:
        """The columns that are used of each table but the rows' own, which is used whole."""
        used: dict[str, set[str]] = {}
        for join in self.joins:
            used.setdefault(join.table, set()).update(join.on, join.keep)
        for one in self.events:
            at = one.time_from
            used.setdefault(one.table, set()).update(
                one.on, one.time, one.by, [one.value] if one.value else [], at.on.values() if at else []
            )
            if at:
                used.setdefault(at.table, set()).update(at.on, [at.column])
            if one.labels:
                used.setdefault(one.labels.table, set()).update([one.labels.on, one.labels.column])
        used.pop(self.rows.table, None)
        return used


def load(source: str | os.PathLike[str] | Mapping[str, Any]) -> Plan:
    """The plan in a TOML file or a dictionary. Raises ValueError in one sentence where it is none."""
    if isinstance(source, Mapping):
        return parsed(dict(source), Path())
    path = Path(source)
    if not path.is_file():
        raise FileNotFoundError(f"there is no plan {str(source)!r}")
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name} is no TOML file: {error}") from None
    return parsed(given, path.parent)


def parsed(given: dict[str, Any], folder: Path) -> Plan:
    parts = ["rows", "joins", "elapsed", "cohort", "events", "codes"]
    for name in given:
        if name not in parts:
            raise ValueError(f"the plan: {unknown('part', name, parts)}")
    if "rows" not in given:
        raise ValueError("the plan has no [rows]: it says which table has one row per patient, admission or time point")
    if isinstance(given["rows"], dict) and "prediction_time" not in given["rows"]:
        raise ValueError(
            "the plan has no prediction_time in [rows]: without it nobody can say what was known before it"
        )

    def several(name: str) -> list[Any]:
        entries = given.get(name, [])
        if not isinstance(entries, list):
            raise ValueError(f"{name} of the plan is a list: write [[{name}]]")
        return entries

    measured = [entry(Events, e, "events", one_of=("value", "code")) for e in several("events")]
    coded = []
    for e in several("codes"):
        renamed = {("by" if k == "code" else k): v for k, v in e.items()} if isinstance(e, dict) else e
        coded.append(entry(Events, renamed, "codes"))
        if not coded[-1].by:
            raise ValueError(f"codes from {coded[-1].table!r} in the plan have no `code`, the column that holds them")
        coded[-1].value, coded[-1].aggregates = "", ["count"]
    for events in [*measured, *coded]:
        if bool(events.time) == bool(events.time_from):
            raise ValueError(
                f"{events.table!r} in the plan has {'both' if events.time else 'neither'} `time` and `time_from`: "
                "one of them says when a row became known"
            )
    return Plan(
        entry(Rows, given["rows"], "rows"),
        [entry(Join, e, "joins") for e in several("joins")],
        [entry(Elapsed, e, "elapsed") for e in several("elapsed")],
        [entry(Rule, e, "cohort") for e in several("cohort")],
        [*measured, *coded],
        folder,
    )


def entry(kind: type[Any], given: Any, part: str, one_of: tuple[str, ...] = ()) -> Any:
    """One table of the TOML as `kind`, every setting checked."""
    if not isinstance(given, dict):
        raise ValueError(f"{part} of the plan is a table of settings; given was {shown(given)}")
    known = {f.name.rstrip("_"): f for f in fields(kind)}
    settings: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            raise ValueError(f"{part} of the plan: {unknown('setting', name, list(known))}")
        settings[known[name].name] = checked(f"{name} in {part} of the plan", name, value)
    from dataclasses import MISSING

    for name, f in known.items():
        if f.default is MISSING and f.default_factory is MISSING and f.name not in settings:
            raise ValueError(f"{part} of the plan lacks {name!r}")
    made = kind(**settings)
    if isinstance(made, Events):
        made.name = made.name or Path(made.table).name.split(".")[0]
        if part == "events" and not made.value and set(made.aggregates) - {"count", "hours since"}:
            made.aggregates = [a for a in made.aggregates if a in ("count", "hours since")]
    if isinstance(made, Elapsed) and made.unit.rstrip("s") not in UNITS:
        raise ValueError(f"elapsed of the plan: {unknown('unit', made.unit, [u + 's' for u in UNITS])}")
    return made


def checked(what: str, name: str, value: Any) -> Any:
    """A setting in the form that the plan's classes have."""
    if name == "on" and " in labels " not in what:
        if isinstance(value, dict) and value and all(isinstance(v, str) for v in value.values()):
            return value
        return {column: column for column in texts(what, value)}
    if name in ("key", "keep", "by", "code") or (name == "time" and " in time_from " not in what):
        return texts(what, value)
    if name in ("is", "is_not"):
        values = value if isinstance(value, list) else [value]
        return [str(int(v)) if isinstance(v, bool) else str(v) for v in values]
    if name == "aggregates":
        for aggregate in texts(what, value):
            if aggregate not in AGGREGATES:
                raise ValueError(f"{what}: {unknown('aggregate', aggregate, list(AGGREGATES))}")
        return list(value)
    if name == "items":
        if isinstance(value, list):
            return {str(v): str(v) for v in value}
        if isinstance(value, dict):
            return {str(k): str(v) for k, v in value.items()}
        raise ValueError(f"{what} is a table of codes and names; given was {shown(value)}")
    if name in ("after", "window"):
        return duration(what, value)
    if name in ("least", "most", "prefix"):
        if part_of_cohort(what):
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ValueError(f"{what} is a number; given was {shown(value)}")
            return float(value)
        return whole(what, value, 1)
    if name in ("present", "after_prediction"):
        if not isinstance(value, bool):
            raise ValueError(f"{what} is true or false; given was {shown(value)}")
        return value
    if name == "time_from":
        return entry(TimeFrom, value, "time_from")
    if name == "labels":
        return entry(Labels, value, "labels")
    if not isinstance(value, str) or not value:
        raise ValueError(f"{what} is a text; given was {shown(value)}")
    return value


def part_of_cohort(what: str) -> bool:
    return " in cohort " in what


def texts(what: str, value: Any) -> list[str]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values or not all(isinstance(v, str) and v for v in values):
        raise ValueError(f"{what} is a list of names; given was {shown(value)}")
    return values


def duration(what: str, value: Any) -> float:
    """ "24 hours" as days. Raises ValueError for anything else."""
    found = (
        re.fullmatch(r"\s*(\d+\.?\d*)\s*(minute|hour|day|week|year)s?\s*", value) if isinstance(value, str) else None
    )
    if not found:
        raise ValueError(f"{what} is a time such as '24 hours' or '30 days'; given was {shown(value)}")
    return float(found[1]) * UNITS[found[2]]
