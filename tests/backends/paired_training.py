"""The same network in training twice: by NumPy, the reference, and by numba."""

import numpy as np

import tinynet as tn
from tinynet.training import Training

TARGETS = {  # what a loss wants behind it, and targets that it can have
    "binary_crossentropy": ("sigmoid", lambda rng, n, m: rng.integers(0, 2, (n, m))),
    "categorical_crossentropy": ("softmax", lambda rng, n, m: np.eye(m)[rng.integers(0, m, n)]),
    "sparse_categorical_crossentropy": ("softmax", lambda rng, n, m: rng.integers(0, m, (n, 1))),
    "poisson": ("softplus", lambda rng, n, m: rng.poisson(2.0, (n, m))),
    "gamma": ("linear", lambda rng, n, m: rng.gamma(2.0, 1.0, (n, m))),
}


def last_activation(loss):
    return TARGETS.get(loss, ("linear",))[0]


def training(cls, layers, columns, optimizer, loss, dtype, seed, **options):
    """A network of these layers, its parameters drawn with the seed, bound to an optimizer and ready to train."""
    tn.set_random_seed(seed)
    model = tn.Sequential([*layers()], dtype=dtype)
    model.compile(optimizer(), loss, backend="numpy")
    network = model._built(np.zeros((2, columns)))
    reference = model._compiled()
    state = cls(network, reference.objective, model.optimizer, reference.target_columns, **options)
    return model, state


def drawn_data(rng, rows, columns, outputs, loss, dtype):
    draw = TARGETS.get(loss, (None, lambda rng, n, m: rng.standard_normal((n, m))))[1]
    data = {
        "X": rng.standard_normal((rows, columns)),
        "T": draw(rng, rows, outputs),
        "weights": rng.uniform(0, 2, (rows, 1)),
    }
    return {name: np.ascontiguousarray(array, dtype) for name, array in data.items()}


def distance(found, expected):
    """How far two lists of arrays are apart, relative to their size."""
    found, expected = (np.concatenate([np.ravel(a).astype(np.float64) for a in each]) for each in (found, expected))
    scale = np.linalg.norm(expected)
    return float(np.linalg.norm(found - expected) / (scale or 1.0))


def agree(layers, columns, optimizer=lambda: "adam", loss="mse", dtype="float64", threads=2, seed=0, rows=37, batch=8,
          epochs=4, tolerance=None, x=None):  # fmt: skip
    """Train both; parameters, slots, losses and outputs agree after `epochs` epochs (20 steps by default)."""
    from tinynet.backends.numba_training import NumbaTraining

    tolerance = tolerance or (1e-10 if dtype == "float64" else 1e-4)
    model, ours = training(Training, layers, columns, optimizer, loss, dtype, seed)
    other, theirs = training(NumbaTraining, layers, columns, optimizer, loss, dtype, seed, threads=threads)
    rng = np.random.default_rng(seed)
    data = drawn_data(rng, rows, columns, ours.network.widths[-1], model.loss.name, dtype)
    if x is not None:
        data["X"] = np.ascontiguousarray(x(rng, rows), dtype)
    outputs = [np.zeros((rows, ours.network.widths[-1]), dtype) for _ in range(4)]
    for _ in range(epochs):
        order = rng.permutation(rows)
        expected = ours.epoch(data, order, batch, outputs[0])
        found = theirs.epoch(data, order, batch, outputs[1])
        assert abs(found - expected) <= tolerance * max(1.0, abs(expected))
    assert distance(other.get_weights(), model.get_weights()) <= tolerance
    assert distance([theirs.optimizer.slots], [ours.optimizer.slots]) <= tolerance
    assert distance([outputs[1]], [outputs[0]]) <= tolerance
    assert theirs.network.step[0] == ours.network.step[0] == epochs * -(-rows // batch)
    expected, found = ours.mean_loss(data, batch, outputs[2]), theirs.mean_loss(data, batch, outputs[3])
    assert abs(found - expected) <= tolerance * max(1.0, abs(expected))
    assert distance([outputs[3]], [outputs[2]]) <= tolerance
    return model, other
