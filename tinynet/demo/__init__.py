"""The whole story on real health data: from a raw table to one page, and to files that predict with NumPy alone.

`python -m tinynet demo` runs it: `sets` are the tables, `story` the steps with one of them, `page` what is read.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from tinynet.demo.sets import SETS, HealthSet
from tinynet.demo.story import DRAWS, told

NEEDED = {"sklearn": "scikit-learn", "matplotlib": "Matplotlib", "pandas": "pandas"}


def run(out: Path, sets: Sequence[HealthSet] = tuple(SETS), rows: int | None = None, draws: int = DRAWS) -> None:
    """Take each table through all steps; write `out`/index.html, and a model file and its card for each table.

    Parameters
    ----------
    out : the folder for the files; it is made where it is not there
    sets : the tables
    rows : at most so many of each table; default all
    draws : bootstrap draws for each interval; fewer are quicker, and the ends of the intervals less certain

    Raises
    ------
    SystemExit : in one sentence, where a package or the folder is missing
    """
    from tinynet.demo.page import page

    ready(out)
    start = time.perf_counter()
    here = [one for one in sets if find_spec(one.package)]
    absent = [
        f"Left out, since the package {one.package} is not installed (pip install tinynet[demo]): {one.title}"
        for one in sets
        if one not in here
    ]
    stories = []
    for number, one in enumerate(here, 1):
        print(f"{number}/{len(here)}  {one.title}  [{one.kind}]", flush=True)
        story = told(one, out, rows, draws)
        counts = ", ".join(f"{count} {severity}" for severity, count in story.quality.counts().items())
        line("data", f"{story.quality.rows:,} rows, {story.columns} columns to learn from; quality: {counts}")
        for sentence in story.evaluation.verdict():
            line("verdict", sentence)
        line("file", f"{story.file}: the same answers from a process with NumPy alone")
        stories.append(story)
    for sentence in absent:
        print(sentence)
    target = out / "index.html"
    target.write_text(page(stories, absent), encoding="utf-8")
    print(f"\nThe page to read: {target}, made in {time.perf_counter() - start:.0f} seconds.")
    print("For teaching and research, not for care of patients.")


def line(label: str, text: str) -> None:
    print(f"     {label:<9}{text}", flush=True)


def ready(out: Path) -> None:
    """Make the folder, and end in one sentence where something is missing."""
    missing = [name for module, name in NEEDED.items() if not find_spec(module)]
    if missing:
        raise SystemExit(f"The demo needs {' and '.join(missing)}: pip install tinynet[demo]")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SystemExit(f"The folder {out} cannot be made: {error.strerror}.") from None
