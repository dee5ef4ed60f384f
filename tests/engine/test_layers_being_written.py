"""A layer that is being written: what is wrong with it is said in one sentence, with its line."""

import numpy as np
import pytest

import tinynet as tn
from tinynet.formulas.rows import product
from tinynet.formulas.vocabulary import maximum, where


def larger(p, q):
    return maximum(p, q)


def share_of_first(da, p, q):
    return where(p >= q, da, 0.0)


def share_of_second(da, p, q):
    return where(p >= q, 0.0, da)


class Maxout(tn.layers.Layer):
    """a = max(x W, x V) (Goodfellow and others 2013)."""

    def __init__(self, units):  # does not call Layer's, on purpose
        self.units = units

    def build(self, n_in):
        return self.units

    def parameters(self, n_in):
        shape = (n_in, self.units)
        return {name: tn.layers.Parameter(shape, tn.initializers.GlorotUniform()) for name in ("W", "V")}

    def forward_arrays(self, n_in):
        return dict.fromkeys(("p", "q", "a"), self.units)

    def backward_arrays(self, n_in):
        return dict.fromkeys(("dp", "dq"), self.units)

    def forward(self, ops, m, x, training):
        ops.gemm(x, m.W, m.p)
        ops.gemm(x, m.V, m.q)
        ops.apply(tn.Formula(larger), [m.p, m.q], [m.a])
        return m.a

    def backward(self, ops, m, x, da):
        ops.apply(tn.Formula(share_of_first), [da, m.p, m.q], [m.dp])
        ops.apply(tn.Formula(share_of_second), [da, m.p, m.q], [m.dq])
        ops.gemm(x, m.dp, m.dW, trans_a=True)
        ops.gemm(x, m.dq, m.dV, trans_a=True)
        if m.dx is not None:
            ops.gemm(m.dp, m.W, m.dx, trans_b=True)
            ops.gemm(m.dq, m.V, m.dx, trans_b=True, accumulate=True)
        return m.dx


def with_forward(body):
    return type("Own", (Maxout,), {"forward": body})(4)


def network(layer, backend="numpy"):
    tn.set_random_seed(0)
    model = tn.Sequential([tn.Input([3]), layer, tn.layers.Dense(1)])
    model.compile("sgd", "mse", backend=backend)
    return model


def data(rows=64):
    rng = np.random.default_rng(0)
    return rng.standard_normal((rows, 3)), rng.standard_normal((rows, 1))


def test_the_right_one_passes_trains_and_is_recorded():
    assert tn.check_layer(Maxout(4), n_in=3).error < 1e-8
    model = network(Maxout(4))
    history = model.fit(*data(), epochs=5, verbose=0).history["loss"]
    assert history[-1] < history[0]
    assert "larger" in str(model.program(8))
    assert model.layers[0].name == "maxout"


def no_transpose(self, ops, m, x, da):
    ops.gemm(x, da, m.dW)


def bare_function(self, ops, m, x, training):
    ops.apply(larger, [m.p, m.q], [m.a])


def no_lists(self, ops, m, x, training):
    ops.apply(tn.Formula(larger), [m.p, m.q], m.a)


def too_many(self, ops, m, x, training):
    ops.apply(tn.Formula(larger), m.p, m.q, m.a)


def test_a_product_that_does_not_fit_names_line_shapes_and_transpose():
    layer = type("Own", (Maxout,), {"backward": no_transpose})(4)
    with pytest.raises(ValueError, match="gemm cannot do this") as error:
        tn.check_layer(layer, n_in=3)
    line = no_transpose.__code__.co_firstlineno + 1
    assert str(error.value) == (
        f"no_transpose, line {line}, `ops.gemm(x, da, m.dW)`: gemm cannot do this with a (5, 3), b (5, 4), "
        "out (3, 4); it fits with trans_a=True"
    )


