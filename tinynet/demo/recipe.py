"""The recipe: how data are split and scaled, what the network is, how it is trained. Folds and final model share it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import tinynet as tn
from tinynet.formulas.vocabulary import Array

PATIENCE = 20  # epochs without a better validation loss before training ends
EPOCHS = 300  # never reached in practice: a limit


@dataclass(frozen=True)
class Data:
    """x (patients, measurements), y (patients,) with 1 = malignant, and the measurements' names."""

    x: Array
    y: Array
    names: list[str]


def load() -> Data:
    """The breast-cancer data that come inside scikit-learn, where 0 is malignant: turned round here."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    malignant = list(bunch.target_names).index("malignant")
    return Data(bunch.data, (bunch.target == malignant).astype(int), [str(name) for name in bunch.feature_names])


def split(rows: Array, y: Array, share: float, seed: int) -> tuple[Array, Array]:
    """`rows` in two parts, the second holding `share` of them; both with the same share of malignant tumours."""
    from sklearn.model_selection import train_test_split

    first, second = train_test_split(rows, test_size=share, stratify=y[rows], random_state=seed)
    return first, second


@dataclass(frozen=True)
class Scaling:
    """x -> (x - mean) / deviation, column by column: every measurement then varies about as much as the others.

    It is a linear map, so it can be folded into the first layer; see `tinynet.demo.deploy`.
    """

    mean: Array
    deviation: Array

    @classmethod
    def fitted(cls, x: Array) -> Scaling:
        """Mean and standard deviation of the rows given, which must be training rows only."""
        deviation = x.std(axis=0)
        return cls(x.mean(axis=0), np.where(deviation > 0, deviation, 1.0))  # a constant column stays as it is

    def __call__(self, x: Array) -> Array:
        scaled: Array = (x - self.mean) / self.deviation
        return scaled


def network(columns: int) -> tn.Sequential:
    """columns - 16 - 1, chosen by reason and not tuned on this data.

    One hidden layer lets measurements interact, which logistic regression cannot. Hundreds of patients do not carry
    more than some hundreds of weights; dropout, weight decay and early stopping hold those back.
    """
    model = tn.Sequential(
        [
            tn.layers.Dense(16, activation="relu", input_shape=[columns], name="hidden"),
            tn.layers.Dropout(0.2, name="dropout"),
            tn.layers.Dense(1, activation="sigmoid", name="risk"),
        ],
        name="breast_cancer",
    )
    model.build()
    return model


@dataclass(frozen=True)
class Fit:
    """A trained network with its scaling; called with raw measurements it gives each patient's risk, (patients,)."""

    model: tn.Sequential
    scaling: Scaling
    history: dict[str, list[float]]
    kept_epoch: int  # counted from 1

    def __call__(self, x: Array) -> Array:
        risk: Array = self.model.predict(self.scaling(x))[:, 0]
        return risk


def fit(model: tn.Sequential, data: Data, training: Array, validation: Array, verbose: int | str = 0) -> Fit:
    """Scale by the training rows and learn from them; the validation rows only say when to stop."""
    scaling = Scaling.fitted(data.x[training])
    stopping = tn.callbacks.EarlyStopping(patience=PATIENCE, restore_best_weights=True)
    model.compile(tn.optimizers.AdamW(learning_rate=0.001, weight_decay=0.01), "binary_crossentropy")
    history = model.fit(
        scaling(data.x[training]), data.y[training], batch_size=32, epochs=EPOCHS, verbose=verbose, callbacks=stopping,
        validation_data=(scaling(data.x[validation]), data.y[validation]),
    )  # fmt: skip
    return Fit(model, scaling, history.history, stopping.best_epoch + 1)
