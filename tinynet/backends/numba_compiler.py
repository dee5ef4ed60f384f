"""What numba compiles with, and what it compiles as machine code that needs numba no more (see `numba_code`).

Beside the compiler: what compiled code needs and numba has not, as pointers, calls by address and atomic operations.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from importlib import import_module
from types import FunctionType
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import cfunc, njit, types
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from tinynet.backends.numba_blas import MODULE, blas_module
from tinynet.backends.numba_code import target_machine

# Never all of fastmath, which deletes what is done about NaN; "contract" lets a product and a sum be one instruction.
OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract"}}
REASSOCIATED: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract", "reassoc"}}  # for plain sums alone
SIGNATURE = types.void(types.CPointer(types.int64), types.CPointer(types.int64))

inline = njit(**OPTIONS, forceinline=True)


@functools.cache
def get_numba_ready() -> None:
    """Let numba load what it compiles with.

    It looks whether SciPy's BLAS can be imported, and all of scipy.linalg would come along; it finds the one module.
    """
    known = MODULE in sys.modules
    sys.modules.setdefault(MODULE, blas_module())
    try:
        cpu_target.typing_context.refresh()
        cpu_target.target_context.refresh()
    finally:
        if not known:  # whoever imports it later gets it in the usual way
            sys.modules.pop(MODULE, None)


def machine_code(key: str, module: str, what: str, dtype: str) -> bytes:
    """The object file of one function, called `key`: of a module's function `what`, or of the text `what`."""
    get_numba_ready()
    if module == "text":
        names = {**import_module("tinynet.backends.numba_words").scope(dtype), "__name__": __name__}
        exec(what, names)
        function: Callable[..., None] = names["kernel"]
    else:
        there = import_module(f"tinynet.backends.{module}")
        template = getattr(there, what)
        function = FunctionType(template.__code__, {**template.__globals__, **there.scope(dtype)}, what)
    return alone(cfunc(SIGNATURE, **OPTIONS)(function), key)


# numba wraps a function into another one, which reports to Python what was raised; nothing is raised in these.
PLAIN = """
declare i32 @"{inner}"(ptr, ptr, ptr, ptr)
define void @"{key}"(ptr %arguments, ptr %frame) {{
  %result = alloca ptr
  %error = alloca ptr
  %status = call i32 @"{inner}"(ptr %result, ptr %error, ptr %arguments, ptr %frame)
  ret void
}}
"""


def alone(function: Any, key: str) -> bytes:
    """What numba compiled, with only `key` to be seen from outside and without what belongs to numba or Python."""
    module = llvm.parse_assembly(function.inspect_llvm())
    module.link_in(llvm.parse_assembly(PLAIN.format(inner=function.native_name.removeprefix("cfunc."), key=key)))
    for each in module.functions:
        if not each.is_declaration and each.name != key:
            each.linkage = "internal"
    with llvm.create_new_module_pass_manager() as passes:
        passes.add_global_dead_code_eliminate_pass()
        passes.add_strip_dead_prototype_pass()
        passes.run(module, llvm.create_pass_builder(target_machine(), llvm.create_pipeline_tuning_options()))
    foreign = [f.name for f in module.functions if f.is_declaration and f.name.startswith(("numba", "NRT", "Py"))]
    assert not foreign, f"{key} calls {foreign}, which are there only while numba is"
    code: bytes = target_machine().emit_object(module)
    return code


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
