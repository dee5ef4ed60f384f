"""Sequential: an ordered stack of layers with Keras's face."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet import data as door
from tinynet import losses
from tinynet.backends import choose, missing
from tinynet.batches import Batches, come_in_batches
from tinynet.callbacks import Callback, History, checked
from tinynet.fitting import Fit, Source, Streamed, Tabled
from tinynet.formulas.vocabulary import Array
from tinynet.layers import Input, Layer
from tinynet.losses import Loss
from tinynet.metrics import Metric, metric_list
from tinynet.network import Workspace
from tinynet.optimizers import OPTIMIZERS, Optimizer
from tinynet.settings import shown, whole
from tinynet.stack import Stack
from tinynet.training import Training

if TYPE_CHECKING:
    from tinynet.explain_step import Explanation
    from tinynet.program import Program


AUTO_STEPS, AUTO_FLOPS = 10_000, 2e10  # from where a second or so of NumPy is worth compiled code


class Sequential(Stack):
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
        self.optimizer: Optimizer | None = None
        self.loss: Loss | None = None
        self.metrics: list[Metric] = []
        self.weighted_metrics: list[Metric] = []
        self.history: History | None = None
        self.stop_training = False
        self._training: Training | None = None
        self._step: tuple[Workspace, Array] | None = None  # of the visible step: the batch's memory and its outputs
        super().__init__(layers, name, dtype)

    def compile(
        self,
        optimizer: str | dict[str, Any] | Optimizer = "rmsprop",
        loss: str | dict[str, Any] | Loss | Callable[..., Any] | None = None,
        metrics: Sequence[str | Callable[..., Any]] | None = None,
        weighted_metrics: Sequence[str | Callable[..., Any]] | None = None,
        backend: str = "auto",
        threads: int | None = None,
    ) -> None:
        """Choose the optimizer, the loss, the metrics and the machine.

        Parameters
        ----------
        optimizer : a name or an object of `tn.optimizers`; default "rmsprop", as in Keras
        loss : a name, an object of `tn.losses`, or a formula of one's own with its derivative
        metrics : names or functions of (y_true, y_pred); each row counts once, whatever its sample weight
        weighted_metrics : the same, with rows counted by their sample weights
        backend : "numpy"; "numba", compiled code over threads (pip install 'tinynet[fast]'); or "auto", which takes
            numba where it is installed and a fit is long enough to pay for it; `model.backend` says which it took
        threads : how many threads share a step on numba; default by a fixed rule of the step's size

        Raises
        ------
        ValueError, TypeError : for what is not known, in one sentence; nothing is changed then
        ImportError : for "numba" where it is not installed
        """
        if not isinstance(backend, str) or backend not in ("auto", "numpy", "numba"):
            raise ValueError(f"backend is 'auto', 'numpy' or 'numba'; given was {shown(backend)}")
        if backend == "numba":
            choose(backend)
        shared = None if threads is None else whole("threads", threads, 1)
        chosen = OPTIMIZERS.get(optimizer), None if loss is None else losses.get(loss)
        measured = metric_list("metrics", metrics), metric_list("weighted_metrics", weighted_metrics)
        self.optimizer, self.loss = chosen  # only now that all is known
        self.metrics, self.weighted_metrics = measured
        self.backend, self.auto, self.threads = ("numpy" if backend == "auto" else backend), backend == "auto", shared
        self._training = None

    def _chosen(self) -> tuple[Optimizer, Loss]:
        if self.optimizer is None or self.loss is None:
            raise RuntimeError("the model has no loss yet; call compile(optimizer=..., loss=...) first")
        return self.optimizer, self.loss

    def _compiled(self, x: Any = None) -> Training:
        """The network in training."""
        optimizer, loss = self._chosen()
        network = self._built(x)
        if self._training is None or self._training.network is not network:
            optimizer.bind(network)
            objective = loss.objective(self.layers[-1].final_activation)
            target_columns = loss.target_columns(network.widths[-1])
            self._training = self._trainer(Training(network, objective, optimizer, target_columns), self.backend)
        return self._training

    def _trainer(self, state: Training, backend: str) -> Training:
        """The same state of training on another machine."""
        if backend == "numpy":
            return state
        trainer = choose(backend)[0]
        made: Training = trainer(state.network, state.objective, state.optimizer, state.target_columns, self.threads)  # type: ignore[call-arg]
        return made

    def _take_machine(self, steps: int, rows: int) -> None:
        """With "auto", go over to numba before a fit of at least so many steps or FLOPs, if all of it can be recorded.

        The rule knows sizes only and times nothing, so that the same fit always runs on the same machine.
        """
        state = self._compiled()
        if not self.auto or self.backend != "numpy" or missing("numba"):
            return
        if max(steps / AUTO_STEPS, 6.0 * rows * self.count_params() / AUTO_FLOPS) < 1.0:
            return
        from tinynet.program import record

        candidate = self._trainer(state, "numba")
        try:
            record(state.network, state.objective, state.optimizer, 2, state.target_columns)
        except (ValueError, TypeError):  # a layer or formula of one's own that only NumPy can carry out
            return
        self.backend, self._training = "numba", candidate

    # ------------------------------------------------------------------------------------------------ training

    def _data(self, x: Any, y: Any, sample_weight: Any, prefix: str = "") -> dict[str, Array]:
        """The checked data by the names that programs use."""
        loss = self._chosen()[1]
        inputs = self._checked_inputs(x, f"{prefix}x")
        outputs = self._outputs(inputs.shape[1])
        found = {
            "X": inputs,
            "T": door.targets(y, len(inputs), loss, outputs, self.dtype, f"{prefix}y"),
            "weights": door.sample_weights(sample_weight, len(inputs), self.dtype, f"{prefix}sample_weight"),
        }
        self._compiled(inputs)  # only now: data that does not fit builds nothing
        return found

    def fit(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Sequence[Callback] | Callback | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
    ) -> History:
        """Train; returns the History of loss and metrics, one number an epoch.

        Parameters
        ----------
        x : (rows, n_in) numbers; or a generator or iterable of batches (x, y) or (x, y, sample_weight)
        y : (rows, n_out) numbers, or (rows,) for one output or for class numbers
        batch_size : rows of one step; default 32; the last batch of an epoch may be smaller
        epochs : the number of the last epoch; default 1
        verbose : 0 nothing, 1 a progress bar on a terminal, 2 a line for each epoch; default "auto", which is 1
        callbacks : objects of `tn.callbacks`
        validation_split : the last part of the rows, as a share below 1, is put aside for validation
        validation_data : (x, y), (x, y, sample_weight) or batches, looked at after each epoch and not trained on
        shuffle : whether each epoch has an order of its own; default True
        class_weight : {class number: weight}, multiplied with the sample weights; it spoils calibrated probabilities
        sample_weight : (rows,) numbers that the rows' losses are multiplied with
        initial_epoch : the number of the first epoch, to go on with a training; default 0
        steps_per_epoch : how many batches of a generator are an epoch; default all that come
        validation_batch_size : default batch_size
        validation_freq : validation after every so many epochs; default 1

        Raises
        ------
        ValueError, TypeError : for data that does not fit, in one sentence; nothing is changed then
        NonFiniteError : where the loss stops being finite, naming the step
        """
        epochs, first = whole("epochs", epochs, 1), whole("initial_epoch", initial_epoch, 0)
        size = 32 if batch_size is None else whole("batch_size", batch_size, 1)
        later = size if validation_batch_size is None else whole("validation_batch_size", validation_batch_size, 1)
        if not isinstance(verbose, (int, str)) or verbose not in (0, 1, 2, "auto"):
            raise ValueError(f"verbose is 0, 1, 2 or 'auto'; given was {shown(verbose)}")
        validation: Source | None = None
        if come_in_batches(x, y):
            if validation_split or sample_weight is not None or class_weight is not None:
                raise ValueError(
                    "batches bring their sample weights themselves, and cannot be split: leave out validation_split, "
                    "sample_weight and class_weight"
                )
            steps = None if steps_per_epoch is None else whole("steps_per_epoch", steps_per_epoch, 1)
            source: Source = Streamed(self, Batches(x, steps))
        else:
            data = self._data(x, y, sample_weight)
            if validation_split:
                data, kept = door.split(data, validation_split)
                validation = Tabled(self, kept, later, False)
            if class_weight is not None:  # of the rows trained on, not of those put aside
                data["weights"] = data["weights"] * door.class_weights(class_weight, data["T"], self.dtype)
            source = Tabled(self, data, size, shuffle)
        if validation_data is not None:
            validation = self._source(validation_data, later)
        every = checked(callbacks)
        if isinstance(source, Tabled):
            self._take_machine(source.steps * (epochs - first), source.rows * (epochs - first))
        self.history = History()
        run = Fit(
            self, source, validation, [self.history, *every], verbose, whole("validation_freq", validation_freq, 1)
        )
        run.epochs(first, epochs)
        return self.history

    def _source(self, given: Any, batch_size: int) -> Source:
        """Validation data from a pair, a triple, or batches."""
        if come_in_batches(given, None):
            return Streamed(self, Batches(given, None))
        if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
            raise ValueError("validation_data is (x, y), (x, y, sample_weight) or batches")
        x, y, weight = (*given, None)[:3]
        return Tabled(self, self._data(x, y, weight, "validation "), batch_size, False)

    def evaluate(
        self, x: Any, y: Any = None, batch_size: int | None = None, verbose: int | str = "auto",
        sample_weight: Any = None, return_dict: bool = False,
    ) -> float | list[float] | dict[str, float]:  # fmt: skip
        """The loss, or [loss, metrics...] where metrics were compiled; as a dictionary where asked.

        x and y as for `fit`, batches included; `verbose` is Keras's and prints nothing here.
        """
        size = 32 if batch_size is None else whole("batch_size", batch_size, 1)
        if come_in_batches(x, y):
            source: Source = Streamed(self, Batches(x, None))
        else:
            source = Tabled(self, self._data(x, y, sample_weight), size, False)
        found = source.evaluated()
        if return_dict:
            return found
        return found["loss"] if len(found) == 1 else list(found.values())

    def train_on_batch(self, x: Any, y: Any, sample_weight: Any = None) -> float | list[float]:
        """One step on the rows given; returns their loss before it, or [loss, metrics...]."""
        data = self._data(x, y, sample_weight)
        found = Tabled(self, data, len(data["X"]), False).trained(None)
        return found["loss"] if len(found) == 1 else list(found.values())

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
        array = self._checked_inputs(x)
        state = self._compiled(array)
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

    def explain_step(self, x: Any, y: Any, sample_weight: Any = None) -> Explanation:
        """One training step on the rows given, operation by operation: formula, line of code, shapes and numbers.

        The step is taken by a copy; the model is not changed. In a notebook the formulas are set, `print` gives text.
        """
        from tinynet.explain_step import explain_step

        return explain_step(self, x, y, sample_weight)

    def batch(self) -> dict[str, Array]:
        """Every array of the batch that went forward, by the name it has in programs: x, z1, a1, dz1, ..."""
        return dict(self._stepping()[1].batch_arrays)

    # ----------------------------------------------------------------------------------------- looking inside

    def program(self, batch_size: int = 32, training: bool = True) -> Program:
        """What one training step (or one prediction) does, operation by operation; `print` lists it."""
        from tinynet.program import record, record_prediction

        size = whole("batch_size", batch_size, 1)
        if not training:
            return record_prediction(self._built(), size)
        state = self._compiled()
        return record(state.network, state.objective, state.optimizer, size, state.target_columns)

    def save(self, path: str | os.PathLike[str], training_state: bool = False) -> None:
        """Write the model into one file, whole or not at all; `tn.load_model` reads it. See `tinynet.persistence`.

        `training_state` keeps the optimizer's slots, the step and the generator too, so that training goes on exactly.
        """
        from tinynet.model_file import save  # it knows Sequential, to load it

        save(self, path, training_state)
