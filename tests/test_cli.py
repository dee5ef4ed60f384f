"""The command: what it prints, and its exit codes."""

import runpy
import subprocess
import sys

import pytest

import tinynet as tn
from tinynet import backends, cli, proof
from tinynet.gradcheck import Check, Report


def test_gradcheck_proves_the_whole_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["gradcheck"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name in (*tn.activations.ACTIVATIONS, "Dropout", "LayerNormalization", "Embedding"):
        assert any(name in line for line in lines), name
    for name in ("mean_squared_error of linear", "quantile of linear", "binary_crossentropy of sigmoid (fused)"):
        assert any(line.startswith(name) for line in lines), name
    assert lines[-1].startswith("all gradients agree")
    assert float(lines[-1].split("error ")[1].split(",")[0]) < proof.TOLERANCE


def test_gradcheck_fails_with_a_name(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(1e-7)
    report.checks.append(Check(2, "Dense", "W", 0.25, 6, 0))

    def prove(backend: str) -> object:
        yield "Dense", [report]
        report.raise_if_failed()

    monkeypatch.setattr(proof, "prove", prove)
    assert cli.main(["gradcheck"]) == 1
    assert "the gradient dW of layer 2 (Dense) is wrong" in capsys.readouterr().err


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    for option, words in (("--version", f"tinynet {tn.__version__}"), ("--help", "demo")):
        with pytest.raises(SystemExit) as ended:
            cli.main([option])
        assert ended.value.code == 0
        assert words in capsys.readouterr().out


def test_wrong_usage_is_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["train"], ["gradcheck", "--fast"]):
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        assert ended.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_module_runs_as_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["tinynet", "--version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("tinynet", run_name="__main__")
    assert ended.value.code == 0
    done = subprocess.run([sys.executable, "-m", "tinynet", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"tinynet {tn.__version__}\n"


def test_warmup_compiles_or_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda package: None)
    assert cli.main(["warmup"]) == 1
    assert "pip install 'tinynet[fast]'" in capsys.readouterr().err
    monkeypatch.undo()
    compiled = pytest.importorskip("tinynet.backends.numba_warmup", exc_type=ImportError)
    asked = []
    monkeypatch.setattr(compiled, "warmup", lambda precisions, say: asked.append(precisions))
    assert cli.main(["warmup"]) == 0
    assert asked == [("float32", "float64")]
