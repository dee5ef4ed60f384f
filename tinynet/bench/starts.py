"""What the first second costs: importing, compiling for the first time, and compiled code from the cache."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from tempfile import TemporaryDirectory

FIT = """
from tinynet.bench.trainers import SMALL, tinynet_{backend}
tinynet_{backend}(SMALL, 1)(SMALL.order(0))
"""
STARTS = {
    "Python alone": "",
    "import numpy": "import numpy",
    "import tinynet": "import tinynet",
    "tinynet numpy, first epoch": FIT.format(backend="numpy"),
    "tinynet numba, first epoch, compiled before": FIT.format(backend="numba"),
    "import sklearn.neural_network": "import sklearn.neural_network",
    "import torch": "import torch",
    "import jax": "import jax",
    "import onnxruntime": "import onnxruntime",
}
COLD = "tinynet numba, first epoch, nothing compiled before"


def starts(count: int, say: Callable[[str], None]) -> dict[str, list[float]]:
    """Seconds of a whole process of each kind, in turn; what is not installed is left out."""
    with TemporaryDirectory() as kept:  # where compiled functions are kept, empty at first
        found = {COLD: [seconds(FIT.format(backend="numba"), kept)]}
        for _ in range(count):
            for name, code in STARTS.items():
                say(name)
                found.setdefault(name, []).append(seconds(code, kept))
    return {name: times for name, times in found.items() if min(times) >= 0}


def seconds(code: str, kept: str) -> float:
    """How long a process of this code takes; -1 where it fails, as it does where a package is missing."""
    start = time.perf_counter()
    environment = {**os.environ, "NUMBA_CACHE_DIR": kept}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    return time.perf_counter() - start if ended.returncode == 0 else -1.0


def beyond(found: dict[str, list[float]], name: str, base: str) -> float:
    """The median of what `name` takes more than `base`, in seconds."""
    return median(a - b for a, b in zip(found[name], found[base], strict=False))
