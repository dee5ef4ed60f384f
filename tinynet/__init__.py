"""tinynet: deep learning from scratch on NumPy, each formula written once, proven, and run in plain sight."""

__version__ = "0.1.0"

from tinynet import activations, callbacks, initializers, layers, losses, metrics, optimizers, regularizers
from tinynet.formulas.formula import Formula, derivative_of, gradient_of
from tinynet.gradcheck import GradientError, check_layer, gradcheck
from tinynet.model import Sequential
from tinynet.model_file import load_model
from tinynet.persistence import ModelFileError
from tinynet.random import set_random_seed
from tinynet.stack import Input
from tinynet.training import NonFiniteError

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
    "load_model",
    "losses",
    "metrics",
    "optimizers",
    "regularizers",
    "set_random_seed",
]
