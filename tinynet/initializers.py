"""Initial values of parameters, drawn from one Generator; names, formulas and defaults as in Keras 3.

fan_in and fan_out are the two sides of a matrix (n_in, n_out); of a vector, both are its length.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.registry import Registry
from tinynet.settings import real, whole

Shape = tuple[int, ...]


def fans(shape: Shape) -> tuple[int, int]:
    """(fan_in, fan_out)."""
    return (shape[0], shape[-1]) if shape else (1, 1)


class Initializer:
    """Draws a parameter's first values: `initializer(shape, generator)` returns float64."""

    def __call__(self, shape: Shape, generator: np.random.Generator) -> Array:
        raise NotImplementedError

    def config(self) -> dict[str, Any]:
        """What `__init__` takes to make this initializer again."""
        return {name: value for name, value in vars(self).items() if name != "seed" or value is not None}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.config().items())})"


class Constant(Initializer):
    """Every element is `value`."""

    def __init__(self, value: float = 0.0) -> None:
        self.value = real("value", value)

    def __call__(self, shape: Shape, generator: np.random.Generator) -> Array:
        return np.full(shape, self.value)


class Zeros(Initializer):
    """Every element is 0."""

    def __call__(self, shape: Shape, generator: np.random.Generator) -> Array:
        return np.zeros(shape)


class Ones(Initializer):
    """Every element is 1."""

    def __call__(self, shape: Shape, generator: np.random.Generator) -> Array:
        return np.ones(shape)


class Random(Initializer):
    """The base of those that draw. With a `seed` an initializer draws the same numbers each time it is asked, whatever
    the model's generator; the numbers are NumPy's and not those of Keras. Default None: the model's generator draws.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = None if seed is None else whole("seed", seed, 0)

    def __call__(self, shape: Shape, generator: np.random.Generator) -> Array:
        return self.draw(shape, generator if self.seed is None else np.random.default_rng(self.seed))

    def draw(self, shape: Shape, generator: np.random.Generator) -> Array:
        raise NotImplementedError


class RandomUniform(Random):
    """Uniform between `minval` and `maxval`."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.minval = real("minval", minval)
        self.maxval = real("maxval", maxval, least=self.minval)

    def draw(self, shape: Shape, generator: np.random.Generator) -> Array:
        return generator.uniform(self.minval, self.maxval, shape)


class RandomNormal(Random):
    """Normal with `mean` and `stddev`."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean, self.stddev = real("mean", mean), real("stddev", stddev, least=0.0)

    def draw(self, shape: Shape, generator: np.random.Generator) -> Array:
        return generator.normal(self.mean, self.stddev, shape)


# The standard deviation of a standard normal cut off at -2 and 2, by which the cut is made good.
CUT_NORMAL_DEVIATION = 0.87962566103423978


def truncated_normal(deviation: float, shape: Shape, generator: np.random.Generator) -> Array:
    """Normal of mean 0, drawn again beyond two standard deviations, with the standard deviation `deviation`."""
    drawn = generator.standard_normal(shape)
    while (far := np.abs(drawn) > 2.0).any():
        drawn[far] = generator.standard_normal(int(far.sum()))
    return drawn * (deviation / CUT_NORMAL_DEVIATION)


class TruncatedNormal(RandomNormal):
    """Normal with `mean` and `stddev`, drawn again beyond two standard deviations."""

    def draw(self, shape: Shape, generator: np.random.Generator) -> Array:
        return self.mean + truncated_normal(self.stddev * CUT_NORMAL_DEVIATION, shape, generator)


class GlorotUniform(Random):
    """Uniform within sqrt(6 / (fan_in + fan_out)) of 0 (Glorot and Bengio 2010): Keras's default for kernels."""

    def draw(self, shape: Shape, generator: np.random.Generator) -> Array:
        limit = (6.0 / sum(fans(shape))) ** 0.5
        return generator.uniform(-limit, limit, shape)


class GlorotNormal(Random):
    """Truncated normal of standard deviation sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""

    def draw(self, shape: Shape, generator: np.random.Generator) -> Array:
        return truncated_normal((2.0 / sum(fans(shape))) ** 0.5, shape, generator)


class HeUniform(Random):
    """Uniform within sqrt(6 / fan_in) of 0 (He et al. 2015)."""

    def draw(self, shape: Shape, generator: np.random.Generator) -> Array:
        limit = (6.0 / fans(shape)[0]) ** 0.5
        return generator.uniform(-limit, limit, shape)


class HeNormal(Random):
    """Truncated normal of standard deviation sqrt(2 / fan_in) (He et al. 2015)."""

    def draw(self, shape: Shape, generator: np.random.Generator) -> Array:
        return truncated_normal((2.0 / fans(shape)[0]) ** 0.5, shape, generator)


class LecunUniform(Random):
    """Uniform within sqrt(3 / fan_in) of 0 (LeCun et al. 1998)."""

    def draw(self, shape: Shape, generator: np.random.Generator) -> Array:
        limit = (3.0 / fans(shape)[0]) ** 0.5
        return generator.uniform(-limit, limit, shape)


class LecunNormal(Random):
    """Truncated normal of standard deviation sqrt(1 / fan_in) (LeCun et al. 1998)."""

    def draw(self, shape: Shape, generator: np.random.Generator) -> Array:
        return truncated_normal((1.0 / fans(shape)[0]) ** 0.5, shape, generator)


INITIALIZERS: Registry[Initializer] = Registry(
    "initializer",
    Initializer,
    {
        "constant": Constant,
        "zeros": Zeros,
        "zero": Zeros,
        "ones": Ones,
        "one": Ones,
        "random_uniform": RandomUniform,
        "uniform": RandomUniform,
        "random_normal": RandomNormal,
        "normal": RandomNormal,
        "truncated_normal": TruncatedNormal,
        "glorot_uniform": GlorotUniform,
        "glorot_normal": GlorotNormal,
        "he_uniform": HeUniform,
        "he_normal": HeNormal,
        "lecun_uniform": LecunUniform,
        "lecun_normal": LecunNormal,
    },
)
