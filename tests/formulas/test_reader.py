"""What a formula may say, and that everything else is refused with the words that step outside."""

import re

import pytest
import refused_formulas as refused
from every_formula import EVERY, name_of

from tinynet.formulas import activations, losses, rows, updates, vocabulary
from tinynet.formulas.formula import Formula, derivative_of
from tinynet.formulas.reader import FormulaError, kind_of, read
from tinynet.formulas.vocabulary import exp, log, maximum, where

REFUSED = [
    ("arctan", "np.arctan(z)` calls something that is not in the vocabulary"), ("branch", "if z > 0"),
    ("choice", "z if z > 0 else 0.0"), ("loop", "for _ in range(3)"), ("local_lambda", "lambda x: x"),
    ("comprehension", "sum([z for _ in 'ab'])"), ("unknown_array", "`TABLE` is neither"),
    ("unknown_name", "`missing` is neither"), ("other_module", "math.exp(z)"), ("method", "z.sum()"),
    ("item", "z[0]"), ("attribute", "z.T"), ("word_with_keyword", "exp(z, dtype=float)"),
    ("too_many", "gives exp 2 arguments, not 1"), ("second_assignment", "`a = a * z` gives a a second meaning"),
    ("assigned_argument", "`z = z + 1.0` gives z a second meaning"), ("assigned_word", "gives exp a second meaning"),
    ("unpacked", "a, b = (z, z)` is not an assignment"), ("augmented", "a += z"),
    ("no_return", "`return expression`"), ("bare_return", "`return expression`"),
    ("empty_return", "`return ()` returns nothing"), ("only_words", "`return expression`"),
    ("returned_comparison", "`z > 0.0` is a comparison where a number"),
    ("multiplied_comparison", "`z > 0.0` is a comparison"), ("negated_comparison", "`z > 0.0` is a comparison"),
    ("squared_comparison", "`z > 0.0` is a comparison"), ("compared_comparison", "`z > 0.0` is a comparison"),
    ("chained_comparison", "`0.0 < z < 1.0` is not a single comparison"), ("both_comparisons", "z > 0.0 and z < 1.0"),
    ("condition_of_a_number", "`z` is not a comparison"), ("truth", "`True` is not a finite number"),
    ("global_truth", "`FLAG` is neither"), ("text", "`'1'` is not a finite number"), ("imaginary", "1j"),
    ("not_finite", "`NOTHING` is neither"), ("modulo", "z % 2.0"), ("inverted", "~z"),
    ("root_of_a_scalar", "`sqrt(alpha)` applies a word to scalars alone"),
    ("tuple_helper", "sgd_momentum, which has more than one result"),
    ("calls_with_few", "does not fit huber, which takes 2 arrays"),
    ("calls_with_a_wrong_scalar", "gives elu beta=1.0"), ("calls_with_an_array_as_scalar", "gives elu alpha=z"),
    ("starred", "*z"), ("scalar_without_default", "`alpha` is a scalar without a default"),
    ("scalar_of_text", "`alpha` is a scalar whose default is not a finite number"),
    ("scalar_of_truth", "`alpha` is a scalar whose default"),
    ("array_with_default", "`z, t=1.0` has arguments other"), ("many", "`*z` has arguments other"),
    ("keywords", "`z, **scalars` has arguments other"), ("positional", "`z, /` has arguments other"),
    ("itself", "itself: calls itself"), ("one_way", "calls itself"), ("calls_real", "is named `real`"),
    ("waits", "written with `def`"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "words"), REFUSED, ids=[name for name, _ in REFUSED])
def test_what_is_outside_the_vocabulary_is_refused_by_name(name, words):
    with pytest.raises(FormulaError, match=re.escape(words)):
        read(getattr(refused, name))


def test_what_is_no_function_of_its_own_source_is_refused():
    for formula, words in [(lambda z: z, "a lambda is no formula"), (exp, "exp: no source to read")]:
        with pytest.raises(FormulaError, match=words):
            read(formula)
    with pytest.raises(FormulaError, match="Formula: a formula is a function written with `def`"):
        read(Formula)


def test_the_refusal_names_formula_and_line():
    with pytest.raises(FormulaError, match=r"^choice, line 2: `z if z > 0 else 0.0` is not in the vocabulary"):
        read(refused.choice)


