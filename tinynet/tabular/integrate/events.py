"""Events, in SQL: the rows of a table from before each prediction time, summed up item by item."""

from __future__ import annotations

import contextlib
from pathlib import Path

from tinynet.tabular.integrate.build import ROW, TIME, Build, interval
from tinynet.tabular.integrate.plan import Events
from tinynet.tabular.integrate.tables import literal, quoted
from tinynet.tabular.integrate.times import Times

ITEM = 40  # characters of a code in the name of a column
LISTS = r"^\S+(\s*[;|]\s*\S+)+$"  # codes with signs between them that a plan may have overlooked


def events(build: Build, number: int, plan: Events) -> None:
    """The table events_<number>: one row per row of the cohort, the aggregates of what is known before its time."""
    tables, source = build.tables, Path(plan.table).name
    view = tables.view(plan.table)
    matched = build.matched(plan.table, plan.on, "e")
    joined, moment, known, timed = times(build, plan)
    lists, item = items_of(build, plan)
    value = f"trim(cast({tables.column(plan.table, plan.value, 'e')} as varchar))" if plan.value else "'1'"
    value = f"try_cast({value} as double)"
    window = f" and {moment} >= c.{TIME} - {interval(plan.window)}" if plan.window is not None else ""
    wanted = f" and list_contains([{', '.join(map(literal, plan.items))}], {item})" if plan.items else ""
    others = later_columns(build, plan)
    late = "".join(
        f", coalesce({other.at('e')} >= c.{TIME}, false) as late_{i}" for i, other in enumerate(others.values())
    )
    # strictly before: what carries the prediction time itself may have been caused by what is predicted
    build.sql.execute(
        f"create table picked as select c.{ROW}, {item} as item, {value} as v,"
        f" epoch(c.{TIME} - {moment}) / 3600.0 as ago{late} from {view} e{lists}{joined} join cohort c on {matched}"
        f" where {timed} and {known} < c.{TIME}{window}{wanted} and {item} is not null"
        f" and isfinite(coalesce({value}, 0.0))"
    )
    used, without = build.sql.execute("select count(*), count(*) filter (v is null) from picked").fetchall()[0]
    if without:
        build.notes.append(f"{source}: {without:,} of {used:,} rows before the prediction time hold no number in "
                           f"{plan.value!r} and are left out")  # fmt: skip
    untimed = build.one(f"select count(*) from {view} e{joined} where not ({timed})")
    if untimed:
        build.notes.append(f"{source}: {untimed:,} rows have no time, so nobody can say when they were known: left out")
    if not used:
        build.notes.append(f"{source}: no row is before the prediction time of any row; look at keys, times and window")
    for i, name in enumerate(others):
        if count := build.one(f"select count(*) filter (late_{i}) from picked"):
            both = f'time = ["{plan.time[0]}", "{name}"]' if plan.time else f"a time_from with {name!r}"
            build.notes.append(
                f"possible leak: {source}: {name!r} is at or after the prediction time in {count:,} of {used:,} rows "
                f"that are used; if a value is known only then, write {both}"
            )
    twice = plan.value and build.one(
        f"select coalesce(sum(n - 1), 0) from (select count(*) as n from picked group by {ROW}, item, v, ago)"
    )
    if twice:
        build.notes.append(f"{source}: {twice:,} rows repeat another in item, time and value, and count again")
    aggregate(build, number, plan)
    build.sql.execute("drop table picked")


def later_columns(build: Build, plan: Events) -> dict[str, Times]:
    """The further columns of times in the table: of the end, the result, the entry into the record."""
    found = {}
    for name in build.tables.dated(plan.table):
        if name not in plan.time:
            with contextlib.suppress(ValueError):  # a column that the plan does not use may hold anything
                found[name] = build.tables.times(plan.table, name)
    return found


def times(build: Build, plan: Events) -> tuple[str, str, str, str]:
    """(a further table joined, the moment of an event, the moment it is known, that it has its times) in SQL."""
    tables = build.tables
    if plan.time_from is None:
        table, names, alias, joined = plan.table, plan.time, "e", ""
    else:
        at = plan.time_from
        table, names, alias = at.table, [at.column], "t"
        build.unique(at.table, list(at.on))
        parts = []
        for theirs, ours in at.on.items():
            bare = tables.alike((at.table, theirs), (plan.table, ours))
            parts.append(
                f"{tables.key(at.table, theirs, 't', bare=bare)} = {tables.key(plan.table, ours, 'e', bare=bare)}"
            )
        joined = f" left join {tables.view(at.table)} t on {' and '.join(parts)}"
    columns = [tables.times(table, name) for name in names]
    for name, one in zip(names, columns, strict=True):
        if one.some_days:
            which = "times are days without hours" if one.all_days else "some times are days without hours"
            build.notes.append(f"{Path(table).name}: in {name!r} {which}: such a row is known when its day is over")
    known = columns[0].known(alias) if len(columns) == 1 else f"greatest({', '.join(c.known(alias) for c in columns)})"
    return joined, columns[0].at(alias), known, " and ".join(f"{one.at(alias)} is not null" for one in columns)


