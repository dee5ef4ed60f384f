"""A stack of layers with its parameters: building, prediction, weights, and what it looks like."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinynet import data as door
from tinynet.arrays import replace
from tinynet.formulas.vocabulary import Array
from tinynet.layers import Embedding, Input, Layer
from tinynet.network import Network, Workspace
from tinynet.operations import Operations
from tinynet.random import new_generator
from tinynet.settings import shown, whole

PREDICTION_ROWS = 1024  # rows that go through the network together: enough for BLAS, few enough for the cache


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
        self._idle: dict[int, list[Workspace]] = {}  # prediction memory that nobody uses at present
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
        self._idle = {}
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
        self._outputs(array.shape[1])
        if isinstance(self.layers[0], Embedding):
            self.layers[0].check_codes(array)
        return array

    def predict(
        self, x: Any, batch_size: int | None = None, verbose: int | str = "auto", out: Array | None = None
    ) -> Array:
        """y (rows, n_out) for x (rows, n_in). Several threads may predict with one model at the same time.

        Parameters
        ----------
        x : (rows, n_in) numbers
        batch_size : how many rows go through the network together; default 1024, which only decides the speed
        verbose : Keras's; nothing is printed
        out : (rows, n_out) in the model's precision, where y is written to; default a new array
        """
        size = PREDICTION_ROWS if batch_size is None else whole("batch_size", batch_size, 1)
        array = self._checked_inputs(x)
        network = self._built(array)
        shape = (len(array), network.widths[-1])
        if out is None:
            out = np.empty(shape, self.dtype)
        elif not isinstance(out, np.ndarray) or out.shape != shape or out.dtype != self.dtype:
            given = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
            raise ValueError(f"out is an array of {self.dtype} {shape}; given was {given}")
        self._through(network, array, out, size)
        return out

    def _through(self, network: Network, x: Array, out: Array, size: int) -> None:
        """out = y of x, `size` rows at a time."""
        ops = Operations()
        with np.errstate(all="ignore"):
            for start in range(0, len(x), size):
                part = x[start : start + size]
                w = self._borrow(network, len(part))
                out[start : start + size] = network.forward(ops, w, part, training=False)
                if w.n <= PREDICTION_ROWS:  # larger ones are not worth their memory
                    self._idle.setdefault(w.n, []).append(w)

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

    def _borrow(self, network: Network, n: int) -> Workspace:
        """Memory for n rows that nobody else uses; kept for the next call of that size."""
        idle = self._idle.get(n)
        try:
            w = idle.pop() if idle else None
        except IndexError:  # another thread was faster
            w = None
        if w is not None and w.memories[0].step is network.step:
            return w
        if len(self._idle) > 2:
            self._idle = {}
        return Workspace(network, n, False)

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

    def summary(self, print_fn: Callable[[str], Any] = print) -> None:
        """Print the layers with their output shapes and numbers of parameters."""
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
