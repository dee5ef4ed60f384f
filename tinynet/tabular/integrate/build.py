"""The integration itself, as SQL: rows, joins and cohort first, then each table's aggregates, then one table of all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tinynet.registry import unknown
from tinynet.tabular.integrate.plan import UNITS, Events, Plan, Rule
from tinynet.tabular.integrate.tables import Tables, literal, quoted

ITEM = 40  # characters of a code in the name of a column


class Build:
    """One run. `flow` is [(what was done, rows left)]; `notes` what a reader of the result must know."""

    def __init__(self, plan: Plan, tables: Tables) -> None:
        self.plan, self.tables, self.sql = plan, tables, tables.connection
        self.flow: list[tuple[str, int]] = []
        self.notes: list[str] = []
        self.names: list[str] = []  # the columns of the result, keys first

    def one(self, query: str) -> Any:
        return self.sql.execute(query).fetchall()[0][0]  # all of it, so that nothing stays unfinished

    def rows(self) -> None:
        """The table `cohort`: row_, keys, time_, and all columns of the rows' table and of the joins."""
        rows, tables = self.plan.rows, self.tables
        view = tables.view(rows.table)
        keys = [tables.key(rows.table, name) for name in rows.key]
        for name in [*rows.keep, *filter(None, [rows.target])]:
            tables.column(rows.table, name)
        day_only = tables.check_times(rows.table, rows.prediction_time)
        if day_only and rows.after == 0:
            self.notes.append(
                f"{rows.prediction_time!r} holds days without hours: the prediction is at the day's start"
            )
        time = f"{tables.time(rows.table, rows.prediction_time)} + {interval(rows.after)}"
        total = self.one(f"select count(*) from {view}")
        self.flow.append((f"rows of {Path(rows.table).name}", total))
        complete = " and ".join(f"{key} is not null" for key in keys)
        self.sql.execute(
            f"create table cohort as select row_number() over () as row_, {time} as time_, s.* from {view} s"
            f" where {complete} and {tables.time(rows.table, rows.prediction_time)} is not null"
        )
        self.flow.append(("with key and prediction time", self.one("select count(*) from cohort")))
        repeated = self.one(
            f"select count(*) from (select 1 from cohort group by {', '.join(keys)} having count(*) > 1)"
        )
        if repeated:
            raise ValueError(
                f"{Path(rows.table).name} has {repeated:,} values of the key {said(rows.key)} in more than one row; "
                "name the columns that make a row unique"
            )
        self.known = list(tables.columns[rows.table])
        self.names = [*rows.key, *(n for n in [*rows.keep, *filter(None, [rows.target])] if n not in rows.key)]
        for join in self.plan.joins:
            self.join(join.table, join.on, join.keep)

    def join(self, table: str, on: dict[str, str], keep: list[str]) -> None:
        """Columns of a table with one row for each key; refused where there are more."""
        tables, view = self.tables, self.tables.view(table)
        self.unique(table, list(on))
        for name in keep:
            tables.column(table, name)
            if name in self.known:
                raise ValueError(f"{Path(table).name}: the rows have a column {name!r} already; keep it once")
        matched = " and ".join(f"{tables.key(table, a, 'j')} = {self.cohort_key(b)}" for a, b in on.items())
        taken = "".join(f", j.{quoted(name)}" for name in keep)
        before = self.one("select count(*) from cohort")
        found = self.one(f"select count(*) from cohort c join {view} j on {matched}")
        if before and not found:
            raise ValueError(f"no row of {Path(table).name} has a key {said(list(on))} that the rows have")
        if found < before:
            self.notes.append(
                f"{before - found:,} rows have no row in {Path(table).name}; its columns are missing there"
            )
        self.sql.execute(f"create table joined as select c.*{taken} from cohort c left join {view} j on {matched}")
        self.sql.execute("drop table cohort")
        self.sql.execute("alter table joined rename to cohort")
        self.known += keep
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

    def cohort_key(self, name: str) -> str:
        """A column of the rows as a key. Raises KeyError where there is none."""
        if name not in self.known:
            raise KeyError(f"the rows: {unknown('column', name, self.known)}")
        return rf"nullif(regexp_replace(trim(cast(c.{quoted(name)} as varchar)), '^(-?\d+)\.0+$', '\1'), '')"

    def cohort_time(self, name: str) -> str:
        if name not in self.known:
            raise KeyError(f"the rows: {unknown('column', name, self.known)}")
        text = f"nullif(trim(cast({quoted(name)} as varchar)), '')"
        wrong = self.one(
            f"select count(*) from cohort where {text} is not null and try_cast({text} as timestamp) is null"
        )
        if wrong:
            raise ValueError(f"column {name!r} of the rows holds text that is no date, in {wrong:,} rows")
        return f"try_cast({text} as timestamp)"

    def elapsed(self) -> None:
        for one in self.plan.elapsed:
            if one.name in self.known:
                raise ValueError(f"the rows have a column {one.name!r} already; give the elapsed time another name")
            days = f"epoch(time_ - {self.cohort_time(one.since)}) / 86400.0"
            self.sql.execute(f"alter table cohort add column {quoted(one.name)} double")
            self.sql.execute(f"update cohort set {quoted(one.name)} = {days} / {UNITS[one.unit.rstrip('s')]}")
            self.known.append(one.name)
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
        if rule.column not in self.known:
            raise KeyError(f"the rule {rule.name!r}: {unknown('column', rule.column, self.known)}")
        column = quoted(rule.column)
        text = f"trim(cast({column} as varchar))"
        parts = []
        if rule.least is not None:
            parts.append(f"try_cast({column} as double) >= {rule.least!r}")
        if rule.most is not None:
            parts.append(f"try_cast({column} as double) <= {rule.most!r}")
        if rule.is_ is not None:
            parts.append(f"{text} in ({', '.join(map(literal, rule.is_))})")
        if rule.is_not is not None:
            parts.append(f"coalesce({text} not in ({', '.join(map(literal, rule.is_not))}), true)")
        if rule.present:
            parts.append(f"{text} <> ''")
        if rule.after_prediction:
            parts.append(f"{self.cohort_time(rule.column)} >= time_")
        if not parts:
            raise ValueError(
                f"the rule {rule.name!r} asks for nothing: least, most, is, is_not, present or after_prediction"
            )
        return " and ".join(parts)

    def events(self, number: int, events: Events) -> None:
        """The table events_<number>: one row per row_, the aggregates of what happened before time_."""
        tables, source = self.tables, Path(events.table).name
        view = tables.view(events.table)
        matched = " and ".join(
            f"{tables.key(events.table, a, 'e')} = {self.cohort_key(b)}" for a, b in events.on.items()
        )
        other = ""
        if events.time_from is not None:
            at = events.time_from
            self.unique(at.table, list(at.on))
            day_only, time = tables.check_times(at.table, at.column), tables.time(at.table, at.column, "t")
            keys = " and ".join(
                f"{tables.key(at.table, a, 't')} = {tables.key(events.table, b, 'e')}" for a, b in at.on.items()
            )
            other = f" join {tables.view(at.table)} t on {keys}"
        else:
            day_only = tables.check_times(events.table, events.time)
            time = tables.time(events.table, events.time, "e")
        if day_only:
            # 2020-12-31 says nothing of the hour: the value is known when the day is over
            self.notes.append(f"{source}: times are days without hours, so a row counts as known when its day is over")
            time = f"{time} + interval 1 day"
        number_of = f"try_cast({tables.column(events.table, events.value, 'e')} as double)" if events.value else "1.0"
        item = tables.key(events.table, events.by, "e") if events.by else "''"
        item = f"left({item}, {events.prefix})" if events.prefix else item
        window = f" and {time} >= c.time_ - {interval(events.window)}" if events.window is not None else ""
        wanted = ""
        if events.items:
            wanted = f" and {item} in ({', '.join(map(literal, events.items))})"
        # strictly before: what carries the prediction time itself may have been caused by what is predicted
        self.sql.execute(
            f"create table picked as select c.row_, {item} as item, {number_of} as v,"
            f" epoch(c.time_ - ({time})) / 3600.0 as ago"
            f" from {view} e{other} join cohort c on {matched}"
            f" where {time} < c.time_{window}{wanted} and {item} is not null and isfinite(coalesce({number_of}, 0.0))"
        )
        used, without = self.sql.execute("select count(*), count(*) filter (v is null) from picked").fetchall()[0]
        if without:
            self.notes.append(f"{source}: {without:,} of {used:,} rows before the prediction time hold no number in "
                              f"{events.value!r} and are left out")  # fmt: skip
        if not used:
            self.notes.append(
                f"{source}: no row is before the prediction time of any row; look at keys, times and window"
            )
        items = events.items or self.frequent(events)
        selected, names = [], []
        for code, called in items.items():
            for aggregate in events.aggregates:
                name = (
                    f"{called}_{aggregate.replace(' ', '_')}"
                    if called
                    else f"{events.name}_{aggregate.replace(' ', '_')}"
                )
                names.append(name)
                selected.append(f"{formula(aggregate, literal(code))} as {quoted(name)}")
        twice = next((n for i, n in enumerate(names) if n in names[:i] or n in self.names), None)
        if twice:
            raise ValueError(
                f"two columns of the result would be named {twice!r}; give the items of {source} other names"
            )
        chosen = "".join(f", {part}" for part in selected)
        self.sql.execute(
            f"create table events_{number} as select row_{chosen} from picked where v is not null group by row_"
        )
        self.sql.execute("drop table picked")
        self.names += names
        self.counted = getattr(self, "counted", []) + [n for n in names if n.endswith("_count")]

    def frequent(self, events: Events) -> dict[str, str]:
        """The items that most rows have, before their prediction time, named by the table and the item."""
        if not events.by:
            return {"": ""}
        found = self.sql.execute(
            "select item, count(distinct row_) as having_it from picked where v is not null group by item"
            f" having having_it >= {events.least} order by having_it desc, item limit {events.most}"
        ).fetchall()
        return {item: f"{events.name}_{item[:ITEM]}" for item, _ in found}

    def result(self) -> None:
        """The table `result`, one row per row of the cohort: counted, not hoped."""
        counts = set(getattr(self, "counted", []))
        parts = [f"coalesce({quoted(n)}, 0) as {quoted(n)}" if n in counts else quoted(n) for n in self.names]
        joins = "".join(f" left join events_{i} using (row_)" for i in range(len(self.plan.events)))
        self.sql.execute(f"create table result as select {', '.join(parts)} from cohort{joins} order by row_")
        have, should = self.one("select count(*) from result"), self.one("select count(*) from cohort")
        if have != should:
            raise ArithmeticError(f"the result has {have:,} rows where the cohort has {should:,}")


def interval(days: float) -> str:
    return f"to_microseconds({round(days * 86_400_000_000)})"


def said(names: list[str]) -> str:
    return ", ".join(map(repr, names))


def formula(aggregate: str, item: str) -> str:
    """An aggregate of v, measured `ago` hours before the prediction time, over the rows of one item.

    Of several values at one time, first and last take the largest, so that the result does not hang on the rows' order.
    slope is the least-squares slope in units per hour; of a single time there is none.
    """
    where = f"filter (where item = {item})"
    return {
        "last": f"arg_max(v, struct_pack(a := -ago, b := v)) {where}",
        "first": f"arg_max(v, struct_pack(a := ago, b := v)) {where}",
        "mean": f"avg(v) {where}",
        "min": f"min(v) {where}",
        "max": f"max(v) {where}",
        "slope": f"case when max(ago) {where} > min(ago) {where} then regr_slope(v, -ago) {where} end",
        "count": f"count(v) {where}",
        "hours since": f"min(ago) {where}",
    }[aggregate]
