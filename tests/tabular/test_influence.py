"""Influence: the factors are the gradients, the pull is what a small step does, and it ranks as leaving rows out does."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("sklearn")

import tinynet as tn
from tinynet.network import Workspace
from tinynet.operations import Operations
from tinynet.tabular import TabularClassifier, TabularRegressor
from tinynet.tabular.explain import influence
from tinynet.tabular.explain.factors import UNFUSED, factors, forward, in_double, products
from tinynet.tabular.explain.influence import OTHERS, inputs, pulls
from tinynet.tabular.heads import Head, heads

ROWS = 160
GENERATOR = np.random.default_rng(0)
TABLE = {
    "age": GENERATOR.integers(20, 90, ROWS),
    "sex": GENERATOR.choice(["f", "m"], ROWS),
    "ward": GENERATOR.choice([f"w{i}" for i in range(14)], ROWS),
    "creatinine": np.where(GENERATOR.random(ROWS) < 0.2, np.nan, GENERATOR.lognormal(0, 0.5, ROWS)),
}
RISK = TABLE["age"] / 20 + 2 * (TABLE["sex"] == "m") + GENERATOR.normal(0, 0.5, ROWS)
OUTCOMES = {
    "two classes": (TabularClassifier, {}, np.where(np.median(RISK) < RISK, "ill", "well")),
    "three classes": (TabularClassifier, {}, np.digitize(RISK, np.quantile(RISK, [0.4, 0.7]))),
    "amount": (TabularRegressor, {}, RISK),
    "median": (TabularRegressor, {"loss": "absolute_error"}, RISK),
    "count": (TabularRegressor, {"loss": "poisson"}, GENERATOR.poisson(np.exp(RISK / 4))),
    "cost": (TabularRegressor, {"loss": "two-part"}, np.where(RISK + GENERATOR.normal(0, 1, ROWS) < 3.5, 0.0, np.exp(RISK / 2))),
    "quantiles": (TabularRegressor, {"loss": "quantile", "quantiles": (0.1, 0.9)}, RISK),
}
SETTINGS = {"epochs": 4, "members": 2, "random_state": 0, "verbose": 0, "backend": "numpy", "hidden": (12, 6)}


@pytest.fixture(scope="module")
def models():
    return {kind: made(**more, **SETTINGS).fit(TABLE, y) for kind, (made, more, y) in OUTCOMES.items()}


def one_by_one(network, x, dz):
    """(n, parameters): each sample's gradient, from a backward pass of that sample alone."""
    found = []
    for i in range(len(x)):
        w = Workspace(network, 1, True, network.widths[-1])
        network.forward(Operations(), w, np.ascontiguousarray(x[i : i + 1]), False)
        network.backward(Operations(), w, dz[i : i + 1], UNFUSED)
        found.append(np.concatenate([g.ravel() for g in network.gradient_list()]))
    return np.array(found)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(1, 7), st.sampled_from(["silu", "relu", "tanh", None]), st.booleans()), max_size=3),
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 3)), max_size=2),
    st.integers(1, 9),
    st.integers(1, 4),
    st.integers(0, 999),
)
def test_products_are_those_of_gradients_made_one_by_one(hidden, codes, rows, outputs, seed):
    generator, numbers = np.random.default_rng(seed), 3
    layers = [tn.Input((numbers + len(codes),))]
    if codes:
        places = range(1, 1 + len(codes))  # between the numbers
        layers.append(tn.layers.Embedding(list(places), [n for n, _ in codes], [k for _, k in codes]))
    for units, activation, bias in hidden:
        layers += [tn.layers.Dense(units, activation, use_bias=bias), tn.layers.Dropout(0.5)]
    model = tn.Sequential([*layers, tn.layers.Dense(outputs)])
    model.build()
    model.set_weights([generator.normal(size=p.shape) for p in model.get_weights()])
    network = in_double(model.layers, numbers + len(codes), model.weights)
    x = generator.normal(size=(rows, numbers + len(codes)))
    for column, (count, _) in enumerate(codes, 1):
        x[:, column] = generator.integers(0, count, rows)
    dz = generator.normal(size=(rows, outputs))
    w, z = forward(network, x)
    np.testing.assert_allclose(z, model.predict(x), rtol=1e-4, atol=1e-4)
    gradients = one_by_one(network, x, dz)
    half = rows // 2 + 1
    first, then = forward(network, x[:half])[0], forward(network, x)[0]
    found = products(factors(network, first, dz[:half]), factors(network, then, dz))
    np.testing.assert_allclose(found, gradients[:half] @ gradients.T, rtol=1e-10, atol=1e-10)


