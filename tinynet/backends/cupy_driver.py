"""The one door to the device. Everything that this backend asks of CUDA goes through a `Driver`.

`CudaDriver` (cupy_cuda) is the real one; `EmulatedDriver` (cupy_emulator) checks every call and carries it out on the
CPU, so that all but the real one can be proven without a GPU.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

from tinynet.backends.cupy_draft import Launch, Place
from tinynet.backends.cupy_source import Kernel
from tinynet.formulas.vocabulary import Array


class Gemm(NamedTuple):
    """C (m, n) = op(A) op(B), added to C where asked; columns lie one behind the other, as cuBLAS counts.

    op(A) is (m, k) and op(B) (k, n); `lda`, `ldb` and `ldc` are how far apart two columns begin.
    """

    dtype: str
    trans_a: bool
    trans_b: bool
    m: int
    n: int
    k: int
    a: Place
    lda: int
    b: Place
    ldb: int
    accumulate: bool
    c: Place
    ldc: int


class Driver(Protocol):
    """All calls go to one stream, in order. Between begin_capture and end_capture only `launch` and `gemm` may come."""

    def allocate(self, nbytes: int) -> int:
        """The address of new memory."""

    def free(self, address: int) -> None:
        """Give memory back."""

    def free_bytes(self) -> int:
        """How much memory is left."""

    def upload(self, address: int, array: Array) -> None:
        """Copy a contiguous array to the device; it may be changed afterwards."""

    def download(self, address: int, out: Array) -> None:
        """Fill a contiguous array from the device, when all that was asked before is done."""

    def load(self, kernels: Iterable[Kernel], dtype: str) -> None:
        """Compile these kernels, as far as they are not known yet."""

    def launch(self, launch: Launch) -> None:
        """Start a kernel."""

    def gemm(self, product: Gemm) -> None:
        """Start a product of matrices."""

    def begin_capture(self) -> None:
        """From here on calls are written down instead of carried out."""

    def end_capture(self) -> Any:
        """The graph of what was written down."""

    def replay(self, graph: Any) -> None:
        """Start a graph."""

    def wait(self) -> None:
        """Until all that was asked is done; raises where something failed."""
