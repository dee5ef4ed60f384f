"""What a column seems to be, told from its name and values: general rules, each with a word of why in the note."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.registry import unknown
from tinynet.tabular import codes, dates
from tinynet.tabular.bands import band, midpoints
from tinynet.tabular.cells import LARGEST, distinct, number, spelled
from tinynet.tabular.clinical import unit_of, words_of
from tinynet.tabular.frame import read, watched
from tinynet.tabular.identifiers import names_person, names_row
from tinynet.tabular.lists import items
from tinynet.tabular.schema import Column

GAPS = {"?", "na", "n/a", "#n/a", "nan", "null", "nil", ".", "-", "--", "<na>", "nat", "missing", "#null!", "\\n"}
NOT_MEASURED = {"none", "not measured", "not done", "not tested", "not performed", "not taken", "not recorded"}
SENTINELS = {-1.0, -9.0, -99.0, -999.0, -9999.0, 99.0, 999.0, 9999.0, 99999.0, -8888.0, 8888.0}
SAMPLE = 2000  # different values in which a pattern is looked for
MARKERS = 10  # texts among numbers that a schema lists; all of them are gaps
LEAST = 0.95  # the share of them that must fit it

SYSTEMS = {
    "code",
    "codes",
    "ndc",
    "gsn",
    "loinc",
    "snomed",
    "rxnorm",
    "cpt",
    "hcpcs",
    "drg",
    "item",
    "itemid",
    "zip",
    "postal",
}
KINDS = {
    "type",
    "id",
    "source",
    "class",
    "site",
    "plan",
    "race",
    "ethnicity",
    "ethnic",
    "sex",
    "gender",
    "arm",
    "arms",
    "group",
}
KINDS |= {
    "kind",
    "category",
    "ward",
    "wardid",
    "status",
    "region",
    "disposition",
    "method",
    "treatment",
    "shape",
    *SYSTEMS,
}
COUNTS = {"num", "number", "count", "n", "counts", "visits", "times", "days", "total", "no"}
TOKEN = re.compile(r"[^\s;,]*\d[^\s;,]*")


def of_a_system(words: list[str]) -> bool:
    """Whether a name tells of codes; "drug_cd" does, "cd4" does not."""
    return bool(set(words) & SYSTEMS) or (len(words) > 1 and words[-1] == "cd")


def inferred(frame: Any, given: dict[str, str | None]) -> dict[str, Column]:
    """Every column's role; `given` names the target, group and time."""
    columns = read(frame)
    roles: dict[str, str] = {}
    for role, name in given.items():
        if name is None:
            continue
        if name not in columns:
            raise KeyError(unknown("column", name, list(columns)))
        if name in roles:
            raise ValueError(f"column {name!r} cannot be both the {roles[name]} and the {role}")
        roles[name] = role
    found = {}
    for name, values in watched(list(columns.items()), columns.count, "columns seen"):
        found[name] = Look(name, values).column(roles.get(name))
    return found


