"""The Python that is printed for a formula, one element or one row at a time, computes what NumPy computes on arrays.

Run with NumPy's scalars in place of numba's: they too keep to one precision only where every cast is written out.
"""

import ast

import numpy as np
import pytest
from every_formula import EVERY, arguments, levels, name_of, other_scalars
from odd_formulas import ODD, mixed_levels, same_names

from tinynet.formulas import activations, losses, rows, updates
from tinynet.formulas.emit import python_source
from tinynet.formulas.reader import FormulaError, read
from tinynet.formulas.unroll import unroll
from tinynet.formulas.vocabulary import ELEMENTWISE

PRECISIONS = [np.float32, np.float64]
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, -1e-40, 88.0, -88.0, 30.0, -30.0, 5.0, -5.0, 0.5, -0.5, 1.0]
ROW_FORMULAS = [f for f in EVERY + ODD if read(f).is_row]
OTHERS = [f for f in EVERY + ODD if not read(f).is_row]


def printed(f, precision, scalars):
    """The printed function with its constants given: a function of elements or of rows."""
    words = {word: function for word, (_, function) in ELEMENTWISE.items() if word != "where"}
    names = {"real": precision, "double": np.float64, **words}
    exec(python_source(f, levels(f)), names)
    function = names[f"{f.__name__}_"]
    if not unroll(f, levels(f)).constants:
        return function, ()
    values = read(f).scalars | scalars
    return function, tuple(map(np.float64, names[f"{f.__name__}_constants"](*map(float, values.values()))))


def run_rows(f, arrays, scalars, precision):
    of_levels = levels(f)
    function, constants = printed(f, precision, scalars)
    n, m = arrays[0].shape
    results = [np.empty((n, 1 if level == "row" else m), precision) for level in unroll(f, of_levels).result_levels]
    for i in range(n):
        parts = [a if of_levels.get(name) == "column" else a[i] for name, a in zip(read(f).arrays, arrays, strict=True)]
        function(*parts, *constants, *(result[i] for result in results), m)
    return results


def run_elements(f, arrays, scalars, precision):
    function, constants = printed(f, precision, scalars)
    results = []
    for elements in zip(*arrays, strict=True):
        result = function(*elements, *constants)
        results.append(result if isinstance(result, tuple) else (result,))
        assert all(type(value) is precision for value in results[-1])
    return list(np.transpose(np.array(results, precision)))


def assert_same(found, arrays, f, scalars, precision):
    results = f(*arrays, **scalars)
    for result, wanted in zip(found, results if isinstance(results, tuple) else (results,), strict=True):
        wanted, eps = np.broadcast_to(np.asarray(wanted, precision), result.shape), np.finfo(precision).eps
        np.testing.assert_allclose(result, wanted, rtol=16 * eps, atol=16 * eps)


@pytest.fixture(autouse=True)
def quiet():
    with np.errstate(all="ignore"):
        yield


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("f", OTHERS, ids=name_of)
def test_elementwise_formulas_and_update_rules(f, precision):
    first, second = (part.ravel() for part in np.meshgrid(SPECIAL, SPECIAL))
    count = len(read(f).arrays)
    arrays = [first, second, *np.random.default_rng(1).permuted([first] * 3, axis=1)][:count]
    arrays = [array.astype(precision) for array in arrays]
    for scalars in ({}, other_scalars(f)):
        assert_same(run_elements(f, arrays, scalars, precision), arrays, f, scalars, precision)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("f", ROW_FORMULAS, ids=name_of)
def test_row_formulas(f, precision):
    for m, scalars in ((1, {}), (6, {}), (6, other_scalars(f))):
        arrays = arguments(f, np.random.default_rng(m), (4, m), precision)
        if m == 6 and not scalars:
            arrays[0][1, 2], arrays[0][2, 3] = np.nan, np.inf
        assert_same(run_rows(f, arrays, scalars, precision), arrays, f, scalars, precision)


def test_what_is_printed():
    assert python_source(activations.leaky_relu) == (
        "def leaky_relu_constants(negative_slope_):\n"
        "    return real(negative_slope_),\n\n"
        "def leaky_relu_(z_, c0):\n"
        "    c0_ = real(c0)\n"
        "    return (z_ if (z_ > real(0.0)) else (c0_ * z_))\n\n"
    )
    assert python_source(activations.softmax) == (
        "def softmax_(z_, result0, m):\n"
        "    row_max_ = real(0.0)\n"
        "    for j in range(m):\n"
        "        value = z_[j]\n"
        "        row_max_ = (value if j == 0 else maximum(row_max_, value))\n"
        "    row_sum_total = 0.0\n"
        "    for j in range(m):\n"
        "        u_ = exp((z_[j] - row_max_))\n"
        "        row_sum_total = row_sum_total + double(u_)\n"
        "    row_sum_ = real(row_sum_total)\n"
        "    for j in range(m):\n"
        "        u_ = exp((z_[j] - row_max_))\n"
        "        value0 = (u_ / row_sum_)\n"
        "        result0[j] = value0\n\n"
    )


def test_what_a_formula_says_twice_is_computed_once():
    unrolled = unroll(rows.layer_normalization.gradient, {"gamma": "column"})
    means = [name for name, _ in unrolled.steps if name.startswith("row_mean")]
    assert len(means) == 4  # x, its variance, dx_hat, dx_hat x_hat; the source says seven


def test_levels():
    assert unroll(losses.sparse_categorical_crossentropy, {"t": "row"}).result_levels == ("row",)
    assert unroll(losses.one_hot, {"t": "row"}).result_levels == ("element",)
    assert unroll(rows.layer_normalization.gradient).result_levels == ("element", "element")
    with pytest.raises(ValueError, match="softmax has no array named t"):
        unroll(activations.softmax, {"t": "row"})


def test_odd_formulas_are_what_they_say():
    assert unroll(mixed_levels, {"offset": "row"}).result_levels == ("element", "row", "row")
    steps = unroll(same_names).steps
    assert len({name for name, _ in steps}) == len(steps)
    assert sum(ast.dump(tree).count("'exp'") for _, tree in steps) == 2  # of z and of 2 z


def test_what_the_reader_refuses_is_not_printed():
    with pytest.raises(FormulaError, match=r"np\.arctan"):
        python_source(arctan)


def arctan(z):
    return np.arctan(z)


def test_update_rules_return_parameter_and_slots():
    tree = ast.parse(python_source(updates.rmsprop_momentum)).body[-1]
    assert [argument.arg for argument in tree.args.args[:4]] == ["p_", "g_", "v_", "m_"]
    assert len(tree.body[-1].value.elts) == 3
