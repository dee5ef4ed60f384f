"""A stack of layers with its parameters: building, prediction, weights, and what it looks like."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinynet import data as door
from tinynet.arrays import replace
from tinynet.backends import prediction
from tinynet.batches import Batches, come_in_batches
from tinynet.formulas.vocabulary import Array
from tinynet.layers import Embedding, Input, Layer
from tinynet.network import Network, Workspace
from tinynet.operations import Operations
from tinynet.prediction import ROWS, Prediction
from tinynet.random import new_generator
from tinynet.registry import unknown
from tinynet.settings import shown, whole


def precision(dtype: Any) -> np.dtype:
    """float32 or float64, by name or as NumPy has them."""
    name = dtype if isinstance(dtype, str) else np.dtype(dtype).name if isinstance(dtype, (np.dtype, type)) else None
    if name not in ("float32", "float64"):
        raise ValueError(f"dtype is 'float32' or 'float64'; given was {shown(dtype)}")
    return np.dtype(name)


class Stack:
    """Layers in order, with parameters from the moment the number of columns is known. See `Sequential`."""

    def __init__(self, layers: Sequence[Layer | Input] | None, name: str, dtype: Any) -> None:
        self.name, self.dtype = name, precision(dtype)
        self.generator = new_generator()
        self.layers: list[Layer] = []
        self.network: Network | None = None
        self._columns: int | None = None
        self.backend = "numpy"
        self.threads: int | None = None  # that share a step; None follows the rule of the step's size
        self._idle: list[Prediction] = []  # that nobody uses at present: several threads may predict at once
        if layers is not None and not isinstance(layers, (list, tuple)):
            raise TypeError(f"layers is a list, as in [tn.layers.Dense(8)], not {type(layers).__name__}")
        for layer in layers or []:
            self.add(layer)

    def add(self, layer: Layer | Input) -> None:
        """Append a layer. Raises TypeError for what is none, RuntimeError when the model is built already."""
        if self.network is not None:
            raise RuntimeError("the model is built, and layers cannot be added any more; add them first")
        if isinstance(layer, Input):
            if self.layers:
                raise ValueError("Input comes first in a model")
            self._columns = layer.columns
            return
        if not isinstance(layer, Layer):
            raise TypeError(f"a model is made of layers such as tn.layers.Dense(8), not {type(layer).__name__}")
        if any(layer is other for other in self.layers):
            raise ValueError(f"the same {type(layer).__name__} object is in the model already; make another")
        kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(layer).__name__).lower()
        taken = {other.name for other in self.layers}
        if layer.name is None:
            tried = (kind + (f"_{count}" if count else "") for count in range(len(taken) + 1))
            layer.name = next(name for name in tried if name not in taken)
        if not isinstance(layer.name, str) or layer.name in taken:  # files know parameters by it
            raise ValueError(f"a layer's name is a word of its own; {shown(layer.name)} is taken already or no word")
        if not self.layers and layer.input_shape is not None:
            self._columns = layer.input_shape
        self.layers.append(layer)

    def build(self, input_shape: Any = None) -> None:
        """Draw the initial parameters for rows of so many columns; `fit` and others do it when they meet data."""
        shape = input_shape if input_shape is not None else self._columns
        if isinstance(shape, (tuple, list)) and len(shape) == 2:
            shape = shape[1:]  # Keras's (None, columns)
        if shape is None and self.layers:
            raise ValueError("the number of columns of x is not known yet; give the first layer input_shape=[columns]")
        columns = 1 if shape is None else Input(shape).columns
        self._outputs(columns)
        seed = int(self.generator.integers(2**63))
        self.network = Network(self.layers, columns, self.dtype, self.generator, seed)
        self._columns = columns
        self._idle = []
        for layer, specs, views in zip(self.layers, self.network.specifications, self.network.views, strict=True):
            layer.variables = {name: views[name] for name in specs}

    def _outputs(self, columns: int) -> int:
        """How many columns y has for so many of x. Raises ValueError where the layers do not fit."""
        if not self.layers:
            raise ValueError("the model has no layers; add at least one")
        for layer in self.layers:
            columns = layer.build(columns)
        return columns

    @property
    def built(self) -> bool:
        return self.network is not None

    def _built(self, x: Any = None) -> Network:
        """The network, built from the shape of x where it was not yet."""
        if self.network is None:
            if self._columns is None and x is not None:
                self._columns = int(door.inputs(x, None, self.dtype).shape[1])
            self.build()
        assert self.network is not None
        return self.network

    def _checked_inputs(self, x: Any, what: str = "x") -> Array:
        """x (rows, n_in) as the model takes it; nothing is built yet."""
        array = door.inputs(x, self._columns, self.dtype, what)
        if self.network is None:
            self._outputs(array.shape[1])
        if isinstance(self.layers[0], Embedding):
            self.layers[0].check_codes(array)
        return array

    def predict(
        self, x: Any, batch_size: int | None = None, verbose: int | str = "auto", steps: int | None = None,
        *, out: Array | None = None,
    ) -> Array:  # fmt: skip
        """y (rows, n_out) for x (rows, n_in). Several threads may predict with one model at the same time.

        Parameters
        ----------
        x : (rows, n_in) numbers; or batches of them, also (x, y), of which y is left alone
        batch_size : how many rows go through the network together; default 1024, which only decides the speed
        verbose : Keras's; nothing is printed
        steps : how many batches of a generator; default all that come
        out : (rows, n_out) in the model's precision, where y is written to; default a new array
        """
        size = ROWS if batch_size is None else whole("batch_size", batch_size, 1)
        if come_in_batches(x, None):
            if out is not None:
                raise ValueError("out is for x as one table; with batches leave it out")
            wanted = None if steps is None else whole("steps", steps, 1)
            return np.concatenate([self.predict(part, batch_size) for part in Batches(x, wanted).inputs()])
        array = self._checked_inputs(x)
        network = self._built(array)
        if out is not None:
            shape = (len(array), network.widths[-1])
            if not isinstance(out, np.ndarray) or out.shape != shape or out.dtype != self.dtype:
                given = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
                raise ValueError(f"out is an array of {self.dtype} {shape}; given was {given}")
        idle = self._idle  # which build and compile replace: what comes back late is dropped with the old list
        try:
            predict = idle.pop()
        except IndexError:
            predict = self.predictor()
        y = predict(array, out, size)
        idle.append(predict)
        return y

    def predictor(self) -> Prediction:
        """A function y = f(x) for one thread, which leaves out `predict`'s checks: the quickest way for one row.

        It runs on the model's backend and sees every change of the parameters; x (n, n_in) is an array of finite
        numbers, and codes of an Embedding are in range. Make one for each thread.

        >>> import numpy as np, tinynet as tn
        >>> model = tn.Sequential([tn.layers.Dense(1, input_shape=[2])])
        >>> f = model.predictor()
        >>> x = np.ones((1, 2), "float32")
        >>> bool((f(x) == model.predict(x)).all())
        True
        """
        return prediction(self._built(), self.backend, self.threads)

    def predict_on_batch(self, x: Any) -> Array:
        """As predict, all rows at once."""
        return self.predict(x, batch_size=sys.maxsize)

    def __call__(self, x: Any, training: bool = False) -> Array:
        """As predict_on_batch; with `training=True` dropout is at work."""
        if not training:
            return self.predict_on_batch(x)
        array = self._checked_inputs(x)
        network = self._built(array)
        with np.errstate(all="ignore"):
            return network.forward(Operations(), Workspace(network, len(array), True), array, True).copy()

    def variables(self) -> dict[str, Array]:
        """Every parameter by name, as a view: writing into it changes the model."""
        return self._views("")

    def gradients(self) -> dict[str, Array]:
        """Every parameter's gradient by the parameter's name, as a view."""
        return self._views("d")

    def _views(self, prefix: str) -> dict[str, Array]:
        network = self._built()
        return {
            f"{layer.name}/{name}": views[prefix + name]
            for layer, specs, views in zip(self.layers, network.specifications, network.views, strict=True)
            for name in specs
        }

    def count_params(self) -> int:
        """How many numbers are learned."""
        return sum(p.size for p in self._built().parameter_list())

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of that name, or with that number, counted from 0. Raises ValueError where there is none."""
        if (name is None) == (index is None):
            raise ValueError("get_layer takes a name, or index=, and not both")
        if index is not None:
            if whole("index", index, 0) >= len(self.layers):
                raise ValueError(f"the model has layers 0 to {len(self.layers) - 1}; there is no layer {index}")
            return self.layers[index]
        found = {layer.name: layer for layer in self.layers}
        if name not in found:
            raise ValueError(unknown("layer", name, [str(known) for known in found]))
        return found[name]

    @property
    def input_shape(self) -> tuple[None, int]:
        """(None, columns of x)."""
        return None, self._built().widths[0]

    @property
    def output_shape(self) -> tuple[None, int]:
        """(None, columns of y)."""
        return None, self._built().widths[-1]

    @property
    def weights(self) -> list[Array]:
        """The parameters themselves, in Keras's order: writing into them changes the model."""
        return self._built().parameter_list()

    def summary(
        self, line_length: int | None = None, positions: Any = None, print_fn: Callable[[str], Any] = print
    ) -> None:
        """Print the layers with their output shapes and numbers of parameters; the first two are Keras's, unused."""
        network = self._built()
        rows = [("Layer (type)", "Output shape", "Parameters")]
        for layer, width, specs in zip(self.layers, network.widths[1:], network.specifications, strict=True):
            count = sum(int(np.prod(spec.shape)) for spec in specs.values())
            rows.append((f"{layer.name} ({type(layer).__name__})", f"(None, {width})", f"{count:,}"))
        sizes = [max(len(row[i]) for row in rows) for i in range(3)]
        lines = [f"{a:<{sizes[0]}}  {b:<{sizes[1]}}  {c:>{sizes[2]}}" for a, b, c in rows]
        rule = "-" * len(lines[0])
        total = self.count_params()
        nbytes = total * self.dtype.itemsize
        lines = [f'Model "{self.name}", {self.dtype}', rule, lines[0], rule, *lines[1:], rule]
        print_fn("\n".join([*lines, f"{total:,} parameters, {nbytes:,} bytes"]))

    def get_weights(self) -> list[Array]:
        """Copies of all parameters, in Keras's order: kernel, bias, layer by layer."""
        return [p.copy() for p in self._built().parameter_list()]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Replace all parameters. Raises ValueError where a shape does not fit; then nothing is changed."""
        replace(self._built().parameter_list(), weights, "this model")
