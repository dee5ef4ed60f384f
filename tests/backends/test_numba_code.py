"""Compiled functions in new processes: never stale, kept whole or not at all, loaded without numba."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("numba")
pytest.importorskip("scipy")
pytest.importorskip("threadpoolctl")

SCRIPT = """
import sys
import numpy as np
import tinynet as tn
from tinynet.backends.numba_training import NumbaTraining
sys.path.insert(0, {folder!r})
{before}
try:
    from own import own as activation
except ImportError:
    activation = "tanh"
tn.set_random_seed(0)
model = tn.Sequential([tn.layers.Dense(3, activation), tn.layers.Dense(1)])
model.compile("sgd", "mse", backend="numpy")
model._built(np.zeros((2, 2)))
state = model._compiled()
state = NumbaTraining(state.network, state.objective, state.optimizer, 1, threads=2)
data = dict(X=np.ones((4, 2), "f4"), T=np.zeros((4, 1), "f4"), weights=np.ones((4, 1), "f4"))
print(repr(state.epoch(data, np.arange(4), 4)))
"""
OWN = """
from tinynet.formulas.formula import derivative_of

def own(z):
    return {factor} * z

@derivative_of(own)
def own_derivative(z, a):
    return {factor}
"""


def process(folder, before="", **environment):
    """A new Python process that trains; started, to be waited for."""
    code = SCRIPT.format(folder=str(folder), before=before)
    return subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, **environment}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def printed(started):
    out, error = started.communicate(timeout=120)
    assert started.returncode == 0, error
    return out.strip()


def test_a_formula_edited_between_processes_is_never_stale(tmp_path):
    losses = []
    for factor in ("2.0", "3.0", "2.0"):
        (tmp_path / "own.py").write_text(OWN.format(factor=factor))
        os.utime(tmp_path / "own.py", (1e9, 1e9))  # nobody can tell by the date
        losses.append(float(printed(process(tmp_path, PYTHONDONTWRITEBYTECODE="1"))))
    assert losses[1] == pytest.approx(losses[0] * 9 / 4, rel=1e-5)
    assert losses[2] == losses[0]


def test_two_processes_that_compile_at_once(tmp_path):
    both = [process(tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache")) for _ in range(2)]
    assert printed(both[0]) == printed(both[1])
    assert list((tmp_path / "cache").rglob("*.o"))


def test_without_a_place_for_a_cache(tmp_path):
    """As in an installation that nobody may write to."""
    before = "from tinynet.backends import numba_code\nnumba_code.writable = lambda place: False"
    assert printed(process(tmp_path, before)) == printed(process(tmp_path))


def test_what_is_kept_is_loaded_without_numba(tmp_path):
    """Neither numba nor SciPy is imported where nothing is to be compiled and no product is large."""
    kept = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    before = "import atexit\natexit.register(lambda: print('numba' in sys.modules, 'scipy' in sys.modules))"
    first, second = (printed(process(tmp_path, before, **kept)).split() for _ in range(2))
    assert first[0] == second[0]
    assert first[1] == "True"
    assert second[1:] == ["False", "False"]


def test_a_damaged_file_of_machine_code_is_compiled_anew(tmp_path):
    kept = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    loss = printed(process(tmp_path, **kept))
    files = sorted((tmp_path / "cache").rglob("*.o"))
    files[0].write_bytes(b"")
    files[1].write_bytes(files[1].read_bytes()[:-100])
    files[2].write_bytes(files[2].read_bytes().replace(b"ELF", b"FLE"))
    assert printed(process(tmp_path, **kept)) == loss
    assert all(len(file.read_bytes()) > 100 for file in files)


def test_scipy_linalg_is_left_to_those_who_want_it():
    """A fit does not import it, nor keep others from importing it whole."""
    code = """
import sys, numpy as np, tinynet as tn
model = tn.Sequential([tn.layers.Dense(1)])
model.compile("sgd", "mse", backend="numba")
model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
assert "scipy.linalg" not in sys.modules and "scipy.linalg.cython_blas" not in sys.modules
import scipy.linalg.cython_blas
from scipy.linalg import cython_blas, solve
assert scipy.linalg.cython_blas is cython_blas is sys.modules["scipy.linalg.cython_blas"]
assert solve(np.eye(2), np.ones(2)).sum() == 2
from numba import njit
assert njit(lambda a: a @ a)(np.eye(3)).sum() == 3
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=120)
