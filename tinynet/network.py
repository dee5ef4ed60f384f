"""A stack of layers bound to memory, and one training step of it, each part one method.

The way of a batch: gather -> (gemm, bias and activation)* -> loss and its gradient -> (activation gradient, dW, db,
dx)* -> update. Forth once, back once. A stack of layers is the composition of its layers: y = f_L(... f_2(f_1(x))).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tinynet.formulas.vocabulary import Array
from tinynet.layers import Embedding, Layer, Memory, Parameter
from tinynet.losses import Objective
from tinynet.operations import Operations
from tinynet.settings import whole

LINE = 64  # bytes; every parameter begins on a cache line


def aligned_zeros(shape: tuple[int, ...], dtype: np.dtype | type) -> Array:
    """Zeros that begin on a cache line."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(size + LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start : start + size].view(dtype).reshape(shape)


def numbered(name: str, layer: int) -> str:
    """The name of a layer's array in programs: W1, dz2, and E1_3 for the E1 of layer 3."""
    return f"{name}{'_' if name[-1].isdigit() else ''}{layer}"


class Workspace:
    """Everything that a batch of n rows writes: each layer's arrays, the gathered rows, the gradient of the loss.

    A network's parameters and gradients are shared by its workspaces; whoever runs by himself takes one of his own.
    """

    def __init__(
        self, network: Network, n: int, training: bool, target_columns: int = 1, input_gradient: bool = False
    ) -> None:
        self.n, self.dtype = n, network.dtype
        self.batch_arrays: dict[str, Array] = {}  # name -> an array of n rows, for the recorder and the curious
        self.memories: list[Memory] = []
        self.inputs: list[Array] = []  # what entered each layer in the last forward
        self.input_gradients: list[Array | None] = []  # dx of each layer in the last backward
        for index, (layer, n_in, views) in enumerate(
            zip(network.layers, network.widths, network.views, strict=False), start=1
        ):
            m = Memory(index, network.seed, network.step, **views)
            columns = dict(layer.forward_arrays(n_in))
            if training:
                columns |= layer.backward_arrays(n_in)
            for name, width in columns.items():
                m.put(name, self.array(numbered(name, index), width))
            if training and (index > 1 or input_gradient):
                m.dx = self.array(f"da{index - 1}" if index > 1 else "dx", n_in)
            self.memories.append(m)
        self.total = np.full(1, float(n))
        if training:
            self.x = self.array("x", network.widths[0])
            self.t = self.array("t", target_columns)
            self.weight = self.array("weight", 1)
            self.dy = self.array("dy", network.widths[-1])

    def array(self, name: str, columns: int) -> Array:
        if name in self.batch_arrays:
            raise ValueError(f"two arrays of the network would be called {name}; give your own layer's another name")
        made = self.batch_arrays[name] = aligned_zeros((self.n, columns), self.dtype)
        return made


