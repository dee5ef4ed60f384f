"""The whole story: its page, its files, its numbers, and what it claims about leaks, persons and the lonely process."""

import contextlib
import importlib.util
import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")
pytest.importorskip("pandas")

import pandas as pd
from sklearn.metrics import roc_auc_score

import tinynet as tn
from tinynet import demo
from tinynet.demo import sets, story

QUICK = [one for one in sets.SETS if one.package == "sklearn"]
ELSEWHERE = replace(sets.SETS[0], name="elsewhere", package="no_such_package", title="Is it left out?")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "new" / "out"


@pytest.fixture(scope="module")
def printed(folder: Path) -> str:
    """What the story prints of two tables, run once with few members; pytest makes an error of any warning."""
    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as quick, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)
    ):  # fmt: skip
        quick.setattr(story, "FOLDS", 2)
        quick.setattr(story, "MEMBERS", 2)
        demo.run(folder, [*QUICK, ELSEWHERE], draws=50)
    assert err.getvalue() == ""  # no progress bar where there is no terminal
    return out.getvalue()


@pytest.fixture(scope="module")
def page(printed: str, folder: Path) -> str:
    return (folder / "index.html").read_text(encoding="utf-8")


def test_each_table_is_told_in_a_few_lines_of_ascii(printed: str) -> None:
    assert printed.isascii()  # every terminal and code page can show it
    lines = printed.splitlines()
    assert [line for line in lines if re.match(r"\d/", line)] == [
        f"{i}/{len(QUICK)}  {one.title}  [{one.kind}]" for i, one in enumerate(QUICK, 1)
    ]
    assert len(lines) < 8 * len(QUICK) + 4
    (left_out,) = (line for line in lines if line.startswith("Left out"))
    assert "no_such_package" in left_out
    assert ELSEWHERE.title in left_out