def test_two_rows_by_hand():
    """z = 2 x + 0.5: of x = 3 with dz = -1 and x = 5 with dz = 4 the gradients are (-3, -1) and (20, 4)."""
    model = tn.Sequential([tn.layers.Dense(1, input_shape=[1])])
    model.build()
    model.set_weights([np.array([[2.0]]), np.array([0.5])])
    network = in_double(model.layers, 1, model.weights)
    w, z = forward(network, np.array([[3.0], [5.0]]))
    np.testing.assert_array_equal(z, [[6.5], [10.5]])
    found = factors(network, w, np.array([[-1.0], [4.0]]))
    np.testing.assert_array_equal(products(found, found), [[10.0, -64.0], [-64.0, 416.0]])


def test_a_layer_that_would_be_left_out_is_refused():
    model = tn.Sequential([tn.layers.LayerNormalization(input_shape=[2]), tn.layers.Dense(1)])
    model.build()
    network = in_double(model.layers, 2, model.weights)
    w, _ = forward(network, np.array([[1.0, 2.0]]))
    with pytest.raises(TypeError, match="not of LayerNormalization"):
        factors(network, w, np.ones((1, 1)))


@pytest.mark.parametrize("kind", ["two classes", "three classes", "amount", "median", "count", "cost", "quantiles"])
def test_the_pull_is_what_a_small_step_does(models, kind):
    """Each network takes a small step down the loss of one row, and the score is asked for again: central differences."""
    predictor, (_, more, y) = models[kind].predictor_, OUTCOMES[kind]
    found = influence(models[kind], TABLE, 3, training=TABLE, y=y)
    assert np.abs(found.pull).sum() == pytest.approx(1.0)
    x = inputs(predictor, predictor.table(TABLE)).astype(np.float64)
    numbers = np.unique(y, return_inverse=True)[1] if predictor.classes else np.asarray(y, float)
    place = found_place(predictor, x)
    for row in (0, 3, 11):
        moved = [step(predictor, x, numbers, more.get("loss", ""), row, e, place) for e in (1e-4, -1e-4)]
        slope = (moved[0] - moved[1]) / 2e-4
        total = raw_total(predictor, x, numbers, more.get("loss", ""), place)
        assert found.pull[row] == pytest.approx(slope / total, rel=1e-4, abs=1e-7)


def found_place(predictor, x):
    from tinynet.tabular.explain.asked import chosen

    return chosen(predictor, x[3:4], None)[0]


def step(predictor, x, numbers, loss, row, size, place):
    """The score of row 3 after every network went `size` down the loss of `row`."""
    from tinynet.tabular.explain.score import scored

    z = []
    for ensemble, head in zip(predictor.ensembles, heads(loss, numbers, predictor.outcome), strict=True):
        mixed = np.zeros((1, len(ensemble.shift)))
        for kind, share in zip(("additive", "deep"), ensemble.parts, strict=True):
            for member in ensemble.members[kind]:
                network = in_double(member.layers, x.shape[1], member.weights)
                w, said = forward(network, x[row : row + 1])
                slope = head.loss.f.derivative(said, head.t[row : row + 1].astype(float)) * head.mask[row]
                network.backward(Operations(), w, np.ascontiguousarray(slope), UNFUSED)
                network.parameters -= size * network.gradients
                mixed += share / len(ensemble.members[kind]) * forward(network, x[3:4])[1]
        z.append(ensemble.shift + ensemble.scale * mixed)
    return scored(predictor.outcome, z, place)[0][0]


def raw_total(predictor, x, numbers, loss, place):
    """The sum of the sizes before they are divided by it."""
    from tinynet.tabular.explain.score import scored

    slopes = scored(predictor.outcome, [e(x[3:4]) for e in predictor.ensembles], place)[1]
    parts = zip(predictor.ensembles, heads(loss, numbers, predictor.outcome), slopes, strict=True)
    return np.abs(sum(p for e, h, s in parts for p in pulls(e, h, s, x[3:4], x, np.ones(len(x))))).sum()


