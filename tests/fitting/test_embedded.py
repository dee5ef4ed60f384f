"""tinynet inside another program: threads, forks, no source files, and nothing of the program's touched."""

import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import tinynet as tn

FAST = ("numba", "scipy", "threadpoolctl")
X = np.random.default_rng(0).standard_normal((3000, 6))


def model() -> tn.Sequential:
    tn.set_random_seed(0)
    layers = [tn.layers.Dense(16, "gelu", input_shape=[6]), tn.layers.Dropout(0.5), tn.layers.Dense(3, "softmax")]
    made = tn.Sequential(layers)
    made.build()
    return made


def test_many_threads_predict_with_one_model() -> None:
    made = model()
    parts = [X[i : i + n] for i, n in enumerate([1, 7, 32, 1024, 1025, 2500] * 20)]
    expected = [made.predict(part) for part in parts]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(made.predict, parts))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_model_is_trained_while_another_predicts() -> None:
    busy, calm = model(), model()
    busy.compile("adam", "sparse_categorical_crossentropy")
    expected, stop = calm.predict(X), threading.Event()

    def train() -> None:
        while not stop.is_set():
            busy.fit(X[:100], np.zeros(100), verbose=0)

    thread = threading.Thread(target=train)
    thread.start()
    try:
        for _ in range(50):
            np.testing.assert_array_equal(calm.predict(X), expected)
    finally:
        stop.set()
        thread.join()


def test_predictions_into_memory_that_is_given() -> None:
    made, out = model(), np.full((3000, 3), np.nan, np.float32)
    assert made.predict(X, out=out) is out
    np.testing.assert_array_equal(out, made.predict(X))
    with pytest.raises(ValueError, match=r"out is an array of float32 \(3000, 3\); given was float64 \(3000, 3\)"):
        made.predict(X, out=np.empty((3000, 3)))
    with pytest.raises(ValueError, match="given was list"):
        made.predict(X, out=[])


def test_large_predictions_leave_no_memory_behind() -> None:
    made = model()
    made.predict(X, batch_size=3000)
    made.predict(X)
    assert max(made._idle[0].kept, default=0) <= 1024
    for n in range(1, 50):
        made.predict(X[:n])
    assert len(made._idle) == 1
    assert len(made._idle[0].kept) <= 4


def in_child(made: tn.Sequential, queue: "multiprocessing.Queue[np.ndarray]") -> None:
    queue.put(made.predict(X[:5]))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system")
def test_a_forked_child_predicts() -> None:
    context = multiprocessing.get_context("fork")
    made, queue = model(), context.Queue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python warns of forking where there are threads
        child = context.Process(target=in_child, args=(made, queue))
        child.start()
    np.testing.assert_array_equal(queue.get(timeout=30), made.predict(X[:5]))
    child.join()


