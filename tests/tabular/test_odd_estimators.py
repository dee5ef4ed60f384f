"""Tables drawn by hypothesis through fit, predict and evaluate: a result, or one sentence raised in tinynet."""

import os
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinynet.tabular.classifier import TabularClassifier
from tinynet.tabular.evaluate import evaluate
from tinynet.tabular.regressor import TabularRegressor

QUICK: dict[str, Any] = {"members": 2, "epochs": 1, "hidden": (4,), "n_jobs": 1, "backend": "numpy", "random_state": 0}
COLUMNS = st.sampled_from(
    [
        st.floats(), st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.integers(0, 5), st.text(max_size=4),
        st.sampled_from(["a", "b", None]), st.sampled_from(["年", "é", "\ud800", "a;b"]), st.datetimes(),
        st.sampled_from([np.inf, -np.inf, np.nan, 1.0]), st.just(7.0), st.sampled_from([1e308, -1e308, 5e-324]),
        st.one_of(st.none(), st.floats(), st.text(max_size=3), st.booleans()), st.sampled_from(["[10-20)", "> 5", "?"]),
    ]
)  # fmt: skip
NAMES = st.sampled_from(["age", "x", "", "patient_id", "icd9", "日付", "seen", "sex", "a b", "0", " age "])


@st.composite
def frames(draw: st.DrawFn) -> tuple[pd.DataFrame, list[int]]:
    """A frame, and an outcome that is often one class."""
    rows = draw(st.integers(1, 24))
    names = draw(st.lists(NAMES, min_size=1, max_size=4))
    columns = [draw(st.lists(draw(COLUMNS), min_size=rows, max_size=rows)) for _ in names]
    frame = pd.concat([pd.Series(column, dtype=draw(st.sampled_from([object, None]))) for column in columns], axis=1)
    frame.columns = pd.Index(names)
    return frame, draw(st.lists(st.integers(0, 2), min_size=rows, max_size=rows))


def survives(act: Callable[[], Any]) -> Any:
    """What it gives; None where it refuses in one sentence of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return act()
        except (TypeError, ValueError, KeyError) as error:
            refusal = error
    where = traceback.extract_tb(refusal.__traceback__)[-1].filename
    assert f"tinynet{os.sep}" in where, f"raised in {where}: {refusal}"
    assert "\n" not in str(refusal).strip()
    return None


def through(frame: Any, y: Any, estimator: Any) -> None:
    model = survives(lambda: type(estimator)(**estimator.get_params()).fit(frame, y))
    if model is not None:
        said = model.predict_proba(frame) if hasattr(model, "predict_proba") else model.predict(frame)
        assert len(said) == len(frame)
        assert np.isfinite(said).all()


@settings(max_examples=40, suppress_health_check=list(HealthCheck), deadline=None)
@given(frames(), st.booleans())
def test_fit_and_predict(drawn: tuple[pd.DataFrame, list[int]], classes: bool) -> None:
    through(*drawn, TabularClassifier(**QUICK) if classes else TabularRegressor(**QUICK))


@settings(max_examples=12, suppress_health_check=list(HealthCheck), deadline=None)
@given(frames(), st.booleans())
def test_evaluate(drawn: tuple[pd.DataFrame, list[int]], classes: bool) -> None:
    frame, y = drawn
    estimator = TabularClassifier(**QUICK) if classes else TabularRegressor(**QUICK)
    found = survives(
        lambda: evaluate(estimator, frame, y, splits=2, draws=20, jobs=1, no_group="a test", progress=False)
    )
    if found is not None:
        assert str(found)
        assert found.verdict()


@pytest.mark.nightly
@settings(max_examples=1500, suppress_health_check=list(HealthCheck), deadline=None)
@given(frames(), st.booleans())
def test_fit_and_predict_at_length(drawn: tuple[pd.DataFrame, list[int]], classes: bool) -> None:
    through(*drawn, TabularClassifier(**QUICK) if classes else TabularRegressor(**QUICK))


MANY = np.arange(300)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"nothing": [None] * 300, "x": MANY % 7}),
        pd.DataFrame({"nothing": [None] * 300}),
        pd.DataFrame({"drug": [f"kind {i}" for i in MANY], "x": MANY % 7}),
        pd.DataFrame({"x": np.where(MANY % 3, np.inf, -np.inf), "z": MANY % 7}),
        pd.DataFrame(np.zeros((300, 2)), columns=["a", "a"]),
        pd.DataFrame({"年齢": MANY % 7, "性別": np.where(MANY % 2, "女", "男")}),
        pd.DataFrame({"x": pd.Series([1, "a", None, 2.5, True, (1, 2)] * 50, dtype=object), "z": MANY % 7}),
        pd.DataFrame({"x": pd.Series([{"a": 1}] * 300)}),
        pd.DataFrame({"x": MANY * 1e300, "z": MANY % 7}),
        pd.DataFrame({"x": pd.Series(MANY % 5, dtype="category"), "z": pd.array([None, *range(299)], dtype="Int64")}),
        pd.DataFrame({"x": MANY % 7}, index=np.zeros(300)),
        pd.DataFrame({("a", "b"): MANY % 7, ("a", "c"): MANY % 5}),
        pd.DataFrame({0: MANY % 7, 1: MANY % 5}),
    ],
    ids=["one missing", "all missing", "huge category", "infinite", "twice", "unicode", "mixed", "dictionaries",
         "overflow", "nullable", "one index", "two levels of names", "numbers as names"],
)  # fmt: skip
def test_by_hand(frame: pd.DataFrame) -> None:
    y = MANY % 2
    through(frame, y, TabularClassifier(**QUICK))
    for estimator in (TabularClassifier(**QUICK), TabularRegressor(**QUICK)):
        found = survives(lambda one=estimator: evaluate(one, frame, y, splits=2, draws=20, jobs=1, progress=False))
        assert found is None or found.verdict()


def test_one_row() -> None:
    one = pd.DataFrame({"age": [50], "sex": ["f"]})
    for estimator in (TabularClassifier(**QUICK), TabularRegressor(**QUICK)):
        with pytest.raises(ValueError, match="1 sample"):
            estimator.fit(one, [1])
        with pytest.raises(ValueError, match=r"one class|the same in every row"):
            evaluate(estimator, one, [1], no_group="a test")
    many = pd.DataFrame({"age": MANY % 7, "sex": np.where(MANY % 2, "f", "m")})
    assert TabularClassifier(**QUICK).fit(many, MANY % 2).predict_proba(one).shape == (1, 2)
