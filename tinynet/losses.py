"""Losses by name, with what surrounds their formulas: target checks, and fusion with a last sigmoid or softmax.

A sample's loss is the mean of an elementwise formula over its outputs, or the value of a row formula. The loss of a
batch of n samples is (1 / n) sum_i weight_i loss_i: weighted losses are divided by the batch size, as in Keras.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tinynet.arrays import in_precision, numbers
from tinynet.formulas import losses as formulas
from tinynet.formulas.activations import sigmoid, softmax
from tinynet.formulas.formula import Formula
from tinynet.formulas.vocabulary import Array
from tinynet.registry import Registry, unknown
from tinynet.settings import flag, one_of, real, shown

if TYPE_CHECKING:
    from tinynet.mathematics import Mathematics


class Objective(NamedTuple):
    """What is minimised: a loss formula, taken on the last layer's z where `fused`, else on its output."""

    formula: Formula
    fused: bool


class Loss:
    """A loss around a formula f(y, t) of one's own or built in.

    Parameters
    ----------
    formula : elementwise (the mean over a sample's outputs is taken) or of a row, with its derivative
    name : how history and files call it; default the formula's name

    Raises
    ------
    TypeError : for a formula without a derivative
    """

    # The activation whose output this loss takes, and the formula of both together on logits.
    fusion: tuple[Callable[..., Any], Callable[..., Any]] | None = None
    targets_are_classes = False

    def __init__(self, formula: Formula | Callable[..., Any], name: str | None = None) -> None:
        self.f = formula if isinstance(formula, Formula) else Formula(formula)
        self.name = name or self.f.name
        if self.f.derivative is None:
            raise TypeError(
                f"loss {self.name} has no derivative: write one below it, under @derivative_of({self.name})"
            )

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
        """The mean loss of y_pred (n, m) against y_true (n, m), or (n, 1) for class numbers; Keras's argument order."""
        samples = self.rows(y_true, y_pred)
        weights = np.ones((1, 1)) if sample_weight is None else table("sample_weight", sample_weight)
        if sample_weight is not None and weights.shape != (len(samples), 1):
            rows = len(samples)
            raise ValueError(f"sample_weight has {weights.size} numbers; one for each of {rows} rows is expected")
        return float(np.mean(samples * weights[:, 0]))

    def rows(self, y_true: Any, y_pred: Any) -> Array:
        """The loss of each row (n,)."""
        y, t = table("y_pred", y_pred), table("y_true", y_true)
        if t.shape != (len(y), self.target_columns(y.shape[1])):
            raise ValueError(f"y_true of shape {t.shape} does not go with y_pred of shape {y.shape}")
        with np.errstate(all="ignore"):
            found: Array = self.f(y, t).mean(axis=1)
        return found

    def objective(self, last: Formula | None) -> Objective:
        """What to minimise when the last layer ends in the activation `last`."""
        if self.fusion is not None and last is not None and last.function is self.fusion[0]:
            return Objective(Formula(self.fusion[1]), fused=True)
        return Objective(self.f, fused=False)

    def target_columns(self, outputs: int) -> int:
        """How many columns a target row has for a model of so many outputs."""
        return 1 if self.targets_are_classes else outputs

    def check_targets(self, t: Array, outputs: int) -> None:
        """Raises ValueError where a target (n, columns) is none that this loss can have."""

    def formula(self) -> Mathematics:
        """The loss and its gradient as LaTeX, printed from their source, and both on logits where they are fused."""
        from tinynet.mathematics import loss_page

        return loss_page(self.name, self.f, self.fusion)

    def config(self) -> dict[str, Any]:
        """What `__init__` takes to make this loss again."""
        return dict(self.f.scalars)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.f})"


# Keras's settings of losses that only their defaults are supported of; a loss's name shows nowhere.
DEFAULTS = {
    "reduction": ("sum_over_batch_size",), "dtype": (None,), "axis": (-1,), "label_smoothing": (0.0,),
    "ignore_class": (None,),
}  # fmt: skip


