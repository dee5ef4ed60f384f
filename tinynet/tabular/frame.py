"""Tables of any kind as plain columns: one dictionary of arrays, all that the rest of tinynet.tabular knows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.progress import Progress
from tinynet.tabular import files
from tinynet.tabular.cells import column, tidy


class Columns(dict[str, Array]):
    """Columns by name, each (n,): float64 with NaN for a gap, or object with str and None for a gap.

    `read` gives one, and takes it as it is: what is in it was looked at once.
    """

    def rows(self, chosen: Array | slice) -> Columns:
        """Some of the rows, by numbers, a mask or a slice."""
        return Columns({name: values[chosen] for name, values in self.items()})

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(next(iter(self.values()), ()))


Thing = TypeVar("Thing")
MANY = 20_000  # rows that take a second or more
FRAMES = ("columns", "__arrow_c_stream__", "__narwhals_dataframe__", "__narwhals_lazyframe__")  # what tells a frame
EXPECTED = (
    "a pandas or polars frame, a dictionary of columns, a row or a list of rows as dictionaries, a 2-D array, "
    "or the path of a CSV or Parquet file"
)


def read(source: Any, *, header: bool | None = None) -> Columns:
    """Any table as a dictionary of columns, each float64 (a gap is NaN) or text (a gap is None).

    Parameters
    ----------
    source : a frame that narwhals knows (pandas, polars, pyarrow, ...), a dictionary of columns, one row as a
        dictionary of single values, a list of such rows, a 2-D array (its columns are named x0, x1, ...), or a path
    header : for CSV: True, the first line holds names; False, it holds data, and columns are named x0, x1, ...;
        default: names are expected, and a first line that looks like data is refused

    Raises
    ------
    TypeError : for anything else
    ValueError : where a name comes twice, columns differ in length, or a file is not what its name says
    FileNotFoundError : where there is no such file
    """
    if isinstance(source, Columns):
        return source
    if isinstance(source, (str, os.PathLike)):
        (whole,) = files.chunks(source, header, None)
        return Columns(whole)
    if isinstance(source, Mapping):
        return from_mapping(source)
    if isinstance(source, np.ndarray):
        return from_array(source)
    if isinstance(source, (list, tuple)):
        return from_rows(source)
    return from_frame(source)


def watched(things: Sequence[Thing], rows: int, label: str) -> Iterator[Thing]:
    """The things one by one, with a progress bar where the rows are so many that it takes seconds."""
    progress = Progress(len(things), label, show=None if rows >= MANY else False)
    for done, thing in enumerate(things):
        progress.update(done)
        yield thing
    progress.close()


def read_chunks(source: str | os.PathLike[str], rows: int = 50_000, *, header: bool | None = None) -> Iterator[Columns]:
    """The table in a CSV or Parquet file, `rows` rows at a time, for files larger than memory."""
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError(f"read_chunks reads a CSV or Parquet file by its path, not {type(source).__name__}")
    return map(Columns, files.chunks(source, header, rows))


def checked(names: Sequence[Any], columns: Sequence[Array]) -> Columns:
    """Names and columns as a table. Raises ValueError where a name comes twice or the lengths differ."""
    texts = [tidy(str(name)) for name in names]
    once(texts)
    lengths = {len(values) for values in columns}
    if len(lengths) > 1:
        shortest = min(range(len(texts)), key=lambda i: len(columns[i]))
        longest = max(range(len(texts)), key=lambda i: len(columns[i]))
        raise ValueError(
            f"columns are of different lengths: {texts[shortest]!r} has {len(columns[shortest])} rows, "
            f"{texts[longest]!r} has {len(columns[longest])}"
        )
    return Columns(zip(texts, columns, strict=True))


def once(names: Sequence[str]) -> None:
    """Raises ValueError where a name comes twice."""
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise ValueError(f"the table has {names.count(twice)} columns named {twice!r}; rename them so that each is one")


def from_mapping(given: Mapping[Any, Any]) -> Columns:
    """A dictionary of columns, or one row as a dictionary of single values."""
    if any(single(value) for value in given.values()):
        return from_rows([given])
    return checked(list(given), [column(values, str(name)) for name, values in given.items()])


def single(value: Any) -> bool:
    """Whether a value is one cell rather than a column."""
    if isinstance(value, (str, bytes)) or value is None:
        return True
    return getattr(value, "ndim", None) == 0 or not hasattr(value, "__len__")


def from_rows(rows: Sequence[Any]) -> Columns:
    """A list of rows as dictionaries; a key that a row lacks is a gap."""
    if not rows or not all(isinstance(row, Mapping) for row in rows):
        try:
            array = np.asarray(rows)
        except ValueError:
            array = np.empty(0)
        if array.ndim == 2 and array.dtype.kind in "biufUMO":
            return from_array(array)
        raise TypeError(f"a table is {EXPECTED}; given was a {type(rows).__name__} that is none of them")
    names = list(dict.fromkeys(str(name) for row in rows for name in row))
    by_text = [{str(name): value for name, value in row.items()} for row in rows]
    return checked(names, [column([row.get(name) for row in by_text], name) for name in names])


def from_array(array: Array) -> Columns:
    """A 2-D array as columns x0, x1, ...; a structured array by its fields."""
    if array.dtype.names:
        return checked(array.dtype.names, [column(array[name], name) for name in array.dtype.names])
    if array.ndim != 2:
        hint = "; for a single row give x[None, :]" if array.ndim == 1 else ""
        raise ValueError(f"a table as an array has shape (rows, columns); given was {array.shape}{hint}")
    return Columns({f"x{i}": column(array[:, i], f"x{i}") for i in range(array.shape[1])})


def from_frame(frame: Any) -> Columns:
    """A frame of any library that narwhals knows."""
    if type(frame).__module__.startswith("pandas"):  # narwhals refuses it, in words of its own
        once([str(name) for name in getattr(frame, "columns", [])])
    if not any(hasattr(type(frame), known) for known in FRAMES):
        raise TypeError(f"a table is {EXPECTED}; given was of type {type(frame).__name__}")
    try:
        import narwhals as nw
    except ImportError:
        return from_known_frame(frame)
    try:
        known = nw.from_native(frame)
    except TypeError:
        raise TypeError(f"a table is {EXPECTED}; given was of type {type(frame).__name__}") from None
    eager = known.collect() if isinstance(known, nw.LazyFrame) else known
    names = [str(name) for name in eager.columns]
    return checked(names, [from_series(one, name, nw) for name, one in zip(names, eager.iter_columns(), strict=True)])


def from_known_frame(frame: Any) -> Columns:
    """A pandas or polars frame on a machine without narwhals, as where a model is only used."""
    library = type(frame).__module__.partition(".")[0]
    if library == "pandas":
        return from_mapping(frame.to_dict("list"))
    if library == "polars" and hasattr(frame, "to_dict"):
        return from_mapping(frame.to_dict(as_series=False))
    raise ImportError(
        "frames other than pandas's and polars's are read through narwhals: pip install 'tinynet[tabular]', or give a "
        "dictionary of columns"
    )


def from_series(series: Any, name: str, nw: Any) -> Array:
    """A column of a frame; numbers go as an array, all else cell by cell."""
    kind = series.dtype
    if kind.is_float():
        return column(np.asarray(series.cast(nw.Float64)), name)
    if (
        kind in (nw.Boolean, nw.Int64, nw.Int32, nw.Int16, nw.Int8, nw.UInt64, nw.UInt32, nw.UInt16, nw.UInt8)
        and not series.is_null().any()
    ):
        return column(np.asarray(series.to_numpy()), name)
    return column(series.to_list(), name)
