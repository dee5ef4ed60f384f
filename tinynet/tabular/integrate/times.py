"""Times as people write them, in SQL: what moment a cell means, and when what it dates is known.

A day without an hour is known when the day is over, value by value. Midnight is an hour like any other, but where all
times of a column are midnight, or far more than any other time of day, these are days written with an empty clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CLOCK = r"[T ]+\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?(\s*[AaPp]\.?[Mm]\.?)?(\s*(Z|UTC|GMT|[+-]\d{2}(:?\d{2})?))?"
YEAR_FIRST = r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})"
YEAR_LAST = r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})"
NAMED = r"(\d{1,2})[- ]([A-Za-z]{3})[a-z]*\.?[- ](\d{4})"
DATE = f"({YEAR_FIRST}|{YEAR_LAST}|{NAMED})({CLOCK})?"
SIMPLE = r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?"  # what DuckDB reads by itself, and fast
ZONED = r":\d{2}.*(Z|UTC|GMT|[+-]\d{2}(:?\d{2})?)$"
MONTHS = "['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']"
# No `in (...)`: of a long list DuckDB makes a join, and then of the tables' own join a product of all rows.
# NA and none may be keys and items: Na is sodium; where a date is asked for they are none.
NOTHING, NO_DATE = r"(?i)(|nan|nat|null|<na>|\\N)", r"(?i)(|nan|nat|null|<na>|\\N|na|n/a|none|unknown|\?)"
LEAST, MORE, SHARE = 10, 5, 0.02  # midnights, how many times the next time of day, and of all times: they are days
MACROS = rf"""
create macro tinynet_key(r) as case when not regexp_full_match(trim(r), '{NOTHING}') then trim(r) end;
create macro tinynet_text(r) as case when not regexp_full_match(trim(r), '{NO_DATE}') then trim(r) end;
create macro tinynet_date(r, month_first) as try_cast(case
  when regexp_full_match(r, '{YEAR_FIRST}({CLOCK})?') then regexp_replace(r, '^{YEAR_FIRST}.*$', '\1-\2-\3')
  when regexp_full_match(r, '{YEAR_LAST}({CLOCK})?') then
    regexp_replace(r, '^{YEAR_LAST}.*$', case when month_first then '\3-\1-\2' else '\3-\2-\1' end)
  when regexp_full_match(r, '{NAMED}({CLOCK})?') then concat_ws('-', regexp_extract(r, '{NAMED}', 3),
    nullif(list_position({MONTHS}, lower(regexp_extract(r, '{NAMED}', 2))), 0), regexp_extract(r, '{NAMED}', 1))
  when regexp_full_match(r, '(1[89]|20|21)\d{{6}}') then regexp_replace(r, '^(\d{{4}})(\d\d)(\d\d)$', '\1-\2-\3')
  end as date);
create macro tinynet_part(r, n) as
  coalesce(try_cast(replace(regexp_extract(r, '(\d{{1,2}}):(\d{{2}})(?::(\d{{2}}(?:[.,]\d+)?))?', n), ',', '.')
    as double), 0);
create macro tinynet_hour(r) as case
  when regexp_matches(r, '[Pp]\.?[Mm]') then tinynet_part(r, 1) % 12 + 12
  when regexp_matches(r, '[Aa]\.?[Mm]\.?$') then tinynet_part(r, 1) % 12 else tinynet_part(r, 1) end;
create macro tinynet_offset(r) as case when regexp_matches(r, ':\d{{2}}.*[+-]\d{{2}}(:?\d{{2}})?$') then
  (case when regexp_matches(r, '-\d{{2}}(:?\d{{2}})?$') then -1 else 1 end)
  * (cast(regexp_extract(r, '[+-](\d{{2}})(?::?(\d{{2}}))?$', 1) as int) * 60
     + coalesce(try_cast(regexp_extract(r, '[+-](\d{{2}})(?::?(\d{{2}}))?$', 2) as int), 0)) else 0 end;
create macro tinynet_time(r, month_first) as case
  when tinynet_hour(r) <= 24 and tinynet_part(r, 2) < 60 and tinynet_part(r, 3) < 60 then
  cast(tinynet_date(r, month_first) as timestamp) + to_microseconds(cast(round(1e6 * (
    3600 * tinynet_hour(r) + 60 * (tinynet_part(r, 2) - tinynet_offset(r)) + tinynet_part(r, 3))) as bigint)) end;
