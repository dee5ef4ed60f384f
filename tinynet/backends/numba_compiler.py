"""How this backend compiles: every function has one signature and is called by its address.

    void function(int64 *arguments, int64 *frame)

`arguments` are addresses and sizes that stay as they are from step to step, `frame` is what a thread knows about the
rows it works on (`numba_frame`). One signature is what lets the interpreter call any kernel, a user's own formula too,
without being compiled anew: a kernel is a number in the program's row.

Compiled functions are kept on disk by numba. Its cache looks at one file's date and misses what a function calls in
others, so the name under which a function is kept holds a hash of its own text and of every source that it is made
from: a changed formula is another name, and nothing is ever stale.
"""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

from llvmlite import ir
from numba import cfunc, njit, types
from numba.extending import intrinsic

from tinynet.backends.numba_blas import get_numba_ready
from tinynet.formulas import vocabulary

# Never all of fastmath, which deletes what is done about NaN; "contract" lets a product and a sum be one instruction.
OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract"}}
REASSOCIATED: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract", "reassoc"}}  # for plain sums alone
SIGNATURE = types.void(types.CPointer(types.int64), types.CPointer(types.int64))

inline = njit(**OPTIONS, forceinline=True)

_compiled: dict[str, Any] = {}  # keeps compiled functions alive: a program holds only their addresses
_lock = threading.RLock()


@functools.cache
def sources() -> bytes:
    """A hash of the modules whose code may end up inside a compiled function."""
    files = [*sorted(Path(__file__).parent.glob("numba_*.py")), Path(vocabulary.__file__)]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).digest()


def address_of(name: str, text: str, scope: Callable[[], dict[str, Any]]) -> int:
    """The address of the function `kernel` that the text defines; compiled at most once, and kept on disk.

    `scope` gives the names that the text uses; `name` tells apart what is not told apart by the text.
    """
    key = f"{name}_{hashlib.sha256(sources() + text.encode()).hexdigest()[:20]}"
    with _lock:
        if key not in _compiled:
            # A cache needs a file that is there, so the text is said to stand in this one; and a name to load it by.
            names = {**scope(), "__name__": __name__}
            exec(compile(text, __file__, "exec"), names)
            _compiled[key] = compiled(names["kernel"], key)
        return int(_compiled[key].address)


def address_of_template(template: Callable[..., None], dtype: str, words: Callable[[str], dict[str, Any]]) -> int:
    """As `address_of`, for a kernel that stands in a module, with this precision's `real` and `pointer` put in."""
    key = f"{template.__name__}_{dtype}_{sources().hex()[:20]}"
    with _lock:
        if key not in _compiled:
            names = {**template.__globals__, **words(dtype)}
            _compiled[key] = compiled(FunctionType(template.__code__, names, template.__name__), key)
        return int(_compiled[key].address)


def compiled(function: Callable[..., None], key: str) -> Any:
    """The function, compiled under this name; without the cache where there is no place to keep it."""
    get_numba_ready()
    function.__qualname__ = key
    try:
        return cfunc(SIGNATURE, cache=True, **OPTIONS)(function)
    except (RuntimeError, OSError):  # nowhere to write, or a full disk
        return cfunc(SIGNATURE, **OPTIONS)(function)


def pointer_to(element: Any) -> Any:
    """A function for compiled code: the address `number` as a pointer to `element`."""

    @intrinsic
    def pointer(typing_context: Any, number: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        return types.CPointer(element)(types.int64), build

    return pointer


@intrinsic
def call_kernel(typing_context: Any, function: Any, arguments: Any, frame: Any) -> Any:
    """function(arguments, frame), all three given as addresses."""

    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        numbers = ir.IntType(64).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [numbers, numbers])
        target = builder.inttoptr(values[0], kind.as_pointer())
        builder.call(target, [builder.inttoptr(value, numbers) for value in values[1:]])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), build


@intrinsic
def call_pointers(typing_context: Any, function: Any, arguments: Any) -> Any:
    """function(*arguments) where `arguments` is the address of 13 pointers: BLAS's gemm, which takes only pointers."""

    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte] * 13)
        first = builder.inttoptr(values[1], byte.as_pointer())
        pointers = [builder.load(builder.gep(first, [ir.Constant(ir.IntType(64), i)])) for i in range(13)]
        builder.call(builder.inttoptr(values[0], kind.as_pointer()), pointers)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), build


@intrinsic
def call_plain(typing_context: Any, function: Any) -> Any:
    """function(), given by its address."""

    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [])
        builder.call(builder.inttoptr(values[0], kind.as_pointer()), [])
        return context.get_dummy_value()

    return types.void(types.int64), build


@intrinsic
def fetch_add(typing_context: Any, place: Any, amount: Any) -> Any:
    """Atomically add to the int64 at an address."""

    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer = builder.inttoptr(values[0], ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", pointer, values[1], "seq_cst")

    return types.int64(types.int64, types.int64), build


@intrinsic
def load_acquire(typing_context: Any, place: Any) -> Any:
    """Atomically read the int64 at an address."""

    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer = builder.inttoptr(values[0], ir.IntType(64).as_pointer())
        return builder.load_atomic(pointer, "acquire", 8)

    return types.int64(types.int64), build
