"""Several networks that answer together: additive and deep ones, each trained on another part of the people."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

import tinynet as tn
from tinynet import model_file
from tinynet.formulas.vocabulary import Array
from tinynet.losses import Loss
from tinynet.progress import Progress
from tinynet.tabular.member import Recipe, epochs_for, network, trained

SHARES = np.linspace(0.0, 1.0, 11)  # tried for the deep networks' part
KINDS = ("additive", "deep")


@dataclass(frozen=True)
class Rows:
    """X, targets T (n, columns) and weights (n, 1), all float32."""

    x: Array
    t: Array
    weight: Array

    def part(self, rows: Array) -> tuple[Array, Array, Array]:
        return self.x[rows], self.t[rows], self.weight[rows]


@dataclass(frozen=True)
class Held:
    """What was said of rows held out, their numbers (of `validation` where it is given), targets and weights, each
    (m, ...); and how the deep networks learned."""

    rows: Array
    z: Array
    t: Array
    weight: Array
    history: dict[str, list[float]]


class Ensemble:
    """z = b + a ((1 - s) mean of the additive networks + s mean of the deep ones), (n, outputs).

    Each fold's networks stop by the rows of that fold, which they did not learn from. What they say of them chooses s,
    and a and b (Platt 1999; a is Guo's temperature, 2017), by the loss: so what has no skill shrinks to the mean.
    """

    def __init__(self, members: dict[str, list[tn.Sequential]], share: float, scale: float, shift: Array) -> None:
        self.members, self.share, self.scale, self.shift = members, share, scale, shift

    @property
    def parameters(self) -> int:
        """How many numbers were learned."""
        return sum(a.size for a in self.arrays().values()) + 2 + len(self.shift)

    def __call__(self, x: Array) -> Array:
        """z for the rows of X."""
        z = np.zeros((len(x), len(self.shift)))
        for kind, part in zip(KINDS, self.parts, strict=True):
            if part:
                z += part * mean_of(self.members[kind], x)
        mixed: Array = self.shift + self.scale * z
        return mixed

    @property
    def parts(self) -> tuple[float, float]:
        return 1.0 - self.share, self.share

    def get_config(self) -> dict[str, Any]:
        return {
            "share": self.share,
            "scale": self.scale,
            "shift": self.shift.tolist(),
            "members": {kind: [model_file.described(m)[1] for m in members] for kind, members in self.members.items()},
        }

    def arrays(self) -> dict[str, Array]:
        return {
            f"{kind}/{i}/{name}": tensor
            for kind, members in self.members.items()
            for i, member in enumerate(members)
            for name, tensor in model_file.described(member)[0].items()
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], arrays: dict[str, Array]) -> Ensemble:
        members = {
            kind: [model_file.made(below(arrays, f"{kind}/{i}/"), entry) for i, entry in enumerate(entries)]
            for kind, entries in config["members"].items()
        }
        return cls(members, float(config["share"]), float(config["scale"]), np.array(config["shift"], np.float64))


def below(arrays: dict[str, Array], prefix: str) -> dict[str, Array]:
    """The arrays whose names begin so, without that beginning."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def mean_of(members: Sequence[tn.Sequential], x: Array) -> Array:
    """The mean of what the members say, in double."""
    said = np.stack([member.predict(x) for member in members])
    mean: Array = said.mean(axis=0, dtype=np.float64)
    return mean


def fitted(
    rows: Rows,
    folds: Sequence[tuple[Array, Array]],
    validation: Rows | None,
    codes: Sequence[tuple[int, int]],
    outputs: int,
    loss: Loss,
    recipes: dict[str, Recipe],
    seed: int,
    backend: str,
    threads: int | None,
    label: str,
    show: bool | None,
) -> tuple[Ensemble, Held]:
    """Train a network of each recipe for each fold, one in each thread, and weigh them.

    Returns the ensemble, and what was said of rows held out; a row that several folds hold out comes several times.

    Parameters
    ----------
    rows : what is learned from
    folds : (rows to learn from, rows to stop by), as numbers
    validation : rows to stop by instead; the folds then only say which rows are learned from
    codes : (column of X, vocabulary) of each code
    outputs : columns of z
    loss : of z and T
    recipes : by kind
    seed : of initial weights, shuffles and dropout; the same for any number of threads
    threads : default one for each core
    label, show : of the progress bar
    """
    jobs = [(kind, i) for kind in KINDS for i in range(len(folds))]
    done, lock = dict.fromkeys(jobs, 0), threading.Lock()
    planned = {(kind, i): epochs_for(recipes[kind], len(folds[i][0])) for kind, i in jobs}
    bar = Progress(sum(planned.values()), label, show=show)
    seeds = dict(zip(jobs, np.random.SeedSequence(seed).generate_state(len(jobs), np.uint64).tolist(), strict=True))

    def train(job: tuple[str, int]) -> tuple[tn.Sequential, dict[str, list[float]]]:
        kind, i = job

        def after_epoch(epochs: int) -> None:
            with lock:
                done[job] = epochs
                bar.update(sum(done.values()), f"{sum(done[one] == planned[one] for one in jobs)} networks")

        learn, stop = folds[i]
        judged = rows.part(stop) if validation is None else (validation.x, validation.t, validation.weight)
        model = network(rows.x.shape[1], codes, outputs, recipes[kind])
        return trained(model, loss, recipes[kind], rows.part(learn), judged, seeds[job], backend, after_epoch)

    try:
        with ThreadPoolExecutor(threads or cores()) as pool:
            results = dict(zip(jobs, pool.map(train, jobs), strict=True))
    finally:
        bar.close()
    made = {job: model for job, (model, _) in results.items()}
    history = mean_history([results["deep", i][1] for i in range(len(folds))])
    members = {kind: [made[kind, i] for i in range(len(folds))] for kind in KINDS}
    if validation is None:
        held = np.concatenate([stop for _, stop in folds])
        said = {
            kind: np.concatenate(
                [made[kind, i].predict(rows.x[stop]).astype(np.float64) for i, (_, stop) in enumerate(folds)]
            )
            for kind in KINDS
        }
        t, weight = rows.t[held], rows.weight[held]
    else:
        held, t, weight = np.arange(len(validation.x)), validation.t, validation.weight
        said = {kind: mean_of(members[kind], validation.x) for kind in KINDS}
    share, scale, shift = weighed(said, t, weight, loss)
    z = shift + scale * ((1.0 - share) * said["additive"] + share * said["deep"])
    return Ensemble(members, share, scale, shift), Held(held, z, t[:, 0], weight[:, 0], history)


def mean_history(histories: Sequence[dict[str, list[float]]]) -> dict[str, list[float]]:
    """The mean of loss and val_loss over the networks, as long as all were trained."""
    return {
        name: np.mean([h[name][: min(len(h[name]) for h in histories)] for h in histories], axis=0).tolist()
        for name in ("loss", "val_loss")
    }


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def weighed(said: dict[str, Array], t: Array, weight: Array, loss: Loss) -> tuple[float, float, Array]:
    """(share of the deep networks, scale a, shift b (outputs,)) of the least loss of what was said of rows held out."""
    best: tuple[float, float, float, Array] | None = None
    for share in SHARES.tolist():
        z = (1.0 - share) * said["additive"] + share * said["deep"]
        value, scale, shift = rescaled(z, t, weight, loss)
        if best is None or value < best[0]:
            best = value, share, scale, shift
    assert best is not None
    return best[1:]


def rescaled(z: Array, t: Array, weight: Array, loss: Loss) -> tuple[float, float, Array]:
    """(the least loss, a, b) of a z + b; a lies between 0 and 2. Loss and derivative are the formula's own."""
    from scipy.optimize import minimize

    formula, outputs = loss.f, z.shape[1]
    t, weight = t.astype(np.float64), weight.astype(np.float64) / max(float(weight.sum()), 1e-12)
    assert formula.derivative is not None

    def value(theta: Array) -> tuple[float, Array]:
        y = theta[0] * z + theta[1:]
        with np.errstate(all="ignore"):
            terms, slope = formula(y, t), formula.derivative(y, t) * weight  # type: ignore[misc]
        columns = terms.shape[1]
        gradient = np.concatenate([[np.sum(slope * z)], slope.sum(axis=0)]) / columns
        return float(np.sum(terms * weight) / columns), gradient

    found = minimize(
        value, np.array([1.0, *np.zeros(outputs)]), jac=True, method="L-BFGS-B",
        bounds=[(0.0, 2.0), *[(-5.0, 5.0)] * outputs],
    )  # fmt: skip
    return float(found.fun), float(found.x[0]), np.asarray(found.x[1:], np.float64)
