"""Optimizers: an update rule, its slots, and what is done to the gradients before it. Names and defaults as in Keras 3.

The parameters, the gradients and each slot are one flat vector, so one operation updates the whole network.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet import schedules
from tinynet.formulas import updates
from tinynet.formulas.formula import Formula
from tinynet.formulas.vocabulary import Array
from tinynet.operations import Operations, hyper_names
from tinynet.registry import Registry
from tinynet.schedules import SCHEDULES, LearningRateSchedule
from tinynet.settings import real

if TYPE_CHECKING:
    from tinynet.mathematics import Mathematics
    from tinynet.network import Network

Rate = float | dict[str, Any] | LearningRateSchedule


class Optimizer:
    """An update rule at work.

    Parameters
    ----------
    rule : the formula, with its scalars; `learning_rate` must be one of them
    learning_rate : above 0, or a schedule of `tn.schedules`; default the rule's
    clipvalue : every gradient element is held between -clipvalue and clipvalue
    clipnorm : each parameter's gradient is shortened to this norm
    global_clipnorm : all gradients together are shortened to this norm; at most one of the three may be given
    """

    def __init__(
        self,
        rule: Formula,
        learning_rate: Rate | None = None,
        clipvalue: float | None = None,
        clipnorm: float | None = None,
        global_clipnorm: float | None = None,
    ) -> None:
        limits = {"clipvalue": clipvalue, "clipnorm": clipnorm, "global_clipnorm": global_clipnorm}
        given = {name: limit for name, limit in limits.items() if limit is not None}
        if len(given) > 1:
            raise ValueError(f"at most one of {', '.join(limits)} may be given; given were {' and '.join(given)}")
        for name, limit in given.items():
            real(name, limit, above=0.0)
        self.clipvalue, self.clipnorm, self.global_clipnorm = clipvalue, clipnorm, global_clipnorm
        self.schedule: LearningRateSchedule | None = None
        first = rule.scalars["learning_rate"] if learning_rate is None else learning_rate
        if isinstance(first, (dict, LearningRateSchedule)):
            self.schedule = SCHEDULES.get(first)
            first = self.schedule(0)
        else:
            first = real("learning_rate", first, above=0.0)
        self.rule = Formula(rule.function, **{**rule.scalars, "learning_rate": first})
        self.hyper = np.array([self.rule.scalars[name] for name in hyper_names(self.rule)])
        self.slots: Array | None = None
        self.square_norm: Array | None = None
        self.network: Network | None = None

    @property
    def learning_rate(self) -> float:
        """How long a step is; it may be set between steps, unless a schedule sets it."""
        return float(self.hyper[hyper_names(self.rule).index("learning_rate")])

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        if self.schedule is not None:
            raise TypeError(f"the learning rate follows {self.schedule}; it cannot be set as well")
        self.hyper[hyper_names(self.rule).index("learning_rate")] = real("learning_rate", value, least=0.0)

    @property
    def slot_names(self) -> tuple[str, ...]:
        """What the rule keeps between steps: the arguments after p and g."""
        code = self.rule.function.__code__
        return code.co_varnames[2 : code.co_argcount]

    def bind(self, network: Network) -> None:
        """Make the slots for a network, at zero. Raises ValueError where they serve another network already."""
        if self.network is not None and self.network is not network:
            raise ValueError(f"this {type(self).__name__} serves another model already; give each model its own")
        if self.network is None:
            self.network = network
            self.slots = network.flat(len(self.slot_names))
            self.square_norm = np.zeros(1, network.dtype)

    def copy(self, network: Network) -> Optimizer:
        """The same rule and slots, as they stand now, for a copy of the network."""
        other = copy.copy(self)
        other.hyper, other.network = self.hyper.copy(), None
        other.bind(network)
        if self.slots is not None and other.slots is not None:
            other.slots[...] = self.slots
        return other

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
        self.follow_schedule(int(network.step[0]))
        ops.advance(network.step)
        p, g = network.parameters, network.gradients
        ops.update(self.rule, p, g, self.slots, self.hyper, network.step, network.alive)

    def follow_schedule(self, step: int) -> None:
        """Set the learning rate of the step after `step` others, where a schedule says so."""
        if self.schedule is not None:
            self.hyper[hyper_names(self.rule).index("learning_rate")] = self.schedule(step)

    def shorten(self, ops: Operations, gradients: list[Array], limit: float) -> None:
        """Each of the gradients, shortened to the norm `limit`."""
        assert self.square_norm is not None
        clip = Formula(updates.clip_by_norm, limit=limit)
        for gradient in gradients:
            ops.square_norm(gradient, self.square_norm)
            ops.apply(clip, [gradient, self.square_norm], [gradient])

    def formula(self) -> Mathematics:
        r"""The update, and the clipping before it where asked, as LaTeX printed from their source.

        >>> print(SGD(0.1).formula())
        % Update
        p \leftarrow p - \eta \, g
        % With
        \eta = 0.1
        """
        from tinynet.mathematics import update_page

        known = (
            ("Clipping of every element", updates.clip_by_value, self.clipvalue),
            ("Clipping, each parameter by itself", updates.clip_by_norm, self.clipnorm),
            ("Clipping, all gradients together", updates.clip_by_norm, self.global_clipnorm),
        )
        clips = [(title, Formula(clip, limit=limit)) for title, clip, limit in known if limit is not None]
        now = dict(zip(hyper_names(self.rule), self.hyper.tolist(), strict=True))
        return update_page(Formula(self.rule.function, **{**self.rule.scalars, **now}), clips)

    def config(self) -> dict[str, Any]:
        """What `__init__` takes to make this optimizer again, as it stands now."""
        scalars: dict[str, Any] = dict(zip(hyper_names(self.rule), self.hyper.tolist(), strict=True))
        if self.schedule is not None:
            scalars["learning_rate"] = SCHEDULES.saved(self.schedule)
        limits = {
            "clipvalue": self.clipvalue,
            "clipnorm": self.clipnorm,
            "global_clipnorm": self.global_clipnorm,
        }
        return scalars | {name: limit for name, limit in limits.items() if limit is not None}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value}' for name, value in self.config().items())})"


class SGD(Optimizer):
    """Gradient descent, with momentum where asked: see `formulas.updates.sgd`, `sgd_momentum`, `sgd_nesterov`."""

    def __init__(
        self, learning_rate: Rate = 0.01, momentum: float = 0.0, nesterov: bool = False, **clipping: float
    ) -> None:
        momentum = real("momentum", momentum, least=0.0, most=1.0)
        if not momentum:
            rule = Formula(updates.sgd)
        else:
            rule = Formula(updates.sgd_nesterov if nesterov else updates.sgd_momentum, momentum=momentum)
        self.nesterov = bool(nesterov)
        super().__init__(rule, learning_rate, **clipping)

    def config(self) -> dict[str, Any]:
        return super().config() | ({"nesterov": True} if self.nesterov else {})


class RMSprop(Optimizer):
    """Steps divided by a running root mean square of the gradients: see `formulas.updates.rmsprop`."""

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        **clipping: float,
    ) -> None:
        rho, momentum = real("rho", rho, least=0.0, most=1.0), real("momentum", momentum, least=0.0, most=1.0)
        epsilon = real("epsilon", epsilon, least=0.0)
        if momentum:
            rule = Formula(updates.rmsprop_momentum, rho=rho, momentum=momentum, epsilon=epsilon)
        else:
            rule = Formula(updates.rmsprop, rho=rho, epsilon=epsilon)
        super().__init__(rule, learning_rate, **clipping)


class Adam(Optimizer):
    """Adam: see `formulas.updates.adam`."""

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **clipping: float,
    ) -> None:
        check_adam(beta_1, beta_2, epsilon)
        rule = Formula(updates.adam, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)
        super().__init__(rule, learning_rate, **clipping)


class AdamW(Optimizer):
    """Adam with decoupled weight decay: see `formulas.updates.adamw`."""

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **clipping: float,
    ) -> None:
        check_adam(beta_1, beta_2, epsilon)
        real("weight_decay", weight_decay, least=0.0)
        rule = Formula(updates.adamw, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon, weight_decay=weight_decay)
        super().__init__(rule, learning_rate, **clipping)


def check_adam(beta_1: float, beta_2: float, epsilon: float) -> None:
    """Raises ValueError where one of Adam's settings lies outside its bounds."""
    real("beta_1", beta_1, least=0.0, below=1.0)
    real("beta_2", beta_2, least=0.0, below=1.0)
    real("epsilon", epsilon, least=0.0)


OPTIMIZERS: Registry[Optimizer] = Registry(
    "optimizer", Optimizer, {"sgd": SGD, "rmsprop": RMSprop, "adam": Adam, "adamw": AdamW}
)

__all__ = ["OPTIMIZERS", "SGD", "Adam", "AdamW", "Optimizer", "RMSprop", "schedules"]
