"""The columns of X, each with the column of the table that it came from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Feature:
    """One column of X.

    name : such as "age", "age is missing", "race = Asian", "diag_1 category"
    origin : the table's column, so that an explanation can put the parts of one column together again
    kind : "numeric" (a scaled number), "indicator" (1 where something is so, else 0), "onehot" (one of several that
        together say the kind; -1, 0 or 1 where there are two kinds), "code" (a whole number for an embedding)
    vocabulary : how many codes a "code" has, 0 to vocabulary - 1; 0 for the other kinds
    """

    name: str
    origin: str
    kind: str
    vocabulary: int = 0