"""


@dataclass
class Times:
    """A column of times. `{0}` in the texts is the column in SQL.

    moment : the timestamp, in UTC where a zone is given
    day : whether a value is a day without an hour
    zoned : whether the hours have a time zone; None where there are no hours
    all_days, some_days : whether all values, or some, are days without an hour
    """

    column: str
    moment: str
    day: str
    zoned: bool | None
    all_days: bool
    some_days: bool

    def at(self, alias: str = "") -> str:
        return self.moment.format(f"{alias}.{self.column}" if alias else self.column)

    def known(self, alias: str = "") -> str:
        """The moment before which, strictly, nobody knows the value: of a day without an hour its last microsecond."""
        day = self.day.format(f"{alias}.{self.column}" if alias else self.column)
        late = f" + case when {day} then to_microseconds(86399999999) else to_microseconds(0) end" if day else ""
        return f"({self.at(alias)}{late})"


def text_of(column: str) -> str:
    """A cell of a date as text; nothing where it is empty, or a word for nothing."""
    return f"tinynet_text(cast({column} as varchar))"


def form_of(connection: Any, view: str, column: str, kind: str, said: str) -> Times:
    """What is in a column of times. `said` names it in messages. Raises ValueError where some text is no date."""
    native = kind == "DATE" or kind in ("TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S")
    if native:
        return days_of(connection, view, column, "cast({0} as timestamp)", "true" if kind == "DATE" else "", None)
    r = text_of(column)
    count, simple, last, first_part, second_part, dotted, zoned, hours = connection.execute(
        f"select count(r), count(*) filter (regexp_full_match(r, '{SIMPLE}')), count(*) filter (last), "
        f"max(try_cast(regexp_extract(r, '^{YEAR_LAST}', 1) as int)) filter (last),"
        f" max(try_cast(regexp_extract(r, '^{YEAR_LAST}', 2) as int)) filter (last),"
        rf" count(*) filter (last and regexp_matches(r, '^\d+\.')), count(*) filter (regexp_matches(r, '{ZONED}')),"
        f" count(*) filter (contains(r, ':'))"
        f" from (select r, regexp_full_match(r, '{YEAR_LAST}({CLOCK})?') as last from (select {r} as r from {view}))"
    ).fetchall()[0]
    if 0 < zoned < hours:
        raise ValueError(f"{said} holds times with a time zone and times without one; write all in one way")
    month_first = False
    if last:
        if first_part > 12 and second_part > 12:
            raise ValueError(f"{said} holds dates with the day first and dates with the month first; write 2020-12-31")
        month_first = second_part > 12
        if first_part <= 12 and second_part <= 12 and dotted < last:
            raise ValueError(f"{said} holds dates that may have the day or the month first; write them as 2020-12-31")
    moment = text_of("{0}") if simple == count else f"tinynet_time({text_of('{0}')}, {month_first})"
    moment = f"try_cast({moment} as timestamp)" if simple == count else moment
    wrong = connection.execute(
        f"select count(*) from {view} where {r} is not null and {moment.format(column)} is null"
    ).fetchall()[0][0]
    if wrong:
        raise ValueError(
            f"{said} holds text that is no date, in {wrong:,} rows; dates are written as 2020-12-31 or "
            "2020-12-31 23:59:00"
        )
    day = f"not contains({text_of('{0}')}, ':')" if hours < count else ""
    return days_of(connection, view, column, moment, day, bool(zoned) if hours else None)


def days_of(connection: Any, view: str, column: str, moment: str, day: str, zoned: bool | None) -> Times:
    """The form, with midnights that are days found."""
    t, bare = moment.format(column), day.format(column) if day else "false"
    count, bare_days, clocks, midnights = connection.execute(
        "select count(t), count(*) filter (d), count(*) filter (not d),"
        " count(*) filter (not d and t = date_trunc('day', t))"
        f" from (select {t} as t, {bare} as d from {view}) where t is not null"
    ).fetchall()[0]
    empty_clock = bool(midnights) and midnights == clocks
    if LEAST <= midnights < clocks and midnights >= SHARE * clocks:
        next_most = connection.execute(
            f"select max(n) from (select count(*) as n from (select {t} as t, {bare} as d from {view})"
            f" where not d and t <> date_trunc('day', t) group by cast(t as time))"
        ).fetchall()[0][0]
        empty_clock = midnights >= MORE * next_most
    if empty_clock:
        midnight = f"{moment} = date_trunc('day', {moment})"
        day, bare_days = f"({day} or {midnight})" if day else f"({midnight})", bare_days + midnights
    zoned = None if empty_clock and midnights == clocks else zoned
    return Times(column, moment, day, zoned, bool(count) and bare_days == count, bool(bare_days))
