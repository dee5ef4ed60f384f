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
from tinynet.registry import Registry, unknown
from tinynet.schedules import SCHEDULES, LearningRateSchedule
from tinynet.settings import flag, one_of, real, shown

if TYPE_CHECKING:
    from tinynet.mathematics import Mathematics
    from tinynet.network import Network

Rate = float | dict[str, Any] | LearningRateSchedule


class Optimizer:
    """An update rule at work. Each optimizer takes these settings beside its own.

    Parameters
    ----------
    rule : the formula, with its scalars; `learning_rate` must be one of them
    learning_rate : above 0, or a schedule of `tn.schedules`; default the rule's
    weight_decay : each step first takes learning_rate weight_decay W from every parameter W, biases too, as in Keras;
        0 or more; default none
    clipnorm : each parameter's gradient is shortened to this norm
    clipvalue : every gradient element is held between -clipvalue and clipvalue
    global_clipnorm : all gradients together are shortened to this norm; at most one of the three may be given
    name : for people; default the class's name in lower case
    keras : Keras's other settings, which must be at its defaults

    Raises
    ------
    TypeError : for a setting that there is not
    ValueError : for a setting out of its bounds, and for one of Keras's that is not supported
    """

    def __init__(
        self,
        rule: Formula,
        learning_rate: Rate | None = None,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
        **keras: Any,
    ) -> None:
        refuse_unsupported(type(self).__name__, keras)
        if not isinstance(name, (str, type(None))):
            raise TypeError(f"an optimizer's name is a word, not {type(name).__name__}")
        self.name = type(self).__name__.lower() if name is None else name
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
        weight_decay = 0.0 if weight_decay is None else real("weight_decay", weight_decay, least=0.0)
        self.decay = Formula(updates.decay, learning_rate=first, weight_decay=weight_decay)
        self.decay_hyper = np.array([first, weight_decay])
        self.slots: Array | None = None
        self.no_slots = np.zeros((0, 0))  # of the decay
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
        self._take_rate(real("learning_rate", value, least=0.0))

    def _take_rate(self, rate: float) -> None:
        self.hyper[hyper_names(self.rule).index("learning_rate")] = self.decay_hyper[0] = rate

    @property
    def weight_decay(self) -> float | None:
        """How strongly parameters are drawn towards 0; None where they are not."""
        return float(self.decay_hyper[1]) or None

    @property
    def iterations(self) -> int:
        """How many steps were taken."""
        return 0 if self.network is None else int(self.network.step[0])

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
            self.slots, self.no_slots = network.flat(len(self.slot_names)), network.flat(0)
            self.square_norm = np.zeros(1, network.dtype)

    def copy(self, network: Network) -> Optimizer:
        """The same rule and slots, as they stand now, for a copy of the network."""
        other = copy.copy(self)
        other.hyper, other.decay_hyper, other.network = self.hyper.copy(), self.decay_hyper.copy(), None
        other.bind(network)
        if self.slots is not None and other.slots is not None:
            other.slots[...] = self.slots
        return other

    def update(self, ops: Operations, network: Network) -> None:
        """Clip the gradients and let the parameters decay where asked, then one step of every parameter."""
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
        if self.weight_decay:
            ops.update(self.decay, p, g, self.no_slots, self.decay_hyper, network.step, network.alive)
        ops.update(self.rule, p, g, self.slots, self.hyper, network.step, network.alive)

    def follow_schedule(self, step: int) -> None:
        """Set the learning rate of the step after `step` others, where a schedule says so."""
        if self.schedule is not None:
            self._take_rate(self.schedule(step))

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
        others = {
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "clipvalue": self.clipvalue,
            "global_clipnorm": self.global_clipnorm,
        }
        return scalars | {name: value for name, value in others.items() if value is not None}

    def get_config(self) -> dict[str, Any]:
        """As `config`, under Keras's name; `from_config` makes the optimizer again."""
        return self.config() | {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Optimizer:
        """The optimizer that `get_config` describes."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value}' for name, value in self.config().items())})"


# Keras's settings that only their defaults are supported of.
UNSUPPORTED = {
    "use_ema": (False,), "ema_momentum": (0.99,), "ema_overwrite_frequency": (None,), "loss_scale_factor": (None,),
    "gradient_accumulation_steps": (None, 1), "centered": (False,),
}  # fmt: skip
SETTINGS = ("learning_rate", "weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "name")


def refuse_unsupported(optimizer: str, settings: dict[str, Any]) -> None:
    """Raises where one of Keras's settings, or one that nobody knows, would be left out silently."""
    for name, value in settings.items():
        if name not in UNSUPPORTED:
            raise TypeError(unknown(f"setting of {optimizer}", name, list(SETTINGS)))
        if not one_of(value, UNSUPPORTED[name]):
            raise ValueError(f"{name}={shown(value)} is not supported by tinynet; leave it out of {optimizer}(...)")


class SGD(Optimizer):
    """Gradient descent, with momentum where asked: see `formulas.updates.sgd`, `sgd_momentum`, `sgd_nesterov`."""

    def __init__(
        self, learning_rate: Rate = 0.01, momentum: float = 0.0, nesterov: bool = False,
        weight_decay: float | None = None, **others: Any,
    ) -> None:  # fmt: skip
        momentum, nesterov = real("momentum", momentum, least=0.0, most=1.0), flag("nesterov", nesterov)
        if not momentum:
            rule = Formula(updates.sgd)
        else:
            rule = Formula(updates.sgd_nesterov if nesterov else updates.sgd_momentum, momentum=momentum)
        self.nesterov = nesterov
        super().__init__(rule, learning_rate, weight_decay, **others)

    def config(self) -> dict[str, Any]:
        return super().config() | ({"nesterov": True} if self.nesterov else {})


class RMSprop(Optimizer):
    """Steps divided by a running root mean square of the gradients: see `formulas.updates.rmsprop`."""

    def __init__(
        self, learning_rate: Rate = 0.001, rho: float = 0.9, momentum: float = 0.0, epsilon: float = 1e-7,
        centered: bool = False, weight_decay: float | None = None, **others: Any,
    ) -> None:  # fmt: skip
        rho, momentum = real("rho", rho, least=0.0, most=1.0), real("momentum", momentum, least=0.0, most=1.0)
        epsilon = real("epsilon", epsilon, least=0.0)
        if momentum:
            rule = Formula(updates.rmsprop_momentum, rho=rho, momentum=momentum, epsilon=epsilon)
        else:
            rule = Formula(updates.rmsprop, rho=rho, epsilon=epsilon)
        super().__init__(rule, learning_rate, weight_decay, centered=centered, **others)


class Adam(Optimizer):
    """Adam, with `amsgrad` as in `formulas.updates.adam_amsgrad`: see `formulas.updates.adam`."""

    def __init__(
        self, learning_rate: Rate = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7,
        amsgrad: bool = False, weight_decay: float | None = None, **others: Any,
    ) -> None:  # fmt: skip
        real("beta_1", beta_1, least=0.0, below=1.0)
        real("beta_2", beta_2, least=0.0, below=1.0)
        real("epsilon", epsilon, least=0.0)
        self.amsgrad = flag("amsgrad", amsgrad)
        rule = updates.adam_amsgrad if self.amsgrad else updates.adam
        scalars = {"beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon}
        super().__init__(Formula(rule, **scalars), learning_rate, weight_decay, **others)

    def config(self) -> dict[str, Any]:
        return super().config() | ({"amsgrad": True} if self.amsgrad else {})


class AdamW(Adam):
    """Adam with decoupled weight decay, which is `Adam(weight_decay=0.004)`: see `formulas.updates.decay`."""

    def __init__(
        self, learning_rate: Rate = 0.001, weight_decay: float = 0.004, beta_1: float = 0.9, beta_2: float = 0.999,
        epsilon: float = 1e-7, amsgrad: bool = False, **others: Any,
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, **others)

    def config(self) -> dict[str, Any]:
        return super().config() | {"weight_decay": float(self.decay_hyper[1])}  # 0 is not this class's default


OPTIMIZERS: Registry[Optimizer] = Registry(
    "optimizer", Optimizer, {"sgd": SGD, "rmsprop": RMSprop, "adam": Adam, "adamw": AdamW}
)

__all__ = ["OPTIMIZERS", "SGD", "Adam", "AdamW", "Optimizer", "RMSprop", "schedules"]
