"""A process that is killed while it trains and saves always leaves a checkpoint that loads and trains on."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import tinynet as tn

# Saves after every tiny epoch, so that most kills strike while a file is being written; ends where nobody kills it.
TRAINING = """
import sys
import numpy as np
import tinynet as tn

tn.set_random_seed(1)
model = tn.Sequential([tn.layers.Dense(64, "relu", input_shape=[32]), tn.layers.Dense(64, "relu"), tn.layers.Dense(1)])
model.compile("adam", "mse")
x = np.random.default_rng(0).standard_normal((8, 32))
model.fit(x, x[:, 0], epochs=20_000, verbose=0, callbacks=[tn.callbacks.ModelCheckpoint(sys.argv[1])])
"""


def killed_once(path: Path, chance: random.Random) -> int:
    """Train in a new process, kill it at a random moment after its first file, load what is there; the step it had."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    process = subprocess.Popen([sys.executable, "-c", TRAINING, str(path)])
    try:
        deadline = time.monotonic() + 60
        while not path.exists() or path.stat().st_mtime_ns == before:
            assert process.poll() is None, "the training ended by itself"
            assert time.monotonic() < deadline, "no checkpoint within a minute"
            time.sleep(0.001)
        time.sleep(chance.uniform(0.0, 0.05))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    model = tn.load_model(path)
    step = int(model.network.step[0])
    x = np.random.default_rng(0).standard_normal((8, 32))
    model.fit(x, x[:, 0], verbose=0)
    assert int(model.network.step[0]) == step + 1
    return step


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is of POSIX systems")
@pytest.mark.parametrize("kills", [3, pytest.param(200, marks=pytest.mark.nightly)])
def test_a_killed_training_leaves_a_checkpoint_that_loads(kills: int, tmp_path: Path) -> None:
    chance = random.Random(0)
    steps = [killed_once(tmp_path / "model.safetensors", chance) for _ in range(kills)]
    assert min(steps) >= 1
    left = [path for path in tmp_path.iterdir() if path.name != "model.safetensors"]
    assert all(path.name.startswith(".model.safetensors.") for path in left)  # hidden, and never taken for a model


def test_the_test_would_notice_a_torn_file(tmp_path: Path) -> None:
    """Plant the fault: half of a file in the checkpoint's place."""
    path = tmp_path / "model.safetensors"
    tn.Sequential([tn.layers.Dense(4, input_shape=[3])]).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(tn.ModelFileError, match=r"cut off|checksum"):
        tn.load_model(path)
