"""A model as a file and back: what `Sequential.save` writes and `load_model` reads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinynet import persistence
from tinynet.backends import missing
from tinynet.formulas.formula import Formula
from tinynet.formulas.vocabulary import Array
from tinynet.layers import LAYERS, Layer
from tinynet.losses import LOSSES, Loss
from tinynet.model import Sequential
from tinynet.optimizers import OPTIMIZERS
from tinynet.persistence import ModelFileError
from tinynet.settings import whole


def save(model: Sequential, path: str | os.PathLike[str], training_state: bool) -> None:
    """Write the architecture and weights, and with `training_state` all that training needs to go on exactly."""
    persistence.write(path, *described(model, training_state))


def described(model: Sequential, training_state: bool = False) -> tuple[dict[str, Array], dict[str, Any]]:
    """(tensors by name, the model's description), from which `made` makes it again."""
    network = model._built()
    tensors = {f"weights/{name}": view for name, view in model.variables().items()}
    description: dict[str, Any] = {
        "name": model.name,
        "dtype": model.dtype.name,
        "n_in": network.widths[0],
        "seed": network.seed,
        "layers": [{"class": type(layer).__name__, "name": layer.name, **layer.config()} for layer in model.layers],
    }
    if model.optimizer is not None and model.loss is not None:
        description["compiled"] = {
            "optimizer": OPTIMIZERS.saved(model.optimizer),
            "loss": LOSSES.saved(model.loss) | ({"name": model.loss.name} if type(model.loss) is Loss else {}),
            "metrics": [metric.saved() for metric in model.metrics],
            "weighted_metrics": [metric.saved() for metric in model.weighted_metrics],
            "backend": "auto" if model.auto and model.backend == "numpy" else model.backend,
            "threads": model.threads,
        }
    if training_state:
        slots = model._compiled().optimizer.slots
        assert slots is not None
        tensors |= {"training/slots": slots, "training/step": network.step}
        description["generator"] = model.generator.bit_generator.state
    return tensors, description


def load_model(
    source: str | os.PathLike[str] | bytes, custom_objects: Mapping[str, Any] | None = None, compile: bool = True
) -> Sequential:
    """The model in a file, or in its bytes.

    Parameters
    ----------
    source : a path, or the file's bytes
    compile : whether the loss, the optimizer and the state of training that the file has are taken too; default True
    custom_objects : layers, activations, losses, optimizers and metrics of one's own that the model uses, by name

    Raises
    ------
    FileNotFoundError : where there is no such file
    ModelFileError : where the file is damaged, of a newer format, or names what is not known
    """
    if not isinstance(custom_objects, (Mapping, type(None))):
        raise TypeError(f"custom_objects is a dictionary of things by their names, not {type(custom_objects).__name__}")
    tensors, description = persistence.read(source)
    if "tabular" in description:
        raise ModelFileError("the file holds a tabular model, columns and all; tinynet.load reads it")
    return made(tensors, description, custom_objects, compile)


def made(
    tensors: dict[str, Array],
    description: dict[str, Any],
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
) -> Sequential:
    """The model that `described` described; raises ModelFileError where there can be none."""
    try:
        return _made(tensors, description, dict(custom_objects or {}), compile)
    except ModelFileError:
        raise
    except Exception as error:  # whatever a stranger's description does to the classes that it names
        why = f"it lacks {error}" if isinstance(error, KeyError) else str(error).partition("\n")[0]
        own = why.startswith("there is no") and " setting of " not in why
        why += "; pass what is your own in custom_objects" if own else ""
        raise ModelFileError(f"the file describes a model that cannot be made: {why}") from None


def _made(tensors: dict[str, Array], described: dict[str, Any], custom: dict[str, Any], compiled: bool) -> Sequential:
    """The model that the description and the tensors make; what does not fit is told before memory is taken."""
    model = Sequential([layer_from(e, custom) for e in described["layers"]], str(described["name"]), described["dtype"])
    width = whole("n_in", described["n_in"], 1)
    expected: dict[str, tuple[int, ...]] = {}
    for layer in model.layers:
        expected |= {f"weights/{layer.name}/{name}": spec.shape for name, spec in layer.parameters(width).items()}
        width = layer.build(width)
    _check(tensors, expected, model.dtype)
    model.build(described["n_in"])
    network = model._built()
    network.seed = whole("seed", described["seed"], 0)
    for name, view in model.variables().items():
        view[...] = tensors[f"weights/{name}"]
    if compiled and "compiled" in described:
        _compile(model, described["compiled"], custom)
    if compiled and "training/slots" in tensors:
        slots = model._compiled().optimizer.slots
        assert slots is not None
        _check(tensors, expected | {"training/slots": slots.shape}, model.dtype)
        slots[...] = tensors["training/slots"]
        network.step[...] = whole("the step", tensors["training/step"].item(), 0)
        model.generator.bit_generator.state = described["generator"]
    return model


def _check(tensors: dict[str, Array], expected: dict[str, tuple[int, ...]], dtype: np.dtype) -> None:
    """Raises ModelFileError where a tensor is missing, or is not what its place in the model is."""
    for name, shape in expected.items():
        stored = tensors.get(name)
        if stored is None or stored.shape != shape or stored.dtype != dtype:
            found = "missing" if stored is None else f"{stored.dtype} {stored.shape}"
            raise ModelFileError(f"the file's {name} is {found}; its place in the model is {dtype} {shape}")
        if not np.isfinite(stored).all():
            raise ModelFileError(f"the file's {name} has NaN or infinity")
    if strangers := [name for name in tensors if name.startswith("weights/") and name not in expected]:
        raise ModelFileError(f"the file has {strangers[0]}, which no layer of its model has")


def layer_from(entry: dict[str, Any], custom: Mapping[str, Any]) -> Layer:
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
    plain, weighted = ([_metric(saved, custom) for saved in compiled[kind]] for kind in ("metrics", "weighted_metrics"))
    backend = compiled.get("backend", "auto")
    # A machine without numba predicts and trains all the same; `model.backend` says by what.
    backend = "auto" if backend == "numba" and missing("numba") else backend
    optimizer, loss = OPTIMIZERS.get(compiled["optimizer"], custom), _loss(compiled["loss"], custom)
    model.compile(optimizer, loss, plain, weighted, backend, compiled.get("threads"))


def _loss(saved: dict[str, Any], custom: Mapping[str, Any]) -> Loss:
    """The loss that the file describes; one's own is a class, an object, or a formula that is given its scalars."""
    own = custom.get(saved["name"])
    if own is None or isinstance(own, type):
        return LOSSES.get(saved, custom)
    if isinstance(own, Loss):
        return own
    scalars = {name: value for name, value in saved.items() if name != "name"}
    return Loss(own if isinstance(own, Formula) else Formula(own, **scalars), saved["name"])


def _metric(saved: Any, custom: Mapping[str, Any]) -> Any:
    """The metric that the file describes; one's own is a function, an object, or a class that is given its options."""
    if isinstance(saved, str):
        return custom.get(saved, saved)
    own = custom.get(saved["class"])
    return saved if own is None else own(**{name: value for name, value in saved.items() if name != "class"})
