"""Several tables become one, one row per patient, admission or time point, nothing from after the prediction."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinynet.tabular.frame import Columns, read
from tinynet.tabular.integrate.build import Build
from tinynet.tabular.integrate.events import events as sum_up
from tinynet.tabular.integrate.plan import load
from tinynet.tabular.integrate.table_one import table_one
from tinynet.tabular.integrate.tables import Tables


@dataclass
class Integrated:
    """What an integration gives.

    columns : the table, as `tinynet.tabular.frame.read` gives one
    flow : (rule, rows left after it), in order
    table1 : lines of cells, a heading first; counts under 5 are written as <5
    notes : what was left out, and what a reader must know
    """

    columns: Columns
    flow: list[tuple[str, int]]
    table1: list[list[str]]
    notes: list[str]

    def __str__(self) -> str:
        lines = ["Cohort flow"]
        before = None
        for what, left in self.flow:
            gone = "" if before is None else f"  ({before - left:,} removed)"
            lines.append(f"  {left:>10,}  {what}{gone}")
            before = left
        lines += ["", "Table 1"]
        widths = [min(max(len(line[i]) for line in self.table1), 44) for i in range(len(self.table1[0]))]
        for line in self.table1:
            cells = [line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]
            lines.append("  " + "  ".join(cells).rstrip())
        if self.notes:
            lines += ["", "Notes", *(f"  {note}" for note in self.notes)]
        return "\n".join(lines)

    def write(self, folder: str | os.PathLike[str]) -> None:
        """Write table.csv, table1.csv and flow.txt (with the notes) into a folder, which is made if need be."""
        out = Path(folder)
        out.mkdir(parents=True, exist_ok=True)
        names = list(self.columns)
        rows = zip(*(["" if v is None or v != v else v for v in self.columns[n].tolist()] for n in names), strict=True)
        for name, lines in (("table.csv", [names, *rows]), ("table1.csv", self.table1)):
            with (out / name).open("w", encoding="utf-8", newline="") as stream:
                csv.writer(stream).writerows(lines)
        (out / "flow.txt").write_text(str(self) + "\n", encoding="utf-8")


def integrate(
    plan: str | os.PathLike[str] | Mapping[str, Any],
    tables: Mapping[str, Any] | None = None,
    *,
    memory_limit: str = "",
    progress: bool | None = None,
) -> Integrated:
    """Several tables as one, by a plan; see `plan.EXAMPLE`, which `python -m tinynet integrate --help` prints.

    A value counts where its time is before the prediction time of its row, strictly; a day without an hour counts when
    it is over. Dates that are kept from the rows' table and from joined tables are shown only where they are past;
    other columns are taken as they are, so keep only what is known by then. All work is DuckDB's, which moves to disk
    what does not fit into memory.

    Parameters
    ----------
    plan : a TOML file, or what it would hold as a dictionary
    tables : frames by the names that the plan uses, for tables that are no files
    memory_limit : of DuckDB, such as "1GB"; default: DuckDB's own, most of the memory
    progress : whether to draw a progress bar; default: on a terminal

    Raises
    ------
    FileNotFoundError : where there is no such plan or table
    KeyError : where there is no such column, with the nearest name
    ValueError : where the plan is wrong, a date is none, a key repeats, a join would multiply rows, or the memory
        allowed is too little
    """
    import tempfile

    from tinynet.progress import Progress

    try:
        import duckdb
    except ImportError:
        raise ImportError("tables are joined by DuckDB: pip install 'tinynet[tabular]'") from None
    planned = load(plan)
    with tempfile.TemporaryDirectory() as folder:
        settings = {"memory_limit": memory_limit, "threads": "1"} if memory_limit else {}
        connection = duckdb.connect(str(Path(folder) / "work.duckdb"), config={"temp_directory": folder, **settings})
        try:
            connection.execute("set preserve_insertion_order = true")
            connection.execute("set enable_progress_bar = false")
            build = Build(planned, Tables(connection, planned.folder, tables, planned.needed()))
            bar = Progress(len(planned.events) + 2, "integrate", show=progress)
            build.rows()
            build.elapsed()
            build.cohort()
            for number, events in enumerate(planned.events):
                bar.update(number + 1)
                sum_up(build, number, events)
            build.result()
            bar.close()
            columns = read(connection.execute("select * from result").fetchnumpy())
        except duckdb.OutOfMemoryException:
            most = f"the {memory_limit} of memory_limit are" if memory_limit else "memory is"
            raise ValueError(
                f"{most} not enough for the tables of the plan; give more, ask for fewer items or a shorter window"
            ) from None
        except duckdb.Error as error:
            raise ValueError(f"a table of the plan cannot be read: {plain(error)}") from None
        finally:
            connection.close()
    ids = {
        *planned.rows.key,
        *(b for on in [one.on for one in planned.joins] + [one.on for one in planned.events] for b in on.values()),
    }
    return Integrated(columns, build.flow, table_one(columns, planned.rows.target, ids), build.notes)


def plain(error: Exception) -> str:
    """DuckDB's words without the values and the SQL that it quotes: the kind of error only, and the advice."""
    kind = type(error).__name__.removesuffix("Exception")
    return (
        f"DuckDB reports a {kind} error; check that the files are whole, with as many fields in a line as in the header"
    )
