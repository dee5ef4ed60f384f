"""Whole trainings by the GPU's kernels under the address and undefined-behaviour sanitizers."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def libraries():
    """The sanitizers' libraries, which have to be in the process from its start; empty where there are none."""
    if not shutil.which("g++") or sys.platform != "linux":
        return []
    names = ["libasan.so", "libubsan.so"]
    found = [subprocess.run(["g++", f"-print-file-name={name}"], capture_output=True, text=True) for name in names]
    paths = [done.stdout.strip() for done in found]
    return paths if all(os.path.isabs(path) and os.path.exists(path) for path in paths) else []


def sanitized(*arguments):
    environment = os.environ | {
        "LD_PRELOAD": ":".join(libraries()), "ASAN_OPTIONS": "detect_leaks=0", "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT), "UBSAN_OPTIONS": "print_stacktrace=1",
    }  # fmt: skip
    script = Path(__file__).with_name("sanitized_device.py")
    return subprocess.run([sys.executable, script, *arguments], env=environment, capture_output=True, text=True)


pytestmark = pytest.mark.skipif(not libraries(), reason="no g++ with the address and undefined-behaviour sanitizers")


def test_nothing_is_touched_that_is_not_owned():
    done = sanitized()
    assert done.returncode == 0, done.stderr[-3000:]
    assert "sane" in done.stdout


def test_one_element_too_far_is_seen():
    done = sanitized("one too far")
    assert done.returncode
    assert "AddressSanitizer: heap-buffer-overflow" in done.stderr
