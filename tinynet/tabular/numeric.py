"""Numbers for a network: scaled by the middle of the training rows, long tails drawn in, gaps filled and marked."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.tabular.cells import LARGEST
from tinynet.tabular.crowd import CROWD, blocks, blurred

HEAVY = 6.0  # scales from the median; a column with more than 1 % of its values beyond it has a heavy tail
LIMIT = 3.0  # what smooth clipping tends to
BLOCKS = 1000


class Robust:
    """z = (x - median) / IQR;  where a tail is heavy z <- asinh(z);  a = z / sqrt(1 + (z / 3)^2), within -3 and 3.

    Source: D. Holzmueller, L. Grinsztajn, I. Steinwart, Better by default: strong pre-tuned MLPs and boosted trees on
    tabular data (RealMLP), 2024. asinh, which is linear near 0 and a logarithm far from it, is ours: the largest costs
    and counts stay apart. Where the IQR is 0, the scale is the median of |x - median| over the x that differ from it.
    Median and quartiles are blurred (`crowd.blurred`), so that none is one person's value; where five values are not
    there, nothing is scaled.
    """

    def __init__(self, center: float, scale: float, heavy: bool) -> None:
        self.center, self.scale, self.heavy = center, scale, heavy

    @classmethod
    def fitted(cls, x: Array) -> Robust:
        """From the training rows' finite values, which may be none."""
        if len(x) < CROWD:
            return cls(0.0, 1.0, False)
        low, center, high = blurred(np.sort(x), np.array([0.25, 0.5, 0.75])).tolist()
        away = np.abs(x - center)
        scale = high - low
        if not scale > 0:
            (scale,) = blurred(np.sort(away[away > 0]), np.array([0.5])).tolist() or [1.0]
        return cls(center, scale, bool((away > HEAVY * scale).mean() > 0.01))

    def __call__(self, x: Array) -> Array:
        with np.errstate(over="ignore"):  # by a scale that is nearly 0
            z = np.clip((x - self.center) / self.scale, -LARGEST, LARGEST)
        z = np.arcsinh(z) if self.heavy else z
        a: Array = z / np.hypot(1.0, z / LIMIT)
        return a

    def get_config(self) -> dict[str, Any]:
        return {"center": self.center, "scale": self.scale, "heavy": self.heavy}

    def arrays(self) -> dict[str, Array]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any], arrays: dict[str, Array]) -> Robust:
        return cls(float(config["center"]), float(config["scale"]), bool(config["heavy"]))


class Quantile:
    """a = Phi^-1(F(x)): the share of training rows below x, as a quantile of the normal distribution.

    F goes in straight lines between the means of up to 1,000 blocks of the sorted training rows (see `crowd.blocks`),
    the k-th of K at the share (k - 1/2) / K; where means are equal it is the middle of their shares. Beyond the outer
    means it stays. scikit-learn's QuantileTransformer(output_distribution="normal") keeps single rows' values instead,
    the least and the greatest too; F differs from its by at most the share of a block or so.
    """

    def __init__(self, means: Array) -> None:
        self.means = np.asarray(means, np.float64)

    @classmethod
    def fitted(cls, x: Array) -> Quantile:
        """From the training rows' finite values, which may be none."""
        return cls(blocks(np.sort(x), BLOCKS))

    def __call__(self, x: Array) -> Array:
        q = self.means
        if not len(q) or q[0] == q[-1]:
            return np.zeros(len(x))
        shares = (np.arange(len(q)) + 0.5) / len(q)
        share = 0.5 * (np.interp(x, q, shares) - np.interp(-x, -q[::-1], -shares[::-1]))
        return normal_quantile(share)

    def get_config(self) -> dict[str, Any]:
        return {}

    def arrays(self) -> dict[str, Array]:
        return {"means": self.means}

    @classmethod
    def from_config(cls, config: dict[str, Any], arrays: dict[str, Array]) -> Quantile:
        return cls(arrays["means"])


def normal_quantile(p: Array) -> Array:
    """Phi^-1(p), the normal distribution's quantile, -inf at 0 and inf at 1; relative error below 1e-15.

    Source: M. J. Wichura, Algorithm AS 241: the percentage points of the normal distribution, Applied Statistics 37,
    1988.
    """
    q = p - 0.5
    tail = np.minimum(p, 1.0 - p)
    with np.errstate(divide="ignore", invalid="ignore"):
        r = np.sqrt(-np.log(tail))
        middle = q * ratio(0.180625 - q * q, A, B)
        near, far = ratio(r - 1.6, C, D), ratio(r - 5.0, E, F)
    far = np.where(np.isinf(r), math.inf, far)
    out: Array = np.where(np.abs(q) <= 0.425, middle, np.copysign(np.where(r <= 5.0, near, far), q))
    return out


def ratio(x: Array, above: list[float], below: list[float]) -> Array:
    """A quotient of two polynomials, coefficients from the constant on."""
    return np.polyval(above[::-1], x) / np.polyval(below[::-1], x)


A = [
    3.3871328727963666080,
    1.3314166789178437745e2,
    1.9715909503065514427e3,
    1.3731693765509461125e4,
    4.5921953931549871457e4,
    6.7265770927008700853e4,
    3.3430575583588128105e4,
    2.5090809287301226727e3,
]
B = [
    1.0,
    4.2313330701600911252e1,
    6.8718700749205790830e2,
    5.3941960214247511077e3,
    2.1213794301586595867e4,
    3.9307895800092710610e4,
    2.8729085735721942674e4,
    5.2264952788528545610e3,
]
C = [
    1.42343711074968357734,
    4.63033784615654529590,
    5.76949722146069140550,
    3.64784832476320460504,
    1.27045825245236838258,
    2.41780725177450611770e-1,
    2.27238449892691845833e-2,
    7.74545014278341407640e-4,
]
D = [
    1.0,
    2.05319162663775882187,
    1.67638483018380384940,
    6.89767334985100004550e-1,
    1.48103976427480074590e-1,
    1.51986665636164571966e-2,
    5.47593808499534494600e-4,
    1.05075007164441684324e-9,
]
E = [
    6.65790464350110377720,
    5.46378491116411436990,
    1.78482653991729133580,
    2.96560571828504891230e-1,
    2.65321895265761230930e-2,
    1.24266094738807843860e-3,
    2.71155556874348757815e-5,
    2.01033439929228813265e-7,
]
F = [
    1.0,
    5.99832206555887937690e-1,
    1.36929880922735805310e-1,
    1.48753612908506148525e-2,
    7.86869131145613259100e-4,
    1.84631831751005468180e-5,
    1.42151175831644588870e-7,
    2.04426310338993978564e-15,
]

SCALINGS: dict[str, type[Robust] | type[Quantile]] = {"robust": Robust, "quantile": Quantile}
