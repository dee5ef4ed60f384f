"""The word `backend` in compile: which machine it takes, and that the answers are the same."""

import numpy as np
import pytest

import tinynet as tn
from tinynet import backends
from tinynet.layers.base import Layer

pytest.importorskip("numba")
pytest.importorskip("scipy")
pytest.importorskip("threadpoolctl")

X = np.random.default_rng(0).standard_normal((600, 5))
Y = (X[:, :1] * X[:, 1:2] > 0).astype(float)


def model(**compiled: object) -> tn.Sequential:
    tn.set_random_seed(0)
    layers = [tn.layers.Dense(8, "gelu"), tn.layers.Dropout(0.2), tn.layers.Dense(1, "sigmoid")]
    made = tn.Sequential(layers, dtype="float64")
    made.compile(**{"optimizer": "adam", "loss": "binary_crossentropy", "metrics": ["auc"], **compiled})
    return made


@pytest.mark.parametrize("threads", [None, 2])
def test_numba_gives_numpys_numbers(threads: int | None) -> None:
    """Metrics, validation, a schedule, callbacks and all."""
    found = []
    for backend in ("numpy", "numba"):
        rate = tn.schedules.CosineDecay(1e-2, 30)
        made = model(optimizer=tn.optimizers.AdamW(rate), backend=backend, threads=threads)
        stop = tn.callbacks.EarlyStopping(patience=9, restore_best_weights=True)
        history = made.fit(X, Y, epochs=4, validation_split=0.2, callbacks=[stop], verbose=0).history
        assert made.backend == backend
        found.append((history, made.predict(X), made.evaluate(X, Y)))
    (first, y, loss), (second, other, again) = found
    for name, values in first.items():
        assert second[name] == pytest.approx(values, rel=1e-10), name
    np.testing.assert_allclose(other, y, rtol=1e-9)
    assert again == pytest.approx(loss, rel=1e-10)


def test_auto_takes_numba_for_a_long_fit_only() -> None:
    made = model()
    made.fit(X, Y, epochs=2, verbose=0)
    assert made.backend == "numpy"
    stops = tn.callbacks.EarlyStopping("loss", min_delta=9)  # a long fit by its settings; it ends after two epochs
    made.fit(X, Y, epochs=1000, callbacks=[stops], verbose=0)
    assert made.backend == "numba"
    assert int(made.network.step[0]) == 4 * 19


class Slices(Layer):
    """Writes into a slice, which NumPy can do and a program cannot hold."""

    def forward_arrays(self, n_in: int) -> dict[str, int]:
        return {"a": n_in}

    def forward(self, ops, m, x, training):
        ops.apply(tn.Formula(tn.activations.tanh), [x[:, :1]], [m.a[:, :1]])
        m.a[:, 1:] = x[:, 1:]
        return m.a

    def backward(self, ops, m, x, da):
        return m.dx


def test_auto_stays_where_a_layer_cannot_be_recorded() -> None:
    made = tn.Sequential([Slices(), tn.layers.Dense(1)])
    made.compile("sgd", "mse")
    made.fit(X, Y, epochs=1000, callbacks=[tn.callbacks.EarlyStopping("loss", min_delta=9)], verbose=0)
    assert made.backend == "numpy"


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda package: None if package == "numba" else object())
    with pytest.raises(ImportError, match=r"backend 'numba' needs numba, which is not installed: pip install"):
        model(backend="numba")
    assert backends.choose("auto") == (backends.Training, "numpy")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"backend": "nunba"}, "backend is 'auto', 'numpy', 'numba' or 'cupy'; given was 'nunba'"),
        ({"backend": None}, "backend is 'auto', 'numpy', 'numba' or 'cupy'"),
        ({"threads": 0}, "threads is a whole number of at least 1"),
    ],
)
def test_senseless_settings(options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        model(**options)


def test_what_is_set_between_two_fits_is_seen() -> None:
    """A dropout rate and a clipping that were changed on the objects hold from the next fit on."""
    found = []
    for backend in ("numpy", "numba"):
        made = model(backend=backend)
        made.fit(X, Y, epochs=1, verbose=0)
        made.layers[1].rate, made.optimizer.clipnorm = 0.6, 1e-3
        found.append(made.fit(X, Y, epochs=2, verbose=0).history["loss"])
    assert found[1] == pytest.approx(found[0], rel=1e-10)
