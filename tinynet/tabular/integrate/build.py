"""The integration itself, as SQL: rows, joins and cohort first, then each table's aggregates, then one table of all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tinynet.registry import unknown
from tinynet.tabular.integrate.plan import UNITS, Plan, Rule
from tinynet.tabular.integrate.tables import Tables, literal, quoted
from tinynet.tabular.quality.accuracy import BIRTH
from tinynet.tabular.quality.names import named_later
from tinynet.tabular.quality.view import name_parts

# Two columns of every table of rows, named so that no column of a user's is hidden by them.
ROW, TIME = "tinynet_row", "tinynet_time"
LONGEST_LIFE = 123  # years; the oldest age known is 122


class Build:
    """One run. `flow` is [(what was done, rows left)]; `notes` what a reader of the result must know."""

    def __init__(self, plan: Plan, tables: Tables) -> None:
        self.plan, self.tables, self.sql = plan, tables, tables.connection
        self.flow: list[tuple[str, int]] = []
        self.notes = tables.notes
        self.names: list[str] = []  # the columns of the result, keys first
        self.origin: dict[str, tuple[str, str]] = {}  # the rows' columns: from which table, under which name
        self.numbers: list[str] = []  # columns that were added to the rows: elapsed times
        self.counted: list[str] = []  # columns of the result in which no row means 0

    def one(self, query: str) -> Any:
        return self.sql.execute(query).fetchall()[0][0]  # all of it, so that nothing stays unfinished

    def rows(self) -> None:
        """The table `cohort`: number, prediction time, and all columns of the rows' table and of the joins."""
        rows, tables = self.plan.rows, self.tables
        view, source = tables.view(rows.table), Path(rows.table).name
        keys = [tables.key(rows.table, name) for name in rows.key]
        for name in rows.keep:
            tables.column(rows.table, name)
        when = tables.times(rows.table, rows.prediction_time)
        if when.some_days:
            self.notes.append(
                f"{rows.prediction_time!r} holds days without hours: the prediction is counted from the day's start"
            )
        self.flow.append((f"rows of {source}", self.one(f"select count(*) from {view}")))
        complete = " and ".join(f"{key} is not null" for key in keys)
        self.flow.append(("with a key", self.one(f"select count(*) from {view} where {complete}")))
        self.sql.execute(
            f"create table cohort as select row_number() over () as {ROW},"
            f" {when.at()} + {interval(rows.after)} as {TIME}, s.* from {view} s"
            f" where {complete} and {when.at()} is not null"
        )
        self.flow.append(("with a prediction time", self.one("select count(*) from cohort")))
        repeated = self.one(
            f"select count(*) from (select 1 from cohort group by {', '.join(keys)} having count(*) > 1)"
        )
        if repeated:
            raise ValueError(
                f"{source} has {repeated:,} values of the key {said(rows.key)} in more than one row; "
                "name the columns that make a row unique"
            )
        self.origin = {name: (rows.table, name) for name in tables.columns[rows.table]}
        self.names = [*rows.key, *(n for n in rows.keep if n not in rows.key)]
        for join in self.plan.joins:
            self.join(join.table, join.on, join.keep)
        if rows.target:
            self.column(rows.target, "the target")
            self.names = [*(n for n in self.names if n != rows.target), rows.target]

    def column(self, name: str, what: str) -> str:
        """A column of the rows in SQL. Raises KeyError where there is none, with the nearest name."""
        known = [*self.origin, *self.numbers]
        if name not in known:
            raise KeyError(f"{what}: {unknown('column', name, known)}")
        return quoted(name)

    def free(self, name: str, message: str) -> None:
        """Raises ValueError where the rows have a column of that name; capitals do not tell columns apart in SQL."""
        if name.lower() in (known.lower() for known in [*self.origin, *self.numbers]):
            raise ValueError(message)

    def matched(self, table: str, on: dict[str, str], alias: str) -> str:
        """That a row of a table has the keys of a row of the cohort, `c`."""
        parts = []
        for theirs, ours in on.items():
            self.tables.column(table, theirs)
            self.column(ours, "the rows")
            if ours not in self.origin:
                raise ValueError(f"{ours!r} is computed, and no key to join {Path(table).name} by")
            bare = self.tables.alike((table, theirs), self.origin[ours])
            key = self.tables.key(table, theirs, alias, bare=bare)
            parts.append(f"{key} = {self.tables.key(*self.origin[ours], 'c', bare=bare)}")
        return " and ".join(parts)

    def join(self, table: str, on: dict[str, str], keep: list[str]) -> None:
        """Columns of a table with one row for each key; refused where there are more."""
        tables, view, source = self.tables, self.tables.view(table), Path(table).name
        matched = self.matched(table, on, "j")
        self.unique(table, list(on))
        for name in keep:
            tables.column(table, name)
            self.free(name, f"{source}: the rows have a column {name!r} already; keep it once")
        taken = "".join(f", j.{quoted(name)}" for name in keep)
        before = self.one("select count(*) from cohort")
        found = self.one(f"select count(*) from cohort c join {view} j on {matched}")
        if before and not found:
            raise ValueError(f"no row of {source} has a key {said(list(on))} that the rows have")
        if found < before:
            self.notes.append(f"{before - found:,} rows have no row in {source}; its columns are missing there")
        self.sql.execute(f"create table joined as select c.*{taken} from cohort c left join {view} j on {matched}")
        self.sql.execute("drop table cohort")
        self.sql.execute("alter table joined rename to cohort")
        self.origin.update({name: (table, name) for name in keep})
        self.names += keep

    def unique(self, table: str, on: list[str]) -> None:
        """Raises ValueError where several rows of a table share a key: joined, they would multiply the others."""
        keys = [self.tables.key(table, name) for name in on]
        complete = " and ".join(f"{key} is not null" for key in keys)
        repeated = self.one(
            f"select count(*) from (select 1 from {self.tables.view(table)} where {complete}"
            f" group by {', '.join(keys)} having count(*) > 1)"
        )
        if repeated:
            raise ValueError(
                f"joining {Path(table).name} on {said(on)} would multiply rows: {repeated:,} of its keys come more "
                "than once; name more keys, or sum it up under [[events]]"
            )

    def elapsed(self) -> None:
        for one in self.plan.elapsed:
            self.free(one.name, f"the rows have a column {one.name!r} already; give the elapsed time another name")
            self.column(one.since, "elapsed")
            if one.since not in self.origin:
                raise ValueError(f"{one.since!r} is computed, and no date from which time elapses")
            since = self.tables.times(*self.origin[one.since])
            # a day that may be yet to come, such as that of death, is known when it is over; who is born, is here
            born = BIRTH & {"".join(name_parts(one.since)), *name_parts(one.since)}
            known = f"{since.at()} <= {TIME}" if born else f"{since.known()} < {TIME}"
            later = self.one(f"select count(*) from cohort where not ({known})")
            value = f"epoch({TIME} - {since.at()}) / 86400.0 / {UNITS[one.unit.rstrip('s')]}"
            self.sql.execute(f"alter table cohort add column {quoted(one.name)} double")
            self.sql.execute(f"update cohort set {quoted(one.name)} = {value} where {known}")
            if later:
                self.notes.append(
                    f"{one.since!r} is not past at the prediction time in {later:,} rows: so {one.name!r} is "
                    "missing there"
                )
            old = f"select count(*) from cohort where {quoted(one.name)} > {LONGEST_LIFE}"
            if one.unit.startswith("year") and (count := self.one(old)):
                self.notes.append(f"{one.name!r} is above {LONGEST_LIFE} years in {count:,} rows: nobody is so old")
            self.numbers.append(one.name)
            # the date itself tells who it is, and the time since then what a model needs
            self.names = [n for n in self.names if n != one.since] + [one.name]

    def cohort(self) -> None:
        """Remove the rows that a rule does not let stay, rule by rule."""
        for rule in self.plan.cohort:
            self.sql.execute(f"delete from cohort where not coalesce(({self.condition(rule)}), false)")
            self.flow.append((rule.name, self.one("select count(*) from cohort")))
        if not self.one("select count(*) from cohort"):
            raise ValueError(f"no row is left after the rule {self.flow[-1][0]!r}")

    def condition(self, rule: Rule) -> str:
        column = self.column(rule.column, f"the rule {rule.name!r}")
        text = f"trim(cast({column} as varchar))"
        number = f"try_cast({text} as double)"
        parts = []
        if rule.least is not None or rule.most is not None:
            none = self.one(f"select count(*) from cohort where {text} <> '' and {number} is null")
            if none:
                self.notes.append(f"the rule {rule.name!r}: {rule.column!r} is no number in {none:,} rows, which went")
        if rule.least is not None:
            parts.append(f"{number} >= {rule.least!r}")
        if rule.most is not None:
            parts.append(f"{number} <= {rule.most!r}")
        if rule.is_ is not None:
            parts.append(f"{same(text)} in ({', '.join(same(literal(v)) for v in rule.is_)})")
        if rule.is_not is not None:
            parts.append(f"coalesce({same(text)} not in ({', '.join(same(literal(v)) for v in rule.is_not)}), true)")
        if rule.present:
            parts.append(f"{text} <> ''")
        if rule.after_prediction:
            if rule.column not in self.origin:
                raise ValueError(f"the rule {rule.name!r}: {rule.column!r} is a computed time and no date")
            parts.append(f"{self.tables.times(*self.origin[rule.column]).known()} >= {TIME}")
        if not parts:
            raise ValueError(
                f"the rule {rule.name!r} asks for nothing: least, most, is, is_not, present or after_prediction"
            )
        return " and ".join(parts)

    def kept(self, name: str) -> str:
        """A column of the rows in the result; dates at or after the prediction time are not known then: left out."""
        column, rows = quoted(name), self.plan.rows
        if name not in self.origin or name in (*rows.key, rows.prediction_time, rows.target):
            return column
        if name not in self.tables.dated(self.origin[name][0]):
            if named_later(name):
                self.notes.append(
                    f"possible leak: {name!r} is named like what is known only at or after the outcome; keep it only "
                    "if it was known at the prediction time"
                )
            return column
        known = f"{self.tables.times(*self.origin[name]).known()} < {TIME}"
        late = self.one(f"select count(*) from cohort where not ({known})")
        if late:
            self.notes.append(
                f"{name!r} is at or after the prediction time in {late:,} rows: not known then, and left out there"
            )
        return f"case when {known} then {column} end as {column}"

    def result(self) -> None:
        """The table `result`, one row per row of the cohort: counted, not hoped."""
        target = self.plan.rows.target
        if target:
            gaps = self.one(
                f"select count(*) from cohort where coalesce(trim(cast({quoted(target)} as varchar)), '') = ''"
            )
            if gaps:
                self.notes.append(f"the target {target!r} is missing in {gaps:,} rows")
        parts = [f"coalesce({quoted(n)}, 0) as {quoted(n)}" if n in self.counted else self.kept(n) for n in self.names]
        joins = "".join(f" left join events_{i} using ({ROW})" for i in range(len(self.plan.events)))
        self.sql.execute(f"create table result as select {', '.join(parts)} from cohort{joins} order by {ROW}")
        have, should = self.one("select count(*) from result"), self.one("select count(*) from cohort")
        if have != should:
            raise ArithmeticError(f"the result has {have:,} rows where the cohort has {should:,}")


def interval(days: float) -> str:
    return f"to_microseconds({round(days * 86_400_000_000)})"


def same(text: str) -> str:
    """A value for comparison: 1, 1.0 and "1" are the same, and so are true and 1."""
    plain = rf"regexp_replace(lower({text}), '^(-?\d+)\.0*$', '\1')"
    return f"case {plain} when 'true' then '1' when 'false' then '0' else {plain} end"


def said(names: list[str]) -> str:
    return ", ".join(map(repr, names))
