"""What Keras 3 assumes where nothing is said: defaults and order of arguments, names, and how initializers draw.

    python tests/oracles/keras_defaults.py            compares Keras, live, with what keras_defaults.json keeps
    python tests/oracles/keras_defaults.py --write    makes the file anew

tests/model/test_keras_defaults.py needs the file and no Keras.
"""

import inspect
import json
import sys
from pathlib import Path

import numpy as np
from keras_float64 import VERSIONS, keras, short

FILE = Path(__file__).with_name("keras_defaults.json")

CLASSES = {
    "layers": ["Dense", "Activation", "Dropout", "LayerNormalization", "Embedding"],
    "losses": ["MeanSquaredError", "MeanAbsoluteError", "Huber", "Poisson", "BinaryCrossentropy",
               "CategoricalCrossentropy", "SparseCategoricalCrossentropy"],
    "optimizers": ["SGD", "RMSprop", "Adam", "AdamW"],
    "initializers": ["Constant", "Zeros", "Ones", "RandomUniform", "RandomNormal", "GlorotUniform", "GlorotNormal",
                     "HeUniform", "HeNormal", "LecunUniform", "LecunNormal"],
    "regularizers": ["L1", "L2", "L1L2"],
    "callbacks": ["EarlyStopping", "ModelCheckpoint", "ReduceLROnPlateau", "LearningRateScheduler", "CSVLogger"],
    "activations": ["leaky_relu", "elu"],
}  # fmt: skip
METHODS = ["compile", "fit", "evaluate", "predict", "train_on_batch", "predict_on_batch"]
NAMES = {
    "optimizers": ["sgd", "rmsprop", "adam", "adamw"],
    "losses": ["mean_squared_error", "mse", "MSE", "mean_absolute_error", "mae", "MAE", "huber", "poisson",
               "binary_crossentropy", "bce", "BCE", "categorical_crossentropy", "sparse_categorical_crossentropy"],
    "initializers": ["zeros", "zero", "ones", "one", "random_uniform", "uniform", "random_normal",
                     "normal", "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform",
                     "lecun_normal"],
    "regularizers": ["l1", "l2", "l1l2"],
    "activations": ["linear", "relu", "leaky_relu", "elu", "gelu", "silu", "swish", "tanh", "sigmoid", "softplus",
                    "softmax"],
    "metrics": ["accuracy", "acc", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy",
                "precision", "recall", "mse", "MSE", "mae", "MAE", "mean_squared_error", "mean_absolute_error",
                "root_mean_squared_error", "r2_score", "auc", "AUC", "Precision", "Recall", "poisson",
                "binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy"],
}  # fmt: skip
DRAWN = {"matrix": (400, 250), "vector": (5000,)}


def arguments(function: object) -> list[list]:
    """[name, default] of every argument, in order; defaults that are not plain are left out."""
    found = []
    for name, parameter in inspect.signature(function).parameters.items():
        if name == "self" or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        plain = isinstance(parameter.default, (int, float, str, type(None)))
        found.append([name, parameter.default] if plain else [name])
    return found


def accepted(kind: str, name: str) -> bool:
    """Whether Keras knows the name; its compile also takes accuracy and acc."""
    try:
        getattr(keras, kind).get(name)
    except (KeyError, TypeError, ValueError):  # the classes that want an argument are no names
        return kind == "metrics" and name in ("accuracy", "acc")
    return True


def drawn(name: str, shape: tuple[int, ...]) -> dict[str, float]:
    """Least, greatest, mean and standard deviation of one large draw."""
    values = np.asarray(getattr(keras.initializers, name)()(shape))
    return {"least": values.min(), "greatest": values.max(), "mean": values.mean(), "deviation": values.std()}


def everything() -> dict:
    keras.utils.set_random_seed(1)
    classes = {
        kind: {name: arguments(getattr(getattr(keras, kind), name)) for name in CLASSES[kind]} for kind in CLASSES
    }
    every_name = {kind: list(dict.fromkeys([*names, *CLASSES.get(kind, [])])) for kind, names in NAMES.items()}
    random = [name for name in CLASSES["initializers"] if name not in ("Constant", "Zeros", "Ones")]
    draws = {name: {kind: drawn(name, shape) for kind, shape in DRAWN.items()} for name in random}
    draws = {name: {kind: {k: float(f"{v:.5g}") for k, v in numbers.items()} for kind, numbers in kinds.items()}
             for name, kinds in draws.items()}  # fmt: skip
    return short({
        "classes": classes,
        "methods": {name: arguments(getattr(keras.Model, name)) for name in METHODS},
        "names": {kind: [name for name in names if accepted(kind, name)] for kind, names in every_name.items()},
        "shapes": {kind: list(shape) for kind, shape in DRAWN.items()},
        "draws": draws,
    })  # fmt: skip


def main() -> int:
    found = everything()
    if "--write" in sys.argv:
        parts = {"made by": VERSIONS} | found
        FILE.write_text("{" + ",\n".join(f"{json.dumps(k)}:{json.dumps(v)}" for k, v in parts.items()) + "}\n")
        return 0
    kept = json.loads(FILE.read_text())
    wrong = [part for part in ("classes", "methods", "names", "shapes") if found[part] != kept[part]]
    wrong += [name for name, kinds in found["draws"].items() for kind, numbers in kinds.items()
              if abs(numbers["deviation"] / kept["draws"][name][kind]["deviation"] - 1.0) > 0.05]  # fmt: skip
    print(f"Keras {keras.__version__}: {', '.join(wrong) + ' differ from' if wrong else 'all as in'} the file")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
