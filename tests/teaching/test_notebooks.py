"""Every notebook runs from top to bottom, with no cell skipped and no warning, and is stored with what it printed."""

import ast
import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
ENGLISH, CHINESE = sorted(FOLDER.glob("*.ipynb")), sorted((FOLDER / "zh").glob("*.ipynb"))
HAN = re.compile("[\u4e00-\u9fff\uff00-\uffef]")  # and its punctuation
LARGEST = 400_000  # bytes


def named(path: Path) -> str:
    return str(path.relative_to(FOLDER).with_suffix(""))


def cells(path: Path, kind: str) -> list[str]:
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def words(tree: ast.AST) -> list[str]:
    """The texts in some code, taken out of it."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
            node.value = ""
    return found


def executed(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):  # leave the user's own folders alone
        monkeypatch.setenv(folder, str(tmp_path))
    for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # of small arrays: more only wait for each other
        monkeypatch.setenv(threads, "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["", str(Path(__file__).parents[2])]).strip(os.pathsep))
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all("skip-execution" not in cell.metadata.get("tags", []) for cell in code)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute(cwd=str(tmp_path))
    assert all(cell.execution_count for cell in code)
    printed = [output for cell in code for output in cell.outputs if output.get("name") == "stderr"]
    assert not printed, printed


@pytest.mark.parametrize("path", ENGLISH, ids=named)
def test_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executed(path, tmp_path, monkeypatch)


@pytest.mark.nightly  # the code is the English one's, as a test below says
@pytest.mark.parametrize("path", CHINESE, ids=named)
def test_chinese_edition_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executed(path, tmp_path, monkeypatch)


@pytest.mark.parametrize("path", ENGLISH + CHINESE, ids=named)
def test_notebook_is_stored_with_its_results(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    numbers = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert numbers == list(range(1, len(numbers) + 1))
    assert path.stat().st_size < LARGEST


@pytest.mark.parametrize("path", CHINESE, ids=named)
def test_chinese_edition_has_the_same_code(path: Path) -> None:
    """Comments and texts may be translated, nothing else may differ; and the prose is Chinese."""
    original = FOLDER / path.name
    assert [cell.cell_type for cell in nbformat.read(path, as_version=4).cells] == [
        cell.cell_type for cell in nbformat.read(original, as_version=4).cells
    ]
    for here, there in zip(cells(path, "code"), cells(original, "code"), strict=True):
        ours, theirs = ast.parse(here), ast.parse(there)
        for text, original_text in zip(words(ours), words(theirs), strict=True):
            assert text == original_text or HAN.search(text), text
        assert ast.dump(ours) == ast.dump(theirs)
    assert all(HAN.search(prose) for prose in cells(path, "markdown"))


def test_there_is_a_chinese_edition() -> None:
    assert {path.name[:2] for path in CHINESE} == {"01", "02", "03", "08"}


def test_links_lead_somewhere() -> None:
    pages = {path: "\n".join(cells(path, "markdown")) for path in ENGLISH + CHINESE}
    pages[FOLDER / "README.md"] = (FOLDER / "README.md").read_text(encoding="utf-8")
    linked = {page: re.findall(r"\]\(([^)]+)\)", text) for page, text in pages.items()}
    assert [link for page, links in linked.items() for link in links if not (page.parent / link).is_file()] == []
    assert {(FOLDER / link).resolve() for link in linked[FOLDER / "README.md"]} == set(ENGLISH + CHINESE)