class Page(HTMLParser):
    """What a page refers to, and which of its elements are open at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.references: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src", "xlink:href") and value:
                self.references.append(value)
            if name == "id" and value:
                self.ids.append(value)
        if tag not in ("meta", "br", "img", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_no_other_file(page: str) -> None:
    read = Page()
    read.feed(page)
    assert read.open == []
    for reference in read.references:
        assert reference.startswith("#")
        assert reference[1:] in read.ids
    assert "<script" not in page
    assert "url(http" not in page
    assert 'name="viewport"' in page


def test_the_page_tells_every_step_of_every_table(page: str) -> None:
    assert page.count('<section id="') == len(QUICK)
    for one in QUICK:
        chapter = page[page.index(f'<section id="{one.name}">') :].split('<section id="')[1]
        assert one.title in chapter
        for step in ("Preprocess", "Features", "Build", "Train", "Evaluate", "Deploy"):
            assert re.search(rf"<h3>.*{step}", chapter), step
        assert "How it learned" in chapter
        assert chapter.count("<svg") >= 4
        assert "numpy and tinynet only" in chapter
        assert "What happened" in chapter
    assert "Left out, since the package no_such_package is not installed" in page
    assert not re.search(r"\bnan\b", page)


def test_the_files_work_on_raw_measurements(page: str, folder: Path) -> None:
    names = [f"{one.name}.{ending}" for one in QUICK for ending in ("md", "safetensors")]
    assert sorted(path.name for path in folder.iterdir()) == sorted([*names, "index.html"])
    frame = sets.breast_cancer()
    model = tn.load(folder / "breast_cancer.safetensors")
    aside = story.put_aside(len(frame), None)
    assert (model.facts.rows, model.classes) == ((~aside).sum(), ["benign", "malignant"])
    risk = model.predict_proba(frame[aside])[:, 1]
    assert roc_auc_score(frame["tumour"][aside] == "malignant", risk) > 0.97
    for one in QUICK:
        assert (folder / f"{one.name}.md").read_text(encoding="utf-8").startswith(f"# Model card: {one.target}")


@pytest.mark.parametrize(("module", "name"), demo.NEEDED.items())
def test_a_missing_package_is_named_in_one_sentence(
    module: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(demo, "find_spec", lambda wanted: None if wanted == module else find(wanted))
    with pytest.raises(SystemExit, match=rf"^The demo needs {name}: pip install tinynet\[demo\]$"):
        demo.run(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_named_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(SystemExit, match=r"out cannot be made: .*\.$"):
        demo.run(tmp_path / "out")


# --------------------------------------------------------------------------------------------------------- the tables


@pytest.mark.parametrize("one", sets.SETS, ids=lambda one: one.name)
def test_the_tables_are_what_the_page_says(one: sets.HealthSet) -> None:
    if importlib.util.find_spec(one.package) is None:
        pytest.skip(f"{one.package} is not installed")
    frame = one.load()
    assert {one.target, *one.after, *([one.group] if one.group else [])} <= set(frame.columns)
    assert not frame[one.target].isna().any()
    rows, columns, share = {
        "breast_cancer": (569, 31, 212 / 569),  # as scikit-learn's description says
        "diabetes": (442, 11, None),
        "relapse": (623, 11, None),
        "drug_trial": (1941, 28, None),
        "insurance": (4083, 45, None),
    }[one.name]
    assert frame.shape == (rows, columns)
    if share is not None:
        assert (frame[one.target] == "malignant").mean() == pytest.approx(share)
    if one.task == "classes":
        assert frame[one.target].nunique() == 2
    if one.group:
        assert frame[one.group].nunique() == sets.PERSONS


def test_within_two_years_by_hand() -> None:
    frame = pd.DataFrame({"days": [100, 100, 800, 800, 730], "event": [1, 0, 1, 0, 1]})
    found = sets.within(frame, "days", "event", "came")
    assert found["days"].tolist() == [100, 800, 800, 730]  # the second was lost before, without the event
    assert found["came"].tolist() == ["yes", "no", "no", "yes"]


def test_persons_put_aside_are_put_aside_whole() -> None:
    group = np.repeat(np.arange(50) * 7, 3)
    aside = story.put_aside(150, group)
    assert not set(group[aside]) & set(group[~aside])
    assert len(set(group[aside])) == 50 / story.APART
    assert story.put_aside(100, None).sum() == 100 / story.APART


def test_the_patient_is_chosen_by_rule_and_shown_as_asked(page: str, folder: Path) -> None:
    frame = sets.breast_cancer()
    model = tn.load(folder / "breast_cancer.safetensors")
    aside = story.put_aside(len(frame), None)
    risk = model.predict_proba(frame[aside])[:, 1]
    place = np.abs(risk - story.SHOWN_RISK).argmin()
    assert f"<dd>the risk that the tumour is malignant: {100 * risk[place]:.0f} %</dd>" in page
    assert f"<dd>tumour: {frame['tumour'][aside].iloc[place]}</dd>" in page


# ---------------------------------------------------------------------------------------------- the lonely process


@pytest.mark.parametrize("package", ["sklearn", "scipy", "matplotlib", "pandas"])
def test_the_barrier_holds(package: str) -> None:
    code = f"""
import runpy, sys
part = runpy.run_path({str(story.ALONE)!r})
sys.meta_path.insert(0, part["Barrier"]())
try:
    import {package}
except ModuleNotFoundError as error:
    print(error)
import numpy, json, tinynet
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{package} is not on this machine"


def test_the_new_process_fails_loudly(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        story.alone(tmp_path / "no such file", [{}])
    assert "no such file" in capfd.readouterr().err


def test_the_lonely_process_reads_no_measurements_from_its_command_line(
    page: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    real = subprocess.run

    def spy(command: list[str], **options: object) -> "subprocess.CompletedProcess[str]":
        seen.append(command)
        return real(command, **options)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(subprocess, "run", spy)
    row = story.plain(sets.diabetes().iloc[0].to_dict())
    answers, loaded = story.alone(folder / "diabetes.safetensors", [row])
    assert loaded == ["numpy", "tinynet"]
    assert answers == pytest.approx(tn.load(folder / "diabetes.safetensors").predict([row]))
    assert not [part for part in seen[0] if json.dumps(row["bmi"]) in part]


def test_a_file_that_answers_otherwise_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = story.alone
    monkeypatch.setattr(story, "alone", lambda file, rows: (honest(file, rows)[0] + 1e-2, ["numpy"]))
    monkeypatch.setattr(story, "FOLDS", 2)
    monkeypatch.setattr(story, "MEMBERS", 1)
    os.makedirs(tmp_path / "out")
    with pytest.raises(ArithmeticError, match="differ by"):
        story.told(replace(QUICK[1], task="amount"), tmp_path / "out", rows=100, draws=10)
