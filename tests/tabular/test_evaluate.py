"""`evaluate` from end to end: no leak, same folds for all, honest verdicts, refusals, JSON and report without rows."""

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("pandas")

import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import GammaRegressor, LogisticRegression, PoissonRegressor, Ridge, TweedieRegressor
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.svm import LinearSVC

from tinynet.tabular import TabularClassifier
from tinynet.tabular.baselines import baselines, plain
from tinynet.tabular.evaluate import evaluate
from tinynet.tabular.evaluation import Evaluation, number
from tinynet.tabular.frame import read
from tinynet.tabular.schema import Schema
from tinynet.tabular.subgroups import subgroups_of

QUICK: dict[str, Any] = {"jobs": 1, "draws": 100, "progress": False}


def table(n: int = 400, seed: int = 0) -> tuple[Any, Any]:
    """A frame of patients with a known risk, and the outcome in words."""
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": generator.integers(20, 90, n),
            "pressure": np.where(generator.random(n) < 0.1, np.nan, generator.normal(130, 20, n)),
            "sex": generator.choice(["female", "male"], n),
            "ward": generator.choice(["a", "b", None], n),
            "seen": pd.Timestamp("2020-01-01") + pd.to_timedelta(generator.integers(0, 700, n), "D"),
        }
    )
    z = 0.05 * (frame["age"] - 60) + 0.5 * (frame["sex"] == "male")
    return frame, np.where(generator.random(n) < 1 / (1 + np.exp(-z)), "yes", "no")


