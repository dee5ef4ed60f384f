"""The hook of mkdocs that makes what is not written by hand: the page of each formula, the reference, the pictures.

It runs inside `mkdocs build` and keeps no file in docs/: a page exists for as long as its formula does.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from formula_page import MODULES, ROOT, formulas, math, page, page_path, prose
from mkdocs.structure.files import File, Files

from tinynet.formulas.latex import latex


def on_config(config: Any) -> Any:
    """Generated pages take their place in the navigation."""
    config.nav = [*config.nav, {"Formulas": formula_navigation()}]
    return config


def formula_navigation() -> list[Any]:
    sections: list[Any] = ["formulas/index.md"]
    for module, title in MODULES.items():
        sections.append({title: [{f.__name__: page_path(f)} for f in formulas() if f.__module__ == module.__name__]})
    return sections


def on_files(files: Files, config: Any) -> Files:
    def add(path: str, content: str) -> None:
        files.append(File.generated(config, path, content=content))

    for f in formulas():
        text, svg = page(f)
        add(page_path(f), text)
        add(page_path(f).replace(".md", ".svg"), svg)
    add("formulas/index.md", index())
    return files


def index() -> str:
    """All formulas with their mathematics, by module."""
    parts = ["# Every formula", "Each line is printed from the function that runs. Its page has the code, the derivative, a picture, the proof and the speed."]
    for module, title in MODULES.items():
        lines = [f"## {title}", prose((module.__doc__ or "").split("\n\n")[0]), "| | |\n|---|---|"]
        for f in formulas():
            if f.__module__ == module.__name__:
                link = page_path(f).removeprefix("formulas/")
                lines[-1] += f"\n| [{f.__name__}]({link}) | {math(latex(f)[-1])} |".replace("&#x0007C;", "&#124;")
        parts += lines
    return "\n\n".join(parts) + "\n"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Mathematics between double dollar signs becomes MathML, where it does not stand in code."""
    parts = re.split(r"(^```.*?^```$)", markdown, flags=re.DOTALL | re.MULTILINE)
    for i in range(0, len(parts), 2):
        parts[i] = re.sub(
            r"\$\$(.+?)\$\$", lambda found: f'<div class="formula">{math(found[1].strip(), "block")}</div>', parts[i], flags=re.DOTALL
        )
    return "".join(parts)