def refuse_unsupported(loss: str, keras: Mapping[str, Any]) -> None:
    """Raises where one of Keras's settings, or one that nobody knows, would be left out silently."""
    for name, value in keras.items():
        if name not in ("name", *DEFAULTS):
            raise TypeError(unknown(f"setting of {loss}", name, ["name", "from_logits", "delta", "q", *DEFAULTS]))
        if name != "name" and not one_of(value, DEFAULTS[name]):
            raise ValueError(f"{name}={shown(value)} is not supported by tinynet; leave it out of {loss}(...)")


def table(what: str, given: Any) -> Array:
    """What is given as (rows, columns) in double; a vector is one column."""
    array = in_precision(numbers(given, what), np.dtype(np.float64), what)
    if array.ndim not in (1, 2) or not array.size:
        raise ValueError(f"{what} has shape {array.shape}; expected is (rows, columns)")
    return array.reshape(len(array), -1)


def refuse_outside(t: Array, allowed: Array, what: str) -> None:
    """One sentence about targets outside what is allowed, with the first row; never a value."""
    if not allowed.all():
        wrong = ~allowed.reshape(len(t), -1).all(axis=1)
        raise ValueError(
            f"{what}; {int(wrong.sum())} of {len(t)} rows of y differ, the first is row {int(wrong.argmax())}"
        )


class MeanSquaredError(Loss):
    """mean (y - t)^2, for amounts."""

    def __init__(self, **keras: Any) -> None:
        refuse_unsupported(type(self).__name__, keras)
        super().__init__(formulas.mean_squared_error)


class MeanAbsoluteError(Loss):
    """mean |y - t|, for amounts with outliers."""

    def __init__(self, **keras: Any) -> None:
        refuse_unsupported(type(self).__name__, keras)
        super().__init__(formulas.mean_absolute_error)


class Huber(Loss):
    """Squared near 0, absolute beyond `delta` (default 1)."""

    def __init__(self, delta: float = 1.0, **keras: Any) -> None:
        refuse_unsupported(type(self).__name__, keras)
        super().__init__(Formula(formulas.huber, delta=real("delta", delta, above=0.0)))


class Quantile(Loss):
    """For the q-quantile of an amount; q lies between 0 and 1, default 0.5 (the median)."""

    def __init__(self, q: float = 0.5, **keras: Any) -> None:
        refuse_unsupported(type(self).__name__, keras)
        super().__init__(Formula(formulas.quantile, q=real("q", q, above=0.0, below=1.0)))


class Poisson(Loss):
    """For counts: y is their mean and must be positive (end in softplus, say).

    With `log_link` y is the logarithm of their mean, as in Poisson regression (end in linear).
    """

    def __init__(self, *, log_link: bool = False, **keras: Any) -> None:
        refuse_unsupported(type(self).__name__, keras)
        self.log_link = bool(log_link)
        super().__init__(formulas.poisson_log_link if log_link else formulas.poisson, "poisson")

    def config(self) -> dict[str, Any]:
        return {"log_link": self.log_link}

    def check_targets(self, t: Array, outputs: int) -> None:
        refuse_outside(t, t >= 0, "poisson takes counts, 0 or more")


class Gamma(Loss):
    """For positive amounts such as costs: y is the logarithm of their mean (end in linear)."""

    def __init__(self, **keras: Any) -> None:
        refuse_unsupported(type(self).__name__, keras)
        super().__init__(formulas.gamma)

    def check_targets(self, t: Array, outputs: int) -> None:
        refuse_outside(t, t >= 0, "gamma takes amounts, 0 or more")