class OnAge(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Logistic regression on age, that remembers which ages it met."""

    met: list[tuple[set[Any], Any]] = []  # noqa: RUF012

    def fit(self, X: Any, y: Any, groups: Any = None) -> "OnAge":
        self.classes_ = np.unique(y)
        self.met.append((set(X.index), groups))
        self.model_ = LogisticRegression().fit(X[["age"]], y)
        self.history_ = {"loss": [0.9, 0.7, 0.6], "val_loss": [0.9, 0.8, 0.7]}
        self.n_parameters_ = 2
        return self

    def predict_proba(self, X: Any) -> Any:
        return self.model_.predict_proba(X[["age"]])


@pytest.fixture(scope="module")
def judged() -> Evaluation:
    frame, y = table()
    OnAge.met.clear()
    frame["patient_id"] = np.arange(400) // 2
    return evaluate(OnAge(), frame, y, groups="patient_id", splits=4, name="network", thresholds=[0.3, 0.5], **QUICK)


def test_persons_are_whole_and_fit_gets_its_groups(judged: Evaluation) -> None:
    assert len(OnAge.met) == 4
    for rows, groups in OnAge.met:
        assert len(rows) == len(groups)
        assert all((row ^ 1) in rows for row in rows)  # rows 2 k and 2 k + 1 are one person's


class ThreeEach(DummyRegressor):  # type: ignore[misc]
    """Says three numbers of each row, as a model of three quantiles does."""

    def predict(self, X: Any) -> Any:
        return np.zeros((len(X), 3))


def test_several_numbers_for_a_row_are_refused_in_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"predict gave the shape \(80, 3\); one number for each of 80 rows"):
        evaluate(ThreeEach(), table()[0][["age"]], np.arange(400.0), no_group="one row per person", **QUICK)


def test_columns_given_by_name_are_those_with_that_name() -> None:
    """Also where the group's column stands before them, and is left out."""
    frame, y = table()
    frame.insert(0, "patient_id", np.arange(400) // 2)
    frame["ward"] = np.array(list("abc"))[np.arange(400) // 2 % 3]
    found = evaluate(OnAge(), frame, y, groups="patient_id", site="ward", **QUICK)
    assert found.facts["folds"] == ["site a", "site b", "site c"]
    later = evaluate(OnAge(), frame, y, groups="patient_id", time="seen", splits=3, **QUICK)
    assert all("from 20" in name for name in later.facts["folds"])


def test_the_numbers_are_those_of_the_predictions(judged: Evaluation) -> None:
    assert judged.task == "binary"
    assert judged.classes == ["no", "yes"]
    ours = judged.ours
    pairs, total = 0.0, 0.0
    for fold in np.unique(judged.fold):
        own = judged.fold == fold
        y = judged.outcome[own]
        weight = y.sum() * (1 - y).sum()
        pairs += weight * roc_auc_score(y, ours.predicted[own])
        total += weight
    assert ours.measures["AUROC"].value == pytest.approx(pairs / total)
    other = judged.models["logistic regression"]
    assert other.difference["AUROC"].value == pytest.approx(
        ours.measures["AUROC"].value - other.measures["AUROC"].value
    )
    assert judged.models["prevalence"].measures["AUROC"].value == 0.5
    assert judged.gap == pytest.approx(ours.training["AUROC"] - ours.measures["AUROC"].value)
    assert judged.events_per_parameter == min((judged.outcome == k).sum() for k in (0, 1)) / 2


def test_subgroups_are_those_of_sex_and_age(judged: Evaluation) -> None:
    labels = [part.label for part in judged.subgroups]
    assert "sex: female" in labels
    assert "age: 40 to 49" in labels
    assert sum(part.rows for part in judged.subgroups if part.column == "sex") == 400


def test_the_table_and_json(judged: Evaluation) -> None:
    text = str(judged)
    for word in ("network", "AUROC", "net benefit at 0.3", "sensitivity at 0.5", "Subgroups", "gap", "whole persons"):
        assert word in text
    found = json.loads(judged.to_json())
    assert found["main"] == "AUROC"
    assert found["verdict"] == judged.verdict()

    longest = max(len(one) for model in found["models"].values() for one in model.values() if isinstance(one, dict))
    assert longest < 40  # measures, not rows


def test_the_report_is_one_file_without_rows_or_links(judged: Evaluation, tmp_path: Any) -> None:
    page = judged.report(tmp_path / "report.html", "Risk <of> something").read_text(encoding="utf-8")
    assert "Risk &lt;of&gt; something" in page
    assert page.count("<svg") == 6  # ROC, precision-recall, calibration, decision, learning, forest
    assert not re.search(r'(src|href)="(?!#)', page)
    assert "<script" not in page
    assert judged.verdict()[0] in page.replace("&#x27;", "'")


def test_labels_at_random_show_no_skill_and_it_is_said() -> None:
    frame, y = table(300, seed=1)
    shuffled = np.random.default_rng(2).permutation(y)
    found = evaluate(OnAge(), frame, shuffled, name="network", **QUICK)
    assert found.verdict()[0].startswith("No skill is shown: AUROC ")
    assert abs(found.ours.measures["AUROC"].value - 0.5) < 0.1


def test_verdicts_against_better_and_worse_models() -> None:
    frame, y = table(600, seed=3)
    prior = DummyClassifier(strategy="prior")
    numbers = frame[["age"]]
    better = evaluate(LogisticRegression(), numbers, y, baselines={"no model": prior}, name="network", **QUICK)
    assert better.verdict()[0].startswith("The network is better than no model: AUROC .")
    worse = evaluate(prior, numbers, y, baselines={"line": LogisticRegression()}, name="prior", **QUICK)
    assert worse.verdict()[0].startswith("No skill is shown")
    assert worse.verdict()[1].startswith("prior is worse than line: AUROC .500 against .")
    same = evaluate(LogisticRegression(), numbers, y, baselines={"twin": LogisticRegression()}, name="network", **QUICK)
    assert "The network is not better than twin" in same.verdict()[0]
    assert "difference .000 (95 % .000 to .000)." in same.verdict()[0]


def test_leakage_by_person_is_seen_in_regression() -> None:
    """Outcomes belong to persons, features are their names: by row nearly perfect, by person nothing."""
    generator = np.random.default_rng(4)
    person = np.repeat(np.arange(15), 20)
    X = generator.normal(size=(15, 3))[person] + 0.01 * generator.normal(size=(300, 3))
    y = generator.normal(size=15)[person]
    by_row = evaluate(KNeighborsRegressor(3), X, y, baselines=False, name="network", **QUICK)
    by_person = evaluate(KNeighborsRegressor(3), X, y, groups=person, baselines=False, name="network", **QUICK)
    assert by_row.ours.measures["R2"].value > 0.95
    assert by_person.verdict()[0].startswith("No skill is shown: R2 ")
    assert any("only 15 groups" in one for one in by_person.caveats())


@pytest.mark.parametrize(
    ("task", "model", "main"),
    [
        ("count", PoissonRegressor(), "Poisson deviance"),
        ("cost", GammaRegressor(), "gamma deviance"),
        ("cost", TweedieRegressor(power=1.5, link="log"), "Tweedie deviance"),
        (None, Ridge(), "R2"),
    ],
)
def test_numbers(task: str | None, model: Any, main: str, tmp_path: Any) -> None:
    generator = np.random.default_rng(5)
    X = generator.normal(size=(300, 2))
    mean = np.exp(0.5 * X[:, 0])
    y = generator.gamma(2.0, mean) if main == "gamma deviance" else generator.poisson(mean)
    found = evaluate(model, X, y, task=task, repeats=2, splits=3, **QUICK)
    assert found.main == main
    assert len(found.fold) == 600
    assert found.verdict()
    assert not found.verdict()[0].startswith("No skill")
    page = found.report(tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 2
    nothing = evaluate(DummyRegressor(), X, y, task=task, splits=3, **QUICK)
    assert nothing.verdict()[0].startswith("No skill is shown: ")


def test_several_classes_in_parallel_processes(tmp_path: Any) -> None:
    generator = np.random.default_rng(6)
    X = generator.normal(size=(300, 3))
    y = X[:, :3].argmax(axis=1)
    model = MLPClassifier((4,), solver="lbfgs", max_iter=2000, random_state=0)
    found = evaluate(model, X, y, splits=2, baselines=False, **{**QUICK, "jobs": 2})
    assert found.task == "multiclass"
    assert found.ours.measures["AUROC"].value > 0.95
    assert found.ours.parameters == 3 * 4 + 4 + 4 * 3 + 3
    assert "<h2>" in found.report(tmp_path / "report.html").read_text(encoding="utf-8")


def test_out_of_time_and_by_site() -> None:
    frame, y = table(300, seed=7)
    later = evaluate(OnAge(), frame, y, time="seen", splits=3, **QUICK)
    assert later.facts["evaluated"] < 300
    assert "out of time" in str(later)
    site = np.array(["north", "south", "west"] * 100)
    by_site = evaluate(OnAge(), frame, y, site=site, no_group="one row per person", **QUICK)
    assert by_site.facts["folds"] == ["site north", "site south", "site west"]
    assert "site: north" in [part.label for part in by_site.subgroups]
    assert any("one row per person" in one for one in by_site.caveats())


def frame_with_persons() -> Any:
    frame, y = table(100)
    frame["patient_nbr"] = np.arange(100) // 2
    return frame, y


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": np.zeros(3)}, "X is a table"),
        ({"y": np.zeros(5)}, "y has one value for each of the 100 rows"),
        ({"y": np.zeros(100)}, "y has one class only"),
        ({"y": np.append(np.nan, np.arange(99) % 2)}, "y is missing in 1 of 100 rows"),
        ({"y": np.linspace(0, 1, 100)}, "a task for a regressor"),
        ({"task": "other"}, "task is one of"),
        ({"task": "binary", "y": np.arange(100) % 3}, "for two classes; y has 3"),
        ({"thresholds": [1.0]}, "between 0 and 1"),
        ({"groups": "patient"}, "no column 'patient'"),
        ({"groups": "patient_nb"}, "did you mean 'patient_nbr'"),
        ({}, "'patient_nbr' looks like a person's identifier"),
        ({"estimator": LinearSVC()}, "no predict_proba"),
        ({"estimator": Ridge()}, "y is numbers; this one's type"),
        ({"estimator": Ridge(), "y": np.append(np.inf, np.zeros(99))}, "missing or infinite in 1 of 100"),
        ({"estimator": Ridge(), "y": np.zeros(100)}, "the same in every row"),
        ({"estimator": Ridge(), "task": "count", "y": np.arange(100) - 1.0}, "1 rows are below 0"),
        ({"estimator": Ridge(), "thresholds": [0.5], "y": np.arange(100.0)}, "thresholds are for two classes"),
        ({"subgroups": ["nothing"]}, "subgroups: there is no column of X named 'nothing'"),
        ({"subgroups": {"short": [1, 2]}}, "subgroups: short has the shape"),
        ({"name": "logistic regression"}, "give another name="),
    ],
)
def test_refusals_in_one_sentence(change: dict[str, Any], message: str) -> None:
    frame, y = frame_with_persons()
    options: dict[str, Any] = {"estimator": OnAge(), "X": frame, "y": y, **QUICK, **change}
    if "patient_nbr' looks" not in message and "groups" not in change:
        options["no_group"] = "a test"
    if isinstance(options["estimator"], LinearSVC | Ridge):
        options["X"] = frame[["age"]]
    with pytest.raises((ValueError, TypeError, KeyError), match=message):
        evaluate(**options)


class Broken(OnAge):
    """Predicts what cannot be used."""

    def __init__(self, shape: int = 2) -> None:
        self.shape = shape

    def predict_proba(self, X: Any) -> Any:
        return np.full((len(X), self.shape), np.nan)


def test_predictions_that_cannot_be_judged_are_refused() -> None:
    frame, y = table(100)
    with pytest.raises(ValueError, match="predicted NaN or infinity in 20 of 20 rows"):
        evaluate(Broken(), frame, y, **QUICK)
    with pytest.raises(ValueError, match="predict_proba gave the shape"):
        evaluate(Broken(3), frame, y, **QUICK)


def test_baselines_take_any_columns() -> None:
    frame, y = table(300)
    frame["empty"] = None
    frame["many"] = [f"code {i % 290}" for i in range(300)]
    frame["nullable"] = pd.array([None, *range(299)], dtype="Int64")
    found = plain(read(frame))
    assert found.categories.tolist() == [False, False, True, True, False, True, True, False]
    for model in baselines("binary", found).values():
        assert model.fit(found.matrix[:200], y[:200]).predict_proba(found.matrix[200:]).shape == (100, 2)


def test_what_is_kept_from_the_network_is_kept_from_the_baselines() -> None:
    """A leak that the schema ignores, and a number of the row in a table that is sorted by outcome."""
    frame, y = table(300)
    order = np.argsort(y, kind="stable")
    frame, y = frame.iloc[order].reset_index(drop=True), y[order]
    frame["record_id"] = [f"R{i:05d}" for i in range(300)]
    frame["letter"] = np.where(y == "yes", "sent", "none")
    schema = Schema.infer(read(frame))
    schema = Schema({n: replace(c, role="ignored") if n == "letter" else c for n, c in schema.columns.items()})
    network = TabularClassifier(schema, members=1, epochs=2, hidden=(4,), random_state=0)
    found = evaluate(network, frame, y, no_group="one row each", splits=2, subgroups=[], **QUICK)
    assert found.facts["columns"] == 5
    for model in found.models.values():
        assert model.measures["AUROC"].value < 0.9
    seen = evaluate(OnAge(), frame, y, no_group="one row each", splits=2, subgroups=[], **QUICK)
    assert max(model.measures["AUROC"].value for model in seen.models.values()) > 0.99  # it has no schema: they get all


def test_polars_frames_and_chosen_subgroups() -> None:
    pl = pytest.importorskip("polars")
    frame, y = table(200)
    other = pl.from_pandas(frame[["age", "pressure", "sex"]]).with_columns(person=pl.Series(np.arange(200) // 2))
    one = evaluate(DummyClassifier(), other, y, groups="person", subgroups=["pressure"], **QUICK)
    assert one.facts["columns"] == 3  # the person is none to learn from
    assert [part.label.split(":")[0] for part in one.subgroups] == ["pressure"] * 3
    assert [part.label for part in subgroups_of(read(frame), {"kind": np.arange(200) % 2}, None, 200)] == [
        "kind: 0",
        "kind: 1",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1234, ".123"), (-0.0004, ".000"), (1.5, "1.500"), (123.44, "123.4"), (12345.6, "12,346"), (np.nan, "-")],
)
def test_numbers_as_journals_write_them(value: float, text: str) -> None:
    assert number(value) == text
