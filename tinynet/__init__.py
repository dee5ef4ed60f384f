"""tinynet: deep learning from scratch on NumPy, each formula written once, proven, and run in plain sight."""

__version__ = "0.1.0"

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tinynet import activations, callbacks, initializers, layers, losses, metrics, optimizers, regularizers, schedules
from tinynet.formulas.formula import Formula, derivative_of, gradient_of
from tinynet.gradcheck import GradientError, check_layer, gradcheck
from tinynet.layers import Input
from tinynet.model import Sequential
from tinynet.random import set_random_seed
from tinynet.training import NonFiniteError

if TYPE_CHECKING:
    from tinynet.model_file import load_model
    from tinynet.persistence import ModelFileError
    from tinynet.tabular.predictor import load

__all__ = [
    "Formula",
    "GradientError",
    "Input",
    "ModelFileError",
    "NonFiniteError",
    "Sequential",
    "activations",
    "callbacks",
    "check_layer",
    "derivative_of",
    "gradcheck",
    "gradient_of",
    "initializers",
    "layers",
    "load",
    "load_model",
    "losses",
    "metrics",
    "optimizers",
    "regularizers",
    "schedules",
    "set_random_seed",
]


def __getattr__(name: str) -> Any:
    """What reads files is loaded when first asked for: hashlib, json and pathlib would double the time of import."""
    if name == "load":  # also what a tabular estimator saved
        from tinynet.tabular.predictor import load

        return load
    if name == "load_model":
        from tinynet.model_file import load_model

        return load_model
    if name == "ModelFileError":
        from tinynet.persistence import ModelFileError

        return ModelFileError
    if name in ("models", "utils"):
        return import_module(f"tinynet.{name}")
    if name.startswith("_"):  # Python itself asks for these
        raise AttributeError(f"module 'tinynet' has no attribute {name!r}")
    from tinynet.registry import unknown

    raise AttributeError(unknown("thing in tinynet", name, [*__all__, "models", "utils"]))
