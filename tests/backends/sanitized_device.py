"""Trains on the emulated device under the address and undefined-behaviour sanitizers; run by test_device_sanitized.

Every array of a batch lies in a piece of memory of its own, with forbidden ground on both sides.
"""

import sys

from device_cases import cases
from paired_devices import driver_for

from tinynet.backends import cupy_encoding
from tinynet.backends.cupy_draft import Place
from tinynet.backends.cupy_memory import Buffer, Work

NAMES = [
    "every layer", "tall", "own things", "33 rows by 32", "1 rows by 1", "optimizer a schedule",
    "sparse_categorical_crossentropy not fused", "dropout twice",
]  # fmt: skip


class Apart(Work):
    """Each tensor by itself."""

    def __init__(self, driver, program, n):
        self.n, self.driver, self.buffers = n, driver, {}

    def place(self, tensor):
        if tensor.name not in self.buffers:
            self.buffers[tensor.name] = Buffer(self.driver, tensor.nbytes(self.n))
        return Place(self.buffers[tensor.name].address, tensor.nbytes(self.n))


def main(fault):
    cupy_encoding.Work = Apart
    if fault == "one too far":  # a kernel that goes one element beyond its array
        sound = cupy_encoding.kernels.apply

        def too_far(*given):
            launch = sound(*given)
            body = launch.kernel.body.replace("if (k < size)", "if (k <= size)")
            kernel = type(launch.kernel)(
                launch.kernel.operation, launch.kernel.dtype, launch.kernel.parameters, body, launch.kernel.functions
            )
            return launch._replace(kernel=kernel)

        cupy_encoding.kernels.apply = too_far
    for dtype in ("float32", "float64"):
        names = ["every layer"] if fault else NAMES if dtype == "float32" else NAMES[:2]
        known = {name: cases(dtype)[name] for name in names}
        driver = driver_for(known.values(), sanitize=True)
        for case in known.values():
            case.agree(driver)
    print("sane")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
