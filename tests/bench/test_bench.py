"""`python -m tinynet bench`: fair to all, its statistics right, and what it prints and keeps is what was measured."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("scipy")
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

from scipy.stats import binom

from tinynet import bench
from tinynet.backends.cupy_cuda import lacking
from tinynet.backends.cupy_emulator import EmulatedDriver
from tinynet.bench import crossover, table, turns
from tinynet.bench.gpu_trainers import tinynet_cupy
from tinynet.bench.predictors import PREDICTORS, SERVED
from tinynet.bench.problem import Problem
from tinynet.bench.starts import COLD
from tinynet.bench.trainers import TRAINERS
from tinynet.bench.turns import Samples, best, median_interval, ratio, seconds_to
from tinynet.bench.worker import LEARNED, by_hand
from tinynet.cli import main

TINY = Problem(6, (8, 4), 16, 200)  # the last batch has 8 rows
INSTALLED = ["tinynet numba", "tinynet numpy", "scikit-learn"]


def test_flops_are_those_of_the_products_written_out() -> None:
    """Forward and dW for each layer, dx for all but the first; 2 n m k for a product."""
    assert TINY.flops == 2 * 200 * (2 * (6 * 8 + 8 * 4 + 4 * 1) + 8 * 4 + 4 * 1)


@pytest.mark.parametrize("n", [1, 2, 5, 6, 9, 15, 24, 41])
def test_the_interval_of_the_median_covers_at_least_95_percent(n: int) -> None:
    """Order statistics r and n + 1 - r miss the median with twice the chance of fewer than r of n below it."""
    values = [float(v) for v in np.random.default_rng(n).permutation(n)]
    middle, low, high = median_interval(values)
    rank = int(low) + 1
    assert middle == np.median(values)
    assert (low, high) == (rank - 1, n - rank)
    if n >= 6:
        assert 2 * binom.cdf(rank - 1, n, 0.5) <= 0.05 < 2 * binom.cdf(rank, n, 0.5)


def test_trainers_learn_the_same_from_the_same() -> None:
    """Equal losses epoch by epoch, from equal weights in equal orders: that is what makes the times comparable."""
    losses = {}
    for name in INSTALLED:
        epoch = TRAINERS[name](TINY, 1)
        losses[name] = [epoch(TINY.order(number)) for number in range(4)]
    for name in INSTALLED:
        np.testing.assert_allclose(losses[name], losses["tinynet numpy"], rtol=1e-3, err_msg=name)
    assert losses["tinynet numpy"][3] < losses["tinynet numpy"][0]


def test_predictors_predict_the_same() -> None:
    x = SERVED.data()[0][:50]
    for name in (*INSTALLED, "tinynet predictor()"):
        np.testing.assert_allclose(PREDICTORS[name](1)(x), by_hand(x), rtol=1e-4, atol=1e-5, err_msg=name)


def test_best_ratio_and_time_to_equal_loss() -> None:
    ours = Samples("a", 1, 9.0, [1.0, 2.0, 3.0], [4.0, 3.0, 2.0, 1.0])
    slow, quick = (
        Samples("b", 1, 9.0, [5.0] * 3, [4.0] * 4),
        Samples("b", 2, 9.0, [2.0, 4.0, 3.0], [4.0, 3.0, 2.0, 1.0]),
    )
    assert best([ours, slow, quick], "b") is quick
    assert best([ours], "c") is None
    assert ratio(quick, ours) == (2.0, 1.0, 2.0)
    assert seconds_to(ours, 2.0) == 3 * 2.0  # three epochs of the median: compiling is left out
    assert seconds_to(slow, 2.0) is None


def test_a_whole_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Small problems, true processes; the figure, the table and the raw samples are there."""
    monkeypatch.setattr(bench, "PROBLEMS", (TINY,))
    monkeypatch.setattr(bench, "cores", lambda: 1)
    found = {COLD: [2.0], "import tinynet": [0.1, 0.2, 0.3]}
    monkeypatch.setattr("tinynet.bench.starts.starts", lambda count, say: found)
    bench.run(("numpy", "numba"), ("scikit-learn", "ONNX Runtime"), quick=True, out=tmp_path / "new")
    printed = capsys.readouterr().out
    assert "6-8-4-1, batch 16, 200 rows" in printed
    assert "scikit-learn, 1 thread" in printed
    kept = json.loads((tmp_path / "new/bench.json").read_text())
    one = kept["training"][0]["samples"]
    assert {s["name"] for s in one} == {*INSTALLED, *table.PRODUCTS}
    assert all(len(s["seconds"]) == 3 and min(s["seconds"]) > 0 for s in one)
    assert all(len(s["losses"]) == LEARNED for s in one)
    assert all(len(s["percentiles of seconds"]) == 101 for s in kept["prediction"]["one row"])
    assert kept["machine"]["packages"]["numpy"] == np.__version__
    assert kept["starts"] == found
    assert (tmp_path / "new/bench.png").stat().st_size > 10_000


