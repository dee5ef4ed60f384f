"""An adversary's look into what travels: values that fewer than five persons have are planted, and searched for."""

import struct
from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tinynet.persistence import read as read_file
from tinynet.tabular import TabularClassifier, TabularRegressor, estimator
from tinynet.tabular.card import card
from tinynet.tabular.evaluate import evaluate
from tinynet.tabular.facts import WIDER
from tinynet.tabular.preprocess import Preprocessor
from tinynet.tabular.report import html
from tinynet.tabular.schema import Schema

PERSONS, TWICE = 60, 2
QUICK = {"members": 2, "epochs": 2, "hidden": (4,), "random_state": 0, "n_jobs": 1, "backend": "numpy", "verbose": 0}
KINDS = {
    "scale": TabularClassifier(**QUICK),
    "isotonic": TabularClassifier(calibrate="isotonic", **QUICK),
    **{loss: TabularRegressor(loss=loss, **QUICK) for loss in ("squared_error", "gamma", "two-part", "quantile")},
}


def table(seed: int, rare: str, extreme: float) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """(a table with a column of each role, whose rows they are, amounts): in each column somebody has what is rare.

    The first person has a kind and a number of his own in six rows: rows that are no crowd.
    """
    rng = np.random.default_rng(seed)
    person = np.r_[np.repeat(np.arange(PERSONS), TWICE), [0] * 4]
    n = len(person)
    first = np.flatnonzero(person == 0)
    frame = pd.DataFrame(
        {
            "pulse": rng.normal(80, 12, n),
            "platelets": rng.lognormal(5, 1, n),
            "doses": np.zeros(n),  # of one person alone is it another number
            "noted": [f"{value:.6f}" for value in rng.normal(5, 1, n)],  # numbers, and what somebody wrote among them
            "ward": rng.choice(["north", "south", "east"], n),
            "born": rng.choice(["1950-03-04", "1961-07-30"], n),
            "seen": "2019-05-05",
            "band": rng.choice(["[10-20)", "[20-30)", "[30-40)"], n),
            "icd10": rng.choice(["E11.9", "I10", "J45.0"], n),
            "drugs": rng.choice(["aspirin;insulin", "insulin"], n),
            "phone": [f"+86-{seed}-{i}" for i in range(n)],
        }
    )
    frame.loc[first, "pulse"] = extreme + 0.123456789
    frame.loc[first, "ward"] = f"ward {rare}"
    frame.loc[first[:1], "doses"] = extreme
    frame.loc[first[:3], "noted"] = f"see {rare}"
    frame.loc[first[:1], "platelets"] = -extreme
    frame.loc[first, "born"] = "1907-01-13"
    frame.loc[first, "band"] = "[113-117)"
    frame.loc[first, "icd10"] = "Q87.4"
    frame.loc[first, "drugs"] = f"insulin;drug {rare}"
    amount = rng.gamma(2.0, 3.0, n) + np.where(person == 0, 1e4, 0.0)
    return frame, person, amount


def own(values: np.ndarray, person: np.ndarray) -> list:
    """The values that fewer than five persons have."""
    pairs = pd.DataFrame({"value": values, "person": person}).dropna().drop_duplicates()
    counts = pairs["value"].value_counts()
    return counts[counts < 5].index.tolist()


def numbers_in(entry: object) -> list[float]:
    """Every number of nested dictionaries and lists."""
    if isinstance(entry, dict):
        return [v for one in entry.values() for v in numbers_in(one)]
    if isinstance(entry, (list, tuple)):
        return [v for one in entry for v in numbers_in(one)]
    return [float(entry)] if isinstance(entry, (float, int)) and not isinstance(entry, bool) else []


def searched(blob: bytes, values: list[float]) -> list[str]:
    """The numbers that are found: as eight bytes, as text of 17 or 8 digits, or as a number of the file.

    A number of the file is a float32, or a float64 within 1e-9 of it or of it as float32; or the bound of a range
    before it was widened. Four bytes or short texts come by chance.
    """
    tensors, description = read_file(blob)
    arrays = [a.ravel() for a in tensors.values() if a.dtype.kind == "f"]
    single = {float(v) for a in arrays if a.dtype == np.float32 for v in a}
    double = np.array([*numbers_in(description), *(v for a in arrays if a.dtype == np.float64 for v in a)])
    ranges = np.array(list(description["card"]["facts"]["ranges"].values()))
    width = np.diff(ranges) / (1 + 2 * WIDER)
    double = np.concatenate([double, (ranges + WIDER * width * [1.0, -1.0]).ravel()])
    found = []
    for value in values:
        text = [form for digits in (17, 8) if len(form := f"{value:.{digits}g}".encode()) > 6]
        found += [f"{value!r} as {form!r}" for form in (struct.pack("<d", value), *text) if form in blob]
        rounded = float(np.float32(value))
        if rounded in single or any((np.abs(double - one) < 1e-9 * abs(one)).any() for one in (value, rounded)):
            found.append(f"{value!r} is held")
    return found