class Crossentropy(Loss):
    """What the cross-entropies share: a formula of probabilities, and one of logits to fuse a last activation with."""

    of_probabilities: Callable[..., Any]

    def __init__(self, from_logits: bool = False, **keras: Any) -> None:
        refuse_unsupported(type(self).__name__, keras)
        self.from_logits = flag("from_logits", from_logits)
        plain = type(self).of_probabilities
        assert self.fusion is not None
        super().__init__(self.fusion[1] if self.from_logits else plain, plain.__name__)

    def objective(self, last: Formula | None) -> Objective:
        return Objective(self.f, fused=False) if self.from_logits else super().objective(last)

    def config(self) -> dict[str, Any]:
        return {"from_logits": self.from_logits}


class BinaryCrossentropy(Crossentropy):
    """For yes or no: y is the probability of yes, or its logit with `from_logits=True`; t lies in 0 to 1."""

    of_probabilities = formulas.binary_crossentropy
    fusion = (sigmoid, formulas.binary_crossentropy_from_logits)

    def check_targets(self, t: Array, outputs: int) -> None:
        refuse_outside(t, (t >= 0) & (t <= 1), "binary_crossentropy takes targets from 0 to 1")


class CategoricalCrossentropy(Crossentropy):
    """For one of several classes: y are their probabilities, or logits; t is one-hot (or probabilities), (n, m)."""

    of_probabilities = formulas.categorical_crossentropy
    fusion = (softmax, formulas.categorical_crossentropy_from_logits)

    def check_targets(self, t: Array, outputs: int) -> None:
        refuse_outside(t, (t >= 0) & (t <= 1), "categorical_crossentropy takes targets from 0 to 1, one column a class")


class SparseCategoricalCrossentropy(Crossentropy):
    """For one of several classes: y are their probabilities, or logits; t is the class's number, counted from 0."""

    of_probabilities = formulas.sparse_categorical_crossentropy
    fusion = (softmax, formulas.sparse_categorical_crossentropy_from_logits)
    targets_are_classes = True

    def check_targets(self, t: Array, outputs: int) -> None:
        allowed = (t == np.floor(t)) & (t >= 0) & (t < outputs)
        refuse_outside(t, allowed, f"a model of {outputs} outputs takes class numbers from 0 to {outputs - 1}")


LOSSES: Registry[Loss] = Registry(
    "loss",
    Loss,
    {
        "mean_squared_error": MeanSquaredError,
        "mse": MeanSquaredError,
        "mean_absolute_error": MeanAbsoluteError,
        "mae": MeanAbsoluteError,
        "huber": Huber,
        "quantile": Quantile,
        "poisson": Poisson,
        "gamma": Gamma,
        "binary_crossentropy": BinaryCrossentropy,
        "bce": BinaryCrossentropy,
        "categorical_crossentropy": CategoricalCrossentropy,
        "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
    },
)


def get(given: str | dict[str, Any] | Loss | Callable[..., Any], custom: Mapping[str, Any] | None = None) -> Loss:
    """The loss that `given` names, describes or is; a formula of one's own becomes a Loss."""
    if callable(given) and not isinstance(given, (Loss, type)):
        named = getattr(given, "loss", None)  # Keras's function, as in loss=tn.losses.mean_squared_error
        return named() if isinstance(named, type) else Loss(given)
    return LOSSES.get(given, custom)  # type: ignore[arg-type]  # which refuses a class


def by_row(loss: type[Loss]) -> Callable[[Any, Any], Array]:
    """Keras's function beside the class: of (y_true, y_pred), the loss of each row (n,); it may be given as a loss."""

    def rows(y_true: Any, y_pred: Any) -> Array:
        found: Array = loss().rows(y_true, y_pred)  # type: ignore[call-arg]  # its own class needs no formula
        return found

    rows.__doc__ = loss.__doc__
    rows.loss = loss  # type: ignore[attr-defined]
    return rows


mean_squared_error, mean_absolute_error = by_row(MeanSquaredError), by_row(MeanAbsoluteError)
huber, poisson = by_row(Huber), by_row(Poisson)
binary_crossentropy = by_row(BinaryCrossentropy)
categorical_crossentropy = by_row(CategoricalCrossentropy)
sparse_categorical_crossentropy = by_row(SparseCategoricalCrossentropy)