def test_a_formula_typed_into_no_file_is_refused():
    names = {}
    exec("def f(z):\n    return z", names)
    with pytest.raises(FormulaError, match="f: no source to read"):
        read(names["f"])


@pytest.mark.parametrize("f", EVERY, ids=name_of)
def test_every_formula_of_the_package_is_read(f):
    reading = read(f)
    assert (reading.name, read(Formula(f))) == (f.__name__, reading)
    assert all(kind_of(tree) == "real" for tree in reading.results)


def decorated():
    def mish(z):
        return z * activations.tanh(activations.softplus(z))

    @derivative_of(mish)
    def mish_derivative(z, a):
        w = activations.tanh(activations.softplus(z))
        return w + z * activations.sigmoid(z) * (1.0 - w**2)

    return mish, mish_derivative


def test_decorators_and_annotations_are_fine():
    mish, derivative = decorated()
    assert read(mish.derivative).name == derivative.__name__

    def annotated(z: float, *, alpha: float = 2) -> float:
        return z * alpha

    assert read(annotated).scalars == {"alpha": 2}


def test_a_closure_gives_its_numbers():
    def scaled_by(factor):
        def scaled(z):
            return factor * z

        return scaled

    numbers = [node.value for node in read(scaled_by(7)).expressions() if hasattr(node, "value")]
    assert numbers == [7]


def test_scalars_meet_arrays_through_a_cast():
    def f(z, t, *, alpha=1.0):
        beta = alpha / 3
        return beta * z + where(alpha > 0.5, 2 * t, t**2)

    reading = read(f)
    assert [(name, kind_of(tree)) for name, tree in reading.steps] == [("beta", "scalar")]
    (result,) = reading.results
    assert vars(result.left.left)["kind"] == "real"
    assert result.left.left.func.id == "real"
    assert kind_of(result.right.args[0]) == "truth"
    assert (reading.reads("z"), reading.reads("a")) == (True, False)


def test_whether_a_derivative_reads_its_arguments():
    assert [read(f.derivative).reads("z") for f in (activations.relu, activations.tanh)] == [False, False]
    assert [read(f.derivative).reads("a") for f in (activations.gelu, activations.silu)] == [False, False]
    assert read(activations.softplus.derivative).reads("z")
    assert not read(activations.linear.derivative).reads("z")


def test_row_formulas_are_known():
    assert [read(f).is_row for f in (activations.softmax, losses.one_hot, rows.standardized)] == [True] * 3
    assert read(losses.sparse_categorical_crossentropy).is_row  # through the formulas that it calls
    assert not any(read(f).is_row for f in (activations.gelu, losses.huber, updates.adam))


def test_flops():
    assert read(activations.linear).flops == 0
    assert read(activations.sigmoid).flops == 4  # minus, exp, plus, over
    assert read(activations.silu).flops == 5  # and a product
    assert read(updates.sgd).flops == 2
    assert read(losses.huber).flops == 8  # -, abs, <=, square, half, -, times delta, where; delta / 2 is among scalars


def test_a_formula_may_be_named_like_a_word():
    def sign(z):
        return z / 2.0

    def uses_both(z):
        return sign(z) + vocabulary.sign(z)

    own, words = read(uses_both).results[0].left, read(uses_both).results[0].right
    assert own.formula is read(sign)
    assert not hasattr(words, "formula")
    assert read(uses_both).flops == 3


def test_reading_deep_expressions_takes_no_time():
    """Each expression is visited once: forty levels would otherwise take a trillion visits."""

    def deep(x):
        a = 1 + x * (1 + x * (1 + x * (1 + x * (1 + x * (1 + x * (1 + x * (1 + x * (1 + x * (1 + x)))))))))
        return 1 + x * (1 + x * (1 + x * (1 + x * (1 + x * (1 + x * (1 + x * (1 + x * (1 + x * (1 + x * a)))))))))

    assert read(deep).flops == 39


def test_where_and_maximum_take_numbers_and_scalars():
    def f(z, *, alpha=0.5):
        return maximum(alpha, log(z)) + where(z >= alpha, 1, alpha)

    assert read(f).scalars == {"alpha": 0.5}
