"""Intervals: they cover, persons count as wholes, pairing sharpens differences, and few persons are said to be few."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from tinynet.formulas.vocabulary import Array
from tinynet.tabular.intervals import Estimate, bootstrapped, draws_of, interval, wilson
from tinynet.tabular.measures import Measures


def mean_interval(values: Array, group: Array, groups: int, draws: int = 400, seed: int = 0) -> Estimate:
    """The interval of a mean of rows in groups."""
    sums, rows = np.bincount(group, values, groups), np.bincount(group, minlength=groups)
    once, drawn = bootstrapped(
        lambda counts: {"mean": counts @ sums / (counts @ rows)}, groups, draws, seed, show=False
    )
    return interval(once["mean"], drawn["mean"], groups)


def test_every_draw_has_as_many_groups_and_a_seed_repeats() -> None:
    counts = np.concatenate(list(draws_of(30, 50, 1, 4_000_000)))
    assert counts.shape == (50, 30)
    assert (counts.sum(axis=1) == 30).all()
    np.testing.assert_array_equal(counts, np.concatenate(list(draws_of(30, 50, 1, 10))))


def test_rows_that_repeat_within_persons_do_not_narrow_the_interval() -> None:
    values = np.random.default_rng(0).normal(size=40)
    person = np.arange(40)
    alone = mean_interval(values, person, 40)
    ten_times = np.tile(values, 10)
    by_person = mean_interval(ten_times, np.tile(person, 10), 40)
    by_row = mean_interval(ten_times, np.arange(400), 400)
    assert (by_person.low, by_person.high) == pytest.approx((alone.low, alone.high))
    assert by_person.high - by_person.low > 2.5 * (by_row.high - by_row.low)  # about the root of ten


def covered(n: int, trials: int, seed: int) -> float:
    """How often the interval of the mean of n normal numbers holds 0."""
    generator = np.random.default_rng(seed)
    found = [mean_interval(generator.normal(size=n), np.arange(n), n, 300, i) for i in range(trials)]
    return float(np.mean([one.low <= 0 <= one.high for one in found]))


def test_intervals_of_few_persons_cover_about_95_percent() -> None:
    assert covered(8, 150, 1) == pytest.approx(0.95, abs=0.05)  # plain percentiles cover about 88 %


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("name", "least"), [("AUROC", 0.93), ("AUPRC", 0.88), ("Brier score", 0.93), ("log loss", 0.93)]
)
def test_intervals_of_measures_cover(name: str, least: float) -> None:
    """Persons with two rows of one risk and outcomes of their own; the truth from a very large sample."""
    generator, hits, trials = np.random.default_rng(3), 0, 400

    def sample(persons: int) -> tuple[Array, Array]:
        z = np.repeat(generator.normal(size=persons) - 1.0, 2)
        p = 1 / (1 + np.exp(-z))
        return (generator.random(len(p)) < p).astype(int), p

    y, p = sample(300_000)
    truth = Measures("binary", y, p, np.zeros(len(y)), np.zeros(len(y), int), 1)(np.ones((1, 1)))[name][0]
    for seed in range(trials):
        y, p = sample(100)
        statistic = Measures("binary", y, p, np.zeros(200), np.repeat(np.arange(100), 2), 100)
        once, drawn = bootstrapped(statistic, 100, 400, seed, show=False)
        one = interval(once[name], drawn[name], 100)
        hits += one.low <= truth <= one.high
    assert least <= hits / trials <= 0.99


def test_no_interval_where_draws_leave_the_number_undefined() -> None:
    drawn = np.append(np.full(20, np.nan), np.linspace(0, 1, 80))
    assert np.isnan(interval(0.5, drawn, 50).low)
    assert np.isnan(interval(0.5, drawn[20:], 1).high)
    assert np.isnan(interval(np.nan, drawn[20:], 50).high)


def test_a_number_that_never_varies_has_an_interval_of_one_point() -> None:
    assert interval(0.5, np.full(100, 0.5), 40) == Estimate(0.5, 0.5, 0.5)


def test_estimates_in_words() -> None:
    assert f"{Estimate(0.5, 0.25, 0.75):.2f}" == "0.50 (0.25 to 0.75)"
    assert f"{Estimate(0.5, np.nan, np.nan):.2f}" == "0.50 (no interval)"
    assert f"{Estimate(np.nan, np.nan, np.nan):.2f}" == "-"
    assert Estimate(0.5, 0.4, 0.6).excludes(0.3)
    assert not Estimate(0.5, 0.4, 0.6).excludes(0.5)


def test_wilson_equals_the_published_example() -> None:
    """81 of 263: 0.2553 to 0.3662 (Newcombe 1998, table I, method 3)."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20)[0] == pytest.approx(0.0, abs=1e-12)
    assert wilson(20, 20)[1] == pytest.approx(1.0, abs=1e-12)
