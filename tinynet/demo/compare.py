"""How good is it: predictions from cross-validation, beside logistic regression's, and intervals for what they give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from tinynet import metrics
from tinynet.demo.recipe import Data, fit, network, split
from tinynet.formulas.vocabulary import Array
from tinynet.progress import Progress
from tinynet.tabular.intervals import LEVEL, Estimate

FOLDS = 5
VALIDATION_SHARE = 0.2

# Each takes y (n,), the predicted risk (n,) and how often each patient counts (n,).
MEASURES: dict[str, Callable[[Array, Array, Array], float]] = {
    "AUROC": lambda y, risk, counts: metrics.auc(y[:, None], risk[:, None], counts),
    "AUPRC": lambda y, risk, counts: metrics.pr_auc(y[:, None], risk[:, None], counts),
    "accuracy": lambda y, risk, counts: metrics.binary_accuracy(y[:, None], risk[:, None], counts),
}


def logistic_regression(data: Data, training: Array, rows: Array) -> Array:
    """The risk of `rows` by the model that a network must be measured against; standardized by the training rows."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(data.x[training], data.y[training])
    risk: Array = model.predict_proba(data.x[rows])[:, 1]
    return risk


def folds(data: Data, seed: int) -> Iterator[tuple[Array, Array]]:
    """(the rows to learn from, the rows to predict) of each fold, with the same share of malignant tumours in all."""
    from sklearn.model_selection import StratifiedKFold

    parts: Iterator[tuple[Array, Array]] = StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(data.x, data.y)
    return parts


def cross_validated(data: Data, seed: int) -> tuple[Array, Array]:
    """The risks (patients,) that the network and logistic regression give to every patient.

    Each patient is predicted once, by models that never met the patient: scaling, weights and the epoch to stop at
    come from the other folds. The network keeps a fifth of those for stopping; logistic regression, which needs no
    such part, learns from all.
    """
    ours, theirs = np.full(len(data.y), np.nan), np.full(len(data.y), np.nan)
    bar = Progress(FOLDS, "folds")
    for done, (learn, predict) in enumerate(folds(data, seed)):
        bar.update(done)
        training, validation = split(learn, data.y, VALIDATION_SHARE, seed)
        ours[predict] = fit(network(data.x.shape[1]), data, training, validation)(data.x[predict])
        theirs[predict] = logistic_regression(data, learn, predict)
    bar.close()
    return ours, theirs


def resampled(y: Array, draws: int, seed: int) -> Array:
    """How often each patient counts in each bootstrap draw, (draws, n); as many malignant and benign as in y."""
    generator = np.random.default_rng(seed)
    counts = np.empty((draws, len(y)))
    for kind in (0, 1):
        n = int((y == kind).sum())
        counts[:, y == kind] = generator.multinomial(n, np.full(n, 1 / n), size=draws)
    return counts


def interval(value: float, drawn: Array) -> Estimate:
    """`value` with the percentile interval of the draws."""
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, float(low), float(high))


@dataclass(frozen=True)
class Comparison:
    """One measure of two models, and the difference, ours - theirs."""

    ours: Estimate
    theirs: Estimate
    difference: Estimate


def compared(y: Array, ours: Array, theirs: Array, draws: int, seed: int) -> dict[str, Comparison]:
    """Every measure of both models, with 95 % percentile bootstrap intervals, stratified and paired.

    In a draw the same patients, with the same counts, serve both models and all measures: what makes a draw easy or
    hard is common to both, and cancels in the difference.
    """
    counts, once = resampled(y, draws, seed), np.ones(len(y))
    found = {}
    bar = Progress(len(MEASURES) * draws, "intervals")
    for done, (name, measure) in enumerate(MEASURES.items()):
        drawn = np.empty((2, draws))
        for i, count in enumerate(counts):
            drawn[:, i] = measure(y, ours, count), measure(y, theirs, count)
            bar.update(done * draws + i)
        a, b = measure(y, ours, once), measure(y, theirs, once)
        found[name] = Comparison(interval(a, drawn[0]), interval(b, drawn[1]), interval(a - b, drawn[0] - drawn[1]))
    bar.close()
    return found


def verdict(difference: Estimate) -> str:
    """In plain words, whether the network is better, by the measure that was chosen beforehand."""
    if difference.low > 0:
        return "Yes: the whole interval of the difference in AUROC is above 0."
    if difference.high < 0:
        return "No, it is worse: the whole interval of the difference in AUROC is below 0."
    return "Not shown: the interval of the difference in AUROC includes 0."
