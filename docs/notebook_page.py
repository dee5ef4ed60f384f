"""A notebook as a page of the site: its text, code and what it printed when it was stored, from the .ipynb file.

A test executes the notebooks; here nothing runs, so the page shows the very outputs that are in the repository.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from formula_page import ROOT, math, mathml

FOLDER = ROOT / "notebooks"
FENCED, INDENTED, INLINE = r"^```[\s\S]*?^```$", r"(?<=\n\n)(?:(?: {4}.*)?\n)* {4}.*$", r"`[^`\n]+`"
CODE = re.compile(f"({FENCED}|{INDENTED}|{INLINE})", flags=re.MULTILINE)


def notebooks() -> list[Path]:
    return sorted(FOLDER.rglob("[0-9]*.ipynb"))


def path_of(book: Path) -> str:
    """Where its page stands, beside the notebook itself."""
    return book.relative_to(ROOT).with_suffix(".md").as_posix()


def name_of(book: Path) -> str:
    """The heading that a notebook begins with."""
    cells = json.loads(book.read_text(encoding="utf-8"))["cells"]
    return "".join(cells[0]["source"]).split("\n")[0].removeprefix("# ")


def page(book: Path) -> tuple[str, dict[str, bytes]]:
    """(the page as Markdown, its pictures by path)."""
    from nbconvert import MarkdownExporter

    text, resources = MarkdownExporter().from_filename(str(book))
    folder = f"{book.stem}_files"
    pictures: dict[str, bytes] = resources["outputs"]
    for name in pictures:
        text = re.sub(rf"!\[\w+\]\({re.escape(name)}\)", f"![{book.stem}]({folder}/{name})", text)
    heading, rest = text.lstrip().split("\n", 1)
    said = (
        f"[下载这个笔记本]({book.name})，用 Jupyter 打开，自己运行、修改。"
        if book.parent != FOLDER
        else f"[Download the notebook]({book.name}), open it with Jupyter, run it, and change it."
    )
    rest = re.sub(
        r"<style scoped>.*?</style>", "", rest, flags=re.DOTALL
    )  # tables of pandas look like those of the site
    rest = rest.replace('<table border="1" class="dataframe">', "<table>")
    rest = as_pages(with_mathematics(rest)).replace("<details>", '<details markdown="1">')
    base = Path(path_of(book)).parent / folder
    return f"{heading}\n\n{said}\n{rest}", {(base / name).as_posix(): data for name, data in pictures.items()}


def with_mathematics(text: str) -> str:
    """Mathematics between dollar signs becomes MathML, where it does not stand in code."""
    parts = CODE.split(text)
    for i, part in enumerate(parts[::2]):
        for pattern in (r"\$\$([^$]+)\$\$", r"\$\\displaystyle ([^$]+)\$"):
            part = re.sub(pattern, lambda found: f"\n{mathml([found[1].strip()])}\n", part)
        parts[2 * i] = re.sub(r"\$([^$\n]+)\$", lambda found: math(found[1]), part)
    return "".join(parts)


def navigation() -> list[Any]:
    """The navigation's entries: English, then those in Chinese."""
    english = [{name_of(book): path_of(book)} for book in notebooks() if book.parent == FOLDER]
    chinese = [{name_of(book): path_of(book)} for book in notebooks() if book.parent != FOLDER]
    return ["notebooks/index.md", *english, {"中文": chinese}]


def index() -> str:
    """The folder's README, whose table of notebooks leads to their pages here."""
    return as_pages((FOLDER / "README.md").read_text(encoding="utf-8"))


def as_pages(text: str) -> str:
    """Links to notebooks become links to their pages."""
    return re.sub(r"(\]\([^):]*)\.ipynb\)", r"\1.md)", text)
