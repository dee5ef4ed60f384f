"""Layers: forward and explicit backward in operations, the mathematics beside them."""

from tinynet.layers.activation import Activation
from tinynet.layers.base import Input, Layer, Memory, Parameter
from tinynet.layers.dense import Dense
from tinynet.layers.dropout import Dropout
from tinynet.layers.embedding import Embedding
from tinynet.layers.normalization import LayerNormalization

InputLayer = Input  # Keras has both names
LAYERS: dict[str, type[Layer]] = {
    layer.__name__: layer for layer in (Dense, Activation, Dropout, LayerNormalization, Embedding)
}

__all__ = [
    "LAYERS",
    "Activation",
    "Dense",
    "Dropout",
    "Embedding",
    "Input",
    "InputLayer",
    "Layer",
    "LayerNormalization",
    "Memory",
    "Parameter",
]