def test_a_contestant_that_fails_is_left_out_and_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    monkeypatch.setitem(turns.TRAINERS, "nobody", lambda problem, threads: None)
    assert turns.training(TINY, ["nobody"], [1], 1, said.append) == []
    assert "left out: nobody, KeyError" in capsys.readouterr().err
    assert said == ["starting nobody"]


@pytest.mark.parametrize(
    ("words", "told"),
    [(["--backends", "numpi"], "there is no backend 'numpi'"), (["--peers", "torch"], "there is no peer 'torch'")],
)
def test_wrong_words(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *words]) == 2
    assert told in capsys.readouterr().err


def test_the_processor_has_a_name() -> None:
    assert table.processor()


def test_a_trainer_on_a_gpu_learns_as_the_others() -> None:
    """On the emulated device: the same losses, and its step's parts are timed without changing the network."""
    if not shutil.which("g++"):
        pytest.skip("no C++ compiler (g++) to run the GPU's kernels on the CPU")
    epoch = tinynet_cupy(TINY, 1, EmulatedDriver())
    reference = TRAINERS["tinynet numpy"](TINY, 1)
    for number in range(3):
        assert epoch(TINY.order(number)) == pytest.approx(reference(TINY.order(number)), rel=1e-4)
        parts = epoch.parts(64)  # type: ignore[attr-defined]
        assert parts["step"] > parts["launch of step"] > 0
        assert parts["step"] > parts["products"] > parts["launch of products"] > 0
        assert parts["FLOPs"] * TINY.rows == TINY.flops * TINY.batch
        assert all(parts[name] > 0 for name in ("transfer", "bytes", "FLOPs a second", "bytes a second"))


def test_where_a_gpu_wins(tmp_path: Path) -> None:
    """A made-up measurement, as a table and as a picture; and who has no GPU is told so."""
    gpu, cpu = (
        Samples("tinynet cupy", 1, 1.0, [0.001] * 3, [1.0] * 4),
        Samples("tinynet numba", 1, 1.0, [0.002] * 3, []),
    )
    parts = {"products": 2e-6, "step": 8e-6, "launch of products": 1e-6, "launch of step": 3e-6, "transfer": 1e-4}
    parts |= {"FLOPs": 2e7, "bytes": 1.6e6, "FLOPs a second": 5e13, "bytes a second": 2e12}
    first, second, *lines = crossover.told(TINY, [gpu, cpu], parts)
    assert "products take 25% of a step" in first
    assert "10.00 TFLOP/s, 20% of a large one's; a step moves 200 GB/s, 10% of what memory gives" in second
    assert "tinynet numba" in lines[1]
    assert "2.00 (2.00 to 2.00)" in lines[1]
    crossover.draw([(TINY, [gpu, cpu], parts)], tmp_path / "crossover.png")
    assert (tmp_path / "crossover.png").stat().st_size > 5_000
    assert list(crossover.told(TINY, [cpu], {})) == [f"{TINY}: tinynet's cupy backend did not run"]


def test_without_a_gpu_the_command_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    if not lacking():
        pytest.skip("there is a GPU")
    assert main(["bench", "--backends", "numpy,cupy"]) == 1
    assert "backend 'cupy' cannot be used" in capsys.readouterr().err.replace('"', "'")
