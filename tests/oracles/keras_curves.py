"""Reference curves made by Keras 3 on JAX in float64: every layer x loss x optimizer that tinynet and Keras share.

    pip install keras jax
    python tests/oracles/keras_curves.py            compares Keras, live, with the curves kept in keras_curves.json
    python tests/oracles/keras_curves.py --write    makes the file anew

A curve is 50 steps from given weights, without shuffling: 18 rows in batches of 4, the last of each epoch with 2, for
10 epochs. Kept are the loss of each epoch, the loss of `evaluate` afterwards, and the predictions of two rows; every
second curve has sample weights. Layers, losses and optimizers are Keras's. The loop around them stands here, compiled
once for many curves, since `fit` would compile each anew; the curves of gradient descent are compared with `fit` too.
The file says all that is needed to run them again: tests/model/test_keras_curves.py needs this file and no Keras.
"""

import json
import sys
from pathlib import Path

import numpy as np
from keras_float64 import TOLERANCE, VERSIONS, jax, keras, short

FILE = Path(__file__).with_name("keras_curves.json")
# What both packages are told: a class and its arguments. "head" stands for the activation that the loss wants.
PENALTY = {"l1": 0.01, "l2": 0.02}
STACKS = {
    "dense": [["Dense", {"units": 4, "activation": "tanh"}], ["Dense", {"activation": "head"}]],
    "without bias, with penalties": [
        ["Dense", {"units": 5, "activation": "relu", "use_bias": False, "kernel_regularizer": PENALTY}],
        ["Dense", {"activation": "head", "kernel_regularizer": {"l1": 0.004}, "bias_regularizer": {"l2": 0.03}}],
    ],
    "activation layers": [
        ["Dense", {"units": 4}], ["Activation", {"activation": "gelu"}],
        ["Dense", {}], ["Activation", {"activation": "head"}],
    ],
    "layer normalization": [
        ["Dense", {"units": 4, "activation": "silu"}], ["LayerNormalization", {}], ["Dense", {"activation": "head"}],
    ],
    "embedding": [
        ["Embedding", {"columns": [1], "input_dim": [4], "output_dim": [2]}],
        ["Dense", {"units": 3, "activation": "elu"}], ["Dense", {"activation": "head"}],
    ],
    "dropout of nothing last": [
        ["Dense", {"units": 3, "activation": "sigmoid"}], ["Dense", {"activation": "head"}], ["Dropout", {"rate": 0.0}],
    ],
}  # fmt: skip
for activation in ("linear", "leaky_relu", "softplus", "softmax"):  # the others stand above
    STACKS[activation] = [["Dense", {"units": 4, "activation": activation}], ["Dense", {"activation": "head"}]]

