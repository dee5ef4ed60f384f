"""Keras's other address of the model: `from tinynet.models import Sequential, load_model`."""

from tinynet.model import Sequential
from tinynet.model_file import load_model

__all__ = ["Sequential", "load_model"]
