"""The reference patient: the training rows' median of each number, and most frequent kind of each category."""

from __future__ import annotations

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.tabular.codes import rolled_up
from tinynet.tabular.encoders import Items, Kind, Number
from tinynet.tabular.preprocess import Preprocessor


def typical(preprocessor: Preprocessor) -> tuple[Array, dict[str, str]]:
    """(X (1, features), what each column is in words). Nothing is missing, and a list has no items."""
    parts: list[Array] = []
    said: dict[str, str] = {}
    codes = {
        one.vocabulary.origin: one.vocabulary.kinds[0]
        for one in preprocessor.encoders
        if isinstance(one, Kind) and one.level == 2 and one.vocabulary.kinds
    }
    for one in preprocessor.encoders:
        part = np.zeros(len(one.features()), np.float32)
        if isinstance(one, Number):
            part[:1] = one.scale(np.array([one.fill]))
            unit = preprocessor.schema[one.name].unit
            said.setdefault(one.name, f"{one.fill:.4g}{f' {unit}' if unit else ''}")
        elif isinstance(one, Kind):
            name = one.vocabulary.origin
            frequent = one.vocabulary.kinds[0] if one.vocabulary.kinds else None
            if one.level is not None and name in codes:  # the chapter and block of this code, whatever others are
                levels = rolled_up(codes[name], one.column.codes)
                frequent = levels[one.level] if levels else codes[name]
            one.vocabulary.write([frequent], np.zeros(1, np.intp), part[None])
            said[name] = codes.get(name) or frequent or "missing"
        elif isinstance(one, Items):
            said[one.name] = "none"
        parts.append(part)
    return np.concatenate(parts)[None], said
