"""What the classifier and the regressor share: from a table and y to a fitted `Predictor`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, check_random_state, validate_data

from tinynet.backends import choose
from tinynet.formulas.vocabulary import Array
from tinynet.settings import real, shown, whole
from tinynet.tabular.conformal import held_out
from tinynet.tabular.ensemble import Ensemble, Held, Rows, fitted
from tinynet.tabular.facts import Facts
from tinynet.tabular.frame import Columns, read
from tinynet.tabular.heads import Head
from tinynet.tabular.member import Recipe
from tinynet.tabular.piecewise import Piecewise
from tinynet.tabular.predictor import Outcome, Predictor
from tinynet.tabular.preprocess import Preprocessor
from tinynet.tabular.schema import Schema
from tinynet.tabular.splits import at_random, numbered

ADDITIVE = Recipe(hidden=(), dropout=0.0, learning_rate=0.01, weight_decay=0.02, epochs=60, patience=0.25)
PATIENCE = 0.25
COVERAGE = 0.9  # of the conformal sets and intervals that travel with a model


class TabularEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """See TabularClassifier and TabularRegressor."""

    predictor_: Predictor
    history_: dict[str, list[float]]
    n_parameters_: int

    def known_schema(self, table: Columns) -> Schema:
        """What the columns are: as given, or from a file, or inferred."""
        if self.schema is None:
            return Schema.infer(table)
        known: Schema = Schema.load(self.schema) if isinstance(self.schema, (str, os.PathLike)) else self.schema
        return known

    def _fit(
        self,
        x: Any,
        y: Array,
        targets: list[Head],
        classes: int,
        weight: Array,
        groups: Any,
        judged: tuple[Any, list[Array]] | None,
        outcome: Outcome,
    ) -> None:
        """Fit a preprocessor and an ensemble for each entry of `targets`; give what each said of rows held out.

        Parameters
        ----------
        x : the table, as `_table` gives it
        y : (n,) what folds are stratified by, numbers of classes
        targets : what each ensemble learns
        classes : how many classes y has; 0 for an amount
        weight : (n,)
        groups : (n,) or None
        judged : (table, T of each ensemble) of the eval_set
        """
        choose(self.backend)
        table: Columns = x
        members, recipes = whole("members", self.members, 1), self._recipes()
        threads = None if self.n_jobs is None or self.n_jobs == -1 else whole("n_jobs", self.n_jobs, 1)
        random = check_random_state(self.random_state)
        schema = self.known_schema(table)
        group = np.arange(table.count) if groups is None else numbered(groups, "groups", table.count)[1]
        person = None if groups is None else group
        preprocessor = Preprocessor(schema).fit(table, groups=person)
        if not preprocessor.features:
            raise ValueError(
                "no column can be learned from: each has one value only or names persons or rows; give schema= to say "
                "what they are"
            )
        raw = preprocessor.transform(table)
        pieces = Piecewise.fitted(raw, preprocessor.features, person=person)
        rows = pieces(raw)
        del raw
        weight = (weight / weight.mean()).astype(np.float32)[:, None]
        ensembles: list[Ensemble] = []
        held: list[Held] = []
        said, apart = [], True
        for i, (loss, outputs, t, mask) in enumerate(targets):
            chosen = np.flatnonzero(mask)
            kinds, count = (y[chosen], classes) if classes and mask.all() else (t[chosen, 0], 0)
            validation, seed = None, int(random.randint(2**31))
            if judged is not None:
                x_judged = pieces(preprocessor.transform(judged[0]))
                kept = np.isfinite(judged[1][i][:, 0])
                validation = Rows(x_judged[kept], judged[1][i][kept], np.ones((int(kept.sum()), 1), np.float32))
                folds = [(np.arange(len(chosen)),) * 2] * members
            else:
                folds = folds_of(kinds, count, group[chosen], members, seed)
            data = Rows(rows if mask.all() else rows[chosen], t[chosen].astype(np.float32), weight[chosen])
            apart &= judged is not None or not len(np.intersect1d(*folds[0]))
            label = f"fit {i + 1}/{len(targets)}" if len(targets) > 1 else "fit"
            ensemble, found = fitted(
                data, folds, validation, pieces.codes, outputs, loss, recipes, seed, self.backend, threads, label,
                self._shown(),
            )  # fmt: skip
            ensembles.append(ensemble)
            held.append(found)
            said.append((found.rows if judged is not None else chosen[found.rows], found.z))
        self._calibrate(outcome, held)
        facts = Facts.of(preprocessor, table, y, classes, person, self.get_params(deep=False))
        truth = outcome.unscaled(targets[0][2] if judged is None else judged[1][0])[:, 0]
        conformal = held_out(outcome, said, truth, person if judged is None else None, COVERAGE) if apart else None
        self.predictor_ = Predictor(preprocessor, pieces, ensembles, outcome, facts=facts, conformal=conformal)
        self.history_ = held[0].history
        self.n_parameters_ = sum(ensemble.parameters for ensemble in ensembles)

    def _calibrate(self, outcome: Outcome, held: list[Held]) -> None:
        """Put a calibration into the outcome, from what was said of rows held out; the weights have done it already."""

    def _recipes(self) -> dict[str, Recipe]:
        hidden = tuple(whole("a width of hidden", width, 1) for width in self.hidden)
        epochs = whole("epochs", self.epochs, 1)
        deep = Recipe(
            hidden,
            real("dropout", self.dropout, least=0.0, below=1.0),
            real("learning_rate", self.learning_rate, above=0.0),
            real("weight_decay", self.weight_decay, least=0.0),
            epochs,
            PATIENCE,
        )
        return {"additive": ADDITIVE, "deep": deep}

    def _shown(self) -> bool | None:
        if self.verbose not in (0, 1, "auto"):
            raise ValueError(f"verbose is 0, 1 or 'auto'; given was {shown(self.verbose)}")
        return None if self.verbose == "auto" else bool(self.verbose)

    def _table(self, x: Any, reset: bool) -> Columns:
        """The table as columns; arrays are checked as scikit-learn does, frames and dictionaries by names."""
        sparse = hasattr(x, "nnz")  # SciPy's, which validate_data refuses; one kind of them is a dictionary
        if (isinstance(x, (Mapping, str, os.PathLike)) and not sparse) or is_rows(x):
            columns = read(x)
            if reset:
                self.n_features_in_, self.feature_names_in_ = len(columns), np.array(list(columns), object)
            return columns
        if hasattr(x, "columns") and not isinstance(x, np.ndarray):
            if reset:
                read(x)  # names that come twice are told in our words
            validate_data(self, x, reset=reset, skip_check_array=True)
            columns = read(x)
        else:
            columns = read(validate_data(self, x, reset=reset, dtype=None, ensure_all_finite=False))
        if columns.count < 1 + reset:
            raise ValueError(
                f"the table has {columns.count} sample{'s' * (columns.count != 1)} (rows); at least {1 + reset} needed"
            )
        return columns

    def _weights(self, sample_weight: Any, n: int) -> Array:
        from sklearn.utils.validation import _check_sample_weight

        try:
            sample_weight = None if sample_weight is None else np.asarray(sample_weight, np.float64)
        except (ValueError, TypeError):  # NumPy's words would show what it is
            raise ValueError("sample_weight holds what is no number; 0 or more is expected for each row") from None
        weight: Array = _check_sample_weight(sample_weight, np.empty((n, 1)), dtype=np.float64)
        if (weight < 0).any():
            raise ValueError(
                f"sample_weight has negative numbers in {int((weight < 0).sum())} rows; 0 or more is meant"
            )
        if not weight.sum() > 0:
            raise ValueError("sample_weight is 0 in every row; at least one row has to count")
        return weight

    def _answers(self, x: Any) -> Array:
        check_is_fitted(self)
        return self.predictor_.answers(self._table(x, reset=False))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted model into one file, which `tinynet.load` reads with NumPy alone; see `Predictor`."""
        check_is_fitted(self)
        self.predictor_.save(path)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "predictor_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.non_deterministic = False
        return tags


