"""Tables in DuckDB: files that stay on disk, their columns by name, and texts as keys, numbers and times."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinynet.registry import unknown


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


class Tables:
    """The plan's tables by name, each a view that DuckDB reads from its file whenever it is asked.

    Everything in a CSV file is read as text, so that codes such as "0389" keep their zeros.
    """

    def __init__(self, connection: Any, folder: Path, given: Mapping[str, Any] | None) -> None:
        self.connection, self.folder, self.given = connection, folder, given or {}
        self.views: dict[str, str] = {}
        self.columns: dict[str, list[str]] = {}

    def view(self, name: str) -> str:
        """The SQL name of a table. Raises FileNotFoundError or ValueError where it is none."""
        if name in self.views:
            return self.views[name]
        view = f"source_{len(self.views)}"
        if name in self.given:
            import pyarrow

            from tinynet.tabular.frame import read

            arrays = {k: pyarrow.array(list(v), from_pandas=True) for k, v in read(self.given[name]).items()}
            self.connection.register(view, pyarrow.table(arrays))
        else:
            self.connection.execute(f"create view {view} as select * from {self.file(name)}")
        self.views[name] = view
        described = self.connection.execute(f"select column_name from (describe {view})").fetchall()
        self.columns[name] = [row[0] for row in described]
        return view

    def file(self, name: str) -> str:
        path = self.folder / name
        if not path.is_file():
            near = [p.name for p in sorted(path.parent.glob("*.*")) if p.suffix in (".csv", ".gz", ".parquet", ".tsv")]
            near = [*self.given, *near]
            raise FileNotFoundError(unknown("table", name, near) if near else f"there is no table {name!r}")
        with path.open("rb") as stream:
            first = stream.read(4)
        if path.suffix.lower() in (".parquet", ".pq"):
            if first != b"PAR1":
                raise ValueError(f"{name} is named like a Parquet file, but is none")
            return f"read_parquet({literal(str(path))})"
        if first == b"PAR1" or first[:2] == b"PK":
            raise ValueError(f"{name} is no CSV file; CSV or Parquet is expected")
        if not first:
            raise ValueError(f"{name} is empty; a CSV file with a header and rows is expected")
        return f"read_csv({literal(str(path))}, all_varchar = true, header = true)"

    def column(self, table: str, name: str, alias: str = "") -> str:
        """A column of a table in SQL. Raises KeyError where there is none, with the nearest name."""
        self.view(table)
        if name not in self.columns[table]:
            raise KeyError(f"{Path(table).name}: {unknown('column', name, self.columns[table])}")
        return f"{alias + '.' if alias else ''}{quoted(name)}"

    def key(self, table: str, name: str, alias: str = "") -> str:
        """A key as text: 7, "7", " 7" and 7.0 are the same person; an empty one is none."""
        text = f"trim(cast({self.column(table, name, alias)} as varchar))"
        return rf"nullif(regexp_replace({text}, '^(-?\d+)\.0+$', '\1'), '')"

    def time(self, table: str, name: str, alias: str = "") -> str:
        """A column as a timestamp; `check_times` has said before that all of it is one."""
        return f"try_cast(nullif(trim(cast({self.column(table, name, alias)} as varchar)), '') as timestamp)"

    def check_times(self, table: str, name: str) -> bool:
        """Whether a column holds dates without a time of day. Raises ValueError where some text in it is no date."""
        raw, view = self.column(table, name), self.view(table)
        count, wrong, timed = self.connection.execute(
            f"select count(t), count(*) filter (t is null and r is not null),"
            f" count(*) filter (t <> date_trunc('day', t))"
            f" from (select {self.time(table, name)} as t, nullif(trim(cast({raw} as varchar)), '') as r from {view})"
        ).fetchall()[0]
        if wrong:
            raise ValueError(
                f"{Path(table).name}: column {name!r} holds text that is no date, in {wrong:,} rows; dates are written "
                "as 2020-12-31 or 2020-12-31 23:59:00"
            )
        return bool(count) and not timed
