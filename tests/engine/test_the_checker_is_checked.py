"""The gradient check itself: each fault that people make must fail, and be named; what is right must pass."""

import numpy as np
import pytest
from faulty_layers import FAULTS, ForgottenLastBias, LastOfEachCode, NothingLeft, bent, bent_penalty, slack

import tinynet as tn
from tinynet.formulas import activations, losses
from tinynet.formulas.formula import Formula, derivative_of
from tinynet.losses import Loss

GENERATOR = np.random.default_rng(4)
X = GENERATOR.standard_normal((6, 4))
X[:, 0] = [0, 1, 1, 2, 2, 2]
T = GENERATOR.standard_normal((6, 4))


def stack_with(layer, place):
    """Four layers of width 4, the given one at its place."""
    layers = [
        tn.layers.Dense(4, "tanh"),
        tn.layers.LayerNormalization(),
        tn.layers.Dense(4, "gelu"),
        tn.layers.Dense(4),
    ]
    layers[place - 1] = layer
    return layers


def compiled(layers, loss="mse", dtype="float64"):
    tn.set_random_seed(5)
    model = tn.Sequential(layers, dtype=dtype)
    model.compile("sgd", loss)
    return model


@pytest.mark.parametrize("place", [1, 2, 3, 4])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_wherever_it_stands(fault, place):
    """By its own layer and tensor, although it spoils every gradient before it."""
    make, tensor = FAULTS[fault]
    layer = make()
    with pytest.raises(tn.GradientError, match=rf"^the gradient d{tensor} of layer {place} \({type(layer).__name__}\)"):
        tn.gradcheck(compiled(stack_with(layer, place)), X, T, elements=8)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_in_a_layer_by_itself(fault):
    make, tensor = FAULTS[fault]
    with pytest.raises(tn.GradientError, match=rf"^the gradient d{tensor} of layer 1 "):
        tn.check_layer(make(), 4)


def test_a_fault_far_from_the_elements_drawn_is_found():
    """What is never written is seen without being compared."""
    for seed in range(5):
        with pytest.raises(tn.GradientError, match=r"db of layer 1 .* is not a number"):
            tn.check_layer(ForgottenLastBias(300), 2, elements=3, seed=seed)


def test_codes_that_occur_twice():
    layers = stack_with(LastOfEachCode(0, 3, 2), 1)
    with pytest.raises(tn.GradientError, match=r"dE1 of layer 1 \(LastOfEachCode\)"):
        tn.gradcheck(compiled(layers), X, T)


def test_a_backward_that_returns_nothing_is_named():
    with pytest.raises(TypeError, match="backward of layer 3 returned no dx"):
        tn.gradcheck(compiled(stack_with(NothingLeft(4), 3)), X, T)
    with pytest.raises(tn.GradientError, match=r"NothingLeft.backward returned no dx"):
        tn.check_layer(NothingLeft(4), 4)


# ------------------------------------------------------------------------------------- losses and penalties


def test_a_loss_whose_gradient_is_wrong_by_half_a_thousandth():
    with pytest.raises(
        tn.GradientError, match=r"^the gradient dy of the loss is wrong: its relative error is 5.00e-04"
    ):
        tn.gradcheck(compiled(stack_with(tn.layers.Dense(4), 4), Loss(slack)), X, T)


def test_a_fused_loss_that_is_wrong(monkeypatch):
    monkeypatch.setattr(
        losses.binary_crossentropy_from_logits, "derivative", lambda y, t: activations.sigmoid(y) - 0.99 * t
    )
    model = compiled(stack_with(tn.layers.Dense(4, "sigmoid"), 4), "binary_crossentropy")
    with pytest.raises(tn.GradientError, match=r"^the gradient dz of the loss is wrong"):
        tn.gradcheck(model, X, (T > 0) * 1.0)


def test_a_penalty_without_its_factor_two():
    layers = stack_with(tn.layers.Dense(4, kernel_regularizer=Formula(bent_penalty)), 3)
    with pytest.raises(tn.GradientError, match=r"^the gradient dW of layer 3 \(Dense\) is wrong"):
        tn.gradcheck(compiled(layers), X, T)


