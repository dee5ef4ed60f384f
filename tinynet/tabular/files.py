"""CSV and Parquet files, whole or in chunks of rows. What a file is, is told from its bytes, not from its name."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from tinynet.formulas.vocabulary import Array
from tinynet.progress import Progress
from tinynet.tabular.cells import number, texts

DELIMITERS = ",\t;|"
SAMPLE = 65_536  # characters from which the delimiter is told
LARGE = 10_000_000  # bytes that take seconds
ROWS = 10_000  # rows read at a time: as text they take ten times the memory of the file
FIRST_BYTES = {
    b"PAR1": "a Parquet file",
    b"PK\x03\x04": "an Excel workbook or a zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\x1f\x8b": "a gzip archive",
    b"%PDF": "a PDF",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"\x89HDF": "an HDF5 file",
    b"ARROW1": "an Arrow file",
    b"SQLite f": "an SQLite database",
    b"<htm": "a web page",
    b"<!DO": "a web page",
    b"<!do": "a web page",
}


def chunks(path: str | os.PathLike[str], header: bool | None, rows: int | None) -> Iterator[dict[str, Array]]:
    """The table in a file, `rows` rows at a time, or all at once where rows is None."""
    file = Path(path)
    if file.is_dir():
        raise ValueError(f"{file.name} is a folder; a CSV or Parquet file is expected")
    if not file.exists():
        raise FileNotFoundError(f"there is no file {str(path)!r}")
    with file.open("rb") as stream:
        first = stream.read(16)
    kind = next((said for start, said in FIRST_BYTES.items() if first.startswith(start)), "")
    named = file.suffix.lower()
    if named in (".parquet", ".pq"):
        if kind != "a Parquet file":
            raise ValueError(f"{file.name} is named like a Parquet file, but is {kind or 'none'}")
        return parquet(file, rows)
    if kind == "a Parquet file":
        raise ValueError(f"{file.name} is a Parquet file; rename it to end in .parquet")
    if kind == "a gzip archive" and named == ".gz":
        return text(file, header, rows, unzipped)
    if kind:
        raise ValueError(f"{file.name} is {kind}; a CSV or Parquet file is expected")
    if not first:
        raise ValueError(f"{file.name} is empty; a CSV file with a header and rows is expected")
    return text(file, header, rows, plain)


def parquet(file: Path, rows: int | None) -> Iterator[dict[str, Array]]:
    """A Parquet file through pyarrow."""
    try:
        import pyarrow.parquet
    except ImportError:
        raise ImportError("Parquet files are read through pyarrow: pip install 'tinynet[tabular]'") from None
    from tinynet.tabular.frame import from_frame

    try:
        table = pyarrow.parquet.ParquetFile(file)
    except pyarrow.ArrowException:
        raise ValueError(f"{file.name} is a damaged Parquet file: it cannot be opened") from None
    try:
        if rows is None:
            yield from_frame(table.read())
            return
        for batch in table.iter_batches(rows):
            yield from_frame(pyarrow.Table.from_batches([batch]))
    except (pyarrow.ArrowException, OSError):
        raise ValueError(f"{file.name} is a damaged Parquet file: its rows cannot be read") from None


def unzipped(raw: BinaryIO) -> BinaryIO:
    return gzip.GzipFile(fileobj=raw)  # type: ignore[return-value]


def plain(raw: BinaryIO) -> BinaryIO:
    return raw


def encoding_of(file: Path, opened: Any) -> str:
    """UTF-8 or UTF-16 by their marks, UTF-8 where all bytes agree, else Windows-1252, which reads western text."""
    import codecs

    decoder = codecs.getincrementaldecoder("utf-8")()
    with file.open("rb") as raw:
        stream, first = opened(raw), True
        try:
            while block := stream.read(1 << 20):
                if first and block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                    return "utf-16"
                first = False
                if b"\0" in block:
                    raise ValueError(f"{file.name} holds bytes that no text has; a CSV file is expected")
                decoder.decode(block)
            decoder.decode(b"", True)
        except UnicodeDecodeError:
            return "cp1252"
        except (OSError, EOFError, zlib.error):
            raise ValueError(f"{file.name} is a damaged gzip archive") from None
    return "utf-8-sig"


def delimiter_of(sample: str) -> str:
    """The delimiter that gives every line the same number of fields, the most of them; a comma where there is none."""
    best, most = ",", 1
    for candidate in DELIMITERS:
        try:
            lines = [line for line in csv.reader(io.StringIO(sample), delimiter=candidate) if line]
        except csv.Error:
            continue
        lines = lines[:-1] if len(lines) > 1 else lines  # the last may be cut
        fields = len(lines[0]) if lines else 0
        agree = sum(len(line) == fields for line in lines) >= 0.9 * len(lines)
        if agree and fields > most:
            best, most = candidate, fields
    return best


def looks_like_data(cells: list[str]) -> bool:
    """Whether a first line holds numbers and gaps rather than names."""
    numbers = sum(number(c.strip()) is not None or c.strip() in ("?", "NA") for c in cells)
    return numbers > 0.5 * len(cells)


def names_of(cells: list[str]) -> list[str]:
    """The names in a header; an empty one, such as R gives to row numbers, becomes column_1 by its place."""
    return [cell.strip() or f"column_{place}" for place, cell in enumerate(cells, 1)]


def head_of(file: Path) -> tuple[list[str], str, bool]:
    """(names, delimiter, whether it is gzipped) of a CSV file, for another reader of it."""
    from tinynet.tabular.frame import once

    with file.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    try:
        opened = unzipped if zipped else plain
        with file.open("rb") as raw, io.TextIOWrapper(opened(raw), "utf-8-sig", "replace", newline="") as stream:
            sample = stream.read(SAMPLE)
        delimiter = delimiter_of(sample)
        first = next((line for line in csv.reader(io.StringIO(sample), delimiter=delimiter) if line), None)
    except (csv.Error, OSError, EOFError, zlib.error):
        raise ValueError(f"{file.name} cannot be read as CSV") from None
    if first is None:
        raise ValueError(f"{file.name} is empty; a CSV file with a header and rows is expected")
    if looks_like_data(first):
        raise ValueError(f"the first line of {file.name} looks like data, not like the names of columns")
    names = names_of(first)
    try:
        once([name.lower() for name in names])  # SQL does not tell capitals apart
    except ValueError as error:
        raise ValueError(f"{file.name}: {error}") from None
    return names, delimiter, zipped


def text(file: Path, header: bool | None, rows: int | None, opened: Any) -> Iterator[dict[str, Array]]:
    """A CSV file with everything as text, so that "NA" and "None" are seen as they were written."""
    from tinynet.tabular.frame import once

    encoding = encoding_of(file, opened)
    with file.open("rb") as raw, io.TextIOWrapper(opened(raw), encoding, "replace", newline="") as stream:
        sample = stream.read(SAMPLE)
    with file.open("rb") as raw, io.TextIOWrapper(opened(raw), encoding, "replace", newline="") as stream:
        reader = csv.reader(stream, delimiter=delimiter_of(sample))
        lines = whole_lines(reader, file.name, raw, file.stat().st_size)
        first = next(lines, None)
        if first is None:
            raise ValueError(f"{file.name} is empty; a CSV file with a header and rows is expected")
        if header is None and looks_like_data(first):
            raise ValueError(
                f"the first line of {file.name} looks like data, not like the names of columns; "
                "say header=False where the file has no names"
            )
        names = [f"x{i}" for i in range(len(first))] if header is False else names_of(first)
        once(names)
        if header is False:
            lines = itertools.chain([first], lines)
        yield from in_chunks(lines, reader, names, rows, file.name)


def whole_lines(reader: Any, name: str, raw: BinaryIO, size: int) -> Iterator[list[str]]:
    """The lines that are not empty, with a progress bar for large files."""
    progress = Progress(size >> 20, f"{name}, MB", show=None if size > LARGE else False)
    try:
        for line in reader:
            if reader.line_num % 5000 == 0:
                progress.update(raw.tell() >> 20)
            if line:
                yield line
    except csv.Error:
        raise ValueError(f"{name} cannot be read as CSV near line {reader.line_num}") from None
    finally:
        progress.close()


def in_chunks(
    lines: Iterator[list[str]], reader: Any, names: list[str], rows: int | None, file: str
) -> Iterator[dict[str, Array]]:
    """Lines as columns of text, `rows` at a time; at least one chunk, which may have no rows."""
    parts: list[list[Array]] = []
    count = 0
    while True:
        block: list[list[str]] = []
        for line in itertools.islice(lines, rows or ROWS):
            if len(line) != len(names):
                raise ValueError(f"{file}, line {reader.line_num}: {len(line)} fields, but the header has {len(names)}")
            block.append(line)
        count += 1
        if block or count == 1:
            columns = [texts(values) for values in zip(*block, strict=True)] if block else [texts([]) for _ in names]
            if rows is not None:
                yield dict(zip(names, columns, strict=True))
            else:
                parts.append(columns)
        if len(block) < (rows or ROWS):
            break
    if rows is None:
        import numpy as np

        yield {name: np.concatenate([part[i] for part in parts]) for i, name in enumerate(names)}
