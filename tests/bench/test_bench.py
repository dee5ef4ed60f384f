"""`python -m tinynet bench`: fair to all, its statistics right, and what it prints and keeps is what was measured."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("scipy")
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

from scipy.stats import binom

from tinynet import bench
from tinynet.bench import table, turns
from tinynet.bench.predictors import PREDICTORS, SERVED
from tinynet.bench.problem import Problem
from tinynet.bench.starts import COLD
from tinynet.bench.trainers import TRAINERS
from tinynet.bench.turns import Samples, best, median_interval, ratio, seconds_to
from tinynet.bench.worker import by_hand
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
    assert seconds_to(ours, 2.0) == 2.0 + 1.0 + 2.0  # the first epoch counts as the median: compiling is left out
    assert seconds_to(slow, 2.0) is None


def test_a_whole_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Small problems, true processes; the figure, the table and the raw samples are there."""
    monkeypatch.setattr(bench, "PROBLEMS", (TINY, TINY, TINY))
    monkeypatch.setattr(bench, "cores", lambda: 1)
    found = {COLD: [2.0], "import tinynet": [0.1, 0.2, 0.3]}
    monkeypatch.setattr("tinynet.bench.starts.starts", lambda count, say: found)
    bench.run(("numpy", "numba"), ("scikit-learn", "ONNX Runtime"), quick=True, out=tmp_path / "new")
    printed = capsys.readouterr().out
    assert "6-8-4-1, batch 16, 200 rows" in printed
    assert "scikit-learn, 1 thread" in printed
    kept = json.loads((tmp_path / "new/bench.json").read_text())
    one = kept["training"][0]["samples"]
    assert {s["name"] for s in one} == {*INSTALLED, "products alone"}
    assert all(len(s["seconds"]) == 3 and min(s["seconds"]) > 0 for s in one)
    assert all(len(s["losses"]) == 4 for s in one)
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