@pytest.mark.parametrize(
    ("forward", "sentence"),
    [
        (bare_function, r"apply takes a formula as 'f': give it tn.Formula\(larger\)$"),
        (no_lists, r"apply takes a list of arrays as 'outs', as in \[m.a\]$"),
        (too_many, r"apply takes \(f, arrays, outs\): too many positional arguments$"),
        (lambda self, ops, m, x, training: None, "Own.forward returned nothing; it returns its result, an array of m$"),
    ],
)
def test_a_wrong_forward_is_one_sentence(forward, sentence):
    with pytest.raises((TypeError, ValueError), match=sentence):
        tn.check_layer(with_forward(forward), n_in=3)
    with pytest.raises((TypeError, ValueError), match=sentence):
        network(with_forward(forward)).explain_step(*data(2))


@pytest.mark.parametrize(
    ("method", "given", "sentence"),
    [
        (
            "build",
            lambda self, n_in: None,
            "what Own.build returns, .* is a whole number of at least 1; given was None",
        ),
        ("parameters", lambda self, n_in: {"W": (n_in, 4)}, "Own.parameters says what W is by tn.layers.Parameter"),
        ("forward_arrays", lambda self, n_in: {"p": 4, "q": 4}, "layer 1 has no array 'a'; it has V, W"),
    ],
)
def test_a_wrong_description_is_one_sentence(method, given, sentence):
    layer = type("Own", (Maxout,), {method: given})(4)
    with pytest.raises((TypeError, ValueError, AttributeError), match=sentence):
        tn.check_layer(layer, n_in=3)


def test_what_is_no_layer_is_one_sentence():
    with pytest.raises(TypeError, match="given was the class Maxout; make a layer of it"):
        tn.check_layer(Maxout, n_in=3)
    with pytest.raises(NotImplementedError, match=r"Bare has no forward\(self, ops, m, x, training\)"):
        tn.check_layer(type("Bare", (tn.layers.Layer,), {})(), n_in=3)


def test_a_derivative_of_one_argument_is_one_sentence():
    def cube(z):
        return z**3

    @tn.derivative_of(cube)
    def cube_derivative(z):
        return 3.0 * z**2

    with pytest.raises(TypeError, match=r"takes z and a, even if it needs one alone: def cube_derivative\(z, a\)"):
        tn.layers.Dense(2, cube)


def numpy_forward(self, ops, m, x, training):
    m.p[...], m.q[...] = x @ m.W, x @ m.V
    m.a[...] = np.maximum(m.p, m.q)
    return m.a


def doubled(self, ops, m, x, training):
    Maxout.forward(self, ops, m, x, training)
    m.a *= 2.0
    return m.a


@pytest.mark.parametrize("forward", [numpy_forward, doubled])
def test_what_is_computed_beside_the_operations_is_never_replayed_without_it(forward):
    """NumPy itself runs such a layer as it stands; a machine that replays operations would leave a part of it out."""
    sentence = "Own computes something beside its operations"
    with pytest.raises(ValueError, match=sentence):
        network(with_forward(forward)).program(8)
    pytest.importorskip("numba")
    with pytest.raises(ValueError, match=sentence):
        network(with_forward(forward), "numba").fit(*data(), verbose=0)
    with pytest.raises(ValueError, match=sentence):
        network(with_forward(forward), "numba").predict(data()[0])
    model = network(with_forward(forward), "auto")
    model.fit(*data(), batch_size=1, epochs=160, verbose=0)  # so many steps that "auto" would take numba
    assert model.backend == "numpy"


def test_so_many_steps_take_numba_where_all_is_operations():
    pytest.importorskip("numba")
    model = network(Maxout(4), "auto")
    model.fit(*data(), batch_size=1, epochs=160, verbose=0)
    assert model.backend == "numba"


def test_an_embedding_before_an_own_layer_keeps_its_codes():
    model = tn.Sequential([tn.layers.Embedding([0], 3, 2, input_shape=[2]), Maxout(4), tn.layers.Dense(1)])
    model.compile("sgd", "mse")
    assert "embed" in str(model.program(8))


def test_scaling_by_a_formula_is_an_operation():
    def scaled(self, ops, m, x, training):
        Maxout.forward(self, ops, m, x, training)
        ops.apply(tn.Formula(product), [m.a, m.a], [m.a])
        return m.a

    assert "product" in str(network(with_forward(scaled)).program(8))
