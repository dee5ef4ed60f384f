"""The rooms of the package as a picture: from the list that the tests enforce, and the imports in the source."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEST = ROOT / "tests" / "test_packaging.py"
WIDTH, ROW, MARGIN, SIDE = 860.0, 46.0, 12.0, 190.0
BLUE, INK, PALE = "#0060a8", "#222222", "#777777"
LINE = 96  # letters of a room's names that fit on a line


def rooms() -> list[tuple[str, ...]]:
    """ROOMS of the test, read and not run: it needs pytest, this does not."""
    for node in ast.parse(TEST.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ROOMS":
            found: list[tuple[str, ...]] = ast.literal_eval(node.value)
            return found
    raise LookupError(f"{TEST} has no list ROOMS")


def known_by(floors: list[tuple[str, ...]]) -> Counter[tuple[int, int]]:
    """(importing room, imported room) -> how many imports of tinynet's modules in the source say so."""
    room = {name: number for number, names in enumerate(floors) for name in names}
    counted: Counter[tuple[int, int]] = Counter()
    package = ROOT / "tinynet"
    for path in package.rglob("*.py"):
        own = room[path.relative_to(package).with_suffix("").parts[0]]
        for node in executed(ast.parse(path.read_bytes())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            for name in names:
                first, *parts = name.split(".")
                if first == "tinynet":
                    counted[own, room[parts[0] if parts and parts[0] in room else "__init__"]] += 1
    return counted


def executed(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes of the source without what only a type checker reads."""
    for child in ast.iter_child_nodes(tree):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield child
            yield from executed(child)


def picture() -> str:
    """SVG: a room to a row, and an arc for each pair of rooms of which the lower imports the upper."""
    floors = rooms()
    counted = known_by(floors)
    parts, middles, y = [], [], MARGIN
    for names in floors:
        lines = broken([name.replace("__init__", "import tinynet") for name in names if name != "__main__"])
        height = ROW + 16.0 * (len(lines) - 1) - 12.0
        parts.append(
            f'<rect x="{SIDE}" y="{y}" width="{WIDTH - SIDE - MARGIN}" height="{height}" rx="6" fill="#ffffff" '
            f'stroke="{PALE}"/>'
        )
        for i, line in enumerate(lines):
            parts.append(f'<text x="{SIDE + 14}" y="{y + 22 + 16 * i}" fill="{INK}">{escape(line)}</text>')
        middles.append(y + height / 2.0)
        y += height + 10.0
    arcs = []
    for (importer, imported), count in sorted(counted.items()):
        if importer == imported or floors[importer] == ("__init__",):
            continue  # a room may know itself; the face gathers from every room
        start, end = middles[importer], middles[imported] + 4.0 * min(importer - imported, 3)
        reach = SIDE - 22.0 - 15.0 * abs(importer - imported)
        width = 0.8 + min(count, 60) / 20.0
        arcs.append(
            f'<path d="M{SIDE} {start:.0f}C{reach:.0f} {start:.0f} {reach:.0f} {end:.0f} {SIDE - 7} {end:.0f}" '
            f'fill="none" stroke="{BLUE}" stroke-opacity="0.45" stroke-width="{width:.1f}">'
            f"<title>{count} imports</title></path>"
            f'<path d="M{SIDE - 1} {end:.0f}l-8 -4v8z" fill="{BLUE}"/>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {y:.0f}" role="img" '
        'aria-label="the rooms of the package, each importing only from those above it" '
        'font-family="system-ui, sans-serif" font-size="12.5">'
        f'<rect width="100%" height="100%" rx="8" fill="#fafafa"/>{"".join(arcs)}{"".join(parts)}</svg>'
    )


def broken(names: list[str] | tuple[str, ...]) -> list[str]:
    lines = [""]
    for name in names:
        longer = f"{lines[-1]} · {name}" if lines[-1] else name
        if len(longer) > LINE:
            lines.append(name)
        else:
            lines[-1] = longer
    return lines


def caption() -> str:
    counted = known_by(rooms())
    down = sum(count for (importer, imported), count in counted.items() if imported > importer)
    return (
        "Each row is a room; an arc goes from a room to one that it imports from. "
        f"{sum(counted.values())} names are imported in the source; all are of the importer's own room or of "
        f"one above, but for {down} in `import tinynet` itself, the face, which loads what reads a table's model when "
        "it is asked for."
    )
