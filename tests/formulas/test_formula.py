"""A formula with its scalars filled in."""

import numpy as np
import pytest

from tinynet.formulas import activations, losses, updates
from tinynet.formulas.formula import Formula, scalar_defaults


def test_scalars_are_filled_in_and_go_along_to_the_derivative():
    elu = Formula(activations.elu, alpha=2)
    z = np.array([-np.log(2.0), 3.0])
    np.testing.assert_allclose(elu(z), [-1.0, 3.0])
    np.testing.assert_allclose(elu.derivative(z, elu(z)), [1.0, 1.0])
    assert (elu.scalars, elu.derivative.scalars) == ({"alpha": 2.0}, {"alpha": 2.0})
    assert type(elu.scalars["alpha"]) is float


def test_a_derivative_takes_the_scalars_that_it_has():
    assert Formula(losses.binary_crossentropy).derivative.scalars == {"epsilon": 1e-7}
    assert Formula(activations.softmax).derivative is None
    assert Formula(activations.softmax).gradient.name == "softmax_gradient"
    assert Formula(updates.sgd).derivative is None


def test_a_scalar_that_the_formula_does_not_have_is_refused_by_name():
    with pytest.raises(TypeError, match="formula elu has no scalar named 'beta'; it has: alpha"):
        Formula(activations.elu, beta=1.0)
    with pytest.raises(TypeError, match="formula relu has no scalar named 'alpha'; it has: none"):
        Formula(activations.relu, alpha=1.0)
    with pytest.raises(TypeError, match="written with `def`, not ufunc"):
        Formula(np.exp)


def test_equal_formulas_are_equal():
    same = {Formula(activations.elu), Formula(activations.elu, alpha=1), Formula(activations.elu, alpha=2)}
    assert len(same) == 2
    assert Formula(activations.elu) != activations.elu
    assert [repr(f) for f in (Formula(activations.elu), Formula(activations.elu, alpha=2))] == ["elu", "elu(alpha=2)"]


def test_defaults_come_in_order():
    assert list(scalar_defaults(updates.adam)) == ["learning_rate", "beta_1", "beta_2", "epsilon", "step"]
    assert scalar_defaults(activations.relu) == {}