@settings(max_examples=10, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    st.sampled_from(list(KINDS)),
    st.sampled_from(["robust", "quantile"]),
    st.integers(0, 2**20),
    st.text("jqvxz", min_size=9, max_size=12),
    st.floats(5e3, 1e9),
)
def test_nothing_that_fewer_than_five_persons_have_is_in_the_file(kind, scaling, seed, rare, extreme):
    frame, person, amount = table(seed, rare, extreme)
    y = amount
    if kind in ("scale", "isotonic"):
        y = np.where(amount > 5, "ill", "well")
    elif kind == "two-part":
        y = np.where(amount > 3, amount, 0.0)
    schema = Schema.infer(frame.assign(person=person, y=y), target="y", group="person")
    roles = {column.role for column in schema.columns.values()}
    assert {"numeric", "category", "date", "ordinal", "code", "list", "identifier"} <= roles
    schema = Schema({name: one for name, one in schema.columns.items() if name not in ("y", "person")})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(estimator, "Preprocessor", partial(Preprocessor, numeric=scaling))
        model = KINDS[kind].__class__(**{**KINDS[kind].get_params(), "schema": schema}).fit(frame, y, groups=person)
    blob = model.predictor_.__getstate__()["file"]
    everything = blob + card(model.predictor_).encode() + str(model.predictor_.remarks(frame)).encode()
    for word in (rare, "113-117", "1907-01", "Q87", "Q80-Q89", *own(frame["phone"], person)):
        assert word.encode() not in everything, word
    values = [*own(frame["pulse"], person), *own(frame["platelets"], person), *own(frame["doses"], person)]
    values += [*own(pd.to_numeric(frame["noted"], errors="coerce"), person)]
    values += [float((np.datetime64("1907-01-13") - np.datetime64("2019-05-05")).astype(int))]
    values += [] if kind in ("scale", "isotonic") else own(y, person)
    assert len(values) > 300
    assert searched(blob, values) == []
    scales = {one.name: one.scale for one in model.predictor_.preprocessor.encoders if hasattr(one, "scale")}
    for name in ("pulse", "platelets"):
        scaled = [
            value for value in scales[name](np.array(own(frame[name], person))).tolist() if 0.5 < abs(value) < 2.9
        ]
        assert searched(blob, scaled) == [], name


def test_the_adversary_finds_what_is_there():
    """Planted: five persons have a number and a word, and the search finds both; of four it does not."""
    frame, person, amount = table(1, "unheardof", 54321.0)
    for persons, there in ((5, True), (4, False)):
        some = person < persons
        seen = frame.assign(doses=np.where(some, 777.125, 0.0), ward=np.where(some, "ward unheardof", "north"))
        blob = TabularRegressor(**QUICK).fit(seen, amount, groups=person).predictor_.__getstate__()["file"]
        assert bool(searched(blob, [777.125])) == there
        assert (b"unheardof" in blob) == there


def test_no_report_shows_what_fewer_than_five_persons_have():
    frame, person, amount = table(3, "unheardof", 54321.0)
    for model, y in ((KINDS["scale"], np.where(amount > 5, "ill", "well")), (KINDS["squared_error"], amount)):
        found = evaluate(
            model,
            frame,
            y,
            groups=person,
            splits=2,
            draws=20,
            jobs=1,
            baselines=False,
            subgroups=["ward", "pulse", "band"],
        )
        page, numbers = html(found, ""), found.to_json()
        for word in ("unheardof", "113-117", "1907-01", "Q87", "54321"):
            assert word not in page
            assert word not in numbers
        alone = [f"{value:.6g}" for value in own(frame["pulse"], person)] + [repr(v) for v in own(y, person)]
        assert [value for value in alone if value in page or value in numbers] == []
