"""Several items in one cell, separated by semicolons, such as "aspirin; metformin"."""

from __future__ import annotations


def items(text: str) -> list[str]:
    """The different items of a cell, in order."""
    return list(dict.fromkeys(part for piece in text.split(";") if (part := piece.strip())))
