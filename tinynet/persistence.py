"""One-file models in the safetensors format, read and written by NumPy alone. No pickle, no import by name.

The file: 8 bytes, the header's length (little endian); the header, JSON: for each tensor its dtype, shape and place;
then the bytes. The model's architecture stands in the header's `__metadata__`, with a SHA-256 over the whole file (its
own 64 digits as zeros). Format 1; files of format 1 will always load, a newer format is refused by its number.

Source: https://github.com/huggingface/safetensors (format description).
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import struct
from pathlib import Path
from typing import Any

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
    header: dict[str, Any] = {}
    chunks, end = [], 0
    for name, tensor in tensors.items():
        little = np.ascontiguousarray(tensor, dtype=tensor.dtype.newbyteorder("<"))
        begin, end = end, end + little.nbytes
        dtype = NAMES[f"<{little.dtype.kind}{little.dtype.itemsize}"]
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [begin, end]}
        chunks.append(little.tobytes())
    header["__metadata__"] = {
        "format": "tinynet", "version": str(FORMAT), "checksum": NO_CHECKSUM, "model": json.dumps(model),
    }  # fmt: skip
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    whole = struct.pack("<Q", len(text)) + text + b"".join(chunks)
    return whole.replace(NO_CHECKSUM.encode(), hashlib.sha256(whole).hexdigest().encode(), 1)


def write(path: str | os.PathLike[str], tensors: dict[str, Array], model: dict[str, Any]) -> None:
    """Write a model file, whole or not at all: a temporary file beside it is filled, flushed to disk and renamed."""
    target = Path(path)
    folder = target.parent
    if not folder.is_dir():
        raise FileNotFoundError(f"the folder {str(folder)!r} for the model file does not exist")
    temporary = folder / f".{target.name}.{secrets.token_hex(8)}"
    try:
        with open(temporary, "xb") as file:
            file.write(packed(tensors, model))
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
        whole, what = bytes(source), "the given bytes"
    else:
        whole, what = Path(source).read_bytes(), str(source)
    if len(whole) < 8:
        raise ModelFileError(f"{what}: a model file is longer than 8 bytes; this has {len(whole)}")
    (length,) = struct.unpack("<Q", whole[:8])
    if length > min(HEADER_LIMIT, len(whole) - 8):
        raise ModelFileError(
            f"{what}: the header should be {length} bytes long, but the file ends before; it is cut off or no model"
        )
    try:
        header = json.loads(whole[8 : 8 + length])
        metadata = header.pop("__metadata__")
        kind, version, checksum = metadata["format"], int(metadata["version"]), metadata["checksum"]
        if kind != "tinynet":
            raise ValueError(kind)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ModelFileError(f"{what}: the header is none of a tinynet model") from None
    if version > FORMAT:
        raise ModelFileError(
            f"{what}: written in format {version}, but this tinynet reads up to {FORMAT}; install a newer one"
        )
    blank = whole.replace(str(checksum).encode(), NO_CHECKSUM.encode(), 1)
    if hashlib.sha256(blank).hexdigest() != checksum:
        raise ModelFileError(f"{what}: the checksum does not match, so the file is damaged; take another copy")
    try:
        tensors = {name: tensor(entry, whole[8 + length :]) for name, entry in header.items()}
        return tensors, json.loads(metadata["model"])
    except (ValueError, KeyError, TypeError):
        raise ModelFileError(f"{what}: the header does not fit the bytes behind it") from None


def tensor(entry: dict[str, Any], data: bytes) -> Array:
    """One tensor from its entry in the header."""
    begin, end = entry["data_offsets"]
    if not 0 <= begin <= end <= len(data):
        raise ValueError(entry)
    found = np.frombuffer(data[begin:end], DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return found.astype(found.dtype.newbyteorder("="))
