"""Every formula of the package, and arguments to try each with."""

import inspect

import numpy as np

from tinynet.formulas import activations, losses, rows, updates
from tinynet.formulas.reader import read

MODULES = (activations, losses, rows, updates)
EVERY = [
    f for module in MODULES for f in vars(module).values() if inspect.isfunction(f) and f.__module__ == module.__name__
]
ACTIVATIONS = [f for f in EVERY if f.__module__ == activations.__name__ and hasattr(f, "derivative")]
LOSSES = [f for f in EVERY if f.__module__ == losses.__name__ and hasattr(f, "derivative")]
ELEMENTWISE = [f for f in EVERY if hasattr(f, "derivative") and not read(f).is_row]
ROW_LOSSES = [f for f in LOSSES if read(f).is_row]
WITH_GRADIENT = [f for f in EVERY if hasattr(f, "gradient")]
UPDATES = [f for f in EVERY if f.__module__ == updates.__name__]

PROBABILITIES = {"binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy", "held_inside"}

# Scalars away from their defaults, for every name that a scalar has in the package.
OTHER_SCALARS = {
    "alpha": 0.7, "negative_slope": 0.1, "delta": 0.6, "q": 0.3, "epsilon": 0.01, "l1": 0.3, "l2": 0.2,
    "learning_rate": 0.05, "momentum": 0.8, "rho": 0.7, "rate": 0.6, "beta_1": 0.8, "beta_2": 0.95,
    "weight_decay": 0.1, "step": 3.0, "limit": 0.4,
    "c0": 4.0, "value": 3.0, "β": 0.7,
}  # fmt: skip


def name_of(function):
    return function.__name__


def other_scalars(function):
    """The function's scalars, away from their defaults."""
    return {name: OTHER_SCALARS[name] for name in read(function).scalars}


def loss_name(function):
    return name_of(function).removesuffix("_derivative")


def levels(function):
    """Which arguments are not whole rows of elements: class numbers (n, 1), and one number for each column (m,)."""
    name = name_of(function)
    if name.startswith("sparse") or name == "one_hot":
        return {"t": "row"}
    if name == "mixed_levels":
        return {"offset": "row"}
    return {array: "column" for array in read(function).arrays if array in ("gamma", "beta")}


def arguments(function, rng, shape=(6, 5), dtype=np.float64):
    """Arrays that suit the function, in the order in which it takes them."""
    n, m = shape
    drawn = []
    for array in read(function).arrays:
        values = rng.standard_normal(shape)
        if levels(function).get(array) == "column":
            values = values[0]
        elif levels(function).get(array) == "row":
            values = rng.integers(m, size=(n, 1))
        elif array in ("v", "square_norm"):
            values = values**2
        elif array == "y" and loss_name(function) in PROBABILITIES:
            values = rng.uniform(0.1, 0.9, shape)
        elif array == "y" and loss_name(function) == "poisson":
            values = rng.uniform(0.2, 4.0, shape)
        elif array == "t" and "crossentropy" in name_of(function):
            values = rng.uniform(0.0, 1.0, shape)
        drawn.append(np.asarray(values, dtype))
    return drawn
