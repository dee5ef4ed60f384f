"""Learning-rate schedules: Keras 3's numbers, and what each promises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinynet as tn
from tinynet.schedules import SCHEDULES, Constant, CosineDecay, ExponentialDecay, LearningRateSchedule

# (schedule, step -> rate), the rates as Keras 3.12 gives them, in float32
KERAS = [
    (ExponentialDecay(0.1, 10, 0.5), {0: 0.1, 5: 0.0707106813, 10: 0.05, 25: 0.0176776703}),
    (ExponentialDecay(0.1, 10, 0.5, staircase=True), {0: 0.1, 9: 0.1, 10: 0.05, 25: 0.025}),
    (CosineDecay(0.1, 20, alpha=0.1), {0: 0.1, 5: 0.0868198127, 10: 0.055, 20: 0.01, 30: 0.01}),
    (CosineDecay(0.0, 20, warmup_target=0.2, warmup_steps=4), {0: 0.0, 1: 0.05, 4: 0.2, 14: 0.1, 24: 0.0, 30: 0.0}),
    (Constant(0.3), {0: 0.3, 1000: 0.3}),
]


@pytest.mark.parametrize(("schedule", "rates"), KERAS, ids=str)
def test_rates_are_those_of_keras(schedule: LearningRateSchedule, rates: dict[int, float]) -> None:
    for step, rate in rates.items():
        assert schedule(step) == pytest.approx(rate, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("schedule", [schedule for schedule, _ in KERAS], ids=str)
def test_a_saved_schedule_is_the_same(schedule: LearningRateSchedule) -> None:
    again = SCHEDULES.get(SCHEDULES.saved(schedule))
    assert [again(step) for step in range(40)] == [schedule(step) for step in range(40)]


@given(steps=st.integers(1, 50), warm=st.integers(0, 20), alpha=st.floats(0, 1))
def test_cosine_rises_then_falls(steps: int, warm: int, alpha: float) -> None:
    schedule = CosineDecay(0.0, steps, alpha, warmup_target=1.0, warmup_steps=warm)
    rates = [schedule(step) for step in range(warm + steps + 5)]
    assert max(rates) == 1.0 == rates[warm]
    assert np.all(np.diff(rates[: warm + 1]) >= 0)
    assert np.all(np.diff(rates[warm:]) <= 1e-12)
    assert rates[-1] == pytest.approx(alpha)


def test_each_step_takes_its_own_rate() -> None:
    """On L = mean (w x)^2 / 2 with x = 1 a step multiplies w with 1 - rate."""
    schedule = ExponentialDecay(0.5, 1, 0.5)
    model = tn.Sequential([tn.layers.Dense(1, use_bias=False, input_shape=[1])], dtype="float64")
    model.compile(tn.optimizers.SGD(schedule), "mse")
    model.set_weights([[[1.0]]])
    model.fit(np.ones((3, 1)), np.zeros(3), batch_size=1, verbose=0)
    expected = (1 - 2 * 0.5) * (1 - 2 * 0.25) * (1 - 2 * 0.125)
    assert model.get_weights()[0][0, 0] == expected
    assert model.optimizer.learning_rate == 0.125


def test_a_scheduled_rate_cannot_be_set_as_well() -> None:
    optimizer = tn.optimizers.Adam(CosineDecay(0.1, 10))
    with pytest.raises(TypeError, match="follows CosineDecay"):
        optimizer.learning_rate = 0.1


@pytest.mark.parametrize(
    "make",
    [
        lambda: ExponentialDecay(0.0, 10, 0.5), lambda: ExponentialDecay(0.1, 0, 0.5), lambda: CosineDecay(0.0, 10),
        lambda: CosineDecay(-0.1, 10, warmup_target=1.0), lambda: CosineDecay(0.1, -1), lambda: Constant(-1.0),
        lambda: tn.optimizers.SGD(0.0), lambda: tn.optimizers.SGD(float("nan")),
    ],
)  # fmt: skip
def test_senseless_rates_are_refused(make: object) -> None:
    with pytest.raises(ValueError, match=r"is above 0.*; given was"):
        make()