# ------------------------------------------------------------------------------------------- what must pass


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "elu", "softplus"])
def test_a_right_network_at_its_kinks_passes(activation):
    """Rows of zeros meet biases of zero: every z of the first layer is exactly 0, in the middle of the kink."""
    layers = [tn.layers.Dense(5, activation, input_shape=[4]), tn.layers.Dense(4, activation), tn.layers.Dense(4)]
    x = X.copy()
    x[::2] = 0.0
    report = tn.gradcheck(compiled(layers, "mae"), x, np.zeros((6, 4)))
    if activation == "relu":
        assert sum(check.at_kinks for check in report.checks) > 0
        assert "at kinks" in str(report)


def test_a_wrong_slope_between_kinks_is_found_beside_them():
    def shrunk(z):
        return 0.5 * (z + abs(z))

    derivative_of(shrunk)(lambda z, a: 0.999 * (a > 0))
    x = X.copy()
    x[0] = 0.0
    with pytest.raises(tn.GradientError, match="layer 1"):
        tn.gradcheck(compiled([tn.layers.Dense(5, shrunk, use_bias=False), tn.layers.Dense(4)]), x, T)


def test_a_model_in_float32_is_checked_in_double_and_left_as_it_was():
    model = compiled(stack_with(tn.layers.Dropout(0.3), 3), dtype="float32")
    model.fit(X, T, epochs=2, verbose=0)
    kept, step = model.get_weights(), int(model.network.step[0])
    gradients = model.network.gradients.copy()
    assert tn.gradcheck(model, X, T).error < 1e-9
    assert all(np.array_equal(a, b) for a, b in zip(kept, model.get_weights(), strict=True))
    assert np.array_equal(model.network.gradients, gradients)
    assert int(model.network.step[0]) == step


def test_the_metric_is_the_one_that_is_stated():
    """|analytic - numeric| / max(|analytic|, |numeric|): slopes 1.0005 and 1 are 0.0005 / 1.0005 apart."""
    layer = tn.layers.Activation(bent)
    with pytest.raises(tn.GradientError) as caught:
        tn.check_layer(layer, 4)
    assert f"relative error is {0.0005 / 1.0005:.2e}" in str(caught.value)
    report = tn.check_layer(layer, 4, tolerance=1e-3)
    assert report.error == pytest.approx(0.0005 / 1.0005, rel=1e-6)
    assert not report.failed


def test_a_right_network_that_is_steep_passes():
    """Rows of two equal numbers have variance 0: each normalisation then has a slope of 1 / sqrt(0.001), about 32."""
    layers = []
    for _ in range(2):
        zeros = tn.layers.Dense(2, kernel_initializer="zeros", bias_initializer=tn.initializers.Constant(1.0))
        layers += [zeros, tn.layers.LayerNormalization()]
    assert tn.gradcheck(compiled([*layers, tn.layers.Dense(4)]), X, T, tolerance=1e-7).error > 0


def test_a_right_loss_near_the_end_of_its_domain_passes():
    """Means of e^-12 are smaller than a difference's step, and a logarithm has no left of 0."""
    layers = [tn.layers.Dense(4, "softplus", bias_initializer=tn.initializers.Constant(-12.0))]
    tn.gradcheck(compiled(layers, "poisson"), 0.1 * X[:, 1:], np.abs(T), tolerance=1e-7)


def test_a_forward_that_is_not_finite_is_no_proof():
    x = X.copy()
    x[:, 0] = 1e200
    with pytest.raises(tn.GradientError, match="not a number") as caught:
        tn.gradcheck(compiled([tn.layers.Dense(4)]), x, T)
    assert "largest error nan" in str(caught.value)


def test_gradients_lost_in_rounding_pass():
    """A saturated network: slopes of 1e-12 against a loss of 1 cannot be measured by differences, nor be refuted."""
    layers = [tn.layers.Dense(4, "tanh", bias_initializer=tn.initializers.Constant(14.0)), tn.layers.Dense(4)]
    tn.gradcheck(compiled(layers), X, T)
