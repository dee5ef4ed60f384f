"""The hook of mkdocs that makes what is not written by hand: the page of each formula, the reference, the pictures.

It runs inside `mkdocs build` and leaves no file in docs/: a page exists for as long as its formula does.
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import formula_page
import notebook_page
import offline_search
import reference
import rooms_picture
from formula_page import MODULES, ROOT, formulas, math, mathml, prose
from mkdocs.structure.files import File, Files

from tinynet.formulas.latex import latex
from tinynet.operations import OPERATIONS, Operations


def on_config(config: Any) -> Any:
    """Generated pages take their place in the navigation."""
    start, tutorial, *rest = config.nav
    pages = [{title: reference.page_path(name)} for name, title in reference.PAGES.items()]
    config.nav = [
        start,
        tutorial,
        {"Notebooks": notebook_page.navigation()},
        {"Guides": [f"guides/{guide.name}" for guide in sorted((ROOT / "docs" / "guides").glob("*.md"))]},
        *rest,
        {"Formulas": formula_navigation()},
        {"Reference": ["reference/index.md", *pages]},
    ]
    return config


def formula_navigation() -> list[Any]:
    sections: list[Any] = ["formulas/index.md"]
    for module, title in MODULES.items():
        own = [f for f in formulas() if f.__module__ == module.__name__]
        sections.append({title: [{f.__name__: formula_page.page_path(f)} for f in own]})
    return sections


def on_files(files: Files, config: Any) -> Files:
    def add(path: str, content: str | bytes) -> None:
        files.append(File.generated(config, path, content=content))

    for f in formulas():
        text, svg = formula_page.page(f)
        add(formula_page.page_path(f), text)
        add(formula_page.page_path(f).replace(".md", ".svg"), svg)
    add("formulas/index.md", formula_index())
    add("reference/index.md", reference.index())
    for name in reference.PAGES:
        add(reference.page_path(name), reference.page(name))
    add("notebooks/index.md", notebook_page.index())
    for book in notebook_page.notebooks():
        text, pictures = notebook_page.page(book)
        add(notebook_page.path_of(book), text)
        add(book.relative_to(ROOT).as_posix(), book.read_text(encoding="utf-8"))
        for path, picture in pictures.items():
            add(path, picture)
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Mathematics between double dollar signs becomes MathML, where it does not stand in code; pictures are put in."""
    parts = re.split(r"(^```.*?^```$)", markdown, flags=re.DOTALL | re.MULTILINE)
    parts[::2] = [
        re.sub(r"\$\$(.+?)\$\$", lambda f: mathml([f[1].strip()]), part, flags=re.DOTALL) for part in parts[::2]
    ]
    whole = "".join(parts)
    if "@ROOMS@" in whole:
        drawn = f'<div class="picture">{rooms_picture.picture()}</div>\n\n{rooms_picture.caption()}'
        whole = whole.replace("@ROOMS@", drawn).replace("@OPERATIONS@", operations())
    return whole


def on_post_build(config: Any) -> None:
    offline_search.put_into(Path(config.site_dir))


def formula_index() -> str:
    """All formulas with their mathematics, by module."""
    parts = [
        "# Every formula",
        "Each line is printed from the function that runs. Its page has the code, the derivative, a picture, the "
        "proof and the speed.",
    ]
    for module, title in MODULES.items():
        parts += [f"## {title}", prose((module.__doc__ or "").split("\n\n")[0])]
        table = ["| | |", "|---|---|"]
        for f in formulas():
            if f.__module__ == module.__name__:
                link = formula_page.page_path(f).removeprefix("formulas/")
                table.append(f"| [{f.__name__}]({link}) | {'<br>'.join(map(math, latex(f)))} |")
        parts.append("\n".join(table))
    return "\n\n".join(parts) + "\n"


def operations() -> str:
    """The closed table, from the docstrings that are the contract for every backend."""
    lines = [f"The table is closed: {len(OPERATIONS)} operations.", "", "| operation | what it does |", "|---|---|"]
    for name in OPERATIONS:
        said = inspect.cleandoc(getattr(Operations, name).__doc__).split("\n\n")[0].replace("\n", " ")
        lines.append(f"| `{name}` | {reference.ticked(said)} |")
    return "\n".join(lines)