def test_it_ranks_as_leaving_out_and_training_again_does():
    """Logistic regression with a penalty, where training again has one answer: Newton's method without each row."""
    generator = np.random.default_rng(1)
    x, asked = generator.normal(size=(60, 3)), generator.normal(size=(8, 3))
    t = (x @ [1.5, -1.0, 0.5] + generator.logistic(size=60) > 0).astype(float)

    def trained(weight):
        theta, design = np.zeros(4), np.column_stack([x, np.ones(60)])
        for _ in range(30):
            p = 1 / (1 + np.exp(-design @ theta))
            hessian = design.T @ (design * (weight * p * (1 - p))[:, None]) + 3.0 * np.eye(4)
            theta -= np.linalg.solve(hessian, design.T @ (weight * (p - t)) + 3.0 * theta)
        return theta

    whole = trained(np.ones(60))
    model = tn.Sequential([tn.layers.Dense(1, input_shape=[3])])
    model.build()
    model.set_weights([whole[:3, None], whole[3:]])
    network = in_double(model.layers, 3, model.weights)
    w, z = forward(network, x)
    learned = factors(network, w, 1 / (1 + np.exp(-z)) - t[:, None])
    w, z = forward(network, asked)
    pull = -products(learned, factors(network, w, np.ones_like(z)))
    truth = np.empty((60, 8))
    for row in range(60):
        without = trained(np.arange(60) != row)
        truth[row] = np.column_stack([asked, np.ones(8)]) @ (whole - without)
    ranks = [np.corrcoef(pull[:, q].argsort().argsort(), truth[:, q].argsort().argsort())[0, 1] for q in range(8)]
    assert min(ranks) > 0.85


def test_rows_that_do_not_count_do_not_pull(models):
    y, weight = OUTCOMES["two classes"][2], np.ones(ROWS)
    weight[[4, 9]] = 0.0
    found = influence(models["two classes"], TABLE, 3, training=TABLE, y=y, sample_weight=weight)
    assert (found.pull[[4, 9]] == 0.0).all()
    assert not set(found.raised) & {4, 9}
    costs = influence(models["cost"], TABLE, 3, training=TABLE, y=OUTCOMES["cost"][2])
    assert np.abs(costs.pull[OUTCOMES["cost"][2] == 0]).max() > 0  # the part that asks whether there is any


def test_order_and_words(models):
    y = OUTCOMES["two classes"][2]
    found = influence(models["two classes"], TABLE, 3, training=TABLE, y=y, of="ill")
    other = influence(models["two classes"], TABLE, 3, training=TABLE, y=y, of="well")
    np.testing.assert_allclose(found.pull, -other.pull, atol=1e-12)
    assert set(found.raised) | set(found.lowered) == set(np.flatnonzero(found.pull))
    assert found.raised[0] == found.pull.argmax()
    assert found.lowered[0] == found.pull.argmin()
    sizes = np.sort(np.abs(found.pull))[::-1]
    assert sizes[: found.half].sum() >= 0.5 > sizes[: found.half - 1].sum()
    assert found.remark == ""
    part = {name: values[:100] for name, values in TABLE.items()}
    assert OTHERS in str(influence(models["two classes"], TABLE, 3, training=part, y=y[:100]))


@pytest.mark.parametrize(
    ("kind", "given", "told"),
    [
        ("two classes", {"y": ["ill"]}, "one label or amount for each of the 160"),
        ("two classes", {"y": ["dead"] * ROWS}, "labels in 160 of 160 rows"),
        ("amount", {"y": [np.nan] * ROWS}, "160 of 160 amounts"),
        ("amount", {"y": ["much"] * ROWS}, "160 of 160 amounts"),
        ("amount", {"sample_weight": [-1.0] * ROWS}, "sample_weight"),
    ],
)
def test_bad_requests(models, kind, given, told):
    request = {"y": OUTCOMES[kind][2], **given}
    with pytest.raises(ValueError, match=told) as error:
        influence(models[kind], TABLE, training=TABLE, **request)
    assert "dead" not in str(error.value)
