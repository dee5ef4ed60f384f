"""Tables in DuckDB: files that stay on disk, their columns by name, and texts as keys, numbers and times."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinynet.registry import unknown
from tinynet.tabular.files import head_of
from tinynet.tabular.integrate.times import DATE, MACROS, Times, form_of, text_of

PARQUET = (".parquet", ".pq")
HEAD = 1000  # rows from which it is told which columns hold dates


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@dataclass
class Form:
    """How keys are written: whole numbers, some with a point; some as digits; some with zeros before them."""

    whole: bool
    digits: bool
    padded: bool


def zoned(frame: Any) -> list[str]:
    """The columns of a data frame whose times have a zone: as text they are in UTC."""
    if isinstance(frame, Mapping) or not hasattr(frame, "columns"):
        return []
    import narwhals as nw

    kinds = nw.from_native(frame).collect_schema()
    return [name for name, kind in kinds.items() if getattr(kind, "time_zone", None) is not None]


class Tables:
    """The plan's tables by name. `needed` says which columns the plan uses; a table that is not in it is used whole.

    A Parquet file stays where it is and is read whenever it is asked. Of a CSV file the needed columns, and its dates,
    are read once, as text, so that codes such as "0389" keep their zeros, and kept in DuckDB's own file.
    """

    def __init__(
        self, connection: Any, folder: Path, given: Mapping[str, Any] | None, needed: Mapping[str, set[str]]
    ) -> None:
        self.connection, self.folder, self.given, self.needed = connection, folder, given or {}, needed
        self.views: dict[str, str] = {}
        self.columns: dict[str, list[str]] = {}
        self.kinds: dict[str, dict[str, str]] = {}
        self.forms: dict[tuple[str, str], Form] = {}
        self.clocks: dict[tuple[str, str], Times] = {}
        self.encodings: dict[str, str] = {}
        self.dates: dict[str, list[str]] = {}
        self.zoned: tuple[bool, str] | None = None
        self.notes: list[str] = []
        connection.execute(MACROS)

    def view(self, name: str) -> str:
        """The SQL name of a table. Raises FileNotFoundError or ValueError where it is none."""
        if name in self.views:
            return self.views[name]
        view = f"source_{len(self.views)}"
        if name in self.given:
            import pyarrow

            from tinynet.tabular.frame import read

            arrays = {k: pyarrow.array(list(v), from_pandas=True) for k, v in read(self.given[name]).items()}
            for k in zoned(self.given[name]):
                arrays[k] = pyarrow.array([None if v is None else f"{v}Z" for v in arrays[k].to_pylist()])
            self.connection.register(view, pyarrow.table(arrays))
        else:
            self.create(name, f"create table {view} as select * from", f"limit {HEAD}")
        self.views[name] = view
        described = self.connection.execute(f"select column_name, column_type from (describe {view})").fetchall()
        self.kinds[name] = dict(described)
        self.columns[name] = list(self.kinds[name])
        if name not in self.given:
            used = self.needed.get(name, set(self.columns[name])) | set(self.dated(name))
            chosen = ", ".join(quoted(column) for column in self.columns[name] if column in used) or "count(*)"
            self.connection.execute(f"drop table {view}")
            kind = "view" if name.lower().endswith(PARQUET) else "table"
            self.create(name, f"create {kind} {view} as select {chosen} from")
        return view

    def create(self, name: str, statement: str, limit: str = "") -> None:
        """Run a statement on a file. Raises ValueError in words, without the lines that DuckDB quotes."""
        import duckdb

        try:
            self.connection.execute(f"{statement} {self.file(name)} {limit}")
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error as error:
            said = str(error).lower()
            if ("utf-8" in said or "unicode" in said) and name not in self.encodings:
                self.encodings[name] = "latin-1"
                self.notes.append(f"{name} is not in UTF-8: read as Latin-1")
                self.create(name, statement, limit)
                return
            line = re.search(r"line: (\d+)", said)
            where = f" near line {line[1]}" if line else ""
            raise ValueError(
                f"{name} cannot be read{where}: as many fields as in the header are expected in every line"
            ) from None

    def file(self, name: str) -> str:
        path = self.folder / name
        if not path.is_file():
            near = [p.name for p in sorted(path.parent.glob("*.*")) if p.suffix in (".csv", ".gz", ".parquet", ".tsv")]
            near = [*self.given, *near]
            raise FileNotFoundError(unknown("table", name, near) if near else f"there is no table {name!r}")
        with path.open("rb") as stream:
            first = stream.read(4)
        if path.suffix.lower() in PARQUET:
            if first != b"PAR1":
                raise ValueError(f"{name} is named like a Parquet file, but is none")
            return f"read_parquet({literal(str(path))})"
        if first == b"PAR1" or first[:2] == b"PK":
            raise ValueError(f"{name} is no CSV file; CSV or Parquet is expected")
        names, delimiter, zipped = head_of(path)
        # nothing is left to DuckDB's guesses, which skip lines that do not fit and take a line of data for the header
        columns = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in names)
        packed, encoding = "gzip" if zipped else "none", self.encodings.get(name, "utf-8")
        return (
            f"read_csv({literal(str(path))}, auto_detect = false, header = true, columns = {{{columns}}},"
            f" delim = {literal(delimiter)}, quote = '\"', escape = '\"', compression = '{packed}',"
            f" encoding = '{encoding}')"
        )

    def column(self, table: str, name: str, alias: str = "") -> str:
        """A column of a table in SQL. Raises KeyError where there is none, with the nearest name."""
        self.view(table)
        if name not in self.columns[table]:
            raise KeyError(f"{Path(table).name}: {unknown('column', name, self.columns[table])}")
        return f"{alias + '.' if alias else ''}{quoted(name)}"

    def key(self, table: str, name: str, alias: str = "", *, bare: bool = False) -> str:
        """A key as text: 7, "7", " 7" and 7.0 are the same person; an empty one is none. `bare`: without leading zeros.

        The point goes only where all of a column are whole numbers, as pandas writes them beside gaps: 428.0 among
        codes such as 427.31 keeps it.
        """
        text = f"tinynet_key(cast({self.column(table, name, alias)} as varchar))"
        if self.form(table, name).whole:
            text = rf"regexp_replace({text}, '\.0*$', '')"
        if bare:
            text = rf"regexp_replace({text}, '^0+(\d)', '\1')"
        return f"nullif({text}, '')"

    def form(self, table: str, name: str) -> Form:
        """How a column of keys is written: looked at once."""
        if (table, name) not in self.forms:
            text = f"tinynet_key(cast({self.column(table, name)} as varchar))"
            count, whole, points, digits, padded = self.connection.execute(
                rf"select count(*), count(*) filter (regexp_full_match(k, '-?\d+(\.0*)?')),"
                rf" count(*) filter (contains(k, '.')), count(*) filter (regexp_full_match(k, '\d+')),"
                rf" count(*) filter (regexp_full_match(k, '0\d+')) from (select {text} as k from {self.view(table)})"
                " where k is not null"
            ).fetchall()[0]
            self.forms[table, name] = Form(bool(points) and whole == count, bool(digits), bool(padded))
        return self.forms[table, name]

    def alike(self, one: tuple[str, str], other: tuple[str, str]) -> bool:
        """Whether two keys agree only when the zeros before one of them go, as where a program read 007 as 7.

        Raises ValueError where two keys would become one.
        """
        forms = self.form(*one), self.form(*other)
        if forms[0].padded == forms[1].padded or not (forms[0].digits and forms[1].digits):
            return False
        table, name = one if forms[0].padded else other
        key, bare = self.key(table, name), self.key(table, name, bare=True)
        kept, left = self.connection.execute(
            f"select count(distinct {key}), count(distinct {bare}) from {self.view(table)}"
        ).fetchall()[0]
        if left < kept:
            raise ValueError(
                f"{Path(table).name}: keys in {name!r} differ only by zeros before them, and {Path(other[0]).name} and "
                f"{Path(one[0]).name} write them differently; write the same key in both tables"
            )
        note = f"{name!r} of {Path(table).name} has zeros before its numbers, its partner has none: compared without"
        if note not in self.notes:
            self.notes.append(note)
        return True

    def times(self, table: str, name: str) -> Times:
        """A column of times: looked at once. Raises ValueError where some text is no date, or zones are mixed."""
        if (table, name) not in self.clocks:
            column = self.column(table, name)
            said = f"{Path(table).name}: column {name!r}"
            self.clocks[table, name] = found = form_of(
                self.connection, self.view(table), column, self.kinds[table][name], said
            )
            if found.zoned is not None:
                if self.zoned is not None and self.zoned[0] != found.zoned:
                    with_zone, without = (said, self.zoned[1]) if found.zoned else (self.zoned[1], said)
                    raise ValueError(f"{with_zone} has a time zone, and {without} has none; write both in one way")
                self.zoned = found.zoned, said
        return self.clocks[table, name]

    def dated(self, table: str) -> list[str]:
        """The columns of a table that hold dates, told from the first rows."""
        if table not in self.dates:
            kinds = self.kinds[table]
            texts = [name for name, kind in kinds.items() if kind == "VARCHAR"]
            asked = "".join(f", count({n}), count(*) filter (regexp_full_match({n}, '{DATE}'))" for n in
                            (text_of(quoted(name)) for name in texts))  # fmt: skip
            head = f"(select * from {self.view(table)} limit {HEAD})"
            counts = self.connection.execute(f"select 0{asked} from {head}").fetchall()[0][1:]
            told = {n for n, known, fits in zip(texts, counts[::2], counts[1::2], strict=True) if 2 * fits > known}
            self.dates[table] = [n for n, kind in kinds.items() if n in told or kind.startswith(("DATE", "TIMESTAMP"))]
        return self.dates[table]
