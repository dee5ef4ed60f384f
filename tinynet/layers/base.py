"""What a layer is.

A layer says what it learns, what arrays it needs, and its forward and backward in operations. It keeps nothing of a
batch on itself: `m`, its memory, hands every array back by name, and `ops` carries the operations out. So the same
layer serves training, prediction in many threads, the recorder, and every backend.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tinynet.arrays import replace
from tinynet.formulas.formula import Formula
from tinynet.formulas.vocabulary import Array
from tinynet.initializers import Initializer
from tinynet.operations import Operations
from tinynet.registry import unknown
from tinynet.settings import shown, whole

if TYPE_CHECKING:
    from tinynet.mathematics import Mathematics

# Keras's settings of layers that tinynet does without; None may be given.
UNSUPPORTED = (
    "activity_regularizer", "kernel_constraint", "bias_constraint", "embeddings_constraint", "dtype", "noise_shape",
)  # fmt: skip


class Parameter(NamedTuple):
    """Something learned: its shape, how it begins, and the penalty on it, if any."""

    shape: tuple[int, ...]
    initializer: Initializer
    penalty: Formula | None = None


class Memory:
    """One layer's arrays by name.

    Parameters stand under the names that `parameters` gives them and their gradients under `d` + name; beside them
    the arrays of `forward_arrays` and `backward_arrays`, each (n, columns). `dx` (n, n_in) is where backward leaves
    the gradient for the layer before, or None where nobody asks for it. `index` counts the layers from 1; `seed`
    and `step` (1,) are for layers that use chance.
    """

    index: int
    seed: int
    step: Array
    dx: Array | None

    def __init__(self, index: int, seed: int, step: Array, **arrays: Array) -> None:
        self.index, self.seed, self.step, self.dx = index, seed, step, None
        for name, array in arrays.items():
            self.put(name, array)

    def put(self, name: str, array: Array) -> None:
        """Add an array. Raises ValueError where the name is taken, since one of the two would be lost."""
        if name in vars(self):
            raise ValueError(f"layer {self.index} has {name!r} in its memory already; give your array another name")
        setattr(self, name, array)

    def __getattr__(self, name: str) -> Array:
        raise AttributeError(f"layer {self.index} has no array {name!r}; it has {', '.join(sorted(vars(self)))}")


class Input:
    """The shape of a row, as the first entry of a model: `tn.Input(shape=(30,))`; `layers.InputLayer` is the same.

    Keras's `name` and `batch_size` may be given and decide nothing here.
    """

    def __init__(
        self, shape: Any = None, batch_size: int | None = None, name: str | None = None, *, input_shape: Any = None
    ) -> None:
        self.columns, self.name = width_of(input_shape if shape is None else shape), name


class Layer:
    """The base of every layer; a layer of one's own needs `forward` and `backward`, the rest has defaults.

    Example
    -------
    A layer that scales each column, a = x s:

    >>> import tinynet as tn
    >>> from tinynet.formulas.rows import product
    >>> class Scale(tn.layers.Layer):
    ...     def parameters(self, n_in):
    ...         return {"s": tn.layers.Parameter((n_in,), tn.initializers.Ones())}
    ...     def forward_arrays(self, n_in):
    ...         return {"a": n_in}
    ...     def backward_arrays(self, n_in):
    ...         return {"da_x": n_in}
    ...     def forward(self, ops, m, x, training):
    ...         ops.apply(tn.Formula(product), [x, m.s], [m.a])
    ...         return m.a
    ...     def backward(self, ops, m, x, da):
    ...         ops.apply(tn.Formula(product), [da, x], [m.da_x])
    ...         ops.column_sum(m.da_x, m.ds)
    ...         if m.dx is not None:
    ...             ops.apply(tn.Formula(product), [da, m.s], [m.dx])
    ...         return m.dx
    >>> report = tn.check_layer(Scale(), n_in=3)  # raises where a gradient is wrong
    """

    # a layer of one's own may have an __init__ that does not call this one
    input_shape: int | None = None
    name: str | None = None
    variables: dict[str, Array]  # its parameters in the model it is part of, once that is built

    def __init__(self, *, input_shape: Any = None, name: str | None = None, **keras: Any) -> None:
        columns = keras.pop("input_dim", None) if input_shape is None else input_shape
        for setting, value in keras.items():
            if setting not in ("trainable", *UNSUPPORTED):
                known = ["input_shape", "input_dim", "name", *setting_names(type(self))]
                raise TypeError(unknown(f"setting of {type(self).__name__}", setting, known))
            if value is not None and not (setting == "trainable" and value is True):
                raise ValueError(f"{setting} is not supported by tinynet; leave it out of {type(self).__name__}(...)")
        self.input_shape = None if columns is None else width_of(columns)
        self.name = name
        self.variables = {}

    @property
    def trainable(self) -> bool:
        """Whether the layer learns: always. Raises ValueError where it is set to anything else."""
        return True

    @trainable.setter
    def trainable(self, value: bool) -> None:
        if value is not True:
            raise ValueError("layers cannot be frozen in tinynet; trainable is always True")

    @property
    def weights(self) -> list[Array]:
        """The layer's parameters themselves, kernel before bias: writing into them changes the model."""
        return list(self.variables.values())

    def count_params(self) -> int:
        """How many numbers the layer has learned; 0 before the model is built."""
        return sum(p.size for p in self.weights)

    def get_config(self) -> dict[str, Any]:
        """As `config`, with the layer's name, as Keras has it."""
        return {"name": self.name, **self.config()}

    def get_weights(self) -> list[Array]:
        """Copies of the layer's parameters."""
        return [p.copy() for p in self.variables.values()]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Replace the layer's parameters. Raises ValueError where a shape does not fit; then nothing is changed."""
        replace(list(self.variables.values()), weights, f"layer {self.name}")

    def build(self, n_in: int) -> int:
        """The number of columns that leave when n_in come in; raises ValueError where n_in does not fit."""
        return n_in

    def parameters(self, n_in: int) -> dict[str, Parameter]:
        """What is learned, by name."""
        return {}

    def forward_arrays(self, n_in: int) -> dict[str, int]:
        """Name -> columns of each array that forward writes, (n, columns)."""
        return {}

    def backward_arrays(self, n_in: int) -> dict[str, int]:
        """Name -> columns of each array, besides dx, that backward writes, (n, columns)."""
        return {}

    def forward(self, ops: Operations, m: Memory, x: Array, training: bool) -> Array:
        """x (n, n_in) -> a (n, n_out), one of m's arrays."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(self, ops, m, x, training)")

    def backward(self, ops: Operations, m: Memory, x: Array, da: Array) -> Array | None:
        """da (n, n_out) -> dx (n, n_in), or None where m.dx is None; on the way, each parameter's gradient."""
        raise NotImplementedError(f"{type(self).__name__} has no backward(self, ops, m, x, da)")

    @property
    def final_activation(self) -> Formula | None:
        """The activation that the layer ends in, a = f(z); None where it ends in none.

        A layer that has one also has `pre_activation` and `backward_from_z`: where a loss can be taken on z instead
        of a (sigmoid or softmax followed by its cross-entropy), the network enters the layer there.
        """
        return None

    def pre_activation(self, m: Memory, x: Array) -> Array:
        """z (n, n_out), before the final activation."""
        raise NotImplementedError

    def backward_from_z(self, ops: Operations, m: Memory, x: Array, dz: Array) -> Array | None:
        """As backward, entered behind the final activation with dz (n, n_out)."""
        raise NotImplementedError

    def formula(self) -> Mathematics:
        r"""The layer's forward and backward as LaTeX, printed from their source; set in a notebook.

        >>> import tinynet as tn
        >>> print(tn.layers.Dense(2, use_bias=False).formula())
        % Forward
        z = x\, W
        a = \mathrm{linear}(z) = z
        % Backward
        \mathrm{d}z = \frac{\partial L}{\partial z} = \mathrm{d}a \odot \mathrm{linear}'(z)
        \mathrm{linear}'(z, a) = 1
        \mathrm{d}W = \frac{\partial L}{\partial W} = x^{\top}\, \mathrm{d}z
        \mathrm{d}x = \frac{\partial L}{\partial x} = \mathrm{d}z\, W^{\top}
        """
        from tinynet.layers.formula import formula  # it records, which few programs do

        return formula(self)

    def config(self) -> dict[str, Any]:
        """What `__init__` takes to make this layer again, as plain JSON values."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom: Mapping[str, Any] = {}) -> Layer:
        """The layer that `config` describes; `custom` knows formulas of one's own by name."""
        return cls(**config)


def setting_names(layer: type) -> list[str]:
    """The settings that a layer's own `__init__` names."""
    code = layer.__init__.__code__  # type: ignore[misc]
    return [name for name in code.co_varnames[1 : code.co_argcount] if name != "name"]


def width_of(shape: Any) -> int:
    """The number of columns in Keras's `input_shape`: 30, (30,) or [30]."""
    try:
        (size,) = shape if isinstance(shape, (list, tuple)) else [shape]
        return whole("input_shape", size, 1)
    except ValueError:
        raise ValueError(f"input_shape is the number of columns, as in [30]; given was {shown(shape)}") from None
