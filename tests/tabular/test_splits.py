"""Splits: no person, site or future on both sides, classes in shares, and refusals in one sentence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("sklearn")

from tinynet.tabular import splits
from tinynet.tabular.splits import planned, refuse_hidden_persons


@settings(max_examples=25)
@given(st.integers(0, 1000), st.booleans(), st.integers(2, 5))
def test_persons_stay_whole_and_every_row_is_predicted_once(seed: int, classify: bool, folds: int) -> None:
    generator = np.random.default_rng(seed)
    group = generator.integers(0, 40, 200)
    y = (group % 2) if classify else generator.normal(size=200)
    for many in (10, 2000):  # both ways of stratifying by person
        splits.MANY_GROUPS, kept = many, splits.MANY_GROUPS
        try:
            plan = planned(y, 2 if classify else 0, group, splits=folds, seed=seed)
        finally:
            splits.MANY_GROUPS = kept
        assert sorted(np.concatenate([fold.test for fold in plan.folds])) == list(range(200))
        for fold in plan.folds:
            assert not set(group[fold.train]) & set(group[fold.test])
            assert len(fold.train) + len(fold.test) == 200


def test_classes_have_the_same_shares_and_repeats_differ() -> None:
    y = np.repeat([0, 1], [90, 10])
    plan = planned(y, 2, None, splits=5, repeats=2)
    assert [int(y[fold.test].sum()) for fold in plan.folds] == [2] * 10
    assert plan.words == "5-fold cross-validation, 2 times, classes in the same shares"
    assert not np.array_equal(plan.folds[0].test, plan.folds[5].test)


def test_large_tables_keep_shares_by_person() -> None:
    generator = np.random.default_rng(0)
    group = generator.integers(0, 5000, 8000)
    y = (generator.random(8000) < 0.1).astype(int)
    shares = [y[fold.test].mean() for fold in planned(y, 2, group).folds]
    assert np.ptp(shares) < 0.02


@pytest.mark.parametrize("spelled", ["%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d %b %Y", "%Y-%m", "%Y%m%d"])
def test_text_is_in_the_order_of_its_dates(spelled: str) -> None:
    """Not of its letters: 1/12/2019 comes after 2/1/2019."""
    day = np.datetime64("2018-11-20") + np.random.default_rng(2).integers(0, 500, 300)
    text = np.array([one.item().strftime(spelled) for one in day])
    moment = day.astype("datetime64[M]") if spelled == "%Y-%m" else day
    for time in (text, text.astype(object)):
        for fold in planned(np.zeros(300), 0, None, time=time, splits=4).folds:
            assert moment[fold.train].max() < moment[fold.test].min()


def test_out_of_time_learns_from_the_past_only() -> None:
    time = np.random.default_rng(1).integers(2000, 2020, 300)
    y = np.random.default_rng(2).normal(size=300)
    group = np.arange(300) % 100
    for persons in (None, group):
        plan = planned(y, 0, persons, time=time, splits=4)
        assert len(plan.folds) == 4
        for fold in plan.folds:
            assert time[fold.train].max() < time[fold.test].min()
            assert persons is None or not set(group[fold.train]) & set(group[fold.test])
    assert "out of time" in plan.words


def test_by_site_leaves_whole_sites_out() -> None:
    site = np.array(["a", "b", "c"] * 20)
    plan = planned(np.arange(60.0), 0, None, site=site)
    assert [fold.name for fold in plan.folds] == ["site a", "site b", "site c"]
    many = np.arange(60) % 30
    for fold in planned(np.arange(60.0), 0, None, site=many, splits=3).folds:
        assert not set(many[fold.train]) & set(many[fold.test])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"splits": 1}, "splits is a whole number of at least 2"),
        ({"repeats": 0}, "repeats is a whole number"),
        ({"time": np.arange(20), "site": np.arange(20)}, "not both"),
        ({"time": np.arange(20), "repeats": 2}, "only one way to split"),
        ({"splits": 30}, "at least as many rows; there are 20"),
        ({"time": np.zeros(20)}, "too few different values"),
        ({"time": np.array([f"visit {i}" for i in range(20)])}, "not read as a date in 20 of 20"),
        ({"site": np.zeros(20)}, "one value only"),
        ({"site": np.append(np.nan, np.zeros(19))}, "site is missing in 1 of 20 rows"),
        ({"site": np.array([None] + ["x"] * 19)}, "site is missing in 1 of 20 rows"),
        ({"time": np.array(["NaT"] + ["2020-01-01"] * 19, "datetime64[D]")}, "time is missing in 1"),
        ({"site": np.zeros(19)}, "one value for each of the 20 rows"),
        ({"splits": 5}, r"rarest class has 3 rows, too few for 5 folds"),
        ({"site": np.repeat([0, 1], [3, 17])}, r"has 1 of 2 classes to learn from"),
    ],
)
def test_refusals(options: dict[str, object], message: str) -> None:
    y = np.repeat([1, 0], [3, 17])
    with pytest.raises(ValueError, match=message):
        planned(y, 2, None, **options)  # type: ignore[arg-type]


def test_a_fold_whose_persons_are_all_to_be_predicted_is_refused() -> None:
    with pytest.raises(ValueError, match="no rows to learn from"):
        planned(np.arange(20.0), 0, np.arange(20) % 10, site=np.repeat([0, 1], 10), splits=2)


PERSONS = np.arange(200) % 50


@pytest.mark.parametrize("name", ["patient_nbr", "PatientID", "subject#", "id", "member_id", "patient_id", "病人编号"])
def test_a_repeated_identifier_is_refused_unless_waived_in_words(name: str) -> None:
    if name == "PatientID":
        name = "Patient_ID"
    with pytest.raises(ValueError, match="looks like a person's identifier"):
        refuse_hidden_persons(iter([(name, PERSONS)]), None)
    refuse_hidden_persons(iter([(name, PERSONS)]), "each visit is judged alone")
    refuse_hidden_persons(iter([(name, np.arange(200))]), None)  # one row for each
    with pytest.raises(TypeError, match="a reason in words"):
        refuse_hidden_persons(iter([(name, PERSONS)]), " ")


@pytest.mark.parametrize("name", ["age", "width", "casein", "candidate", "bidet", "personality"])
def test_other_columns_are_no_identifiers(name: str) -> None:
    refuse_hidden_persons(iter([(name, PERSONS)]), None)