def items_of(build: Build, plan: Events) -> tuple[str, str]:
    """(what unfolds lists of items, the item) in SQL: several columns, or lists in a cell, are several items."""
    if not plan.by:
        return "", "''"
    tables, source = build.tables, Path(plan.table).name
    columns = [tables.key(plan.table, name, "e") for name in plan.by]
    lists, item = "", columns[0]
    if plan.separator or len(columns) > 1:
        cells = f"[{', '.join(columns)}]"
        if plan.separator:
            sign = literal(plan.separator)
            cells = f"string_split(concat_ws({sign}, {', '.join(columns)}), {sign})"
        lists, item = f" cross join lateral (select trim(x) as item from (select unnest({cells}) as x)) i", "i.item"
    if not plan.separator and not plan.value:
        found = " or ".join(f"regexp_matches({column}, '{LISTS}')" for column in columns)
        if count := build.one(f"select count(*) from {tables.view(plan.table)} e where {found}"):
            build.notes.append(f"{source}: {count:,} cells seem to hold lists of codes; name their sign by `separator`")
    if plan.prefix:
        item = f"left(replace({item}, '.', ''), {plan.prefix})"
    return lists, f"nullif({item}, '')"


def aggregate(build: Build, number: int, plan: Events) -> None:
    source = Path(plan.table).name
    items = plan.items or frequent(build, plan)
    if plan.items:
        have = {row[0] for row in build.sql.execute("select distinct item from picked where v is not null").fetchall()}
        absent = [called for code, called in plan.items.items() if code not in have]
        if absent and have:
            build.notes.append(
                f"{source}: no row before a prediction time has the item{'s' * (len(absent) > 1)} "
                f"{', '.join(map(repr, absent[:10]))}; look at how they are written"
            )
    selected, names = [], []
    for code, called in items.items():
        for one in plan.aggregates:
            names.append(f"{called or plan.name}_{one.replace(' ', '_')}")
            selected.append(f"{formula(one, literal(code))} as {quoted(names[-1])}")
    taken = [name.lower() for name in build.names]
    for i, name in enumerate(names):
        if name.lower() in taken or name.lower() in (other.lower() for other in names[:i]):
            raise ValueError(
                f"two columns of the result would be named {name!r}; give the items of {source} other names"
            )
    chosen = "".join(f", {part}" for part in selected)
    build.sql.execute(
        f"create table events_{number} as select {ROW}{chosen} from picked where v is not null group by {ROW}"
    )
    build.names += names
    build.counted += [name for name in names if name.endswith("_count")]


def frequent(build: Build, plan: Events) -> dict[str, str]:
    """The items that most rows have, before their prediction time, named by the table and the item."""
    if not plan.by:
        return {"": ""}
    found = build.sql.execute(
        f"select item, count(distinct {ROW}) as having_it from picked where v is not null group by item"
        f" having having_it >= {plan.least} order by having_it desc, item limit {plan.most}"
    ).fetchall()
    said = labelled(build, plan, [item for item, _ in found])
    return {item: f"{plan.name}_{said.get(item, item)[:ITEM]}" for item, _ in found}


def labelled(build: Build, plan: Events, items: list[str]) -> dict[str, str]:
    """What a dictionary calls the items; of several with one name each keeps its code."""
    if plan.labels is None or not items:
        return {}
    tables, at = build.tables, plan.labels
    build.unique(at.table, [at.on])
    key, label = tables.key(at.table, at.on), tables.key(at.table, at.column)
    found = build.sql.execute(
        f"select {key}, {label} from {tables.view(at.table)} where {key} in ({', '.join(map(literal, items))})"
    ).fetchall()
    said = {code: " ".join(str(word).split()) for code, word in found if word}
    lower = [word.lower() for word in said.values()]
    once = {word for word in lower if lower.count(word) == 1}
    return {code: word if word.lower() in once else f"{word} {code}" for code, word in said.items()}


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