USE = """
import gc, locale, os, random, signal, sys, threading, warnings
warnings.simplefilter("error")
import numpy as np
options, library = {}, "-"
if len(sys.argv) > 3:
    import numba, scipy.linalg, threadpoolctl
    options, library = {"backend": "numba", "threads": 1}, threadpoolctl
def state():
    return (np.geterr(), np.geterrcall(), np.random.get_state()[1].tobytes(), random.getstate(), dict(os.environ),
            threading.active_count(), [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)],
            np.get_printoptions(), list(warnings.filters), sys.flags, sys.getrecursionlimit(), sys.getswitchinterval(),
            list(sys.path), os.getcwd(), locale.setlocale(locale.LC_ALL), gc.isenabled(), sys.excepthook,
            library == "-" or [pool["num_threads"] for pool in library.threadpool_info()])
before = state()
import tinynet as tn
model = tn.Sequential([tn.layers.Dense(4, "sigmoid", input_shape=[3]), tn.layers.Dense(1, "relu")])
model.compile("adam", "mse", metrics=["mae"], **options)
model.fit(1e4 * np.ones((40, 3)), np.ones(40), epochs=2)
model.predict(np.ones((2, 3)))
model.evaluate(np.ones((2, 3)), np.ones(2))
model.save(sys.argv[1])
tn.load_model(sys.argv[1]).predict(np.ones((2, 3)))
for was, now in zip(before, state()):
    assert was == now, (was, now)
"""


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_nothing_is_printed_warned_of_or_changed(backend: str, tmp_path: Path) -> None:
    if backend == "numba":
        for package in FAST:
            pytest.importorskip(package)
    arguments = [str(tmp_path / "model"), ""] + ["numba"] * (backend == "numba")
    done = subprocess.run([sys.executable, "-c", USE, *arguments], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def without_sources(tmp_path: Path) -> None:
    """tinynet in this folder as bytecode alone, optimised."""
    package = tmp_path / "tinynet"
    shutil.copytree(Path(tn.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([sys.executable, "-OO", "-m", "compileall", "-q", "-b", str(package)], check=True)
    for source in package.rglob("*.py"):
        source.unlink()


def in_a_zip(tmp_path: Path) -> None:
    """tinynet in this folder, in a zip archive."""
    shutil.make_archive(str(tmp_path / "all"), "zip", Path(tn.__file__).parents[1], "tinynet")


FROZEN = """
import sys
import numpy as np
import tinynet as tn
assert tn.__file__.startswith(sys.argv[2]), tn.__file__
try:
    tn.Sequential([tn.layers.Dense(1)]).compile("sgd", "mse", backend="numba")
except ImportError as error:
    print(error)
model = tn.Sequential([tn.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(np.ones((4, 2)), np.ones(4), epochs=20_000, callbacks=[tn.callbacks.EarlyStopping("loss", min_delta=9)])
print(model.backend)
try:
    print(len(str(model.program(2))) > 100)
except ValueError as error:
    print(error)
"""


@pytest.mark.parametrize("frozen", [without_sources, in_a_zip])
def test_frozen_it_runs_on_numpy_and_says_what_needs_sources(frozen: Callable[[Path], None], tmp_path: Path) -> None:
    for package in FAST:
        pytest.importorskip(package)
    frozen(tmp_path)
    place = tmp_path / "all.zip" if frozen is in_a_zip else tmp_path
    environment = {**os.environ, "PYTHONPATH": str(place)}
    for code in (FROZEN, USE.replace("import tinynet as tn", "import tinynet as tn; before = state()")):
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "model"), str(tmp_path)],
            cwd=tmp_path, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        if code == FROZEN:
            refused, backend, listing = done.stdout.splitlines()
            assert "compiles formulas from the source files of tinynet, which are not here as files" in refused
            assert backend == "numpy"  # "auto", although the fit is long
            assert listing == "True" or "no source to read" in listing  # from a zip they are read


def fit_in_child(made: tn.Sequential, queue: "multiprocessing.Queue[np.ndarray]") -> None:
    made.fit(X[:256], X[:256, :1], batch_size=128, epochs=2, shuffle=False, verbose=0)
    queue.put(made.predict(X[:5]))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system")
def test_a_forked_child_trains_on_compiled_code_and_threads() -> None:
    for package in FAST:
        pytest.importorskip(package)
    tn.set_random_seed(0)
    made = tn.Sequential([tn.layers.Dense(16, "tanh"), tn.layers.Dense(1)])
    made.compile("adam", "mse", backend="numba", threads=2)
    made.fit(X[:256], X[:256, :1], batch_size=128, verbose=0)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python warns of forking where there are threads
        child = context.Process(target=fit_in_child, args=(made, queue))
        child.start()
    found = queue.get(timeout=60)
    child.join()
    made.fit(X[:256], X[:256, :1], batch_size=128, epochs=2, shuffle=False, verbose=0)
    np.testing.assert_array_equal(found, made.predict(X[:5]))


def test_threads_predict_on_compiled_code_each_with_an_object_of_its_own() -> None:
    for package in FAST:
        pytest.importorskip(package)
    from tinynet.backends.numba_prediction import Prediction

    made = model()
    assert made.network is not None
    expected = made.predict(X)

    def work(seed: int) -> bool:
        predict = Prediction(made.network)  # type: ignore[arg-type]
        rng = np.random.default_rng(seed)
        places = zip(rng.integers(0, 1000, 40), rng.integers(1, 999, 40), strict=True)
        parts = [slice(start, start + n) for start, n in places]
        return all(np.allclose(predict(X[part]), expected[part], rtol=1e-5, atol=1e-7) for part in parts)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(8)))
