"""The reference: every public class and function with its signature and its docstring, as Markdown."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any

from formula_page import prose

# A page each: what a user imports. Functions and classes are those that the module itself calls public.
PAGES = {
    "tinynet": "The public face",
    "tinynet.layers": "Layers",
    "tinynet.losses": "Losses",
    "tinynet.optimizers": "Optimizers",
    "tinynet.schedules": "Schedules",
    "tinynet.initializers": "Initializers",
    "tinynet.regularizers": "Regularizers",
    "tinynet.metrics": "Metrics",
    "tinynet.callbacks": "Callbacks",
    "tinynet.operations": "Operations",
    "tinynet.formulas.latex": "Formulas as LaTeX",
    "tinynet.tabular": "Tables",
    "tinynet.tabular.evaluate": "Evaluation of tables",
    "tinynet.tabular.explain": "Explanations",
    "tinynet.tabular.mislabels": "Label errors",
}
SECTIONS = re.compile(r"^(\w[\w ,]*)\n-{3,}\n", flags=re.MULTILINE)


def page_path(module: str) -> str:
    return f"reference/{module}.md"


def index() -> str:
    lines = [
        f"| [{title}]({name}.md) | `{name}` | {first_line(importlib.import_module(name))} |"
        for name, title in PAGES.items()
    ]
    return "\n".join(
        ["# Reference", "", "Printed from the docstrings.", "", "| | import | |", "|---|---|---|", *lines, ""]
    )


def page(name: str) -> str:
    module = importlib.import_module(name)
    parts = [f"# {PAGES[name]}", f"`import {name}`", described(module.__doc__)]
    for label, thing in public(module):
        parts.append(entry(label, thing))
        if inspect.isclass(thing):
            parts += [entry(f"{label}.{method}", f, level=3) for method, f in methods(thing)]
    return "\n\n".join(parts) + "\n"


def public(module: Any) -> list[tuple[str, Any]]:
    """(name, class or function) of what the module calls public, or defines with a docstring and no underscore."""
    own = [n for n, thing in vars(module).items() if getattr(thing, "__module__", "") == module.__name__]
    names = getattr(module, "__all__", [n for n in own if not n.startswith("_") and vars(module)[n].__doc__])
    things = [(name, getattr(module, name)) for name in names]
    return [(name, thing) for name, thing in things if inspect.isclass(thing) or inspect.isfunction(thing)]


def methods(thing: type) -> list[tuple[str, Any]]:
    """The public methods and properties with a docstring of their own, inherited ones of tinynet's classes too."""
    found = []
    for name in dir(thing):
        value = inspect.getattr_static(thing, name)
        function = getattr(value, "fget", None) or getattr(value, "__func__", value)
        whose = getattr(function, "__module__", None) or ""
        if (
            not name.startswith("_")
            and whose.startswith("tinynet")
            and inspect.isfunction(function)
            and function.__doc__
        ):
            first = next(base for base in thing.__mro__ if name in vars(base))
            if first is thing or thing.__name__ in ("Sequential", "Layer"):
                found.append((name, value if isinstance(value, property) else function))
    return found


def entry(label: str, thing: Any, level: int = 2) -> str:
    if isinstance(thing, property):
        signature, doc = label, thing.__doc__
    else:
        try:
            signature, doc = f"{label}{shown(thing)}", thing.__doc__
        except ValueError:
            signature, doc = label, thing.__doc__
    return f"{'#' * level} {label} {{ #{label.lower()} }}\n\n```python\n{signature}\n```\n\n{described(doc)}"


def shown(thing: Any) -> str:
    """The signature without `self`, annotations and defaults as they stand; a long one on lines of its own."""
    signature = inspect.signature(thing)
    parts: list[str] = []
    for p in signature.parameters.values():
        if p.name == "self":
            continue
        if p.kind is p.KEYWORD_ONLY and not any(part.startswith("*") for part in parts):
            parts.append("*")
        star = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        default = "" if p.default is p.empty else f" = {p.default!r}"
        parts.append(f"{star}{p.name}{f': {named(p.annotation)}' if p.annotation is not p.empty else ''}{default}")
    returned = signature.return_annotation
    end = "" if returned is signature.empty or inspect.isclass(thing) else f" -> {named(returned)}"
    line = f"({', '.join(parts)}){end}"
    return line if len(line) < 90 else "(\n" + "".join(f"    {part},\n" for part in parts) + f"){end}"


def named(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))


def described(doc: str | None) -> str:
    """A docstring as Markdown: sections as small headings, `name : what it is` as a list, examples as code."""
    text = inspect.cleandoc(doc or "")
    pieces = SECTIONS.split(text)
    parts = [body(pieces[0])]
    for title, content in zip(pieces[1::2], pieces[2::2], strict=True):
        parts.append(f"**{title}**\n\n{body(content) if title.startswith('Example') else listed(content)}")
    return "\n\n".join(part for part in parts if part)


def body(text: str) -> str:
    """Paragraphs; a block that begins with a prompt is code, and so is one that is indented."""
    parts = []
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        if ">>>" in block:
            before, _, example = block.partition(">>>")
            parts += [prose(before)] if before.strip() else []
            parts.append(f"```python\n>>>{example.rstrip()}\n```")
        elif block.startswith("    "):
            parts.append(f"```text\n{inspect.cleandoc(block)}\n```")
        elif block.strip():
            parts.append(ticked(block))
    return "\n\n".join(parts)


def ticked(text: str) -> str:
    """Prose whose `code` stays code."""
    pieces = re.split(r"(`[^`]+`)", text)
    return "".join(piece if piece.startswith("`") else prose_inside(piece) for piece in pieces)


def prose_inside(text: str) -> str:
    return re.sub(r"([\\*_<>|\[\]])", r"\\\1", text)


def listed(text: str) -> str:
    lines, rest = [], []
    for line in text.strip("\n").splitlines():
        if line.startswith((">>>", "...")) or rest:
            rest.append(line)
        elif found := re.match(r"^(\S[^:]*?) : (.*)$", line):
            names = ", ".join(f"`{name.strip()}`" for name in found[1].split(","))
            lines.append(f"- {names}: {ticked(found[2])}")
        elif line.strip() and lines:
            lines[-1] += " " + ticked(line.strip())
        elif line.strip():
            lines.append(ticked(line) + "\n")
    tail = body("\n".join(rest)) if rest else ""
    return "\n".join(lines) + (f"\n\n{tail}" if tail else "")


def first_line(module: Any) -> str:
    return ticked(inspect.cleandoc(module.__doc__ or "").split("\n")[0])
