"""Sequential: an ordered stack of layers with Keras's face."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tinynet import data as door
from tinynet import losses, metrics, persistence
from tinynet.callbacks import Callback, History, checked
from tinynet.data import whole
from tinynet.formulas.vocabulary import Array
from tinynet.layers import LAYERS, Embedding, Layer
from tinynet.losses import LOSSES, Loss, Objective
from tinynet.network import Network, Workspace
from tinynet.operations import Operations
from tinynet.optimizers import OPTIMIZERS, Optimizer
from tinynet.program import Program, record, record_prediction
from tinynet.progress import Progress
from tinynet.random import new_generator
from tinynet.training import Training

PREDICTION_ROWS = 1024  # rows that go through the network together: enough for BLAS, few enough for the cache


class Input:
    """The shape of a row, as the first entry of a model: `tn.Input(shape=(30,))`."""

    def __init__(self, shape: Any) -> None:
        self.columns = Layer(input_shape=shape).input_shape


class Sequential:
    """A stack of layers, y = f_L(... f_2(f_1(x))).

    Parameters
    ----------
    layers : the stack, in order; `add` appends more
    name : for people
    dtype : "float32" (default, as in Keras) or "float64"

    Example
    -------
    >>> import numpy as np
    >>> import tinynet as tn
    >>> tn.set_random_seed(0)
    >>> model = tn.Sequential([tn.layers.Dense(8, activation="tanh", input_shape=[2]), tn.layers.Dense(1)])
    >>> model.compile(optimizer="adam", loss="mean_squared_error")
    >>> x = np.random.default_rng(0).standard_normal((64, 2))
    >>> history = model.fit(x, x[:, :1] * x[:, 1:], epochs=5, verbose=0)
    >>> history.history["loss"][-1] < history.history["loss"][0]
    True
    """

    def __init__(
        self, layers: Sequence[Layer | Input] | None = None, name: str = "sequential", dtype: Any = "float32"
    ) -> None:
        self.name, self.dtype = name, np.dtype(dtype)
        if self.dtype not in (np.float32, np.float64):
            raise ValueError(f"dtype is 'float32' or 'float64'; given was {dtype!r}")
        self.generator = new_generator()
        self.layers: list[Layer] = []
        self.network: Network | None = None
        self.optimizer: Optimizer | None = None
        self.loss: Loss | None = None
        self.metrics: list[metrics.Metric] = []
        self.history: History | None = None
        self.stop_training = False
        self._columns: int | None = None
        self._training: Training | None = None
        self._step: tuple[Workspace, Array] | None = None  # of the visible step: the batch's memory and its outputs
        self._idle: dict[int, list[Workspace]] = {}  # prediction memory that nobody uses at present
        for layer in layers or []:
            self.add(layer)

    # ------------------------------------------------------------------------------------------------ building

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
        kind = type(layer).__name__.lower()
        if layer.name is None:
            count = sum(type(other) is type(layer) for other in self.layers)
            layer.name = kind + (f"_{count}" if count else "")
        if not self.layers and layer.input_shape is not None:
            self._columns = layer.input_shape
        self.layers.append(layer)

    def build(self, input_shape: Any = None) -> None:
        """Draw the initial parameters for rows of so many columns; `fit` and others do it when they meet data."""
        shape = input_shape if input_shape is not None else self._columns
        if isinstance(shape, (tuple, list)) and len(shape) == 2:
            shape = shape[1:]  # Keras's (None, columns)
        if not self.layers:
            raise ValueError("the model has no layers; add at least one")
        if shape is None:
            raise ValueError("the number of columns of x is not known yet; give the first layer input_shape=[columns]")
        columns = Input(shape).columns
        assert columns is not None
        seed = int(self.generator.integers(2**63))
        self.network = Network(self.layers, columns, self.dtype, self.generator, seed)
        self._columns, self._training = columns, None
        self._idle = {}

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

    def compile(
        self,
        optimizer: str | dict[str, Any] | Optimizer = "rmsprop",
        loss: str | dict[str, Any] | Loss | Callable[..., Any] | None = None,
        metrics: Sequence[str | Callable[..., Any]] | None = None,
        backend: str = "auto",
    ) -> None:
        """Choose the optimizer, the loss, the metrics and the machine.

        Parameters
        ----------
        optimizer : a name or an object of `tn.optimizers`; default "rmsprop", as in Keras
        loss : a name, an object of `tn.losses`, or a formula of one's own with its derivative
        metrics : names or functions of (y_true, y_pred)
        backend : "numpy", or "auto", which takes NumPy: the only machine of this version
        """
        if backend not in ("auto", "numpy"):
            raise ValueError(f"backend is 'auto' or 'numpy' in this version; given was {backend!r}")
        self.optimizer = OPTIMIZERS.get(optimizer)
        self.loss = None if loss is None else losses.get(loss)
        self.metrics = [_metrics.get(metric) for metric in metrics or []]
        self.backend = "numpy"
        self._training = None

    def _compiled(self, x: Any = None) -> Training:
        """The network in training."""
        if self.optimizer is None or self.loss is None:
            raise RuntimeError("the model has no loss yet; call compile(optimizer=..., loss=...) first")
        network = self._built(x)
        if self._training is None or self._training.network is not network:
            if self.optimizer.slots is None:
                self.optimizer.bind(network)
            elif self.optimizer.slots.shape[-1] != network.size:
                raise ValueError("the optimizer serves another model already; give each model its own")
            objective = self.loss.objective(self.layers[-1].final_activation)
            target_columns = self.loss.target_columns(network.widths[-1])
            self._training = Training(network, objective, self.optimizer, target_columns)
        return self._training

    # ------------------------------------------------------------------------------------------------ training

    def _checked_inputs(self, x: Any, what: str = "x") -> Array:
        network = self._built(x)
        array = door.inputs(x, network.widths[0], self.dtype, what)
        if isinstance(self.layers[0], Embedding):
            self.layers[0].check_codes(array)
        return array

    def _data(self, x: Any, y: Any, sample_weight: Any, prefix: str = "") -> dict[str, Array]:
        """The checked data by the names that programs use."""
        training = self._compiled(x)
        assert self.loss is not None
        inputs = self._checked_inputs(x, f"{prefix}x")
        outputs = training.network.widths[-1]
        return {
            "X": inputs,
            "T": door.targets(y, len(inputs), self.loss, outputs, self.dtype, f"{prefix}y"),
            "weights": door.sample_weights(sample_weight, len(inputs), self.dtype, f"{prefix}sample_weight"),
        }

    def fit(
        self,
        x: Any,
        y: Any,
        batch_size: int = 32,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Sequence[Callback] | Callback | None = None,
        validation_data: Sequence[Any] | None = None,
        shuffle: bool = True,
        sample_weight: Any = None,
    ) -> History:
        """Train; returns the History of loss and metrics, one number an epoch.

        Parameters
        ----------
        x : (rows, n_in) numbers
        y : (rows, n_out) numbers, or (rows,) for one output or for class numbers
        batch_size : rows of one step; default 32; the last batch of an epoch may be smaller
        epochs : how often all rows are gone through; default 1
        verbose : 0 nothing, 1 a progress bar on a terminal, 2 a line for each epoch; default "auto", which is 1
        callbacks : objects of `tn.callbacks`
        validation_data : (x, y) or (x, y, sample_weight), looked at after each epoch and not trained on
        shuffle : whether each epoch has an order of its own; default True
        sample_weight : (rows,) numbers that the rows' losses are multiplied with

        Raises
        ------
        ValueError, TypeError : for data that does not fit, in one sentence; nothing is changed then
        NonFiniteError : where the loss stops being finite, naming the step
        """
        batch_size, epochs = whole("batch_size", batch_size, 1), whole("epochs", epochs, 1)
        data = self._data(x, y, sample_weight)
        validation = self._validation(validation_data)
        training = self._compiled()
        rows, network = len(data["X"]), training.network
        batches = -(-rows // batch_size)
        outputs = np.empty((rows, network.widths[-1]), self.dtype) if self.metrics else None
        history = self.history = History()
        every: list[Callback] = [history, *checked(callbacks)]
        for callback in every:
            callback.model = self
        self.stop_training = False
        for callback in every:
            callback.on_train_begin()
        bar = Progress(epochs * batches, "fit", show=None if verbose in ("auto", 1) else False)
        note = ""
        try:
            for epoch in range(epochs):
                for callback in every:
                    callback.on_epoch_begin(epoch)
                order = self.generator.permutation(rows) if shuffle else np.arange(rows)

                def after_batch(batch: int, epoch: int = epoch) -> None:
                    for callback in every:
                        callback.on_batch_end(batch)
                    bar.update(epoch * batches + batch + 1, f"epoch {epoch + 1}/{epochs}{note}")

                logs = {"loss": training.epoch(data, order, batch_size, outputs, after_batch)}
                if outputs is not None:
                    logs |= self._measured(data, outputs)
                if validation is not None:
                    logs |= {f"val_{k}": v for k, v in self._evaluated(validation, batch_size).items()}
                note = "".join(f", {name} {value:.4g}" for name, value in logs.items())
                for callback in every:
                    callback.on_epoch_end(epoch, logs)
                if verbose == 2:
                    print(f"epoch {epoch + 1}/{epochs}{note}")
                if self.stop_training:
                    break
        finally:
            bar.close()
        for callback in every:
            callback.on_train_end()
        return history

    def _validation(self, given: Sequence[Any] | None) -> dict[str, Array] | None:
        if given is None:
            return None
        if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
            raise ValueError("validation_data is (x, y) or (x, y, sample_weight)")
        x, y, weight = (*given, None)[:3]
        return self._data(x, y, weight, "validation ")

    def _measured(self, data: Mapping[str, Array], outputs: Array) -> dict[str, float]:
        return {metric.name: metric(data["T"], outputs, data["weights"]) for metric in self.metrics}

    def _evaluated(self, data: Mapping[str, Array], batch_size: int) -> dict[str, float]:
        training = self._compiled()
        outputs = np.empty((len(data["X"]), training.network.widths[-1]), self.dtype)
        return {"loss": training.mean_loss(data, batch_size, outputs)} | self._measured(data, outputs)

    def evaluate(
        self, x: Any, y: Any, batch_size: int = 32, verbose: int | str = "auto", sample_weight: Any = None,
        return_dict: bool = False,
    ) -> float | list[float] | dict[str, float]:  # fmt: skip
        """The loss, or [loss, metrics...] where metrics were compiled; as a dictionary where asked."""
        data = self._data(x, y, sample_weight)
        found = self._evaluated(data, whole("batch_size", batch_size, 1))
        if return_dict:
            return found
        return found["loss"] if len(found) == 1 else list(found.values())

    def train_on_batch(self, x: Any, y: Any, sample_weight: Any = None) -> float:
        """One step on the rows given; returns their loss before it."""
        data = self._data(x, y, sample_weight)
        rows = len(data["X"])
        return self._compiled().epoch(data, np.arange(rows), rows)

    # ------------------------------------------------------------------------------------ the step, in plain sight

    def forward(self, x: Any, training: bool = True) -> Array:
        """y (n, n_out), and every z and a on the way in `batch()`; the first of a step's four calls.

        >>> import numpy as np, tinynet as tn
        >>> model = tn.Sequential([tn.layers.Dense(1, input_shape=[2])])
        >>> model.compile(optimizer="sgd", loss="mse")
        >>> x, t = np.ones((4, 2)), np.zeros((4, 1))
        >>> y = model.forward(x)                   # y = x W + b
        >>> loss, dy = model.loss_and_gradient(t)  # L, and dL/dy
        >>> dx = model.backward(dy)                # dW = x^T dz, db, dx = dz W^T
        >>> model.update()                         # W <- W - learning_rate dW
        """
        state = self._compiled(x)
        array = self._checked_inputs(x)
        w = Workspace(state.network, len(array), True, state.target_columns, input_gradient=True)
        w.x[...] = array
        with np.errstate(all="ignore"):
            y = state.network.forward(state.ops, w, w.x, training)
        self._step = (w, y)
        return y

    def _stepping(self) -> tuple[Training, Workspace, Array]:
        if self._step is None or self._step[0].memories[0].step is not self._built().step:
            raise RuntimeError("there is no batch yet; call forward(x) first")
        return self._compiled(), *self._step

    def loss_and_gradient(self, y: Any, sample_weight: Any = None) -> tuple[float, Array]:
        """(the loss of the batch that went forward, its gradient dy (n, n_out)).

        Where the last sigmoid or softmax is fused with its cross-entropy, the gradient is dz, before that activation.
        """
        state, w, outputs = self._stepping()
        assert self.loss is not None
        w.t[...] = door.targets(y, w.n, self.loss, state.network.widths[-1], self.dtype)
        w.weight[...] = door.sample_weights(sample_weight, w.n, self.dtype)
        state.network.value[...], state.network.alive[...] = 0.0, 1
        with np.errstate(all="ignore"):
            d = state.network.loss_and_gradient(state.ops, w, outputs, state.objective)
        return float(state.network.value[0]) / w.n, d

    def backward(self, d: Array) -> Array:
        """Every gradient, seen in `gradients()`; returns dx (n, n_in)."""
        state, w, _ = self._stepping()
        with np.errstate(all="ignore"):
            dx = state.network.backward(state.ops, w, d, state.objective)
        assert dx is not None
        return dx

    def update(self) -> None:
        """One step of the optimizer along the gradients that backward left."""
        state, *_ = self._stepping()
        with np.errstate(all="ignore"):
            state.optimizer.update(state.ops, state.network)

    def batch(self) -> dict[str, Array]:
        """Every array of the batch that went forward, by the name it has in programs: x, z1, a1, dz1, ..."""
        return dict(self._stepping()[1].batch_arrays)

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

    # ---------------------------------------------------------------------------------------------- prediction

    def predict(self, x: Any, batch_size: int | None = None, verbose: int | str = "auto") -> Array:
        """y (rows, n_out) for x (rows, n_in). Several threads may predict with one model at the same time."""
        size = PREDICTION_ROWS if batch_size is None else whole("batch_size", batch_size, 1)
        array = self._checked_inputs(x)
        network, ops = self._built(), Operations()
        out = np.empty((len(array), network.widths[-1]), self.dtype)
        with np.errstate(all="ignore"):
            for start in range(0, len(array), size):
                part = array[start : start + size]
                w = self._borrow(network, len(part))
                out[start : start + size] = network.forward(ops, w, part, training=False)
                self._idle.setdefault(w.n, []).append(w)
        return out

    def predict_on_batch(self, x: Any) -> Array:
        """As predict, all rows at once."""
        return self.predict(x, batch_size=max(len(x), 1))

    def __call__(self, x: Any, training: bool = False) -> Array:
        """As predict_on_batch; with `training=True` dropout is at work."""
        if not training:
            return self.predict_on_batch(x)
        array, network = self._checked_inputs(x), self._built()
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

    # ----------------------------------------------------------------------------------------- looking inside

    def program(self, batch_size: int = 32, training: bool = True) -> Program:
        """What one training step (or one prediction) does, operation by operation; `print` lists it."""
        size = whole("batch_size", batch_size, 1)
        if not training:
            return record_prediction(self._built(), size)
        state = self._compiled()
        return record(state.network, state.objective, state.optimizer, size, state.target_columns)

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

    # ------------------------------------------------------------------------------------------ weights and files

    def get_weights(self) -> list[Array]:
        """Copies of all parameters, in Keras's order: kernel, bias, layer by layer."""
        return [p.copy() for p in self._built().parameter_list()]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Replace all parameters. Raises ValueError where a shape does not fit; then nothing is changed."""
        own = self._built().parameter_list()
        given = [door.numbers(w, f"weight {i}") for i, w in enumerate(weights)]
        shapes, expected = [g.shape for g in given], [p.shape for p in own]
        if shapes != expected:
            raise ValueError(f"weights of shapes {shapes} were given; this model has {expected}")
        for p, g in zip(own, [door.in_precision(g, self.dtype, "weights") for g in given], strict=True):
            p[...] = g

    def save(self, path: str | os.PathLike[str], training_state: bool = False) -> None:
        """Write the model into one file, whole or not at all; see `tinynet.persistence`.

        `training_state` keeps the optimizer's slots, the step and the generator too, so that training can go on.
        """
        network = self._built()
        tensors = {f"weights/{name}": view for name, view in self.variables().items()}
        described: dict[str, Any] = {
            "name": self.name,
            "dtype": self.dtype.name,
            "n_in": network.widths[0],
            "seed": network.seed,
            "layers": [{"class": type(layer).__name__, "name": layer.name, **layer.config()} for layer in self.layers],
        }
        if self.optimizer is not None and self.loss is not None:
            described["compiled"] = {
                "optimizer": OPTIMIZERS.saved(self.optimizer),
                "loss": LOSSES.saved(self.loss),
                "metrics": [metric.name for metric in self.metrics],
            }
            if training_state:
                slots = self._compiled().optimizer.slots
                assert slots is not None
                tensors |= {"training/slots": slots, "training/step": network.step}
                described["generator"] = self.generator.bit_generator.state
        persistence.write(path, tensors, described)


_metrics = metrics  # `compile` has an argument of that name


def load_model(source: str | os.PathLike[str] | bytes, custom_objects: Mapping[str, Any] | None = None) -> Sequential:
    """The model in a file, or in its bytes.

    Parameters
    ----------
    source : a path, or the file's bytes
    custom_objects : layers, activations, losses and metrics of one's own that the model uses, by name

    Raises
    ------
    ModelFileError : where the file is damaged, of a newer format, or names what is not known
    """
    tensors, described = persistence.read(source)
    custom = dict(custom_objects or {})
    try:
        known = {**LAYERS, **{name: thing for name, thing in custom.items() if isinstance(thing, type)}}
        layers = []
        for entry in described["layers"]:
            config = {key: value for key, value in entry.items() if key not in ("class", "name")}
            if entry["class"] not in known:
                raise persistence.ModelFileError(
                    f"the file uses a layer {entry['class']!r} that is not known; pass it in custom_objects"
                )
            layers.append(known[entry["class"]].from_config(config, custom))
            layers[-1].name = entry["name"]
        model = Sequential(layers, described["name"], described["dtype"])
        model.build(described["n_in"])
        network = model._built()
        network.seed = described["seed"]
        expected = {f"weights/{name}": view for name, view in model.variables().items()}
        for name, view in expected.items():
            if name not in tensors or tensors[name].shape != view.shape:
                raise persistence.ModelFileError(f"the file's {name} does not have the shape {view.shape} of its layer")
            view[...] = tensors[name]
        if "compiled" in described:
            compiled = described["compiled"]
            loss, names = compiled["loss"], [custom.get(name, name) for name in compiled["metrics"]]
            made = custom[loss["name"]] if loss["name"] in custom else LOSSES.get(loss)
            model.compile(OPTIMIZERS.get(compiled["optimizer"], custom), made, names)
        if "training/slots" in tensors:
            training = model._compiled()
            assert training.optimizer.slots is not None
            training.optimizer.slots[...] = tensors["training/slots"]
            network.step[...] = tensors["training/step"]
            model.generator.bit_generator.state = described["generator"]
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, persistence.ModelFileError):
            raise
        raise persistence.ModelFileError(f"the file describes a model that cannot be made: {error}") from None
    return model
