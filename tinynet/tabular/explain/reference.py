"""The reference patient: the training rows' median of each number, and most frequent kind of each category."""

from __future__ import annotations

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.tabular.codes import rolled_up
from tinynet.tabular.encoders import Items, Kind, Number, levels
from tinynet.tabular.explain.explanation import rounded
from tinynet.tabular.preprocess import Preprocessor


def typical(preprocessor: Preprocessor) -> tuple[Array, dict[str, str]]:
    """(X (1, features), what each column is in words). Nothing is missing, and a list has no items."""
    parts: list[Array] = []
    said: dict[str, str] = {}
    schema = preprocessor.schema
    kinds = [one for one in preprocessor.encoders if isinstance(one, Kind) and one.vocabulary.kinds]
    frequent = {one.vocabulary.origin: one.vocabulary.kinds[:1] for one in kinds}
    codes = {one.vocabulary.origin: one.vocabulary.kinds[0] for one in kinds if one.level == 2}
    for one in preprocessor.encoders:
        part = np.zeros(len(one.features()), np.float32)
        if isinstance(one, Number):
            column, value = schema[one.name], np.array([one.fill])
            if column.role == "ordinal" and frequent.get(one.name):  # its number is that of its kind
                value = levels(np.array(frequent[one.name], object), column)
            part[:1] = one.scale(value)
            unit = f" {column.unit}" if column.unit else f" days from {one.reference}" if column.role == "date" else ""
            said.setdefault(one.name, f"{rounded(one.fill)}{unit}")
        elif isinstance(one, Kind):
            name = one.vocabulary.origin
            kind = one.vocabulary.kinds[0] if one.vocabulary.kinds else None
            if one.level is not None and name in codes:  # the chapter and block of this code, whatever others are
                rolled = rolled_up(codes[name], one.column.codes)
                kind = rolled[one.level] if rolled else codes[name]
            one.vocabulary.write([kind], np.zeros(1, np.intp), part[None])
            words = codes.get(name) or kind or "missing"
            alone = name in codes or schema[name].role == "ordinal" or name not in said
            said[name] = words if alone else f"{said[name]}, {words}"
        elif isinstance(one, Items):
            said[one.name] = "none"
        parts.append(part)
    return np.concatenate(parts)[None], said
