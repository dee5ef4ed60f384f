"""A chain of boxes as SVG: arrays between them, arrows forth above, arrows back below, what is learned beneath."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from tinynet.formulas.vocabulary import Array

Arrays = list[tuple[str, str | None, Array]]  # name, the shape where no numbers are to be shown, numbers

WRITTEN = (6, 4)  # rows and columns of an array whose numbers are written; of larger ones the colours are shown
SHOWN = (12, 12)  # the rows and columns of which the colours are shown
FORTH, BACK, INK, PALE = "#0060a8", "#b84a00", "#222222", "#777777"
LINE, LETTER, CELL, SQUARE, GAP, MARGIN = 18.0, 7.3, (46.0, 17.0), 9.0, 30.0, 16.0
SCREEN = 1300.0  # a row of the chain is at most so wide, where one link is
SUBSCRIPTS = str.maketrans("0123456789_", "₀₁₂₃₄₅₆₇₈₉,")
FONT = 'font-family="ui-monospace, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="12"'


class Box(NamedTuple):
    """A link of the chain: the arrays that come in, the gradients that leave, what is done forth and back."""

    title: str
    entered: Arrays
    left: Arrays
    forth: list[str]
    back: list[str]
    weights: Arrays
    gradients: Arrays


def sign(name: str) -> str:
    """A name with its numbers below the line: dW1 is dW₁, E1_2 is E₁,₂, gamma3 is γ₃."""
    head, numbers = re.fullmatch(r"(.*?)([\d_]*)", name).groups()  # type: ignore[union-attr]
    return head.replace("gamma", "γ").replace("beta", "β") + numbers.translate(SUBSCRIPTS)


def drawn(boxes: Sequence[Box]) -> str:
    """The picture, with a light ground of its own, so that it can be read on any page; a long chain goes on below."""
    parts: list[str] = []
    y, widest_row = 28.0, 0.0
    for row in rows_of(boxes):
        body, width, end = drawn_row(row, y, row[0] is boxes[0], row[-1] is boxes[-1])
        parts, y, widest_row = [*parts, *body], end + 8, max(widest_row, width)
    heading = text(MARGIN, 20, "values flow forth →", FORTH) + text(MARGIN + 170, 20, "← gradients flow back", BACK)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {widest_row:.0f} {y:.0f}" width="{widest_row:.0f}" '
        f'height="{y:.0f}" {FONT} role="img" aria-label="values flow forth, gradients flow back">'
        f'<rect width="100%" height="100%" rx="8" fill="#fafafa"/>{heading}{"".join(parts)}</svg>'
    )


def rows_of(boxes: Sequence[Box]) -> list[list[Box]]:
    """The chain in rows, each about as wide as a screen."""
    rows: list[list[Box]] = [[]]
    wide = 0.0
    for box in boxes:
        own = between(box) + box_width(box) + 2 * GAP
        if rows[-1] and wide + own > SCREEN:
            rows.append([])
            wide = 0.0
        rows[-1].append(box)
        wide += own
    return rows


def between(box: Box) -> float:
    """The width of the arrays before the box."""
    return max(widest(box.entered), widest(box.left), 1.0)


def beneath(box: Box) -> list[tuple[float, float]]:
    """The widths of each weight and its gradient."""
    return [(widest([w]), widest([g])) for w, g in zip(box.weights, box.gradients, strict=False)]


def box_width(box: Box) -> float:
    lines = [box.title, *box.forth, *box.back]
    beside = max((w + g + 14 for w, g in beneath(box)), default=widest(box.weights))
    return max(max(map(len, lines)) * LETTER + 22, beside + 20)


def drawn_row(boxes: Sequence[Box], y: float, first: bool, last: bool) -> tuple[list[str], float, float]:
    """The pieces of one row that begins at height y, its width, and where it ends."""
    upper = max(height(box.entered) for box in boxes)
    upper = max(upper, max(LINE * (len(box.forth) + 1) for box in boxes)) + 10
    lower = max(height(box.left) for box in boxes)
    lower = max(lower, max(LINE * len(box.back) for box in boxes)) + 10
    top, parts = y + 16.0, []
    middle, bottom = top + upper, top + upper + lower + 16
    x = MARGIN
    for box in boxes:
        parts.append(stacked(box.entered, x, top, FORTH))
        parts.append(stacked(box.left, x, middle + 14, BACK))
        x += between(box)
        parts.append(arrow(x + 3, x + GAP - 3, top + 24, FORTH))
        if box.left and not (first and box is boxes[0]):
            parts.append(arrow(x + GAP - 3, x + 3, middle + 28, BACK))
        x += GAP
        width = box_width(box)
        parts.append(
            f'<rect x="{x:.1f}" y="{top - 8}" width="{width:.1f}" height="{bottom - top + 4:.1f}" rx="7" '
            f'fill="#ffffff" stroke="{PALE}"/>'
            f'<line x1="{x:.1f}" x2="{x + width:.1f}" y1="{middle + 5}" y2="{middle + 5}" stroke="#dddddd"/>'
        )
        parts.append(text(x + 10, top + 9, box.title, INK, "bold"))
        parts += [text(x + 10, top + 9 + LINE * i, line, FORTH) for i, line in enumerate(box.forth, 1)]
        parts += [text(x + 10, middle + 24 + LINE * i, line, BACK) for i, line in enumerate(box.back)]
        below = bottom + 22
        for i, weight in enumerate(box.weights):
            gradient = box.gradients[i : i + 1]
            parts.append(stacked([weight], x + 10, below, FORTH))
            column = x + 10 + max((w for w, _ in beneath(box)), default=0.0) + 14
            parts.append(stacked(gradient, column, below, BACK))
            if i == 0:
                parts.append(upright(x + 22, bottom + 18, bottom - 2, FORTH))
                parts += [upright(column + 12, bottom - 2, bottom + 18, BACK)] if gradient else []
            below += height([weight]) + 6
        x += width
        if not (last and box is boxes[-1]):
            parts.append(arrow(x + 3, x + GAP - 3, top + 24, FORTH))
            parts.append(arrow(x + GAP - 3, x + 3, middle + 28, BACK))
        x += GAP
    end = bottom + 22 + max(sum(height([w]) + 6 for w in box.weights) for box in boxes)
    return parts, x - GAP + (MARGIN if last else GAP), end


def text(x: float, y: float, words: str, colour: str, weight: str = "normal", anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-weight="{weight}" text-anchor="{anchor}">'
        f"{escape(words)}</text>"
    )


def arrow(start: float, end: float, y: float, colour: str) -> str:
    """A level arrow."""
    head = end - 7 if end > start else end + 7
    return (
        f'<path d="M{start:.1f} {y:.1f}H{head:.1f}" stroke="{colour}" stroke-width="2"/>'
        f'<path d="M{end:.1f} {y:.1f}L{head:.1f} {y - 4.5:.1f}V{y + 4.5:.1f}Z" fill="{colour}"/>'
    )


def upright(x: float, start: float, end: float, colour: str) -> str:
    """An arrow up or down."""
    head = end - 7 if end > start else end + 7
    return (
        f'<path d="M{x:.1f} {start:.1f}V{head:.1f}" stroke="{colour}" stroke-width="2"/>'
        f'<path d="M{x:.1f} {end:.1f}L{x - 4.5:.1f} {head:.1f}H{x + 4.5:.1f}Z" fill="{colour}"/>'
    )


def table(array: Array) -> Array:
    return array.reshape(1, -1) if array.ndim == 1 else array


def label(name: str, shape: str | None, array: Array) -> str:
    return f"{sign(name)} {shape or '×'.join(map(str, array.shape))}"


def cell(array: Array) -> tuple[float, float, bool]:
    """Width and height of a cell, and whether its number is written."""
    rows, columns = table(array).shape
    written = rows <= WRITTEN[0] and columns <= WRITTEN[1]
    return (*CELL, True) if written else (SQUARE, SQUARE, False)


def widest(arrays: Arrays) -> float:
    widths = [0.0]
    for name, shape, array in arrays:
        columns = 0 if shape else min(table(array).shape[1], SHOWN[1])
        widths += [len(label(name, shape, array)) * LETTER, columns * cell(array)[0]]
    return max(widths)


def height(arrays: Arrays) -> float:
    total = 0.0
    for _, shape, array in arrays:
        total += LINE + (0 if shape else min(len(table(array)), SHOWN[0]) * cell(array)[1])
    return total


def stacked(arrays: Arrays, x: float, y: float, colour: str) -> str:
    """Arrays below each other: a name, then cells, blue above 0 and orange below, the deeper the further from it."""
    parts = []
    for name, shape, array in arrays:
        parts.append(text(x, y + 12, label(name, shape, array), colour, "bold"))
        y += LINE
        if shape:
            continue
        wide, high, written = cell(array)
        shown = table(array)[: SHOWN[0], : SHOWN[1]]
        finite = np.abs(shown[np.isfinite(shown)])
        most = float(finite.max(initial=0.0)) or 1.0
        low, high_value = float(np.min(array)), float(np.max(array))
        summary = f"{label(name, None, array)}: {low:.4g} to {high_value:.4g}, mean {float(np.mean(array)):.4g}"
        parts.append(f"<g><title>{escape(summary)}</title>")
        for i, row in enumerate(shown.tolist()):
            for j, value in enumerate(row):
                depth = 0.08 + 0.42 * min(abs(value) / most, 1.0) if value == value and value != 0.0 else 0.0
                ground = FORTH if value > 0 else BACK
                parts.append(
                    f'<rect x="{x + j * wide:.1f}" y="{y + i * high:.1f}" width="{wide - 1:.1f}" '
                    f'height="{high - 1:.1f}" fill="{ground}" fill-opacity="{depth:.2f}"/>'
                )
                if written:
                    place = (x + (j + 1) * wide - 4, y + (i + 1) * high - 4.5)
                    parts.append(text(*place, short(value), INK, anchor="end"))
        parts.append("</g>")
        y += len(shown) * high
    return "".join(parts)


def short(value: float) -> str:
    """A number in at most five signs or so."""
    if value == 0:
        return "0.00"  # without the sign that a zero may have
    if 0.005 <= abs(value) < 100:
        return f"{value:.2f}"
    return (
        f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")
        if abs(value) < 0.005 or abs(value) >= 1e4
        else f"{value:.0f}"
    )
