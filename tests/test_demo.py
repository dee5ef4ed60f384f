"""The main job: its files, its numbers, and what it claims about scaling, folding, intervals and the lonely process."""

import contextlib
import importlib.util
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

from sklearn.metrics import average_precision_score, roc_auc_score

import tinynet as tn
from tinynet import demo
from tinynet.demo import compare, deploy, recipe
from tinynet.demo.recipe import Data, Fit, Scaling
from tinynet.formulas.vocabulary import Array
from tinynet.tabular.intervals import Estimate


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "new" / "out"


@pytest.fixture(scope="module")
def printed(folder: Path) -> str:
    """What the main job prints, run once; pytest makes an error of any warning."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        demo.run(folder, draws=200)
    assert err.getvalue() == ""  # no progress bar where there is no terminal
    return out.getvalue()


@pytest.fixture(scope="module")
def data() -> Data:
    return recipe.load()


@pytest.fixture(scope="module")
def parts(data: Data) -> tuple[Array, Array, Array]:
    """Training, validation and test rows, as in the main job."""
    development, test = recipe.split(np.arange(len(data.y)), data.y, demo.TEST_SHARE, demo.SEED)
    return *recipe.split(development, data.y, compare.VALIDATION_SHARE, demo.SEED), test


@pytest.fixture(scope="module")
def fitted(data: Data, parts: tuple[Array, Array, Array]) -> Fit:
    tn.set_random_seed(demo.SEED)
    return recipe.fit(recipe.network(data.x.shape[1]), data, *parts[:2])


# ---------------------------------------------------------------------------------------------------- the whole job


def test_six_steps_in_a_hundred_columns_of_ascii(printed: str, folder: Path) -> None:
    steps = [line[3:].split(":")[0] for line in printed.splitlines() if line[:1].isdigit()]
    assert steps == ["Preprocess", "Features", "Build", "Train", "Evaluate", "Deploy"]
    assert printed.isascii()  # every terminal and code page can show it
    assert max(map(len, printed.replace(f"{folder}{os.sep}", "out/").splitlines())) <= 100


def test_the_network_is_good_and_the_verdict_follows_from_the_interval(printed: str) -> None:
    (row,) = (line for line in printed.splitlines() if line.strip().startswith("AUROC"))
    ours, theirs, difference = (float(row.split()[i]) for i in (1, 5, 9))
    assert min(ours, theirs) > 0.98
    assert difference == pytest.approx(ours - theirs, abs=0.0011)
    low, high = float(row.split("(")[3].split()[0]), float(row.rstrip(")").split()[-1])
    answer = "Yes:" if low > 0 else "No, it is worse:" if high < 0 else "Not shown:"
    assert f"Is the network better? {answer}" in printed


@pytest.mark.parametrize(
    ("low", "high", "answer"), [(0.001, 0.01, "Yes:"), (-0.01, -0.001, "No, it is worse:"), (-0.01, 0.0, "Not shown:")]
)
def test_verdict(low: float, high: float, answer: str) -> None:
    assert compare.verdict(Estimate((low + high) / 2, low, high)).startswith(answer)


def test_the_figure_is_a_picture_worth_looking_at(printed: str, folder: Path) -> None:
    from matplotlib.image import imread

    picture = imread(folder / "demo.png")
    assert picture.shape[0] >= 1000
    assert picture.shape[1] >= 1200
    for half in np.array_split(picture, 2):
        for panel in np.array_split(half, 2, axis=1):
            assert panel.std() > 0.05  # something is drawn in each of the four


def test_one_file_for_raw_measurements(
    printed: str, folder: Path, data: Data, parts: tuple[Array, Array, Array]
) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["demo.png", "model.safetensors"]
    model = tn.load_model(folder / "model.safetensors")
    assert roc_auc_score(data.y[parts[2]], model.predict(data.x[parts[2]])[:, 0]) > 0.97


def test_nothing_of_the_callers_matplotlib_changes(
    tmp_path: Path, data: Data, fitted: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    import matplotlib

    from tinynet.demo import figure

    loaded = "matplotlib.pyplot" in sys.modules
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 5.0)
    before = matplotlib.rcParams.copy()
    risk = fitted(data.x)
    auroc = compare.compared(data.y, risk, risk, draws=2, seed=0)["AUROC"]
    figure.draw(figure.Shown(fitted, data.y, risk, risk, auroc), tmp_path / "demo.png")
    assert matplotlib.rcParams.copy() == before
    assert ("matplotlib.pyplot" in sys.modules) == loaded


@pytest.mark.parametrize(("module", "name"), [("sklearn", "scikit-learn"), ("matplotlib", "Matplotlib")])
def test_a_missing_package_is_named_in_one_sentence(
    module: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(demo, "find_spec", lambda wanted: None if wanted == module else find(wanted))
    with pytest.raises(SystemExit, match=rf"^The demo needs {name}: pip install tinynet\[tabular\]$"):
        demo.run(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_named_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(SystemExit, match=r"out cannot be made: .*\.$"):
        demo.run(tmp_path / "out")


# ----------------------------------------------------------------------------------- nothing leaks into training


def test_the_parts_are_apart_and_alike(data: Data, parts: tuple[Array, Array, Array]) -> None:
    assert sorted(np.concatenate(parts)) == list(range(len(data.y)))
    for rows in parts:
        assert data.y[rows].mean() == pytest.approx(data.y.mean(), abs=0.01)


def assert_scaled_by_training_only(data: Data, training: Array, validation: Array) -> None:
    """Whatever the other patients' measurements are, the scaling stays as it is."""
    others = np.setdiff1d(np.arange(len(data.y)), training)
    x = data.x.copy()
    x[others] *= 3.0
    scalings = []
    for given in (data, replace(data, x=x)):
        tn.set_random_seed(0)
        scalings.append(recipe.fit(recipe.network(data.x.shape[1]), given, training, validation).scaling)
    np.testing.assert_array_equal(scalings[0].mean, scalings[1].mean)
    np.testing.assert_array_equal(scalings[0].deviation, scalings[1].deviation)


