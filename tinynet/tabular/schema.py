"""What each column of a table is: a readable list that a user edits, and that travels with the model."""

from __future__ import annotations

import json
import math
import os
import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from tinynet.registry import unknown
from tinynet.settings import shown

ROLES = {
    "numeric": "a measured or counted number",
    "ordinal": "levels in an order, such as age bands",
    "category": "one of several kinds without an order",
    "code": "a clinical code: icd9, icd9-procedure, icd10 or atc",
    "date": "a date; becomes the days since the row's time, or since its first date where the table has no time",
    "list": "several items in one cell, separated by ;",
    "identifier": "names a person, a stay or a row; never a feature",
    "text": "free text; not used",
    "ignored": "not used",
    "target": "what is predicted",
    "group": "rows that belong together, such as one patient's; never a feature",
    "time": "when the row was recorded, for splits by time; never a feature, and the reference of other dates",
}
FEATURES = ("numeric", "ordinal", "category", "code", "date", "list")
CODES = ("icd9", "icd9-procedure", "icd10", "atc")


@dataclass
class Column:
    """One column.

    role : one of ROLES
    unit : of a number, where known
    range : (least, most) that is physically possible; a number outside it counts as a gap
    missing : the texts and numbers that stand for a gap, beside an empty cell
    not_measured : words that say that nothing was measured; a category of their own, since not to measure is a decision
    levels : an ordinal column's levels, in order
    codes : a code column's system
    month_first : whether dates such as 03/04/2019 name the month first
    note : why the column has its role, for the reader
    """

    role: str
    unit: str = ""
    range: tuple[float, float] | None = None
    missing: list[str] = field(default_factory=list)
    not_measured: list[str] = field(default_factory=list)
    levels: list[str] = field(default_factory=list)
    codes: str = ""
    month_first: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ValueError(unknown("role", str(self.role), ROLES))
        if self.role == "code" and self.codes not in CODES:
            raise ValueError(unknown("code system", self.codes, list(CODES)))
        if self.range is not None:
            if not (
                isinstance(self.range, (list, tuple))
                and len(self.range) == 2
                and all(isinstance(end, (int, float)) and not isinstance(end, bool) for end in self.range)
                and -math.inf < self.range[0] < self.range[1] < math.inf
            ):
                raise ValueError(
                    f"range is [least, most], two finite numbers in that order; given was {shown(self.range)}"
                )
            self.range = (float(self.range[0]), float(self.range[1]))
        for name in ("missing", "not_measured", "levels"):
            value = getattr(self, name)
            if not isinstance(value, (list, tuple)) or not all(isinstance(word, (str, int, float)) for word in value):
                raise ValueError(f"{name} is a list of texts; given was {shown(value)}")
            setattr(self, name, [str(word) for word in value])
        if not isinstance(self.month_first, bool):
            raise ValueError(f"month_first is true or false; given was {shown(self.month_first)}")
        for name in ("unit", "codes", "note"):
            if not isinstance(getattr(self, name), str):
                raise ValueError(f"{name} is a text; given was {shown(getattr(self, name))}")

    def saved(self) -> dict[str, Any]:
        """The settings that are not the default ones."""
        plain = {name: value for name, value in asdict(self).items() if value not in (None, "", [], False)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}


