"""Classifier and regressor: what they learn, keep apart, refuse, and give back from a file."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import r2_score, roc_auc_score

import tinynet as tn
from tinynet.persistence import ModelFileError
from tinynet.tabular import TabularClassifier, TabularRegressor
from tinynet.tabular.estimator import folds_of

N = 600
QUICK = {"members": 2, "epochs": 8, "random_state": 0}


def patients(n=N, seed=0):
    """(a frame with numbers, kinds and gaps, the true logit of a risk with a bend and an interaction)."""
    rng = np.random.default_rng(seed)
    age, temperature, sex = rng.uniform(20, 90, n), rng.normal(37, 1, n), rng.choice(["f", "m"], n)
    z = 0.05 * (age - 55) + 1.2 * np.abs(temperature - 37) - 1.0 + np.where((sex == "m") & (age > 60), 1.0, 0.0)
    frame = pd.DataFrame({"age": age, "temperature": temperature, "sex": sex, "ward": rng.choice(list("abc"), n)})
    frame.loc[rng.random(n) < 0.1, "temperature"] = np.nan
    return frame, z, rng


@pytest.fixture(scope="module")
def fitted():
    frame, z, rng = patients()
    y = np.where(rng.random(N) < 1 / (1 + np.exp(-z)), "ill", "well")
    return TabularClassifier(members=3, epochs=15, random_state=0).fit(frame, y), frame, y


def test_classifier_finds_a_bent_risk_and_is_calibrated(fitted):
    model, _, _ = fitted
    frame, z, rng = patients(2000, seed=1)
    risk = 1 / (1 + np.exp(-z))
    p = model.predict_proba(frame)[:, list(model.classes_).index("ill")]
    assert model.classes_.tolist() == ["ill", "well"]
    y = rng.random(2000) < risk
    assert roc_auc_score(y, p) > roc_auc_score(y, risk) - 0.03
    assert abs(p.mean() - risk.mean()) < 0.05
    assert np.mean((p - risk) ** 2) < 0.5 * risk.var()
    assert (model.predict(frame) == np.where(p > 0.5, "ill", "well")).all()


def test_same_numbers_for_any_number_of_threads_and_another_seed_gives_others():
    frame, z, _ = patients()
    y = z > 0
    one, three, other = (
        TabularClassifier(**(QUICK | {"random_state": seed}), n_jobs=jobs).fit(frame, y).predict_proba(frame)
        for seed, jobs in ((0, 1), (0, 3), (1, 1))
    )
    assert (one == three).all()
    assert (one != other).any()


def test_frame_dictionary_and_rows_say_the_same(fitted):
    model, frame, _ = fitted
    expected = model.predict_proba(frame)
    np.testing.assert_array_equal(model.predict_proba(frame.to_dict("list")), expected)
    predictor = model.predictor_
    np.testing.assert_allclose(predictor.predict_proba(frame.iloc[0].to_dict())[0], expected[0], atol=1e-6)
    np.testing.assert_array_equal(predictor.predict_proba(frame[["ward", "sex", "age", "temperature"]]), expected)


def test_file_gives_the_same_numbers_with_numpy_alone(fitted, tmp_path):
    model, frame, _ = fitted
    path = tmp_path / "model.safetensors"
    model.save(path)
    rows = {name: [None if v != v else v for v in column] for name, column in frame.head(50).to_dict("list").items()}
    code = (
        "import sys, tinynet as tn\n"
        f"model = tn.load({str(path)!r})\n"
        f"print(*model.predict_proba({rows!r})[:, 0])\n"
        f"print(*model.predict({rows!r}))\n"
        "print(*(m for m in ('sklearn', 'pandas', 'scipy', 'numba', 'narwhals') if m in sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(tn.__file__).parent.parent, capture_output=True, text=True, check=True
    )
    risks, classes, loaded = done.stdout.splitlines()
    np.testing.assert_allclose([float(v) for v in risks.split()], model.predict_proba(frame.head(50))[:, 0], atol=1e-6)
    assert classes.split() == model.predict(frame.head(50)).tolist()
    assert loaded == ""


def test_pickle_and_damaged_file(fitted, tmp_path):
    model, frame, _ = fitted
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(frame), model.predict_proba(frame))
    path = tmp_path / "model.safetensors"
    model.save(path)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    with pytest.raises(ModelFileError, match="checksum"):
        tn.load(bytes(content))
    with pytest.raises(ModelFileError, match="tabular"):
        tn.load_model(path)


def test_every_loss_of_the_regressor_finds_its_own_mean():
    frame, z, rng = patients(800)
    mean = np.exp(0.5 * z)
    count, cost = rng.poisson(mean), rng.gamma(2.0, mean / 2.0)
    some = np.where(rng.random(800) < 0.6, cost, 0.0)
    for loss, y, truth in (
        ("squared_error", z + rng.normal(0, 1, 800), z),
        ("absolute_error", z + rng.normal(0, 1, 800), z),
        ("poisson", count, mean),
        ("gamma", cost, mean),
        ("two-part", some, 0.6 * mean),
    ):
        said = TabularRegressor(loss=loss, **QUICK).fit(frame, y).predict(frame)
        assert said.shape == (800,)
        assert r2_score(truth, said) > 0.5, loss
        assert abs(said.mean() / y.mean() - 1) < 0.1 or loss == "absolute_error", loss
        assert loss in ("squared_error", "absolute_error") or (said > 0).all(), loss


def test_quantiles_hold_their_share_and_do_not_cross():
    frame, z, rng = patients(1500)
    y = z + rng.normal(0, 1, 1500)
    model = TabularRegressor(loss="quantile", quantiles=(0.9, 0.1, 0.5), **QUICK).fit(frame, y)
    said = model.predict(frame)
    assert said.shape == (1500, 3)
    assert (np.diff(said, axis=1) >= 0).all()
    np.testing.assert_allclose((y[:, None] < said).mean(axis=0), [0.1, 0.5, 0.9], atol=0.05)


def test_no_skill_is_not_made_up():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((400, 10)), rng.standard_normal(400)
    said = TabularRegressor(**QUICK).fit(x, y).predict(rng.standard_normal((1000, 10)))
    assert said.std() < 0.25


def test_groups_stay_whole_in_the_parts_that_stop_training():
    rng = np.random.default_rng(0)
    group, y = rng.integers(0, 40, 300), rng.integers(0, 2, 300)
    for members in (1, 2, 5):
        folds = folds_of(y, 2, group, members, seed=0)
        assert len(folds) == members
        for learn, stop in folds:
            assert not set(group[learn]) & set(group[stop])
            assert len(learn) + len(stop) == 300
    assert len(folds_of(np.array([0, 1, 1, 1]), 2, np.arange(4), 5, 0)) == 5
    assert len(folds_of(np.zeros(3), 0, np.zeros(3), 2, 0)) == 2


def test_weights_matter_and_class_weights_warn(fitted):
    _, frame, y = fitted
    plain = TabularClassifier(**QUICK).fit(frame, y)
    with pytest.warns(UserWarning, match="not calibrated"):
        balanced = TabularClassifier(class_weight={"ill": 10.0}, **QUICK).fit(frame, y)
    assert balanced.predict_proba(frame)[:, 0].mean() > plain.predict_proba(frame)[:, 0].mean() + 0.1
    weighted = TabularClassifier(**QUICK).fit(frame, y, sample_weight=np.where(y == "ill", 10.0, 1.0))
    assert weighted.predict_proba(frame)[:, 0].mean() > plain.predict_proba(frame)[:, 0].mean() + 0.1


def test_eval_set_stops_training():
    frame, z, _ = patients()
    y = (z > 0).astype(int)
    upside_down = TabularClassifier(**QUICK).fit(frame, y, eval_set=(frame, 1 - y))
    assert np.ptp(upside_down.predict_proba(frame)[:, 1]) < 0.3
    right = TabularClassifier(**QUICK).fit(frame, y, eval_set=(frame, y))
    assert roc_auc_score(y, right.predict_proba(frame)[:, 1]) > 0.95


@pytest.mark.parametrize(
    ("estimator", "y", "said"),
    [
        (TabularClassifier(), np.zeros(N), "y has one class only"),
        (TabularClassifier(), ["a", None] * (N // 2), "missing labels"),
        (TabularClassifier(), np.zeros(N - 1), "one each is expected"),
        (TabularClassifier(verbose="loud"), np.arange(N) % 2, "verbose is 0, 1 or 'auto'"),
        (TabularClassifier(members=0), np.arange(N) % 2, "members is a whole number"),
        (TabularRegressor(loss="posson"), np.ones(N), "did you mean 'poisson'"),
        (TabularRegressor(loss="poisson"), np.full(N, -1.0), "0 or more"),
        (TabularRegressor(loss="gamma"), np.zeros(N), '"two-part"'),
        (TabularRegressor(loss="two-part"), np.zeros(N), "0 in all"),
        (TabularRegressor(loss="quantile", quantiles=(2.0,)), np.ones(N), "a quantile is"),
        (TabularRegressor(), ["a"] * N, "TabularClassifier"),
    ],
)
def test_refused_in_one_sentence(estimator, y, said):
    with pytest.raises(ValueError, match=said) as caught:
        estimator.fit(patients()[0], y)
    assert "\n" not in str(caught.value)


def test_table_that_cannot_be_learned_from():
    with pytest.raises(ValueError, match="no column can be learned from"):
        TabularClassifier().fit({"a": [1.0] * 20, "b": [None] * 20}, [0, 1] * 10)


def test_isotonic_calibration_is_one_argument_and_travels_with_the_file(tmp_path):
    frame, z, rng = patients(1500)
    y = (rng.random(1500) < np.where(z > 0, 0.5, 0.05)).astype(int)  # a step, which no line through logits can follow
    new, z_new, _ = patients(3000, 1)
    truth = np.where(z_new > 0, 0.5, 0.05)
    scaled = TabularClassifier(**QUICK).fit(frame, y)
    stepped = TabularClassifier(calibrate="isotonic", **QUICK).fit(frame, y)
    p, q = scaled.predict_proba(new)[:, 1], stepped.predict_proba(new)[:, 1]
    order = np.argsort(p)
    assert (np.diff(q[order]) >= -1e-9).all()  # nobody changes places
    assert len(np.unique(q.round(12))) < len(np.unique(p.round(12)))  # steps
    assert abs(q.mean() - truth.mean()) < 0.05
    stepped.save(tmp_path / "model.safetensors")
    np.testing.assert_allclose(tn.load(tmp_path / "model.safetensors").predict_proba(new)[:, 1], q, atol=1e-6)
    with pytest.raises(ValueError, match="isotonic"):
        TabularClassifier(calibrate="isotonik").fit(frame, y)


def test_what_was_learned_is_told(fitted):
    model, *_ = fitted
    assert len(model.history_["loss"]) == len(model.history_["val_loss"]) > 0
    assert np.isfinite(model.history_["val_loss"]).all()
    tensors = [a for ensemble in model.predictor_.ensembles for a in ensemble.arrays().values()]
    assert model.n_parameters_ == sum(a.size for a in tensors) + 3  # share, scale and shift
