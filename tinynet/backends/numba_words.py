"""The vocabulary of formulas as functions of one number that vectorise.

numba has no vector exp, so these are written in + - * / and bits. The relative error is about 1e-7 in float32 and 4e-16
in float64; NaN, infinities and denormal numbers are kept.
"""

from __future__ import annotations

import functools
from math import factorial, inf, nan
from math import log as ln
from typing import Any

import numpy as np
from numba import carray, njit, types
from numba.extending import intrinsic

from tinynet.backends.numba_compiler import REASSOCIATED, inline, pointer_to
from tinynet.formulas.vocabulary import ERF_LIMIT, ERF_SERIES

INTEGERS = {types.float32: types.int32, types.float64: types.int64}


@intrinsic
def bits(typing_context: Any, x: Any) -> Any:
    """The bit pattern of a float, as an integer of its size."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(signature.return_type))

    return INTEGERS[x](x), build


@intrinsic
def from_bits(typing_context: Any, i: Any) -> Any:
    """The float with this bit pattern."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(signature.return_type))

    return {integer: real for real, integer in INTEGERS.items()}[i](i), build


def polynomial(coefficients: Any, real: Any) -> Any:
    """A function x -> c0 + x (c1 + x (c2 + ...)), unrolled."""
    text = "0"
    for i in reversed(range(len(coefficients))):
        text = f"c{i}" if text == "0" else f"c{i} + x * ({text})"
    names = {f"c{i}": real(c) for i, c in enumerate(coefficients)}
    exec(f"def horner(x): return {text}", names)
    return inline(names["horner"])


@functools.cache
def words(dtype: str) -> dict[str, Any]:
    """Name -> function of one number, for "float32" or "float64"; and the types that printed formulas name."""
    real = np.dtype(dtype).type
    single = real is np.float32
    integer = np.int32 if single else np.int64
    mantissa, bias = integer(23 if single else 52), integer(127 if single else 1023)
    low, high, tiny = (real(-104), real(89), real(2.0**-126)) if single else (real(-746), real(710), real(2.0**-1022))
    round_magic = real(1.5 * 2.0 ** int(mantissa))  # adding it leaves the nearest integer in the low bits
    magic_bits = round_magic.view(integer)
    log2_e, zero, one, two = real(1 / ln(2)), real(0), real(1), real(2)
    ln2_high = real(0.693359375 if single else float.fromhex("0x1.62e42fefa3800p-1"))
    ln2_low = real(-2.12194440054690583e-4 if single else float.fromhex("0x1.ef35793c76730p-45"))
    infinity, not_a_number = real(inf), real(nan)
    root_half_bits = real(0.5**0.5).view(integer)
    normal_scale, normal_exponent = real(2.0 ** int(mantissa)), real(int(mantissa))

    tail = polynomial([1 / factorial(n) for n in range(2, 8 if single else 15)], real)  # (e^r - 1 - r) / r^2
    atanh_tail = polynomial([2 / (2 * n + 3) for n in range(5 if single else 11)], real)  # (2 atanh(s) - 2 s) / s^3
    erf_limit, tanh_limit = real(ERF_LIMIT[dtype]), real(22)
    erf_series = polynomial(ERF_SERIES[dtype], real)

    @inline
    def power_of_two(k):
        return from_bits(integer((k + bias) << mantissa))

    @inline
    def reduce(x):
        """k and p with e^x = 2^k (1 + p), |p| < 0.42."""
        x = low if x < low else x
        x = high if x > high else x
        shifted = x * log2_e + round_magic
        k = shifted - round_magic
        r = (x - k * ln2_high) - k * ln2_low
        return integer(bits(shifted) - magic_bits), r + r * r * tail(r)

    @inline
    def exp(x):
        k, p = reduce(x)
        first = integer(k >> integer(1))  # two factors, so that neither overflows where the product does not
        return (one + p) * power_of_two(first) * power_of_two(integer(k - first))

    @inline
    def expm1(x):
        k, p = reduce(x)
        first = integer(k >> integer(1))
        a, second = power_of_two(first), integer(k - first)
        return (p * a + (a - power_of_two(integer(-second)))) * power_of_two(second)

    @inline
    def log(x):
        small = x < tiny
        scaled = x * normal_scale if small else x
        e = integer((bits(scaled) - root_half_bits) >> mantissa)
        f = from_bits(integer(bits(scaled) - integer(e << mantissa))) - one
        exponent = real(e) - (normal_exponent if small else zero)
        s = f / (two + f)
        z = s * s
        value = exponent * ln2_high + (two * s + (s * z * atanh_tail(z) + exponent * ln2_low))
        value = x if x == infinity else value
        value = -infinity if x == zero else value
        return value if x >= zero else not_a_number

    @inline
    def log1p(x):
        u = one + x
        lost = (x - (u - one)) / u  # what rounding 1 + x dropped
        return log(u) + (lost if u > zero and u < infinity else zero)

    @inline
    def absolute(x):
        return abs(x)

    @inline
    def tanh(x):
        size = abs(x)
        e = expm1(two * (tanh_limit if size > tanh_limit else size))
        t = e / (e + two)
        return -t if x < zero else t

    @inline
    def erf(x):
        size = abs(x)
        size = erf_limit if size > erf_limit else size
        t = -expm1(-size * erf_series(size))
        return -t if x < zero else t

    @inline
    def sqrt(x):
        return np.sqrt(x)

    @inline
    def sign(x):
        return one if x > zero else (-one if x < zero else x)

    @inline
    def maximum(x, y):
        return x if x > y or x != x else y

    @inline
    def minimum(x, y):
        return x if x < y or x != x else y

    return {
        "exp": exp, "expm1": expm1, "log": log, "log1p": log1p, "tanh": tanh, "erf": erf, "sqrt": sqrt,
        "abs": absolute, "sign": sign, "maximum": maximum, "minimum": minimum,
        "real": types.float32 if single else types.float64, "double": types.float64,
        "pointer": pointer_to(types.float32 if single else types.float64),
    }  # fmt: skip


def scope(dtype: str) -> dict[str, Any]:
    """The names that the text of a printed kernel uses."""
    helpers = {"integers": pointer_to(types.int64), "doubles": pointer_to(types.float64)}
    return {**words(dtype), **helpers, "carray": carray, "inline": inline}


def summing(function: Any) -> Any:
    """Decorates a plain sum, whose terms may be added in any order, so that it vectorises."""
    return njit(**REASSOCIATED)(function)