class Schema:
    """The columns of a table by name, in their order.

    >>> schema = Schema.infer({"age": [61, 70, 58], "sex": ["f", "m", "f"], "died": [0, 1, 0]}, target="died")
    >>> schema["age"].role, schema["age"].unit, schema.target
    ('numeric', 'years', 'died')
    """

    def __init__(self, columns: dict[str, Column]) -> None:
        self.columns = dict(columns)
        for role in ("target", "group", "time"):
            having = self.having(role)
            if len(having) > 1:
                raise ValueError(f"one column may be the {role}; the schema has {len(having)}: {', '.join(having[:5])}")

    @classmethod
    def infer(cls, frame: Any, target: str | None = None, group: str | None = None, time: str | None = None) -> Schema:
        """The schema that a table's names and values suggest: to be read, and put right where it is wrong.

        Parameters
        ----------
        frame : any table that `tinynet.tabular.frame.read` knows
        target, group, time : the columns that hold what is predicted, whose rows belong together, and when rows were
            recorded

        Raises
        ------
        KeyError : where there is no such column, with the nearest name
        ValueError : where one column has two of these roles
        """
        from tinynet.tabular.infer import inferred

        return cls(inferred(frame, {"target": target, "group": group, "time": time}))

    def __getitem__(self, name: str) -> Column:
        if name not in self.columns:
            raise KeyError(unknown("column", name, list(self.columns)))
        return self.columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __len__(self) -> int:
        return len(self.columns)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and list(self.columns.items()) == list(other.columns.items())

    __hash__ = None  # type: ignore[assignment]

    def having(self, *roles: str) -> list[str]:
        """The names of the columns with one of the roles."""
        return [name for name, column in self.columns.items() if column.role in roles]

    @property
    def features(self) -> list[str]:
        """The names of the columns that a model learns from."""
        return self.having(*FEATURES)

    @property
    def target(self) -> str | None:
        return next(iter(self.having("target")), None)

    @property
    def group(self) -> str | None:
        return next(iter(self.having("group")), None)

    @property
    def time(self) -> str | None:
        return next(iter(self.having("time")), None)

    def drop(self, *names: str, note: str = "dropped by the user") -> Schema:
        """A schema in which the named columns are ignored."""
        for name in names:
            self[name]
        return Schema({n: Column("ignored", note=note) if n in names else c for n, c in self.columns.items()})

    def check(self, names: Iterable[str]) -> None:
        """Raises KeyError where a table lacks a column that a model learns from."""
        present = list(names)
        for name in self.features:
            if name not in present:
                raise KeyError(f"the table lacks a column of the schema: {unknown('column', name, present)}")

    def __str__(self) -> str:
        """A table for people."""
        rows = [("column", "role", "unit", "range", "gaps", "note")]
        for name, c in self.columns.items():
            bounds = f"{c.range[0]:g} to {c.range[1]:g}" if c.range else ""
            gaps = " ".join(c.missing) + (f" [{' '.join(c.not_measured)}]" if c.not_measured else "")
            role = f"{c.role} ({c.codes})" if c.codes else c.role
            rows.append((name, role, c.unit, bounds, gaps, c.note))
        widths = [min(max(len(row[i]) for row in rows), 40) for i in range(5)]
        return "\n".join(
            "  ".join([*(cut(cell, w).ljust(w) for cell, w in zip(row[:5], widths, strict=True)), row[5]]).rstrip()
            for row in rows
        )

    __repr__ = __str__

    def get_config(self) -> dict[str, Any]:
        """The schema as JSON can hold it."""
        return {name: column.saved() for name, column in self.columns.items()}

    @classmethod
    def from_config(cls, config: Any) -> Schema:
        """The schema that `get_config` gave. Raises ValueError where an entry is no column's."""
        if not isinstance(config, dict):
            raise ValueError(f"a schema is a table of columns by their names; given was {shown(config)}")
        known = [f.name for f in fields(Column)]
        columns = {}
        for name, entry in config.items():
            if not isinstance(entry, dict) or "role" not in entry:
                raise ValueError(f"column {name!r} of the schema has no role: {{role = ..}} is expected")
            for key in entry:
                if key not in known:
                    raise ValueError(f"column {name!r} of the schema: {unknown('setting', key, known)}")
            try:
                columns[name] = Column(**entry)
            except ValueError as error:
                raise ValueError(f"column {name!r} of the schema: {error}") from None
        return cls(columns)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the schema as a TOML file, one line a column, for a user to read and edit."""
        Path(path).write_text(to_toml(self.get_config()), encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Schema:
        """The schema in a TOML file. Raises ValueError where the file is none, saying in which line."""
        try:
            read = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{Path(path).name} is no TOML file: {error}") from None
        if set(read) != {"columns"}:
            raise ValueError(f"{Path(path).name} is no schema: it has one table, [columns]")
        return cls.from_config(read["columns"])


def cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 2] + ".."


def to_toml(config: dict[str, dict[str, Any]]) -> str:
    """The schema as TOML, one line a column.

    JSON's strings, numbers and lists are TOML's too, so a line is a few words of JSON; a library (tomli-w) would be one
    more dependency, and writes a column over several lines, which is harder to read and to edit.
    """
    lines = [*(f"# {role}: {said}" for role, said in ROLES.items()), "", "[columns]"]
    for name, entry in config.items():
        inside = ", ".join(f"{key} = {toml_value(value)}" for key, value in entry.items())
        lines.append(f"{toml_value(name)} = {{ {inside} }}")
    return "\n".join(lines) + "\n"


def toml_value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
