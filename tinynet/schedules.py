"""Learning rates that change from step to step; names, formulas and defaults as in Keras 3.

A schedule is a function of the number of steps taken before, counted from 0, and returns the learning rate of the next.
"""

from __future__ import annotations

import math
from typing import Any

from tinynet.registry import Registry
from tinynet.settings import real, whole


class LearningRateSchedule:
    """The base of schedules: `schedule(step)` is the learning rate after so many steps."""

    def __call__(self, step: int) -> float:
        raise NotImplementedError

    def config(self) -> dict[str, Any]:
        """What `__init__` takes to make this schedule again."""
        return dict(vars(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.config().items())})"


class Constant(LearningRateSchedule):
    """The same rate at every step."""

    def __init__(self, learning_rate: float) -> None:
        self.learning_rate = real("learning_rate", learning_rate, above=0.0)

    def __call__(self, step: int) -> float:
        return self.learning_rate


class ExponentialDecay(LearningRateSchedule):
    """initial_learning_rate decay_rate^(step / decay_steps); with `staircase` the exponent is rounded down."""

    def __init__(
        self, initial_learning_rate: float, decay_steps: int, decay_rate: float, staircase: bool = False
    ) -> None:
        self.initial_learning_rate = real("initial_learning_rate", initial_learning_rate, above=0.0)
        self.decay_steps = real("decay_steps", decay_steps, above=0.0)
        self.decay_rate = real("decay_rate", decay_rate, above=0.0)
        self.staircase = bool(staircase)

    def __call__(self, step: int) -> float:
        exponent = step / self.decay_steps
        return self.initial_learning_rate * self.decay_rate ** (math.floor(exponent) if self.staircase else exponent)


class CosineDecay(LearningRateSchedule):
    """Half a cosine from the top rate down to alpha times it, over decay_steps (Loshchilov and Hutter 2017).

    With `warmup_target` and `warmup_steps` the rate first rises in a straight line from initial_learning_rate to
    warmup_target, which then is the top.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> None:
        self.initial_learning_rate = real("initial_learning_rate", initial_learning_rate)
        if initial_learning_rate < 0 or (warmup_target is None and initial_learning_rate == 0):
            raise ValueError(f"initial_learning_rate is above 0 (0 with a warm-up); given was {initial_learning_rate}")
        self.decay_steps, self.alpha = real("decay_steps", decay_steps, above=0.0), real("alpha", alpha)
        self.warmup_target = None if warmup_target is None else real("warmup_target", warmup_target, above=0.0)
        self.warmup_steps = whole("warmup_steps", warmup_steps, 0)

    def __call__(self, step: int) -> float:
        top = self.initial_learning_rate
        if self.warmup_target is not None:
            if step < self.warmup_steps:
                return top + (self.warmup_target - top) * step / self.warmup_steps
            step, top = step - self.warmup_steps, self.warmup_target
        cosine = 0.5 * (1.0 + math.cos(math.pi * min(step / self.decay_steps, 1.0)))
        return top * ((1.0 - self.alpha) * cosine + self.alpha)


SCHEDULES: Registry[LearningRateSchedule] = Registry(
    "schedule",
    LearningRateSchedule,
    {"constant": Constant, "exponential_decay": ExponentialDecay, "cosine_decay": CosineDecay},
)
