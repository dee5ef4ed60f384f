"""Compiled functions, kept on disk as the machine code that they are, and loaded without numba.

Every compiled function has one signature and is called by its address:

    void function(int64 *arguments, int64 *frame)

`arguments` are addresses and sizes that stay as they are from step to step, `frame` is what a thread knows about the
rows it works on (`numba_frame`). One signature is what lets the interpreter call any kernel, a user's own formula too,
without being compiled anew: a kernel is a number in the program's row.

numba is imported only where a function is not kept yet: to import it, and to let it get ready, takes longer than most
trainings. Loading is LLVM's work. The name under which a function is kept holds a hash of its own text, of every
source that it is made from, and of the machine: a changed formula is another name, and nothing is ever stale.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import sys
import threading
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from tinynet.formulas import vocabulary

FOLDER = "NUMBA_CACHE_DIR"  # numba's own setting, since a machine that has a place for one has it for the other
_addresses: dict[str, int] = {}
_lock = threading.RLock()


@functools.cache
def sources() -> bytes:
    """A hash of the modules whose code may end up inside a compiled function, of the compiler, and of the machine."""
    import llvmlite
    import llvmlite.binding as llvm

    files = [*sorted(Path(__file__).parent.glob("numba_*.py")), Path(vocabulary.__file__)]
    numba = find_spec("numba")
    made_by = [llvmlite.__version__, str(Path(numba.origin).stat().st_mtime_ns if numba and numba.origin else 0)]
    machine = [llvm.get_process_triple(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()]
    parts = [*(file.read_bytes() for file in files), *(part.encode() for part in machine + made_by)]
    return hashlib.sha256(b"\0".join(parts)).digest()


def address_of(name: str, text: str, dtype: str) -> int:
    """The address of the function `kernel` that the text defines; compiled at most once, and kept on disk.

    `name` tells apart what is not told apart by the text. What the text may name: `numba_words.scope`.
    """
    key = f"{name}_{dtype}_{hashlib.sha256(sources() + text.encode()).hexdigest()[:20]}"
    return address(key, "text", text, dtype)


def address_of_template(module: str, name: str, dtype: str) -> int:
    """As `address_of`, for a function of a module of this folder, whose `scope(dtype)` has what it leaves open."""
    return address(f"{name}_{dtype}_{sources().hex()[:20]}", module, name, dtype)


def address(key: str, module: str, what: str, dtype: str) -> int:
    with _lock:
        if key not in _addresses:
            code = kept(key)
            if code is None:
                compiler = import_module("tinynet.backends.numba_compiler")
                code = compiler.machine_code(key, module, what, dtype)
                keep(key, code)
            _addresses[key] = loaded(key, code)
        return _addresses[key]


# --------------------------------------------------------------------------------------------------------- on disk


@functools.cache
def folder() -> Path | None:
    """Where compiled functions are kept: where the setting says, else beside this file, else with the user's caches;
    None where nobody may write anywhere."""
    own = {"win32": "LOCALAPPDATA", "darwin": ""}.get(sys.platform, "XDG_CACHE_HOME")
    home = Path(os.path.expanduser("~")) / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    places = [Path(__file__).parent / "__pycache__", Path(os.environ.get(own) or home) / "tinynet"]
    if os.environ.get(FOLDER):
        places.insert(0, Path(os.environ[FOLDER]).absolute() / "tinynet")
    # A user without a home has "~" for one, which would be a folder of whatever directory the process is in.
    return next((place for place in places if place.is_absolute() and writable(place)), None)


def writable(place: Path) -> bool:
    try:
        place.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=place):
            return True
    except OSError:
        return False


def kept(key: str) -> bytes | None:
    """The machine code kept under this name; None where there is none, or a damaged one."""
    place = folder()
    try:
        whole = b"" if place is None else (place / f"{key}.o").read_bytes()
    except OSError:
        return None
    return whole[32:] if hashlib.sha256(whole[32:]).digest() == whole[:32] else None


def keep(key: str, code: bytes) -> None:
    """Put it there whole or not at all; on a full disk it is compiled anew next time."""
    place = folder()
    if place is None:
        return
    part = place / f"{key}.{os.getpid()}.part"
    try:
        part.write_bytes(hashlib.sha256(code).digest() + code)
        part.replace(place / f"{key}.o")
    except OSError:
        part.unlink(missing_ok=True)


# ------------------------------------------------------------------------------------------------------- in memory


@functools.cache
def target_machine() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3, jit=True,
        reloc="static" if platform.machine().lower() in ("x86_64", "amd64") else "default", codemodel="jitdefault",
    )  # fmt: skip


@functools.cache
def engine() -> Any:
    """What holds the loaded functions, for as long as the process lives."""
    import llvmlite.binding as llvm

    machine = target_machine()
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)


def loaded(key: str, code: bytes) -> int:
    import llvmlite.binding as llvm

    engine().add_object_file(llvm.ObjectFileRef.from_data(code))
    engine().finalize_object()
    return int(engine().get_function_address(key))
