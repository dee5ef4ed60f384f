"""Keras 3 on JAX in float64 throughout: import `keras` and `jax` from here."""

import os

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"

import jax
import keras
from keras.src.backend.common import dtypes

keras.config.set_floatx("float64")
# By this table Keras on JAX takes every mean and variance through float32, whatever floatx is.
dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"

VERSIONS = {"keras": keras.__version__, "jax": jax.__version__}
DIGITS = 11
TOLERANCE = 1.1e-10  # relative, between two machines or two versions of Keras: one in the last of the digits


def short(thing):
    """The same lists and dictionaries with every float cut to DIGITS digits, and NaN as None."""
    if isinstance(thing, dict):
        return {name: short(value) for name, value in thing.items()}
    if isinstance(thing, (list, tuple)):
        return [short(value) for value in thing]
    if isinstance(thing, float):
        return None if thing != thing else float(f"{thing:.{DIGITS}g}")
    return thing


__all__ = ["TOLERANCE", "VERSIONS", "jax", "keras", "short"]
