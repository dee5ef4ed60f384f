"""One-file models in the safetensors format, read and written by NumPy alone. No pickle, no import by name.

The file: 8 bytes, the header's length (little endian); the header, JSON: first `__metadata__`, with the model's
architecture and a SHA-256 over the whole file (its own 64 digits as zeros), then for each tensor its dtype, shape and
place; then the bytes. Format 1; files of format 1 will always load, a newer format is refused by its number.

Source: https://github.com/huggingface/safetensors (format description).
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import secrets
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from tinynet.formulas.vocabulary import Array

FORMAT = 1
NO_CHECKSUM = "0" * 64
HEADER_LIMIT = 100_000_000  # bytes; the safetensors library's own limit
DTYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "U64": "<u8"}
NAMES = {value: key for key, value in DTYPES.items()}


class ModelFileError(ValueError):
    """A file is not a model that this version can read."""


def packed(tensors: dict[str, Array], model: dict[str, Any]) -> bytes:
    """The bytes of a model file."""
    try:
        described = json.dumps(model)
    except (TypeError, ValueError):
        raise TypeError(
            "the model's description holds what JSON cannot; config() gives plain numbers, words, lists, dictionaries"
        ) from None
    metadata = {"format": "tinynet", "checksum": NO_CHECKSUM, "version": str(FORMAT), "model": described}
    header: dict[str, Any] = {"__metadata__": metadata}
    chunks, end = [], 0
    for name, tensor in tensors.items():
        little = np.ascontiguousarray(tensor, dtype=tensor.dtype.newbyteorder("<"))
        begin, end = end, end + little.nbytes
        dtype = NAMES[f"<{little.dtype.kind}{little.dtype.itemsize}"]
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [begin, end]}
        chunks.append(little.tobytes())
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    head, data = struct.pack("<Q", len(text)) + text, b"".join(chunks)
    return head.replace(NO_CHECKSUM.encode(), checksum_of(head, data).encode(), 1) + data


def checksum_of(head: bytes, data: bytes) -> str:
    """The SHA-256 of a file whose own checksum stands as zeros in its head."""
    digest = hashlib.sha256(head)
    digest.update(data)
    return digest.hexdigest()


def write(path: str | os.PathLike[str], tensors: dict[str, Array], model: dict[str, Any]) -> None:
    """Write a model file, whole or not at all: a temporary file beside it is filled, flushed to disk and renamed."""
    target = Path(checked_path(path))
    folder = target.parent
    if not folder.is_dir():
        raise FileNotFoundError(f"the folder {str(folder)!r} for the model file does not exist")
    if target.is_dir():
        raise IsADirectoryError(f"{str(target)!r} is a folder; a model is written into a file")
    content = packed(tensors, model)
    temporary = folder / f".{target.name[:50]}.{secrets.token_hex(8)}"
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if hasattr(os, "O_DIRECTORY"):  # the new name itself must reach the disk; not possible on Windows
        folder_handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder_handle)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems do this by themselves
                raise
        finally:
            os.close(folder_handle)


def read(source: str | os.PathLike[str] | bytes) -> tuple[dict[str, Array], dict[str, Any]]:
    """(tensors by name, the model's description) of a model file, or of its bytes.

    Raises
    ------
    FileNotFoundError : where there is no such file
    ModelFileError : where it is damaged, of another kind, or of a newer format
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return parsed(io.BytesIO(source), "the given bytes")
    with open(checked_path(source), "rb") as file:
        return parsed(file, str(source))


def checked_path(path: Any) -> str | os.PathLike[str]:
    """`path` as it is. Raises TypeError for what is none."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"a model file is named by a path, not by {type(path).__name__}")
    return path


def parsed(file: BinaryIO, what: str) -> tuple[dict[str, Array], dict[str, Any]]:
    """As `read`, from an open file; what is no model is told from its first bytes."""
    first = file.read(8)
    if len(first) < 8:
        raise ModelFileError(f"{what}: a model file is longer than 8 bytes; this has {len(first)}")
    (length,) = struct.unpack("<Q", first)
    text = file.read(length) if length <= HEADER_LIMIT else b""
    if len(text) < length:
        raise ModelFileError(
            f"{what}: the header should be {length} bytes long, but the file ends before; it is cut off or no model"
        )
    try:
        header = json.loads(text, object_pairs_hook=unique)
        metadata = header.pop("__metadata__")
        kind, version, checksum = metadata["format"], int(metadata["version"]), metadata["checksum"].encode("ascii")
        if kind != "tinynet" or version < 1:
            raise ValueError(kind)
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError):
        raise ModelFileError(f"{what}: the header is none of a tinynet model") from None
    if version > FORMAT:
        raise ModelFileError(
            f"{what}: written in format {version}, but this tinynet reads up to {FORMAT}; install a newer one"
        )
    data = file.read()
    if checksum_of(first + text.replace(checksum, NO_CHECKSUM.encode(), 1), data).encode() != checksum:
        raise ModelFileError(f"{what}: the checksum does not match, so the file is damaged; take another copy")
    try:
        tensors = {name: tensor(entry, memoryview(data)) for name, entry in header.items()}
        check_tiling([entry["data_offsets"] for entry in header.values()], len(data))
        model = json.loads(metadata["model"], object_pairs_hook=unique)
        if not isinstance(model, dict):
            raise TypeError(model)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ModelFileError(f"{what}: the header does not fit the bytes behind it") from None
    return tensors, model


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A dictionary of JSON. Raises ValueError where a name stands twice, since readers differ in which they take."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def check_tiling(places: list[list[int]], length: int) -> None:
    """Raises ValueError where tensors overlap or leave bytes between or behind them, as the format forbids."""
    end = 0
    for begin, stop in sorted(places):
        if begin != end:
            raise ValueError(begin)
        end = stop
    if end != length:
        raise ValueError(end)


def tensor(entry: dict[str, Any], data: memoryview) -> Array:
    """One tensor from its entry in the header."""
    (begin, end), shape = entry["data_offsets"], entry["shape"]
    if not all(type(size) is int and size >= 0 for size in (begin, end, *shape)) or not begin <= end <= len(data):
        raise ValueError(entry)
    found = np.frombuffer(data[begin:end], DTYPES[entry["dtype"]]).reshape(shape)
    return found.astype(found.dtype.newbyteorder("="))
