"""A model as a file and back: what `Sequential.save` writes and `load_model` reads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from tinynet import persistence
from tinynet.layers import LAYERS, Layer
from tinynet.losses import LOSSES
from tinynet.model import Sequential
from tinynet.optimizers import OPTIMIZERS
from tinynet.persistence import ModelFileError


def save(model: Sequential, path: str | os.PathLike[str], training_state: bool) -> None:
    """Write the architecture and weights, and with `training_state` all that training needs to go on exactly."""
    network = model._built()
    tensors = {f"weights/{name}": view for name, view in model.variables().items()}
    described: dict[str, Any] = {
        "name": model.name,
        "dtype": model.dtype.name,
        "n_in": network.widths[0],
        "seed": network.seed,
        "layers": [{"class": type(layer).__name__, "name": layer.name, **layer.config()} for layer in model.layers],
    }
    if model.optimizer is not None and model.loss is not None:
        described["compiled"] = {
            "optimizer": OPTIMIZERS.saved(model.optimizer),
            "loss": LOSSES.saved(model.loss),
            "metrics": [metric.saved() for metric in model.metrics],
            "weighted_metrics": [metric.saved() for metric in model.weighted_metrics],
        }
    if training_state:
        slots = model._compiled().optimizer.slots
        assert slots is not None
        tensors |= {"training/slots": slots, "training/step": network.step}
        described["generator"] = model.generator.bit_generator.state
    persistence.write(path, tensors, described)


def load_model(source: str | os.PathLike[str] | bytes, custom_objects: Mapping[str, Any] | None = None) -> Sequential:
    """The model in a file, or in its bytes.

    Parameters
    ----------
    source : a path, or the file's bytes
    custom_objects : layers, activations, losses and metrics of one's own that the model uses, by name

    Raises
    ------
    FileNotFoundError : where there is no such file
    ModelFileError : where the file is damaged, of a newer format, or names what is not known
    """
    tensors, described = persistence.read(source)
    custom = dict(custom_objects or {})
    try:
        model = Sequential([_layer(e, custom) for e in described["layers"]], described["name"], described["dtype"])
        model.build(described["n_in"])
        network = model._built()
        network.seed = described["seed"]
        for name, view in model.variables().items():
            stored = tensors.get(f"weights/{name}")
            if stored is None or stored.shape != view.shape:
                raise ModelFileError(f"the file's weights {name} do not have the shape {view.shape} of their layer")
            view[...] = stored
        if "compiled" in described:
            _compile(model, described["compiled"], custom)
        if "training/slots" in tensors:
            training = model._compiled()
            assert training.optimizer.slots is not None
            training.optimizer.slots[...] = tensors["training/slots"]
            network.step[...] = tensors["training/step"]
            model.generator.bit_generator.state = described["generator"]
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"the file describes a model that cannot be made: {error}") from None
    return model


def _layer(entry: dict[str, Any], custom: Mapping[str, Any]) -> Layer:
    """The layer that an entry of the file describes."""
    known: dict[str, type[Layer]] = {**LAYERS, **{n: t for n, t in custom.items() if isinstance(t, type)}}
    if entry["class"] not in known:
        raise ModelFileError(f"the file uses a layer {entry['class']!r} that is not known; pass it in custom_objects")
    config = {key: value for key, value in entry.items() if key not in ("class", "name")}
    layer = known[entry["class"]].from_config(config, custom)
    layer.name = entry["name"]
    return layer


def _compile(model: Sequential, compiled: dict[str, Any], custom: Mapping[str, Any]) -> None:
    """Compile the model as the file says."""
    loss = custom.get(compiled["loss"]["name"], compiled["loss"])
    plain, weighted = (
        [custom.get(saved, saved) if isinstance(saved, str) else saved for saved in compiled[kind]]
        for kind in ("metrics", "weighted_metrics")
    )
    model.compile(OPTIMIZERS.get(compiled["optimizer"], custom), loss, plain, weighted)