def test_scaling_knows_the_training_part_only(
    data: Data, parts: tuple[Array, Array, Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe, "EPOCHS", 1)
    assert_scaled_by_training_only(data, *parts[:2])


@pytest.mark.parametrize("leaked", [1, 2], ids=["validation", "test"])
def test_a_planted_leak_is_caught(
    leaked: int, data: Data, parts: tuple[Array, Array, Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test of the test above: a scaling that has also seen the validation or the test part must fail it."""
    honest_fit, honest_scaling = recipe.fit, Scaling.fitted

    def leaky_fit(model: tn.Sequential, given: Data, training: Array, validation: Array) -> Fit:
        seen = given.x[parts[leaked]]
        with monkeypatch.context() as planted:
            planted.setattr(Scaling, "fitted", lambda x: honest_scaling(np.concatenate([x, seen])))
            return honest_fit(model, given, training, validation)

    monkeypatch.setattr(recipe, "EPOCHS", 1)
    monkeypatch.setattr(recipe, "fit", leaky_fit)
    with pytest.raises(AssertionError):
        assert_scaled_by_training_only(data, *parts[:2])


def test_scaling_is_standard_and_leaves_a_constant_column_finite() -> None:
    x = np.column_stack([[1.0, 2.0, 3.0, 4.0], [7.0, 7.0, 7.0, 7.0]])
    scaled = Scaling.fitted(x)(x)
    assert scaled.mean(axis=0) == pytest.approx([0.0, 0.0])
    assert scaled.std(axis=0) == pytest.approx([1.0, 0.0])


def test_no_patient_is_predicted_by_a_model_that_met_the_patient(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    met: list[tuple[set[int], set[int]]] = []
    logistic: list[tuple[set[int], set[int]]] = []

    def recording(model: tn.Sequential, given: Data, training: Array, validation: Array) -> Callable[[Array], Array]:
        met.append((set(training.tolist()), set(validation.tolist())))
        return lambda x: np.full(len(x), float(len(met)))

    def regression(given: Data, training: Array, rows: Array) -> Array:
        logistic.append((set(training.tolist()), set(rows.tolist())))
        return np.zeros(len(rows))

    monkeypatch.setattr(compare, "fit", recording)
    monkeypatch.setattr(compare, "logistic_regression", regression)
    fold, theirs = compare.cross_validated(data, seed=0)
    assert len(met) == compare.FOLDS
    for number, ((training, validation), (learned, predicted)) in enumerate(zip(met, logistic, strict=True), start=1):
        own = set(np.flatnonzero(fold == number).tolist())
        assert own == predicted  # the same folds for both
        assert training | validation == learned == set(range(len(data.y))) - own
        assert not training & validation
        for rows in (training, validation, own):
            assert data.y[sorted(rows)].mean() == pytest.approx(data.y.mean(), abs=0.01)
    assert not np.isnan(theirs).any()


# ------------------------------------------------------------------------------------------------------- deployment


def test_the_folded_model_is_the_pipeline(data: Data, fitted: Fit) -> None:
    model = deploy.folded(fitted)
    assert deploy.largest_gap(fitted, model, data.x) <= deploy.ROUNDING
    kernel, bias, *_ = (weight.astype(float) for weight in fitted.model.get_weights())
    mean, deviation = fitted.scaling.mean, fitted.scaling.deviation
    x = data.x[:5]
    raw_kernel, raw_bias, *_ = model.get_weights()
    np.testing.assert_allclose(x @ raw_kernel + raw_bias, ((x - mean) / deviation) @ kernel + bias, atol=1e-5)


def test_a_forgotten_scaling_is_refused(data: Data, fitted: Fit) -> None:
    with pytest.raises(ArithmeticError, match="differs from the pipeline"):
        deploy.largest_gap(fitted, fitted.model, data.x)


def test_a_new_process_needs_numpy_only(data: Data, fitted: Fit, tmp_path: Path) -> None:
    model = deploy.folded(fitted)
    model.save(tmp_path / "model.safetensors")
    risk, loaded = deploy.predicted_alone(tmp_path / "model.safetensors", data.x[0])
    assert loaded == ["numpy", "tinynet"]
    assert risk == pytest.approx(float(fitted(data.x[:1])[0]), abs=deploy.ROUNDING)


@pytest.mark.parametrize("package", ["sklearn", "scipy", "matplotlib", "pandas"])
def test_the_barrier_holds(package: str) -> None:
    code = f"""
import runpy, sys
part = runpy.run_path({str(deploy.ALONE)!r})
sys.meta_path.insert(0, part["Barrier"]())
try:
    import {package}
except ModuleNotFoundError as error:
    print(error)
import numpy, json, tinynet
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{package} is not on this machine"


def test_the_new_process_fails_loudly(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        deploy.predicted_alone(tmp_path / "no such file", np.zeros(30))


def test_the_lonely_process_reads_no_measurements_from_its_command_line(
    data: Data, fitted: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    real = subprocess.run

    def spy(command: list[str], **options: object) -> "subprocess.CompletedProcess[str]":
        seen.append(command)
        return real(command, **options)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(subprocess, "run", spy)
    deploy.folded(fitted).save(tmp_path / "model.safetensors")
    deploy.predicted_alone(tmp_path / "model.safetensors", data.x[0])
    assert not [part for part in seen[0] if json.dumps(data.x[0][0]) in part]


# -------------------------------------------------------------------------------------------------------- intervals


def test_measures_agree_with_scikit_learn_with_counts_and_ties() -> None:
    generator = np.random.default_rng(0)
    y = generator.integers(0, 2, 200)
    risk = np.round(generator.random(200) * 0.7 + 0.3 * y, 1)  # ties
    for counts in (np.ones(200), compare.resampled(y, 1, 0)[0]):
        assert compare.MEASURES["AUROC"](y, risk, counts) == pytest.approx(roc_auc_score(y, risk, sample_weight=counts))
        assert compare.MEASURES["AUPRC"](y, risk, counts) == pytest.approx(
            average_precision_score(y, risk, sample_weight=counts)
        )
        assert compare.MEASURES["accuracy"](y, risk, counts) == pytest.approx(
            np.average((risk > 0.5) == y, weights=counts)
        )


def test_draws_are_stratified_and_reproducible() -> None:
    y = np.repeat([0, 1], [30, 20])
    counts = compare.resampled(y, 500, seed=3)
    assert (counts[:, y == 1].sum(axis=1) == 20).all()
    assert (counts[:, y == 0].sum(axis=1) == 30).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(50), abs=0.25)
    np.testing.assert_array_equal(counts, compare.resampled(y, 500, seed=3))


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """Scores of two normal distributions 1.5 apart: the true AUROC is Phi(1.5 / sqrt 2)."""
    truth, generator, covered, tried = 0.855578, np.random.default_rng(1), 0, 200
    y = np.repeat([0, 1], [60, 40])
    for seed in range(tried):
        score = generator.normal(1.5 * y)
        risk = 1 / (1 + np.exp(-score))
        drawn = [compare.MEASURES["AUROC"](y, risk, counts) for counts in compare.resampled(y, 200, seed)]
        estimate = compare.interval(compare.MEASURES["AUROC"](y, risk, np.ones(100)), np.array(drawn))
        covered += estimate.low <= truth <= estimate.high
    # 95 % within three standard errors of 200 trials, and two points for what percentile intervals lack at n = 100
    assert 0.88 <= covered / tried <= 1.0


def test_pairing_makes_the_difference_sharper() -> None:
    generator = np.random.default_rng(2)
    y = np.repeat([0, 1], [60, 40])
    ours = 1 / (1 + np.exp(-generator.normal(1.5 * y)))
    theirs = np.clip(ours + generator.normal(0, 0.01, 100), 0, 1)
    same = compare.compared(y, ours, ours, 100, 0)["AUROC"].difference
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    near = compare.compared(y, ours, theirs, 100, 0)["AUROC"]
    assert near.difference.high - near.difference.low < 0.3 * (near.ours.high - near.ours.low)
    assert near.difference.value == pytest.approx(near.ours.value - near.theirs.value)
    for estimate in (near.ours, near.theirs, near.difference):
        assert estimate.low <= estimate.value <= estimate.high


def test_malignant_is_one(data: Data) -> None:
    assert int(data.y.sum()) == 212  # of 569, in the data's own description
    area = data.x[:, data.names.index("worst area")]
    assert area[data.y == 1].mean() > area[data.y == 0].mean()  # malignant nuclei are larger
