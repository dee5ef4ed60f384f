"""The gradient check on compiled code: numba's gradients against differences of NumPy's loss."""

import numpy as np
import pytest

import tinynet as tn
from tinynet.recorder import Row

pytest.importorskip("numba")
pytest.importorskip("scipy")
pytest.importorskip("threadpoolctl")

from tinynet.activations import ACTIVATIONS
from tinynet.backends import numba_encoding
from tinynet.losses import LOSSES
from tinynet.proof import TOLERANCE, ends, prove, stack, targets

NAMED = [name for name, made in LOSSES.known.items() if LOSSES.name_of(made()) == name]  # without "mse" and the like


@pytest.mark.parametrize(
    ("activation", "loss"),
    [(name, "mean_squared_error") for name in ACTIVATIONS] + [("tanh", name) for name in NAMED],
)
def test_each_activation_and_each_loss(activation: str, loss: str) -> None:
    model = tn.Sequential(stack(activation, ends(loss)[0]), dtype="float64")
    model.compile("sgd", loss, backend="numba", threads=2)
    rng = np.random.default_rng(0)
    x, weights = rng.standard_normal((4, 3)), rng.uniform(0.5, 2.0, 4)
    assert tn.gradcheck(model, x, targets(loss, rng), weights, TOLERANCE).error < TOLERANCE


@pytest.mark.nightly
@pytest.mark.parametrize("threads", [1, 3])
def test_every_loss_after_every_activation(threads: int) -> None:
    reports = [report for _, found in prove("numba", threads) for report in found]
    assert len(reports) > 100
    assert max(report.error for report in reports) < TOLERANCE


def embedded(threads: int) -> tn.Sequential:
    layers = [
        tn.layers.Embedding([1, 2], [3, 4], [2, 3]), tn.layers.Dense(5, "gelu", use_bias=False),
        tn.layers.LayerNormalization(), tn.layers.Dropout(0.3), tn.layers.Dense(2, "softmax"),
    ]  # fmt: skip
    model = tn.Sequential(layers)
    model.compile("adam", "sparse_categorical_crossentropy", backend="numba", threads=threads)
    return model


X = np.column_stack([np.linspace(-1, 1, 7), np.arange(7) % 3, np.arange(7) % 4])
Y = np.arange(7) % 2


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_embedding_and_several_threads(threads: int) -> None:
    assert tn.gradcheck(embedded(threads), X, Y, np.linspace(0.5, 2, 7)).error < TOLERANCE


@pytest.mark.parametrize("threads", [1, 2])
def test_a_wrong_kernel_is_found(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column sum that leaves out the last column."""
    real = numba_encoding.Encoder.column_sum

    def column_sum(self: numba_encoding.Encoder, row: Row) -> object:
        found = real(self, row)
        self.kept[-1][2] -= 1  # of its arguments, the number of columns
        return found

    monkeypatch.setattr(numba_encoding.Encoder, "column_sum", column_sum)
    with pytest.raises(tn.GradientError, match="gradient db of layer 5"):
        tn.gradcheck(embedded(threads), X, Y)


def test_no_step_is_taken() -> None:
    model = embedded(2)
    model.fit(X, Y, verbose=0)
    before, step = model.get_weights(), int(model.network.step[0])
    tn.gradcheck(model, X, Y)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
    assert int(model.network.step[0]) == step