class Network:
    """Layers with their parameters and gradients, each one flat vector of which the layers hold views.

    Parameters
    ----------
    layers : the stack, in order
    n_in : the number of columns of x
    dtype : float32 or float64
    generator : draws the initial parameters; None leaves them zero
    seed : decides the dropout masks
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        n_in: int,
        dtype: np.dtype | type,
        generator: np.random.Generator | None = None,
        seed: int = 0,
    ) -> None:
        self.layers, self.dtype, self.seed = list(layers), np.dtype(dtype), seed
        self.widths = [n_in]
        self.specifications: list[dict[str, Parameter]] = []
        for index, layer in enumerate(self.layers):
            if isinstance(layer, Embedding) and index:
                raise ValueError(f"Embedding reads codes of x, so it is the first layer; here it is layer {index + 1}")
            width = self.widths[-1]
            kind = type(layer).__name__
            self.widths.append(whole(f"what {kind}.build returns, the columns that leave,", layer.build(width), 1))
            self.specifications.append(layer.parameters(width))
            for name, spec in self.specifications[-1].items():
                if not isinstance(spec, Parameter):
                    raise TypeError(
                        f"{kind}.parameters says what {name} is by tn.layers.Parameter(shape, initializer), not by "
                        f"{type(spec).__name__}"
                    )
        self.size = sum(self.room(spec.shape) for specs in self.specifications for spec in specs.values())
        self.parameters, self.gradients = self.flat(), self.flat()
        self.views = self.bind_views()
        self.step = np.zeros(1, np.int64)  # how many steps were taken
        self.value = np.zeros(1)  # the sum of the samples' losses since it was last set to zero
        self.alive = np.ones(1, np.int64)  # 0 from the first step that is not finite
        if generator is not None:
            for specs, views in zip(self.specifications, self.views, strict=True):
                for name, spec in specs.items():
                    views[name][...] = spec.initializer(spec.shape, generator)

    def room(self, shape: tuple[int, ...]) -> int:
        """How many elements of a flat vector a parameter takes, up to the next cache line."""
        line = LINE // self.dtype.itemsize
        return -(-int(np.prod(shape)) // line) * line

    def flat(self, rows: int | None = None) -> Array:
        """A flat vector of zeros with a place for every parameter; `rows` of them below each other."""
        return aligned_zeros((self.size,) if rows is None else (rows, self.size), self.dtype)

    def bind_views(self) -> list[dict[str, Array]]:
        """Each layer's W, dW, b, db, ... as views of the flat vectors."""
        start, views = 0, []
        for specs in self.specifications:
            found = {}
            for name, spec in specs.items():
                part = slice(start, start + int(np.prod(spec.shape)))
                found[name] = self.parameters[part].reshape(spec.shape)
                found["d" + name] = self.gradients[part].reshape(spec.shape)
                start += self.room(spec.shape)
            views.append(found)
        return views

    def parameter_list(self) -> list[Array]:
        """Every parameter, in Keras's order."""
        return [v[name] for specs, v in zip(self.specifications, self.views, strict=True) for name in specs]

    def gradient_list(self) -> list[Array]:
        """Every parameter's gradient, in the same order."""
        return [v["d" + name] for specs, v in zip(self.specifications, self.views, strict=True) for name in specs]

    def penalties(self) -> Iterator[tuple[Parameter, Array, Array]]:
        """(specification, parameter, gradient) of each parameter that has a penalty."""
        for specs, views in zip(self.specifications, self.views, strict=True):
            for name, spec in specs.items():
                if spec.penalty is not None:
                    yield spec, views[name], views["d" + name]

    def forward(self, ops: Operations, w: Workspace, x: Array, training: bool) -> Array:
        """y (n, n_out) from x (n, n_in), layer by layer."""
        w.inputs = []
        for layer, m in zip(self.layers, w.memories, strict=True):
            w.inputs.append(x)
            x = layer.forward(ops, m, x, training)
            if x is None:
                raise TypeError(
                    f"{type(layer).__name__}.forward returned nothing; it returns its result, an array of m"
                )
        return x

    def loss_and_gradient(self, ops: Operations, w: Workspace, y: Array, objective: Objective) -> Array:
        """Adds the batch's loss and penalties to `value`; returns dy (n, n_out), or dz where the objective is fused."""
        assert objective.formula.derivative is not None
        if objective.fused:
            y = self.layers[-1].pre_activation(w.memories[-1], w.inputs[-1])
        ops.loss_grad(objective.formula, y, w.t, w.weight, w.total, w.dy, self.value)
        for spec, p, _ in self.penalties():
            assert spec.penalty is not None
            ops.regularize(spec.penalty, p, w.total, self.value)
        return w.dy

    def backward(self, ops: Operations, w: Workspace, d: Array, objective: Objective) -> Array | None:
        """Every parameter's gradient, the penalties' included, from d; returns dx where the workspace has room."""
        way = list(zip(self.layers, w.memories, w.inputs, strict=True))
        dx: Array | None = d
        w.input_gradients = []
        for layer, m, x in reversed(way):
            if dx is None:
                raise TypeError(f"backward of layer {m.index + 1} returned no dx, although m.dx is there")
            fused = objective.fused and m.index == len(way)
            dx = layer.backward_from_z(ops, m, x, dx) if fused else layer.backward(ops, m, x, dx)
            w.input_gradients.insert(0, dx)
        for spec, p, dp in self.penalties():
            assert spec.penalty is not None
            ops.regularize_grad(spec.penalty, p, dp)
        return dx

    def copy(self, dtype: np.dtype | type | None = None) -> Network:
        """The same layers over memory of its own with the same parameters, in another precision where asked."""
        other = Network(self.layers, self.widths[0], dtype or self.dtype, seed=self.seed)
        for mine, theirs in zip(self.parameter_list(), other.parameter_list(), strict=True):
            theirs[...] = mine
        other.step[...] = self.step
        return other
