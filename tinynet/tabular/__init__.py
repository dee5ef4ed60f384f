"""Networks on tables of health data: from raw columns to numbers for a network, and back to words."""

from importlib import import_module
from typing import Any

ROOMS = {  # loaded when first asked for: the estimators need scikit-learn, serving does not
    "TabularClassifier": "classifier",
    "TabularRegressor": "regressor",
    "Predictor": "predictor",
    "Preprocessor": "preprocess",
    "Schema": "schema",
}
__all__ = ["Predictor", "Preprocessor", "Schema", "TabularClassifier", "TabularRegressor"]


def __getattr__(name: str) -> Any:
    if name in ROOMS:
        return getattr(import_module(f"tinynet.tabular.{ROOMS[name]}"), name)
    raise AttributeError(f"module 'tinynet.tabular' has no attribute {name!r}")
