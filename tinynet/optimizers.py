"""Optimizers: an update rule, its slots, and what is done to the gradients before it. Names and defaults as in Keras 3.

The parameters, the gradients and each slot are one flat vector, so one operation updates the whole network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet.formulas import updates
from tinynet.formulas.formula import Formula
from tinynet.formulas.vocabulary import Array
from tinynet.operations import Operations, hyper_names
from tinynet.registry import Registry

if TYPE_CHECKING:
    from tinynet.network import Network


class Optimizer:
    """An update rule at work.

    Parameters
    ----------
    rule : the formula, with its scalars; `learning_rate` must be one of them
    clipvalue : every gradient element is held between -clipvalue and clipvalue
    clipnorm : each parameter's gradient is shortened to this norm
    global_clipnorm : all gradients together are shortened to this norm; at most one of the three may be given
    """

    def __init__(
        self,
        rule: Formula,
        clipvalue: float | None = None,
        clipnorm: float | None = None,
        global_clipnorm: float | None = None,
    ) -> None:
        limits = {"clipvalue": clipvalue, "clipnorm": clipnorm, "global_clipnorm": global_clipnorm}
        given = {name: limit for name, limit in limits.items() if limit is not None}
        if len(given) > 1 or any(limit <= 0 for limit in given.values()):
            raise ValueError(f"at most one of {', '.join(limits)} may be given, above 0; given were {given}")
        self.rule = rule
        self.clipvalue, self.clipnorm, self.global_clipnorm = clipvalue, clipnorm, global_clipnorm
        self.hyper = np.array([rule.scalars[name] for name in hyper_names(rule)])
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate is above 0; given was {self.learning_rate:g}")
        self.slots: Array | None = None
        self.square_norm: Array | None = None

    @property
    def learning_rate(self) -> float:
        """How long a step is; it may be set between steps."""
        return float(self.hyper[hyper_names(self.rule).index("learning_rate")])

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self.hyper[hyper_names(self.rule).index("learning_rate")] = value

    @property
    def slot_names(self) -> tuple[str, ...]:
        """What the rule keeps between steps: the arguments after p and g."""
        code = self.rule.function.__code__
        return code.co_varnames[2 : code.co_argcount]

    def bind(self, network: Network) -> None:
        """Make the slots for a network, at zero. Raises ValueError where they serve another network already."""
        if self.slots is not None:
            raise ValueError(f"this {type(self).__name__} serves another model already; give each model its own")
        self.slots = network.flat(len(self.slot_names))
        self.square_norm = np.zeros(1, network.dtype)

    def update(self, ops: Operations, network: Network) -> None:
        """Clip the gradients where asked, then one step of every parameter."""
        assert self.slots is not None
        assert self.square_norm is not None
        ops.finite_guard(network.value, network.gradients, network.alive)
        if self.clipvalue is not None:
            clip = Formula(updates.clip_by_value, limit=self.clipvalue)
            ops.apply(clip, [network.gradients], [network.gradients])
        if self.clipnorm is not None:
            self.shorten(ops, network.gradient_list(), self.clipnorm)
        if self.global_clipnorm is not None:
            self.shorten(ops, [network.gradients], self.global_clipnorm)
        ops.advance(network.step)
        p, g = network.parameters, network.gradients
        ops.update(self.rule, p, g, self.slots, self.hyper, network.step, network.alive)

    def shorten(self, ops: Operations, gradients: list[Array], limit: float) -> None:
        """Each of the gradients, shortened to the norm `limit`."""
        assert self.square_norm is not None
        clip = Formula(updates.clip_by_norm, limit=limit)
        for gradient in gradients:
            ops.square_norm(gradient, self.square_norm)
            ops.apply(clip, [gradient, self.square_norm], [gradient])

    def config(self) -> dict[str, Any]:
        """What `__init__` takes to make this optimizer again, as it stands now."""
        scalars = dict(zip(hyper_names(self.rule), self.hyper.tolist(), strict=True))
        limits = {
            "clipvalue": self.clipvalue,
            "clipnorm": self.clipnorm,
            "global_clipnorm": self.global_clipnorm,
        }
        return scalars | {name: limit for name, limit in limits.items() if limit is not None}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value:g}' for name, value in self.config().items())})"


class SGD(Optimizer):
    """Gradient descent, with momentum where asked: see `formulas.updates.sgd`, `sgd_momentum`, `sgd_nesterov`."""

    def __init__(
        self, learning_rate: float = 0.01, momentum: float = 0.0, nesterov: bool = False, **clipping: float
    ) -> None:
        if not 0.0 <= momentum <= 1.0:
            raise ValueError(f"momentum lies in 0 to 1; given was {momentum!r}")
        if not momentum:
            rule = Formula(updates.sgd, learning_rate=learning_rate)
        else:
            function = updates.sgd_nesterov if nesterov else updates.sgd_momentum
            rule = Formula(function, learning_rate=learning_rate, momentum=momentum)
        self.nesterov = bool(nesterov)
        super().__init__(rule, **clipping)

    def config(self) -> dict[str, Any]:
        return super().config() | ({"nesterov": True} if self.nesterov else {})


class RMSprop(Optimizer):
    """Steps divided by a running root mean square of the gradients: see `formulas.updates.rmsprop`."""

    def __init__(
        self,
        learning_rate: float = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        **clipping: float,
    ) -> None:
        scalars = {"learning_rate": learning_rate, "rho": rho, "epsilon": epsilon}
        if momentum:
            rule = Formula(updates.rmsprop_momentum, **scalars, momentum=momentum)
        else:
            rule = Formula(updates.rmsprop, **scalars)
        super().__init__(rule, **clipping)


class Adam(Optimizer):
    """Adam: see `formulas.updates.adam`."""

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **clipping: float,
    ) -> None:
        rule = Formula(updates.adam, learning_rate=learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)
        super().__init__(rule, **clipping)


class AdamW(Optimizer):
    """Adam with decoupled weight decay: see `formulas.updates.adamw`."""

    def __init__(
        self,
        learning_rate: float = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **clipping: float,
    ) -> None:
        scalars = {"learning_rate": learning_rate, "beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon}
        super().__init__(Formula(updates.adamw, **scalars, weight_decay=weight_decay), **clipping)


OPTIMIZERS: Registry[Optimizer] = Registry(
    "optimizer", Optimizer, {"sgd": SGD, "rmsprop": RMSprop, "adam": Adam, "adamw": AdamW}
)