class Look:
    """A column's different values, counted, and what they have in common."""

    def __init__(self, name: str, values: Array) -> None:
        self.name, self.words, self.rows = name, words_of(name), len(values)
        known, places = distinct(values)
        counts = np.bincount(places[places >= 0], minlength=len(known)).tolist()
        self.missing = [v for v in known if isinstance(v, str) and v.lower() in GAPS]
        self.counted = [(v, c) for v, c in zip(known, counts, strict=True) if v not in set(self.missing)]
        self.values = [v for v, _ in self.counted]
        self.filled = sum(c for _, c in self.counted)
        self.texts = [v if isinstance(v, str) else spelled(v) if np.isfinite(v) else str(v) for v in self.values]
        step = max(1, len(self.texts) // SAMPLE)
        self.sample = self.texts[::step]

    def column(self, role: str | None) -> Column:
        """The column, of a role that is given or told from the values."""
        missing = self.missing
        if role is not None:
            return Column(role, missing=missing, month_first=dates.month_first(self.sample))
        if not self.values:
            return Column("ignored", missing=missing, note="no value in any row" if self.rows else "no rows")
        if len(self.values) == 1 and self.counted[0][1] == self.rows:
            return Column("ignored", missing=missing, note="one value in every row")
        for rule in (self.code, self.date, self.number, self.band, self.several, self.name_of_row, self.free):
            if found := rule():
                found.missing = [*missing, *found.missing]
                return found
        return Column(
            "category",
            missing=missing,
            not_measured=[t for t in self.texts if t.lower() in NOT_MEASURED],
            note=f"{len(self.values)} kinds",
        )

    def share(self, fits: Any) -> float:
        return sum(map(bool, map(fits, self.sample))) / len(self.sample)

    def code(self) -> Column | None:
        """ICD and ATC codes: by their form, and where that is only digits by the column's name too."""
        named = set(self.words)
        icd = bool(named & {"icd", "diag", "diagnosis", "dx", "icdcode"}) or any("icd" in word for word in self.words)
        if self.share(codes.ICD10.fullmatch) >= LEAST and (
            icd or (len(self.values) >= 10 and self.share(re.compile(r"[A-Z]\d\d(\.[0-9A-Z]+)?").fullmatch) >= LEAST)
        ):
            return Column("code", codes="icd10", note="ICD-10 by its form")
        seven = self.share(lambda text: len(text) == 7 and codes.ATC.fullmatch(text))
        if seven >= LEAST or ("atc" in named and self.share(codes.ATC.fullmatch) >= LEAST):
            return Column("code", codes="atc", note="ATC by its form")
        digits = self.share(re.compile(r"\d+").fullmatch)
        procedure = "procedure" in self.name.lower() or "proc" in named
        if icd and digits == 1.0 and (procedure or {len(text) for text in self.sample} in ({3, 4}, {4})):
            return Column("code", codes="icd9-procedure", note="ICD-9 procedures: two to four digits")
        lettered = self.share(re.compile(r"(V\d\d|E\d{3})(\.?\d{1,2})?").fullmatch)
        if self.share(codes.ICD9.fullmatch) >= LEAST and len(self.values) >= 10 and (icd or 0 < lettered < 0.9):
            return Column("code", codes="icd9", note="ICD-9 by its form" + ("" if lettered else " and name"))
        return None

    def date(self) -> Column | None:
        first = dates.month_first(self.sample)
        if self.share(lambda text: dates.days(text, first) is not None) >= LEAST:
            return Column("date", month_first=first)
        return None

    def number(self) -> Column | None:
        """Numbers, also as text; a few other texts among them are gaps."""
        parsed = [
            (number(t) if isinstance(v, str) else v, t, c) for (v, c), t in zip(self.counted, self.texts, strict=True)
        ]
        good = [(x, t, c) for x, t, c in parsed if x is not None and abs(x) <= LARGEST]
        rows = sum(c for _, _, c in good)
        odd = [t for x, t, _ in parsed if x is None]
        if rows < LEAST * self.filled and not all(band(t) for t in odd):
            return None
        if rows < 0.5 * self.filled or not good:
            return None
        if sum(re.fullmatch(r"0\d+", t) is not None for _, t, _ in good) > 0.02 * len(good):
            return None  # digits that begin with 0 are a name, not a number
        x = np.array([x for x, _, _ in good], np.float64)
        weight = np.array([c for _, _, c in good], np.int64)
        whole = bool((x == np.floor(x)).all())
        if whole and not odd and (said := self.identifier(x)):
            return Column("identifier", note=said)
        marks = self.markers(x, weight)
        kept = ~np.isin(x, marks)
        x, weight = x[kept], weight[kept]
        again = [t for x, t, c in parsed if x is None and c > 1 and not band(t)]
        missing = [*map(spelled, marks), *again[:MARKERS]]
        column = self.measured(x, weight)
        column = column if column.unit else self.coded(x, whole) or column
        column.missing = missing
        if odd:
            column.note = f"{column.note}; {len(odd)} texts are no numbers".lstrip("; ")
        return column

    def markers(self, x: Array, weight: Array) -> list[float]:
        """Numbers that clearly stand for a gap: alone far from all others, or the one negative number among counts."""
        found = []
        for mark in sorted(SENTINELS & set(x.tolist())):
            others, count = x[x != mark], int(weight[x == mark][0])
            if len(others) < 3 or count < 2:
                continue
            far = abs(mark) > 3 * np.abs(others).max() and abs(mark) >= 99
            alone = mark < 0 and others.min() >= 0 and others.max() >= 5
            zeros = int(weight[x == 0].sum())
            if far or (alone and (mark < -1 or count > zeros)):
                found.append(mark)
        return found

    def coded(self, x: Array, whole: bool) -> Column | None:
        """Few whole numbers: kinds where the name or holes between them say so, two kinds, or levels in an order."""
        named = set(self.words)
        if len(x) <= 2 and whole:
            return Column("category", note="two values" if len(x) == 2 else "one value, or none")
        if not whole or named & COUNTS:
            return None
        if self.words and (self.words[-1] in KINDS or named & (KINDS - {"id", "class", "group", "site", "source"})):
            if len(x) <= 1000:
                return Column("category", note=f"{len(x)} kinds, by its name")
            return None
        span = x.max() - x.min()
        if len(x) <= 6 and x.max() <= 20 and span + 1 > len(x):
            return Column("category", note="numbers with holes between them: kinds?")
        if len(x) <= 6 and x.max() <= 20:
            return Column("ordinal", levels=[spelled(v) for v in sorted(x.tolist())], note="few whole numbers: levels?")
        return None

    def measured(self, x: Array, weight: Array) -> Column:
        """A number, with unit and range where the name is known and nine in ten values lie within."""
        order = np.argsort(x)
        median = float(x[order][np.searchsorted(np.cumsum(weight[order]), weight.sum() / 2)]) if len(x) else 0.0
        known = unit_of(self.name, median)
        if known is None:
            return Column("numeric")
        unit, low, high = known
        outside = int(weight[(x < low) | (x > high)].sum())
        if outside > 0.1 * weight.sum():
            return Column("numeric", note=f"outside {low:g} to {high:g} {unit}: {outside} values")
        return Column("numeric", unit, (low, high), note=f"outside the range: {outside} values" if outside else "")

    def identifier(self, x: Array) -> str:
        """Why whole numbers name a person, a stay or a row; "" where they do not."""
        if said := self.named_identifier():
            return said
        n = len(x)
        if of_a_system(self.words):
            return ""
        if n == self.filled == self.rows and n >= 20 and x.max() - x.min() == n - 1 and np.isin(x.min(), (0, 1)):
            return "counts the rows"
        lengths = {len(str(int(abs(v)))) for v in x}
        if n >= 50 and n > 0.01 * self.filled and len(lengths) == 1 and min(lengths) >= 5 and x.min() > 0:
            return "numbers of one length"
        return ""

    def named_identifier(self) -> str:
        n = len(self.values)
        if n >= 10 and self.words != ["id"] and (names_person(self.name) or names_row(self.name)):
            return "by its name"
        if (
            self.words
            and self.words[-1] in ("id", "nbr", "uuid", "key")
            and not of_a_system(self.words)
            and n > 0.05 * self.filled
            and n >= 20
        ):
            return "by its name"
        return ""

    def band(self) -> Column | None:
        """Intervals as text, in the order of their midpoints."""
        texts = [t for t in self.texts if t.lower() not in NOT_MEASURED]
        if len(texts) < 2 or len(texts) > 200 or not any(map(band, texts)):
            return None
        middle = dict(zip(texts, midpoints(texts), strict=True))
        if not all(value == value for value in middle.values()):
            return None
        words = [t for t in self.texts if t not in middle]
        return Column("ordinal", levels=sorted(texts, key=middle.__getitem__), not_measured=words, note="intervals")

    def several(self) -> Column | None:
        """Lists in cells: a tenth of the rows has a semicolon, and the items come back from cell to cell."""
        parted = sum(c for t, (_, c) in zip(self.texts, self.counted, strict=True) if ";" in t)
        if parted < 0.1 * self.filled:
            return None
        seen = Counter(item for text in self.sample for item in items(text))
        if sum(seen.values()) < 1.5 * len(seen):
            return None
        return Column("list", note=f"{len(seen)} items")

    def name_of_row(self) -> Column | None:
        """Texts that name a person, a stay or a row."""
        if said := self.named_identifier():
            return Column("identifier", note=said)
        n = len(self.values)
        if (
            of_a_system(self.words)
            or set(self.words) & {"drug", "medication", "med"}
            or n < 20
            or n <= 0.1 * self.filled
        ):
            return None
        if self.share(TOKEN.fullmatch) >= 0.9:
            return Column("identifier", note="nearly every row its own")
        return None

    def free(self) -> Column | None:
        """Words in a row that hardly come back."""
        length = sum(map(len, self.sample)) / len(self.sample)
        many = len(self.values) > 0.3 * self.filled and len(self.values) >= 10
        if many and self.share(lambda text: " " in text) >= 0.5 and length >= 12:
            return Column("text", note="words that hardly come back")
        return None
