"""The ladder as `python -m tinynet gpu-check` prints it."""

import json

import pytest
from paired_devices import COMPILER

from tinynet import cli, gpu_check
from tinynet.backends import cupy_cuda, cupy_kernels
from tinynet.backends.cupy_draft import Draft
from tinynet.backends.cupy_emulator import EmulatedDriver

needs_compiler = pytest.mark.skipif(not COMPILER, reason="no C++ compiler (g++) to run the GPU's kernels on the CPU")


@pytest.fixture
def few(monkeypatch):
    """Two small networks, no NVRTC and no GPU."""
    all_trials = [trial for trial in gpu_check.trials() if trial.loss == "huber"][:2]
    assert len(all_trials) == 2
    monkeypatch.setattr(gpu_check, "trials", lambda: all_trials)
    monkeypatch.setattr(cupy_cuda, "nvrtc_missing", lambda: "no NVRTC today")
    monkeypatch.setattr(cupy_cuda, "lacking", lambda: "there is no NVIDIA GPU on this machine")


@needs_compiler
def test_without_a_gpu(few, capsys, tmp_path):
    assert cli.main(["gpu-check", "--out", str(tmp_path / "results" / "found.json")]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "(a) 2 networks use the 16 operations and nothing else"
    assert lines[1].startswith("(b) ")
    assert lines[2] == "(c) not run: no NVRTC today"
    assert lines[3].startswith("(d) 2 networks train as NumPy does")
    assert lines[4] == "(e) not run: there is no NVIDIA GPU on this machine"
    assert lines[5:] == ["reached rung (d); not yet run on a GPU"]
    assert json.loads((tmp_path / "results" / "found.json").read_text())["found"] == lines


def test_without_a_compiler(few, monkeypatch, capsys):
    monkeypatch.setattr(gpu_check.shutil, "which", lambda name: None)
    assert gpu_check.check() == 1
    lines = capsys.readouterr().out.splitlines()
    assert "(d) not run: there is no C++ compiler g++" in lines
    assert lines[-1] == "reached rung (b); not yet run on a GPU"


@needs_compiler
def test_with_a_gpu(few, monkeypatch, capsys):
    """The stand-in plays the GPU."""
    monkeypatch.setattr(cupy_cuda, "lacking", lambda: None)
    monkeypatch.setattr(cupy_cuda, "cuda_driver", EmulatedDriver)
    monkeypatch.setattr(gpu_check, "REPLAYS", 64)
    monkeypatch.setattr(gpu_check, "DRAWN", 1)
    assert gpu_check.check() == 0
    assert capsys.readouterr().out.splitlines()[-1] == "reached rung (e): the GPU agrees with NumPy"


@needs_compiler
def test_a_wrong_kernel_breaks_the_ladder(few, monkeypatch, capsys):
    sound = cupy_kernels.update

    def half_a_step(*given):
        launch = sound(*given)
        parts = vars(launch.kernel) | {"body": launch.kernel.body.replace("= p_new;", "= (x0[k] + p_new) / 2;")}
        return launch._replace(kernel=type(launch.kernel)(**parts))

    monkeypatch.setattr(cupy_kernels, "update", half_a_step)
    assert gpu_check.check() == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith("broken: huber")
    assert lines[-1] == "reached rung (b); not yet run on a GPU"


def test_a_wrong_launch_breaks_the_ladder(few, monkeypatch, capsys):
    monkeypatch.setattr(Draft, "count", lambda self, name, value: self.add("unsigned", name, float(value)))
    assert gpu_check.check() == 1
    lines = capsys.readouterr().out.splitlines()
    assert "is unsigned; given was" in lines[-2]
    assert lines[-1] == "reached rung (a); not yet run on a GPU"


def test_every_loss_and_activation_is_tried():
    tried = {trial.loss for trial in gpu_check.trials()}
    assert len(tried) == 9
    assert "mse" not in tried


@needs_compiler
@pytest.mark.nightly
def test_drawn_networks():
    """What a GPU is asked as well: any layers in any order."""
    networks = gpu_check.drawn(60)
    driver = gpu_check.noted(networks)
    text = gpu_check.rung_d(networks, driver, lambda text: None)
    assert text.startswith("60 networks train as NumPy does")
