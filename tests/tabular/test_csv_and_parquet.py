"""Files: the delimiter and encoding are found, everything is text as it was written, and what is wrong is said once."""

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tinynet.tabular.frame import read, read_chunks

ROWS = [["1", "None", "Zürich"], ["2", "NA", "a;b"], ["", "?", "x, y"]]
NAMES = ["id", "A1C", "stadt"]


def lines(delimiter: str, end: str = "\n") -> str:
    quoted = [[f'"{cell}"' if delimiter in cell else cell for cell in row] for row in [NAMES, *ROWS]]
    return end.join(map(delimiter.join, quoted)) + end


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_delimiters_and_encodings(tmp_path: Path, delimiter: str, encoding: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(lines(delimiter, "\r\n").encode(encoding))
    table = read(path)
    assert list(table) == NAMES
    assert [table[name].tolist() for name in NAMES] == [
        ["1", "2", None], ["None", "NA", "?"], ["Zürich", "a;b", "x, y"]
    ]  # fmt: skip


def test_gzip(tmp_path: Path) -> None:
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(lines(",").encode()))
    assert read(path)["id"].tolist() == ["1", "2", None]
    path.write_bytes(gzip.compress(lines(",").encode())[:-12])
    with pytest.raises(ValueError, match=r"table.csv.gz is a damaged gzip archive"):
        read(path)


def test_chunks_are_the_whole(tmp_path: Path) -> None:
    table = {"n": list(range(25)), "word": [None if i % 7 == 0 else f"w{i}" for i in range(25)]}
    pl.DataFrame(table).write_csv(tmp_path / "t.csv")
    pl.DataFrame(table).write_parquet(tmp_path / "t.parquet")
    for name in ("t.csv", "t.parquet"):
        whole, parts = read(tmp_path / name), list(read_chunks(tmp_path / name, 10))
        assert [part.count for part in parts] == [10, 10, 5]
        for column in table:
            joined = np.concatenate([part[column] for part in parts])
            assert joined.tolist() == whole[column].tolist()
    assert read(tmp_path / "t.parquet")["n"].dtype == np.float64
    with pytest.raises(TypeError, match="by its path"):
        read_chunks(table)  # type: ignore[arg-type]


def test_header(tmp_path: Path) -> None:
    path = tmp_path / "t.data"
    path.write_text("63,1,?,0\n67,1,4,1\n")
    with pytest.raises(ValueError, match=r"looks like data.*header=False"):
        read(path)
    table = read(path, header=False)
    assert list(table) == ["x0", "x1", "x2", "x3"]
    assert table["x2"].tolist() == ["?", "4"]
    assert list(read(path, header=True)) == ["63", "1", "?", "0"]
    path.write_text('"","age"\n"1",5\n')
    assert list(read(path)) == ["column_1", "age"]


def test_one_column_and_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("age\n1\n\n2\n")
    assert read(path)["age"].tolist() == ["1", "2"]
    path.write_text("age,sex\n")
    assert {name: values.tolist() for name, values in read(path).items()} == {"age": [], "sex": []}
    assert [part.count for part in read_chunks(path)] == [0]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.csv", b"PAR1....", "is a Parquet file; rename it"),
        ("t.csv", b"PK\x03\x04....", "is an Excel workbook or a zip archive; a CSV or Parquet file is expected"),
        ("t.csv", b"%PDF-1.7", "is a PDF"),
        ("t.parquet", b"a,b\n1,2\n", "is named like a Parquet file, but is none"),
        ("t.parquet", b"\x1f\x8b....", "but is a gzip archive"),
        ("t.parquet", b"PAR1 and no more", "is a damaged Parquet file"),
        ("t.csv", b"", "is empty"),
        ("t.csv", b"\n\n", "is empty"),
        ("t.csv", b"a,b\n1\0,2\n", "bytes that no text has"),
        ("t.csv", b"a,b\n1,2\n1,2,3\n" + b"1,2\n" * 9, "line 3: 3 fields, but the header has 2"),
        ("t.csv", b"a,b,a\n1,2,3\n", "2 columns named 'a'"),
        ("t.csv", b'a,b\n1,"' + b"x" * 200_000 + b'"\n', "cannot be read as CSV near line"),
    ],
)  # fmt: skip
def test_wrong_files(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=words):
        read(tmp_path / name)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no file"):
        read(str(tmp_path / "none.csv"))
    with pytest.raises(ValueError, match="is a folder"):
        read(tmp_path)


def test_damaged_rows_of_parquet(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame({"n": np.random.default_rng(1).normal(size=5000)}).write_parquet(path, compression="zstd")
    content = bytearray(path.read_bytes())
    content[20:4000] = bytes(3980)
    path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged Parquet file"):
        read(path)


def test_no_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(ImportError, match="pip install"):
        read(tmp_path / "t.parquet")
