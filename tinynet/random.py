"""Where chance comes from: one NumPy Generator on the host, and a counter-based hash for dropout masks.

Initial weights and shuffles are drawn from a Generator, so every backend is given the same ones. A dropout mask is no
sequence of draws but a function of (seed, layer, step, element): any machine, any thread, any slice of a batch
computes the same mask without memory and without asking another.
"""

from __future__ import annotations

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.settings import whole

_generator: np.random.Generator | None = None  # made when first needed: loading numpy.random takes ten milliseconds


def set_random_seed(seed: int) -> None:
    """Make what follows reproducible: initial weights, shuffles and dropout of every model made from now on.

    NumPy's own global state is left alone. Raises ValueError for what is no whole number of at least 0.
    """
    global _generator
    _generator = np.random.default_rng(whole("seed", seed, 0))


def new_generator() -> np.random.Generator:
    """A Generator of a model's own, seeded from the one that `set_random_seed` sets."""
    global _generator
    if _generator is None:
        _generator = np.random.default_rng()
    return np.random.default_rng(_generator.integers(2**63))


def mixed(x: Array) -> Array:
    """A bijection of 32-bit numbers in which every bit of the result depends on every bit of x.

    It is the finalizer of MurmurHash3 (Appleby 2011), made of shifts and 32-bit products, which vectorise everywhere.
    """
    x = x ^ (x >> np.uint32(16))
    x = x * np.uint32(0x85EBCA6B)
    x = x ^ (x >> np.uint32(13))
    x = x * np.uint32(0xC2B2AE35)
    result: Array = x ^ (x >> np.uint32(16))
    return result


def stream_key(seed: int, layer: int, step: int) -> tuple[int, int]:
    """Two 32-bit keys for the mask of one layer in one step."""
    words = np.array([seed, seed >> 32, layer, step], dtype=np.uint64).astype(np.uint32)
    key = np.zeros(1, np.uint32)
    keys = []
    for salt in (0x9E3779B9, 0x7F4A7C15):
        key = key + np.uint32(salt)
        for word in words:
            key = mixed(key ^ word) + np.uint32(salt)
        keys.append(int(key[0]))
    return keys[0], keys[1]


def keep_mask(shape: tuple[int, ...], rate: float, seed: int, layer: int, step: int) -> Array:
    """True where an element stays: with probability 1 - rate, decided by its place in the batch.

    The element at row i and column j of an (n, m) batch has the number i m + j (modulo 2^32).
    """
    first, second = stream_key(seed, layer, step)
    element = np.arange(int(np.prod(shape)), dtype=np.uint32)
    chance = mixed(mixed(element ^ np.uint32(first)) + np.uint32(second))
    kept: Array = chance >= np.uint32(min(round(rate * 2**32), 2**32 - 1))
    return kept.reshape(shape)
