"""A stack with a loss and an optimizer: what `compile` chooses, and one training step of four calls, in plain sight."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet import data as door
from tinynet import losses
from tinynet.arrays import in_precision, numbers
from tinynet.backends import BACKENDS, NAMES, choose, missing
from tinynet.fitting import free_name
from tinynet.formulas.vocabulary import Array
from tinynet.layers import Input, Layer
from tinynet.losses import Loss
from tinynet.metrics import Metric, metric_list
from tinynet.network import Workspace
from tinynet.optimizers import OPTIMIZERS, Optimizer
from tinynet.prediction import Prediction
from tinynet.registry import unknown
from tinynet.settings import shown, whole
from tinynet.stack import Stack
from tinynet.training import NonFiniteError, Training

if TYPE_CHECKING:
    from tinynet.explain_step import Explanation
    from tinynet.graph import Graph

OF_KERAS = ("run_eagerly", "jit_compile", "steps_per_execution", "auto_scale_loss")
AUTO_STEPS, AUTO_FLOPS = 10_000, 2e10  # from where a second or so of NumPy is worth compiled code


class Compiled(Stack):
    """Layers, a loss, an optimizer, and the batch that is being stepped with. See `Sequential`."""

    def __init__(self, layers: Sequence[Layer | Input] | None, name: str, dtype: Any) -> None:
        self.optimizer: Optimizer | None = None
        self.loss: Loss | None = None
        self.metrics: list[Metric] = []
        self.weighted_metrics: list[Metric] = []
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
        **keras: Any,
    ) -> None:
        """Choose the optimizer, the loss, the metrics and the machine.

        Parameters
        ----------
        optimizer : a name or an object of `tn.optimizers`; default "rmsprop", as in Keras
        loss : a name, an object of `tn.losses`, or a formula of one's own with its derivative
        metrics : names or functions of (y_true, y_pred); each row counts once, whatever its sample weight
        weighted_metrics : the same, with rows counted by their sample weights
        backend : "numpy"; "numba", compiled code over threads (pip install 'tinynet[fast]'); "cupy", an NVIDIA GPU
            (pip install 'tinynet[gpu12]' or 'tinynet[gpu13]', by the driver's CUDA), which also predicts; or "auto",
            which takes numba where it is installed and a fit is long enough to pay for it; `model.backend` says which
            it took
        threads : how many threads share a step on numba; default by a fixed rule of the step's size
        keras : run_eagerly, jit_compile, steps_per_execution and auto_scale_loss choose how Keras runs a step, and are
            not needed here; loss_weights may be None

        Raises
        ------
        ValueError, TypeError : for what is not known, in one sentence; nothing is changed then
        ImportError : for "numba" or "cupy" where it is not installed
        RuntimeError : for "cupy" where there is no GPU to use, with what is missing
        """
        if not isinstance(backend, str) or backend not in NAMES:
            raise ValueError(f"backend is {BACKENDS}; given was {shown(backend)}")
        if backend in ("numba", "cupy"):
            choose(backend)
        for setting, value in keras.items():
            if setting not in (*OF_KERAS, "loss_weights"):
                own = ["optimizer", "loss", "metrics", "weighted_metrics", "backend", "threads", *OF_KERAS]
                raise TypeError(unknown("setting of compile", setting, own))
            if setting == "loss_weights" and value is not None:
                raise ValueError("loss_weights is for models of several outputs; this one has a single loss")
        shared = None if threads is None else whole("threads", threads, 1)
        chosen = OPTIMIZERS.get(optimizer), None if loss is None else losses.get(loss)
        measured = metric_list("metrics", metrics), metric_list("weighted_metrics", weighted_metrics)
        self.optimizer, self.loss = chosen  # only now that all is known
        self.metrics, self.weighted_metrics = measured
        self.backend, self.auto, self.threads = ("numpy" if backend == "auto" else backend), backend == "auto", shared
        self._training, self._idle = None, []

    def _chosen(self) -> tuple[Optimizer, Loss]:
        if self.optimizer is None or self.loss is None:
            raise RuntimeError("the model has no loss yet; call compile(optimizer=..., loss=...) first")
        return self.optimizer, self.loss

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` returns, in order: the loss, then the metrics."""
        names: dict[str, float] = {}
        for kept, other in ((self.metrics, ""), (self.weighted_metrics, "weighted_")):
            for metric in kept:
                names[free_name(metric.name, other + metric.name, names)] = 0.0
        return ["loss", *names]

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
        trainer: Any = choose(backend)[0]
        options = {"threads": self.threads} if backend == "numba" else {}
        made: Training = trainer(state.network, state.objective, state.optimizer, state.target_columns, **options)
        return made

    def predictor(self) -> Prediction:
        if self.optimizer is None or self.loss is None or self.backend != "cupy":
            return super().predictor()
        made: Prediction = self._compiled().predictor()  # type: ignore[attr-defined]
        return made

    def _take_machine(self, steps: int, rows: int, batch_size: int) -> None:
        """With "auto", go over to numba before a fit of many steps or FLOPs, if all of it can be recorded and replayed.

        The rule knows sizes only and times nothing, so that the same fit always runs on the same machine.
        """
        state = self._compiled()
        if self.backend != "numpy":
            state.prepare(batch_size)
        if not self.auto or self.backend != "numpy" or missing("numba"):
            return
        if steps < AUTO_STEPS and 6 * rows * self.count_params() < AUTO_FLOPS:
            return
        candidate = self._trainer(state, "numba")
        try:
            candidate.prepare(batch_size)
        except (ValueError, TypeError, NotImplementedError):  # a layer or formula of one's own that only NumPy can do
            return
        self.backend, self._training, self._idle = "numba", candidate, []

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
        if d is not w.dy:
            given = numbers(d, "d")
            if given.shape != w.dy.shape:
                raise ValueError(f"d has shape {given.shape}; expected is {w.dy.shape}")
            d = in_precision(given, self.dtype, "d")
        with np.errstate(all="ignore"):
            dx = state.network.backward(state.ops, w, d, state.objective)
        assert dx is not None
        return dx

    def update(self) -> None:
        """One step of the optimizer along the gradients that backward left."""
        state, *_ = self._stepping()
        with np.errstate(all="ignore"):
            state.optimizer.update(state.ops, state.network)
        if not state.network.alive[0]:
            raise NonFiniteError("the loss or a gradient is not finite; the weights are those before this step")

    def explain_step(self, x: Any, y: Any, sample_weight: Any = None) -> Explanation:
        """One training step on the rows given, operation by operation: formula, line of code, shapes and numbers.

        The step is taken by a copy; the model is not changed. In a notebook the formulas are set, `print` gives text.
        """
        from tinynet.explain_step import explain_step

        return explain_step(self, x, y, sample_weight)

    def graph(self, x: Any = None, y: Any = None, sample_weight: Any = None) -> Graph:
        """One step as a picture (SVG): values flow forth above, gradients back below, what is learned beneath.

        With x and y the numbers of that batch are in it (large arrays as coloured cells), without them the shapes; of
        more than six layers the middle is summarised. The model is not changed. In a notebook the picture is shown;
        `.save(path)` writes it into a file. Raises ValueError where only one of x and y is given.
        """
        from tinynet.graph import graph

        return graph(self, x, y, sample_weight)

    def batch(self) -> dict[str, Array]:
        """Every array of the batch that went forward, by the name it has in programs: x, z1, a1, dz1, ..."""
        return dict(self._stepping()[1].batch_arrays)
