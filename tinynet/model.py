"""Sequential: an ordered stack of layers with Keras's face."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tinynet import data as door
from tinynet.batches import Batches, come_in_batches
from tinynet.callbacks import Callback, History, checked
from tinynet.compiled import Compiled
from tinynet.fitting import Fit, Source, Streamed, Tabled, tested
from tinynet.layers import Input, Layer
from tinynet.settings import flag, real, shown, whole

if TYPE_CHECKING:
    from tinynet.program import Program


class Sequential(Compiled):
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
        self.history: History | None = None
        self.stop_training = False
        super().__init__(layers, name, dtype)

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
        *,
        validation_steps: int | None = None,
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
        validation_steps : how many batches of a generator are validated with; default all that come

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
        share, mixed = real("validation_split", validation_split), flag("shuffle", shuffle)
        steps = None if steps_per_epoch is None else whole("steps_per_epoch", steps_per_epoch, 1)
        validation: Source | None = None
        if come_in_batches(x, y):
            if share or sample_weight is not None or class_weight is not None:
                raise ValueError(
                    "batches bring their sample weights themselves, and cannot be split: leave out validation_split, "
                    "sample_weight and class_weight"
                )
            source: Source = Streamed(self, Batches(x, steps))
        else:
            data = self._data(x, y, sample_weight)
            if share:
                data, kept = door.split(data, share)
                validation = Tabled(self, kept, later, False)
            if class_weight is not None:  # of the rows trained on, not of those put aside
                data["weights"] = data["weights"] * door.class_weights(class_weight, data["T"], self.dtype)
            source = Tabled(self, data, size, mixed)
            if steps not in (None, source.steps):
                raise ValueError(
                    f"steps_per_epoch is for batches that are given; this table has {source.steps} batches an epoch"
                )
        if validation_data is not None:
            seen = None if validation_steps is None else whole("validation_steps", validation_steps, 1)
            validation = self._source(validation_data, later, seen)
        elif validation_steps is not None:
            raise ValueError("validation_steps is for validation_data that comes in batches")
        every = checked(callbacks)
        if isinstance(source, Tabled):
            every_row = source.rows * (epochs - first)
            self._take_machine(source.steps * (epochs - first), every_row, min(size, source.rows))
        self.history = History()
        run = Fit(
            self, source, validation, [*every, self.history], verbose, whole("validation_freq", validation_freq, 1)
        )
        run.epochs(first, epochs)
        return self.history

    def _source(self, given: Any, batch_size: int, steps: int | None) -> Source:
        """Validation data from a pair, a triple, or batches."""
        if come_in_batches(given, None):
            return Streamed(self, Batches(given, steps))
        if steps is not None:
            raise ValueError("validation_steps is for validation_data that comes in batches")
        if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
            raise ValueError("validation_data is (x, y), (x, y, sample_weight) or batches")
        x, y, weight = (*given, None)[:3]
        return Tabled(self, self._data(x, y, weight, "validation "), batch_size, False)

    def evaluate(
        self, x: Any, y: Any = None, batch_size: int | None = None, verbose: int | str = "auto",
        sample_weight: Any = None, steps: int | None = None, callbacks: Sequence[Callback] | Callback | None = None,
        return_dict: bool = False,
    ) -> float | list[float] | dict[str, float]:  # fmt: skip
        """The loss, or [loss, metrics...] where metrics were compiled; as a dictionary where asked.

        x and y as for `fit`, batches included, of which `steps` are taken; nothing is printed, whatever `verbose`.
        """
        wanted, every = None if steps is None else whole("steps", steps, 1), checked(callbacks)
        size = 32 if batch_size is None else whole("batch_size", batch_size, 1)
        if come_in_batches(x, y):
            source: Source = Streamed(self, Batches(x, wanted))
        elif wanted is not None:
            raise ValueError("steps is for batches that are given; of a table, give the rows that are meant")
        else:
            source = Tabled(self, self._data(x, y, sample_weight), size, False)
        for callback in every:
            callback.set_model(self)
        return told(tested(source, every), return_dict)

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> float | list[float] | dict[str, float]:  # fmt: skip
        """One step on the rows given; returns their loss before it, or [loss, metrics...]."""
        data = self._data(x, y, sample_weight)
        if class_weight is not None:
            data["weights"] = data["weights"] * door.class_weights(class_weight, data["T"], self.dtype)
        return told(Tabled(self, data, len(data["X"]), False).trained(None), return_dict)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> float | list[float] | dict[str, float]:
        """The loss of the rows given, or [loss, metrics...], without training."""
        data = self._data(x, y, sample_weight)
        return told(Tabled(self, data, len(data["X"]), False).evaluated(), return_dict)

    def reset_metrics(self) -> None:
        """Nothing: a metric keeps nothing from one call to the next. It is Keras's, for loops of `train_on_batch`."""

    def program(self, batch_size: int = 32, training: bool = True) -> Program:
        """What one training step (or one prediction) does, operation by operation; `print` lists it."""
        from tinynet.program import record, record_prediction

        size = whole("batch_size", batch_size, 1)
        if not training:
            return record_prediction(self._built(), size)
        state = self._compiled()
        return record(state.network, state.objective, state.optimizer, size, state.target_columns)

    def save(self, path: str | os.PathLike[str], overwrite: bool = True, *, training_state: bool = False) -> None:
        """Write the model into one file, whole or not at all; `tn.load_model` reads it. See `tinynet.persistence`.

        Parameters
        ----------
        path : where; the format is safetensors, whatever the name ends in
        overwrite : whether a file that is there is replaced; default True. Raises FileExistsError where it is not
        training_state : keep the optimizer's slots, the step and the generator too, so that training goes on exactly
        """
        from tinynet.model_file import save  # it knows Sequential, to load it

        if not overwrite and os.path.lexists(path):
            raise FileExistsError(f"{os.fspath(path)!r} is there already, and overwrite=False")
        save(self, path, training_state)

    def save_weights(self, path: str | os.PathLike[str], overwrite: bool = True) -> None:
        """As `save`: the file is a whole model, of which `load_weights` takes the weights."""
        self.save(path, overwrite)

    def load_weights(self, path: str | os.PathLike[str] | bytes) -> None:
        """Take the weights of a file that `save` or `save_weights` wrote. Raises ValueError where they do not fit."""
        from tinynet.persistence import read

        tensors, _ = read(path)
        self.set_weights([tensor for name, tensor in tensors.items() if name.startswith("weights/")])

    def get_config(self) -> dict[str, Any]:
        """The layers and their settings, without weights; `from_config` makes a model of them."""
        described = [{"class": type(layer).__name__, **layer.get_config()} for layer in self.layers]
        return {"name": self.name, "dtype": self.dtype.name, "n_in": self._columns, "layers": described}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Sequential:
        """A model with new weights from what `get_config` says; `custom_objects` as for `load_model`."""
        from tinynet.model_file import layer_from

        needed = {"name", "dtype", "n_in", "layers"}
        if not isinstance(config, Mapping) or not needed <= config.keys():
            raise ValueError(f"config is the dictionary that get_config gives, with {', '.join(sorted(needed))}")
        layers = [layer_from(entry, dict(custom_objects or {})) for entry in config["layers"]]
        made = cls(layers, config["name"], config["dtype"])
        if config["n_in"] is not None:
            made.build(config["n_in"])
        return made


def told(found: dict[str, float], return_dict: bool) -> float | list[float] | dict[str, float]:
    """Numbers by name as Keras returns them: all by name where asked, else the loss alone or a list."""
    return found if return_dict else found["loss"] if len(found) == 1 else list(found.values())
