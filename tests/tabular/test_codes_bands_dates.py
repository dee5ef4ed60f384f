"""Codes, intervals, dates and lists, by hand-worked cases, and by Python's own calendar."""

import datetime
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynet.tabular.bands import band, midpoints
from tinynet.tabular.cells import number, spelled
from tinynet.tabular.codes import ICD9_BLOCKS, ICD10_BLOCKS, rolled_up
from tinynet.tabular.dates import all_days, days, month_first
from tinynet.tabular.lists import items


@pytest.mark.parametrize(
    ("code", "system", "expected"),
    [
        ("250.83", "icd9", ("endocrine, metabolic", "249", "250")),
        ("25083", "icd9", ("endocrine, metabolic", "249", "250")),
        ("8", "icd9", ("infections", "001", "008")),
        ("38", "icd9", ("infections", "030", "038")),
        ("0389", "icd9", ("infections", "030", "038")),
        ("410", "icd9", ("circulatory", "410", "410")),
        ("V1582", "icd9", ("contact with services", "V10", "V15")),
        ("v27", "icd9", ("contact with services", "V20", "V27")),
        ("E909", "icd9", ("external causes", "E900", "E909")),
        ("E8888", "icd9", ("external causes", "E880", "E888")),
        ("999.9", "icd9", ("injury, poisoning", "996", "999")),
        ("hello", "icd9", None),
        ("36.05", "icd9-procedure", ("cardiovascular", "36", "36.0")),
        ("3605", "icd9-procedure", ("cardiovascular", "36", "36.0")),
        ("9904", "icd9-procedure", ("diagnostic, other", "99", "99.0")),
        ("17", "icd9-procedure", ("other", "17", "17")),
        ("1.24", "icd9-procedure", ("nervous system", "01", "01.2")),
        ("V10", "icd9-procedure", None),
        ("E11.9", "icd10", ("endocrine, metabolic", "E08", "E11")),
        ("e119", "icd10", ("endocrine, metabolic", "E08", "E11")),
        ("I21.4", "icd10", ("circulatory", "I20", "I21")),
        ("D48", "icd10", ("neoplasms", "D37", "D48")),
        ("D50", "icd10", ("blood, immune", "D50", "D50")),
        ("H59", "icd10", ("eye", "H55", "H59")),
        ("H61", "icd10", ("ear", "H60", "H61")),
        ("U07.1", "icd10", ("special purposes", "U00", "U07")),
        ("S72.001A", "icd10", ("injury, poisoning", "S70", "S72")),
        ("V43", "icd10", ("external causes", "V40", "V43")),
        ("Z95.5", "icd10", ("contact with services", "Z80", "Z95")),
        ("123", "icd10", None),
        ("A10BA02", "atc", ("A", "A10", "A10BA")),
        ("C07", "atc", ("C", "C07", "C07")),
        ("E10", "atc", None),
    ],
)
def test_rolled_up(code: str, system: str, expected: tuple[str, str, str] | None) -> None:
    assert rolled_up(code, system) == expected


def test_blocks_are_in_order() -> None:
    for blocks in (ICD9_BLOCKS, ICD10_BLOCKS):
        assert blocks == sorted(set(blocks))


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("[70-80)", (70, 80)), ("60 - 69", (60, 69)), ("60–69 years", (60, 69)), ("(0.5, 1.5]", (0.5, 1.5)),
        ("18 to 25", (18, 25)), ("$11-$25k", (11e3, 25e3)), ("1,000-1,999", (1000, 1999)),
        ("under $11k", (-math.inf, 11e3)),
        ("> 89", (89, math.inf)), (">$50k", (50e3, math.inf)), ("90+", (90, math.inf)), ("90 and over", (90, math.inf)),
        ("<=5", (-math.inf, 5)), ("≥ 65", (65, math.inf)), ("less than 1 year", (-math.inf, 1)),
        ("80-70", None), ("12", None), ("Norm", None), ("<2 mo. follow-up", None), ("2019-03-31", None), ("-5", None),
    ],
)  # fmt: skip
def test_bands(text: str, ends: tuple[float, float] | None) -> None:
    assert band(text) == ends


def test_midpoints() -> None:
    found = midpoints(["< 20", "[20-30)", "30-40", "> 40", "25", "many"])
    assert found[:5] == [15.0, 25.0, 35.0, 45.0, 25.0]
    assert math.isnan(found[5])
    assert midpoints([">7", ">8"]) == [7.0, 8.0]


@given(st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31)))
def test_dates_are_pythons(moment: datetime.datetime) -> None:
    moment = moment.replace(microsecond=0)
    expected = (moment - datetime.datetime(1970, 1, 1)) / datetime.timedelta(days=1)
    clock = moment.strftime("%H:%M:%S")
    y, m, d = f"{moment.year:04}", moment.month, moment.day
    month = "jan feb mar apr may jun jul aug sep oct nov dec".split()[m - 1]  # noqa: SIM905
    for text in (moment.isoformat(), f"{y}/{m}/{d} {clock}", f"{d:02}.{m:02}.{y} {clock}", f"{d} {month} {y} {clock}"):
        assert days(text) == pytest.approx(expected, abs=1e-9)
    assert days(f"{m}/{d}/{y} {clock}", month_first=True) == pytest.approx(expected, abs=1e-9)


def test_zones_and_halves_of_the_day() -> None:
    assert days("2020-01-01T02:00:00+02:00") == days("2020-01-01") == days("2020-01-01 00:00 Z") == 18262
    assert days("1 Jan 2020 12:30 am") == days("2020-01-01 00:30")
    assert days("1 January 2020 1:30 pm") == days("2020-01-01 13:30")
    assert days("2020-02-30") is None
    assert days("tomorrow") is None
    assert math.isnan(all_days(["x"], False)[0])
    assert month_first(["03/31/2019", "01/02/2019"])
    assert not month_first(["31/03/2019", "01/02/2019"])
    assert not month_first(["2019-03-31"])


def test_items() -> None:
    assert items("aspirin; metformin;;aspirin ") == ["aspirin", "metformin"]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_pythons(value: float) -> None:
    assert number(repr(value)) == value
    assert number(spelled(value)) == value


@pytest.mark.parametrize(("text", "value"), [("1,250.5", 1250.5), ("-inf", -math.inf), (".5", 0.5), ("1.", 1.0)])
def test_spellings(text: str, value: float) -> None:
    assert number(text) == value


@pytest.mark.parametrize("text", ["1_000", "0x1", "nan", "1,2", "٣", "12 kg", "--1", "1e", "e5", ""])
def test_no_numbers(text: str) -> None:
    assert number(text) is None