def is_rows(x: Any) -> bool:
    """Whether x is a list of rows as dictionaries."""
    return isinstance(x, list) and bool(x) and isinstance(x[0], Mapping)


def folds_of(y: Array, classes: int, group: Array, members: int, seed: int) -> list[tuple[Array, Array]]:
    """(rows to learn from, rows to stop by) of each member: parts of whole groups, classes in about the same shares.

    One member puts a fifth aside. Where there are too few groups of the rarest class the parts are not stratified, and
    where there are fewer than two groups a network stops by the rows that it learns from.
    """
    groups = np.unique(group, return_inverse=True)[1]
    persons = int(groups.max()) + 1
    parts = max(members, 2) if members > 1 else 5
    if classes:
        rarest = min(len(np.unique(groups[y == kind])) for kind in range(classes))
        if rarest < 2:
            classes = 0
        else:
            parts = min(parts, rarest)
    parts = min(parts, persons)
    everything = np.arange(len(y))
    if parts < 2:
        return [(everything, everything)] * members
    folds: list[tuple[Array, Array]] = []
    repeat = 0
    while len(folds) < members:
        folds += [
            (fold.train, fold.test) for fold in at_random(y, classes, groups, persons, parts, repeat, seed % 2**31)
        ]
        repeat += 1
    return folds[:members]
