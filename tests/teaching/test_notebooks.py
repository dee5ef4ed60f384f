"""Every notebook runs from top to bottom, with no cell skipped and no warning, and is stored with what it printed."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").rglob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):  # leave the user's own folders alone
        monkeypatch.setenv(folder, str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["", str(Path(__file__).parents[2])]).strip(os.pathsep))
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all("skip-execution" not in cell.metadata.get("tags", []) for cell in code)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute(cwd=str(tmp_path))
    assert all(cell.execution_count for cell in code)
    printed = [output for cell in code for output in cell.outputs if output.get("name") == "stderr"]
    assert not printed, printed


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_stored_with_its_results(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    numbers = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert numbers == list(range(1, len(numbers) + 1))
