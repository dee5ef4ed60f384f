"""tinynet inside another program: threads, forks, no source files, and nothing of the program's touched."""

import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import tinynet as tn

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
    assert max(made._idle[0].kept) <= 1024
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
import sys, warnings, threading, signal, os
warnings.simplefilter("error")
import numpy as np
before = (np.geterr(), np.random.get_state()[1].tobytes(), dict(os.environ), threading.active_count(),
          [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)], np.get_printoptions())
import tinynet as tn
model = tn.Sequential([tn.layers.Dense(4, "sigmoid", input_shape=[3]), tn.layers.Dense(1, "relu")])
model.compile("adam", "mse", metrics=["mae"])
model.fit(1e4 * np.ones((40, 3)), np.ones(40), epochs=2)
model.predict(np.ones((2, 3)))
model.evaluate(np.ones((2, 3)), np.ones(2))
model.save(sys.argv[1])
tn.load_model(sys.argv[1]).predict(np.ones((2, 3)))
after = (np.geterr(), np.random.get_state()[1].tobytes(), dict(os.environ), threading.active_count(),
         [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)], np.get_printoptions())
assert before == after
"""


def test_nothing_is_printed_warned_of_or_changed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", USE, str(tmp_path / "model")], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_frozen_without_source_files_and_asserts(tmp_path: Path) -> None:
    """As a frozen application has it: bytecode alone, optimised."""
    package = tmp_path / "tinynet"
    shutil.copytree(Path(tn.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([sys.executable, "-OO", "-m", "compileall", "-q", "-b", str(package)], check=True)
    for source in package.rglob("*.py"):
        source.unlink()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    code = USE.replace("assert before == after", "assert tn.__file__.startswith(sys.argv[2]), tn.__file__")
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "model"), str(tmp_path)],
        check=True, cwd=tmp_path, env=environment,
    )  # fmt: skip