LOSSES = {  # name: loss, its arguments, the head, outputs, targets
    "mse": ["MeanSquaredError", {}, "linear", 2, "amounts"],
    "mae": ["MeanAbsoluteError", {}, "linear", 1, "amount"],
    "huber": ["Huber", {"delta": 0.7}, "linear", 2, "amounts"],
    "poisson": ["Poisson", {}, "softplus", 2, "counts"],
    "binary": ["BinaryCrossentropy", {}, "sigmoid", 1, "yes"],
    "binary logits": ["BinaryCrossentropy", {"from_logits": True}, "linear", 2, "several yes"],
    "categorical": ["CategoricalCrossentropy", {}, "softmax", 3, "one hot"],
    "categorical of sums": ["CategoricalCrossentropy", {}, "softplus", 3, "one hot"],
    "sparse": ["SparseCategoricalCrossentropy", {}, "softmax", 3, "classes"],
    "sparse logits": ["SparseCategoricalCrossentropy", {"from_logits": True}, "linear", 3, "classes"],
}
OPTIMIZERS = {
    "sgd": ["SGD", {"learning_rate": 0.05}],
    "momentum": ["SGD", {"learning_rate": 0.02, "momentum": 0.9}],
    "nesterov": ["SGD", {"learning_rate": 0.02, "momentum": 0.9, "nesterov": True}],
    "rmsprop": ["RMSprop", {"learning_rate": 0.01}],
    "rmsprop momentum": ["RMSprop", {"learning_rate": 0.003, "rho": 0.8, "momentum": 0.9, "epsilon": 1e-5}],
    "adam": ["Adam", {"learning_rate": 0.03, "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-4}],
    "adamw": ["AdamW", {"learning_rate": 0.02, "weight_decay": 0.1}],
    "clipnorm": ["SGD", {"learning_rate": 0.1, "clipnorm": 0.2}],
    "clipvalue": ["SGD", {"learning_rate": 0.1, "momentum": 0.5, "clipvalue": 0.05}],
    "global clipnorm": ["Adam", {"learning_rate": 0.01, "global_clipnorm": 0.1}],
}
DECAYING = {  # for the first two stacks
    "sgd, decay": ["SGD", {"learning_rate": 0.05, "weight_decay": 0.2}],
    "nesterov, decay": ["SGD", {"learning_rate": 0.02, "momentum": 0.9, "nesterov": True, "weight_decay": 0.2}],
    "rmsprop, decay": ["RMSprop", {"learning_rate": 0.01, "weight_decay": 0.2}],
    "adam, decay": ["Adam", {"learning_rate": 0.02, "weight_decay": 0.2, "clipnorm": 0.5}],
    "amsgrad": ["Adam", {"learning_rate": 0.02, "beta_2": 0.7, "amsgrad": True}],
}
ROWS, BATCH, EPOCHS, SHOWN = 18, 4, 10, 2


def data() -> dict[str, list]:
    """x with two columns of numbers around one of codes, all targets, sample weights; few digits, so exact in JSON."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=(ROWS, 3)).round(2)
    x[:, 1] = rng.integers(0, 4, ROWS)
    amounts = np.stack([np.sin(x[:, 0]) + 0.5 * x[:, 1], x[:, 2] - x[:, 0]], axis=1)
    classes = (np.abs(x[:, 0]) + x[:, 1]).astype(int) % 3
    return {
        "x": x.tolist(),
        "sample_weight": rng.uniform(0.0, 2.0, ROWS).round(2).tolist(),
        "amounts": (amounts + 0.1 * rng.normal(size=amounts.shape)).round(2).tolist(),
        "amount": (amounts[:, 0] + 0.1 * rng.normal(size=ROWS)).round(2).tolist(),
        "counts": rng.poisson(np.exp(0.5 * x[:, [0, 2]])).astype(float).tolist(),
        "yes": (x[:, 0] + x[:, 2] > rng.normal(size=ROWS)).astype(int).tolist(),
        "several yes": (x[:, [0, 2]] > 0.0).astype(int).tolist(),
        "one hot": np.eye(3, dtype=int)[classes].tolist(),
        "classes": classes.tolist(),
    }


def made(kind: str, settings: dict, head: str, outputs: int) -> keras.Layer:
    """A Keras layer from what STACKS says."""
    settings = {key: keras.regularizers.L1L2(**v) if key.endswith("regularizer") else v for key, v in settings.items()}
    if settings.get("activation") == "head":
        settings["activation"] = head
    if kind == "Dense":
        settings = {"units": outputs, **settings}
    return getattr(keras.layers, kind)(**settings)


def network(stack: list, head: str, outputs: int) -> keras.Model:
    """A Keras model from what STACKS says. Embedding takes one column of x; the others come before its vectors."""
    entered = a = keras.Input((3,))
    for kind, settings in stack:
        if kind == "Embedding":
            column, size, length = (settings[key][0] for key in ("columns", "input_dim", "output_dim"))
            others = [j for j in range(3) if j != column]
            vectors = keras.layers.Embedding(size, length)(a[:, column])
            a = keras.layers.Concatenate()([*(a[:, j : j + 1] for j in others), vectors])
        else:
            a = made(kind, settings, head, outputs)(a)
    return keras.Model(entered, a)


def drawn(shapes: list[tuple[int, ...]]) -> list[list]:
    """Weights of these shapes, with few digits."""
    rng = np.random.default_rng(11)
    return [(rng.normal(size=shape) * (0.5 if len(shape) > 1 else 0.2)).round(2).tolist() for shape in shapes]


class Rule:
    """A Keras optimizer over variables of some shapes, its step compiled once."""

    def __init__(self, optimizer: list, variables: list) -> None:
        made = getattr(keras.optimizers, optimizer[0])(**optimizer[1])
        made.build(variables)
        self.start = [np.array(variable.value) for variable in made.variables]
        self.step = jax.jit(made.stateless_apply)


class Problem:
    """A Keras model with a loss: its loss and gradient, compiled once for all optimizers."""

    def __init__(self, stack: list, weights: list, loss: list, given: dict) -> None:
        kind, settings, head, outputs, target = loss
        self.model, self.loss = network(stack, head, outputs), getattr(keras.losses, kind)(**settings)
        self.model.set_weights([np.array(w) for w in weights])
        self.start = [np.array(variable.value) for variable in self.model.trainable_variables]
        self.x, self.y = np.array(given["x"]), np.array(given[target])
        self.loss_and_gradient = jax.jit(jax.value_and_grad(self.value))

    def value(self, variables: list, x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> jax.Array:
        """The loss of a batch, penalties included."""
        said, _, penalties = self.model.stateless_call(variables, [], x, training=True, return_losses=True)
        return self.loss(y, said, sample_weight=weight) + sum(penalties)

    def batches(self, weight: np.ndarray) -> list[tuple]:
        every = [slice(start, start + BATCH) for start in range(0, ROWS, BATCH)]
        return [(self.x[rows], self.y[rows], weight[rows]) for rows in every]

    def curve(self, rule: Rule, weight: np.ndarray) -> list:
        """[losses of the epochs, loss of evaluate, predictions of the first rows]; a batch counts by its rows."""
        variables, slots, losses = self.start, rule.start, []
        for _ in range(EPOCHS):
            total = 0.0
            for x, y, w in self.batches(weight):
                value, gradient = self.loss_and_gradient(variables, x, y, w)
                variables, slots = rule.step(slots, gradient, variables)
                total += float(value) * len(x)
            losses.append(total / ROWS)
        after = sum(float(self.loss_and_gradient(variables, x, y, w)[0]) * len(x) for x, y, w in self.batches(weight))
        said = self.model.stateless_call(variables, [], self.x[:SHOWN])[0]
        return [losses, after / ROWS, np.ravel(said).tolist()]

    def fitted(self, optimizer: list, weight: np.ndarray) -> list:
        """The same by Keras's own `fit` and `evaluate`."""
        self.model.compile(optimizer=getattr(keras.optimizers, optimizer[0])(**optimizer[1]), loss=self.loss)
        settings = {"batch_size": BATCH, "sample_weight": weight, "verbose": 0}
        fit = self.model.fit(self.x, self.y, epochs=EPOCHS, shuffle=False, **settings)
        after = self.model.evaluate(self.x, self.y, **settings)
        return [fit.history["loss"], after, self.model.predict(self.x[:SHOWN], verbose=0).ravel().tolist()]


def chosen(number: int, title: str) -> dict[str, list]:
    """The optimizers that a stack and a loss are run with."""
    rules = OPTIMIZERS | (DECAYING if number < 2 else {})
    few = {("mse", "sgd"), ("sparse", "nesterov")}
    return {rule: made for rule, made in rules.items() if number < 6 or (title, rule) in few}


def everything() -> dict:
    """All that the file holds. Raises ValueError where `fit` says something else than the loop here."""
    given, weights, curves = data(), {}, {}
    for number, (name, stack) in enumerate(STACKS.items()):
        made: dict[tuple, Rule] = {}
        for index, (title, loss) in enumerate(LOSSES.items()):
            if not (rules := chosen(number, title)):
                continue
            shapes = [w.shape for w in network(stack, loss[2], loss[3]).get_weights()]
            problem = Problem(stack, weights.setdefault(f"{name}, {loss[3]}", drawn(shapes)), loss, given)
            for rule, optimizer in rules.items():
                key = rule, loss[3]
                if key not in made:
                    made[key] = Rule(optimizer, problem.model.trainable_variables)
                weighted = (index + list(OPTIMIZERS | DECAYING).index(rule)) % 2 == 1
                weight = np.array(given["sample_weight"]) if weighted else np.ones(ROWS)
                found = problem.curve(made[key], weight)
                if number < 2 and rule == "sgd":
                    off = numbers(found) / numbers(problem.fitted(optimizer, weight)) - 1.0
                    if np.abs(off).max() > TOLERANCE:
                        raise ValueError(f"{name} / {title}: Keras's fit differs from this loop: {off}")
                curves.setdefault(name, {}).setdefault(title, {})[rule] = short([weighted, *found])
        print(f"{name} done", file=sys.stderr, flush=True)
        jax.clear_caches()
        keras.utils.clear_session()
    return {
        "made by": VERSIONS,
        "data": given, "stacks": STACKS, "losses": LOSSES, "optimizers": OPTIMIZERS | DECAYING,
        "of two stacks": list(DECAYING), "weights": weights,
        "batch_size": BATCH, "epochs": EPOCHS, "curves": curves,
    }  # fmt: skip


def written(found: dict) -> str:
    """JSON with a line for each curve."""
    dense = (",", ":")
    head = [f"{json.dumps(key)}:{json.dumps(found[key], separators=dense)}" for key in found if key != "curves"]
    curves = json.dumps(found["curves"], separators=dense).replace(':{"', ':{\n"').replace('],"', '],\n"')
    return "{" + ",\n".join(head) + ',\n"curves":' + curves + "}\n"


def numbers(curve: list) -> np.ndarray:
    """All numbers of a curve."""
    return np.hstack([np.ravel(part) for part in curve])


def named(curves: dict) -> dict[str, np.ndarray]:
    """The numbers of each curve under one name."""
    return {
        f"{stack} / {loss} / {optimizer}": numbers(curve[1:])
        for stack, losses in curves.items() for loss, rules in losses.items() for optimizer, curve in rules.items()
    }  # fmt: skip


def main() -> int:
    found = json.loads(written(everything()))
    if "--write" in sys.argv:
        FILE.write_text(written(found))
        return 0
    kept = json.loads(FILE.read_text())
    same = [key for key in found if key not in ("made by", "curves") and found[key] != kept[key]]
    live, stored = named(found["curves"]), named(kept["curves"])
    if same or live.keys() != stored.keys():
        print(f"the file and this script describe different curves: {same}; run with --write")
        return 1
    worst = 0.0
    for name, found_now in live.items():
        off = float(np.max(np.abs(found_now - stored[name]) / np.maximum(np.abs(stored[name]), 1e-3)))
        if off > TOLERANCE:
            print(f"{name}: Keras {keras.__version__} differs from the file by {off:.1e}")
        worst = max(worst, off)
    print(f"{len(live)} curves of Keras {keras.__version__}: largest difference {worst:.1e}")
    return int(worst > TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
