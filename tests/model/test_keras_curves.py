"""Losses and predictions over 50 steps are Keras's, for every layer x loss x optimizer that both have.

The curves were made by tests/oracles/keras_curves.py, which says what they are. Sigmoid and softmax before their
cross-entropies are taken on logits here and on probabilities there: within [1e-3, 1 - 1e-3] both agree.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import tinynet as tn

KERAS = json.loads((Path(__file__).parents[1] / "oracles" / "keras_curves.json").read_text())
CURVES = [
    (stack, loss, optimizer)
    for stack, losses in KERAS["curves"].items() for loss, rules in losses.items() for optimizer in rules
]  # fmt: skip


def layer(kind, settings, head, outputs):
    """A layer from what the file says; "head" stands for the activation that the loss wants."""
    settings = dict(settings)
    if settings.get("activation") == "head":
        settings["activation"] = head
    if kind == "Dense":
        settings.setdefault("units", outputs)
    return getattr(tn.layers, kind)(**settings)


def model_of(stack, loss, optimizer, dtype):
    kind, settings, head, outputs, _ = KERAS["losses"][loss]
    model = tn.Sequential([layer(*entry, head, outputs) for entry in KERAS["stacks"][stack]], dtype=dtype)
    model.build(3)
    model.set_weights([np.array(w) for w in KERAS["weights"][f"{stack}, {outputs}"]])
    rule, hyper = KERAS["optimizers"][optimizer]
    model.compile(optimizer=getattr(tn.optimizers, rule)(**hyper), loss=getattr(tn.losses, kind)(**settings))
    return model


def curve(stack, loss, optimizer, dtype):
    """(losses of the epochs and of evaluate, predictions of the first rows), by tinynet and by Keras."""
    weighted, losses, after, predictions = KERAS["curves"][stack][loss][optimizer]
    data = KERAS["data"]
    x, y = np.array(data["x"]), np.array(data[KERAS["losses"][loss][4]])
    weight = np.array(data["sample_weight"]) if weighted else None
    model = model_of(stack, loss, optimizer, dtype)
    fit = model.fit(x, y, KERAS["batch_size"], KERAS["epochs"], shuffle=False, sample_weight=weight, verbose=0)
    ours = [*fit.history["loss"], model.evaluate(x, y, KERAS["batch_size"], sample_weight=weight)]
    rows = len(predictions) // KERAS["losses"][loss][3]
    return (np.array(ours), np.array([*losses, after])), (model.predict(x[:rows]).ravel(), np.array(predictions))


def inside(loss, predictions):
    """Whether probabilities lie within [1e-3, 1 - 1e-3]; true of other outputs."""
    head = KERAS["losses"][loss][2]
    return head not in ("sigmoid", "softmax") or ((predictions >= 1e-3) & (predictions <= 1.0 - 1e-3)).all()


@pytest.mark.parametrize(("stack", "loss"), list(dict.fromkeys(names[:2] for names in CURVES)))
@pytest.mark.parametrize(("dtype", "rtol", "atol"), [("float64", 1e-10, 1e-12), ("float32", 1e-4, 1e-5)])
def test_fifty_steps_are_those_of_keras(stack, loss, dtype, rtol, atol):
    for optimizer in KERAS["curves"][stack][loss]:
        for ours, theirs in curve(stack, loss, optimizer, dtype):
            np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=atol, err_msg=optimizer)


def test_every_pair_of_layer_loss_and_optimizer_is_there():
    for number, stack in enumerate(list(KERAS["stacks"])[:6]):
        expected = KERAS["optimizers"].keys() - (KERAS["of two stacks"] if number >= 2 else [])
        for loss in KERAS["losses"]:
            assert KERAS["curves"][stack][loss].keys() == expected
    used = {entry[0] for stack in KERAS["stacks"].values() for entry in stack}
    assert used == set(tn.layers.LAYERS)


def test_the_curves_are_worth_comparing():
    """Each one moves, probabilities stay inside the stated range, and about half are weighted."""
    count = 0
    for stack, loss, optimizer in CURVES:
        weighted, losses, _, predictions = KERAS["curves"][stack][loss][optimizer]
        assert abs(losses[-1] - losses[0]) > 1e-3 * abs(losses[0]), (stack, loss, optimizer)
        assert inside(loss, np.array(predictions)), (stack, loss, optimizer)
        count += weighted
    assert 0.4 < count / len(CURVES) < 0.6


def test_a_wrong_epsilon_would_be_seen():
    KERAS["optimizers"]["rmsprop"][1]["epsilon"] = 1.1e-7
    try:
        (ours, theirs), _ = curve("dense", "mse", "rmsprop", "float64")
    finally:
        del KERAS["optimizers"]["rmsprop"][1]["epsilon"]
    assert np.abs(ours / theirs - 1.0).max() > 1e-10


def test_beyond_the_range_losses_are_taken_on_logits():
    """There Keras holds the probability at 1e-7, so that its loss stays at 16.1 and has no gradient; ours goes on.

    Keras with from_logits=True says what ours says; ours without fusion (a layer after the sigmoid) what Keras says.
    """
    for logit in (2.0, 30.0, 500.0):
        found = {}
        for name, last in (("fused", []), ("not fused", [tn.layers.Dropout(0.0)])):
            head = tn.layers.Dense(1, "sigmoid", kernel_initializer=tn.initializers.Constant(logit), input_shape=[1])
            model = tn.Sequential([head, *last], dtype="float64")
            model.compile("sgd", "binary_crossentropy")
            found[name] = model.evaluate([[1.0]], [0.0])
            model.train_on_batch([[1.0]], [0.0])
            moves = model.get_weights()[0] != logit
            assert moves == (name == "fused" or logit == 2.0)
        assert found["fused"] == pytest.approx(logit + np.log1p(np.exp(-logit)), rel=1e-12)
        assert found["not fused"] == pytest.approx(min(found["fused"], -np.log(1e-7)), rel=1e-8)
