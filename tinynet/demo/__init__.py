"""The main job on real health data, in six steps: preprocess, features, build, train, evaluate, deploy.

`python -m tinynet demo` runs it; `run` below is the story, the other files are its parts:
`recipe` (splits, scaling, network, training), `compare` (cross-validation and intervals), `deploy`, `figure`.
"""

from __future__ import annotations

import textwrap
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from tinynet import metrics
from tinynet.demo import compare, deploy, figure, recipe
from tinynet.demo.recipe import Data
from tinynet.formulas.vocabulary import Array
from tinynet.random import set_random_seed
from tinynet.tabular.intervals import wilson

SEED = 0
TEST_SHARE = 0.2


def run(out: Path, draws: int = 2000) -> None:
    """Run the six steps, print what happens, and write `out`/model.safetensors and `out`/demo.png.

    Parameters
    ----------
    out : the folder for the files; it is made where it is not there
    draws : bootstrap draws for each interval; fewer are quicker, and the ends of the intervals less certain

    Raises
    ------
    SystemExit : in one sentence, where a package or the folder is missing
    """
    ready(out)
    start = time.perf_counter()
    print("tinynet: is a breast tumour malignant? A network learns it from images of cell nuclei.")
    set_random_seed(SEED)
    data = recipe.load()

    development, test = recipe.split(np.arange(len(data.y)), data.y, TEST_SHARE, SEED)
    training, validation = recipe.split(development, data.y, compare.VALIDATION_SHARE, SEED)
    preprocessed(data, training, validation, test)

    features(data, training)

    step(3, "Build")
    model = recipe.network(data.x.shape[1])
    model.summary(print_fn=lambda text: print(textwrap.indent(text, INDENT)))

    step(4, "Train")
    fit = recipe.fit(model, data, training, validation, verbose="auto")
    trained(fit)

    step(5, "Evaluate")
    ours, theirs = compare.cross_validated(data, SEED)
    found = compare.compared(data.y, ours, theirs, draws, SEED)
    evaluated(found, len(data.y), draws)
    tested(data.y[test], fit(data.x[test]))

    step(6, "Deploy")
    model_file, picture = out / "model.safetensors", out / "demo.png"
    deployed = deploy.folded(fit)
    gap = deploy.largest_gap(fit, deployed, data.x)
    deployed.save(model_file)
    risk, loaded = deploy.predicted_alone(model_file, data.x[test[0]])
    line("model", f"{model_file} ({model_file.stat().st_size / 1000:.1f} kB), takes raw measurements: the scaling is")
    line("", f"inside its first layer (predictions as before, largest difference {gap:.0e})")
    line("new process", f"a fresh Python that can import {' and '.join(loaded)} only loads the file")
    said, truth = "below 0.1 %" if risk < 0.001 else percent(risk, 1), CLASSES[data.y[test[0]]]
    line("one patient", f"of the test part: predicted risk {said}; truth: {truth}")
    figure.draw(figure.Shown(fit, data.y, ours, theirs, found["AUROC"]), picture)
    line("figure", f"{picture}")
    print(f"\nDone in {time.perf_counter() - start:.0f} seconds. For teaching and research, not for care of patients.")


# ------------------------------------------------------------------------------------------------- what is printed

INDENT = "   "
CLASSES = ("benign", "malignant")


def ready(out: Path) -> None:
    """Make the folder, and end in one sentence where something is missing."""
    missing = [
        name for module, name in (("sklearn", "scikit-learn"), ("matplotlib", "Matplotlib")) if not find_spec(module)
    ]
    if missing:
        raise SystemExit(f"The demo needs {' and '.join(missing)}: pip install tinynet[tabular]")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SystemExit(f"The folder {out} cannot be made: {error.strerror}.") from None


def step(number: int, name: str) -> None:
    print(f"\n{number}  {name}")


def line(label: str, text: str) -> None:
    print(f"{INDENT}{label:<12}{text}")


def percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"


def preprocessed(data: Data, training: Array, validation: Array, test: Array) -> None:
    """Step 1: what the data are and how they are divided."""
    step(1, "Preprocess")
    line("data", f"Breast Cancer Wisconsin (Diagnostic): {len(data.y)} patients, {data.x.shape[1]} measurements each")
    malignant = int(data.y.sum())
    line("classes", f"{malignant} malignant ({percent(malignant / len(data.y))}), {len(data.y) - malignant} benign")
    gaps = int(np.isnan(data.x).sum())
    line("gaps", f"{gaps or 'no'} missing values")
    for name, rows, purpose in (
        ("training", training, "the scaling and the network learn from these only"),
        ("validation", validation, "say when to stop"),
        ("test", test, "judge the trained network, at the very end"),
    ):
        line(name, f"{len(rows):>3} patients, {percent(data.y[rows].mean())} malignant: {purpose}")
    line("scaling", "each measurement minus its mean, divided by its standard deviation")


def features(data: Data, training: Array) -> None:
    """Step 2: what the measurements are, and how far the best of them goes alone."""
    step(2, "Features")
    kinds = [name.removeprefix("mean ") for name in data.names if name.startswith("mean ")]
    ways = len(data.names) // len(kinds)
    line("measured", f"{len(kinds)} properties of the cell nuclei in one image:")
    for row in textwrap.wrap(", ".join(kinds), 76):
        line("", row)
    line("summarised", f"in {ways} ways: mean, error (standard error of the mean), worst (mean of the 3 largest)")
    y, ones = data.y[training][:, None], np.ones(len(training))
    alone = [metrics.auc(y, column[:, None], ones) for column in data.x[training].T]
    best = int(np.argmax(np.maximum(alone, 1 - np.array(alone))))
    line("best alone", f"{data.names[best]}: AUROC {max(alone[best], 1 - alone[best]):.3f} in the training part")


def trained(fit: recipe.Fit) -> None:
    """Step 4: when training ended, and what was kept."""
    losses = fit.history["val_loss"]
    line("optimizer", "AdamW on binary cross-entropy, 32 patients a step")
    why = "the limit" if len(losses) == recipe.EPOCHS else f"{recipe.PATIENCE} without a better validation loss"
    line("stopped", f"after {len(losses)} epochs: {why}")
    line("kept", f"the weights of epoch {fit.kept_epoch}, validation loss {losses[fit.kept_epoch - 1]:.4f}")


def evaluated(found: dict[str, compare.Comparison], patients: int, draws: int) -> None:
    """Step 5: the table of both models, what its intervals are, and the answer."""
    print(
        f"{INDENT}The recipe is judged by {compare.FOLDS}-fold cross-validation: everything is fitted anew inside each"
    )
    print(f"{INDENT}fold, and each of the {patients} patients is predicted by models that never met this patient.")
    print(f"{INDENT}It only measures: nothing is chosen by its results.\n")
    line("", f"{'network':<26}{'logistic regression':<26}difference")
    for name, row in found.items():
        line(name, f"{row.ours:.3f}    {row.theirs:.3f}    {row.difference:+.4f}")
    print(
        f"\n{INDENT}In brackets 95 % intervals: percentile bootstrap of these predictions, {draws:,} draws of patients,"
    )
    print(f"{INDENT}malignant and benign apart, the same draws for both models. The luck of folds and initial")
    print(f"{INDENT}weights is not in them.\n")
    print(f"{INDENT}Is the network better? {compare.verdict(found['AUROC'].difference)}")
    if found["AUROC"].difference.low <= 0:
        print(f"{INDENT}Logistic regression is simpler, so it is the better choice here.")
    print()


def tested(y: Array, risk: Array) -> None:
    """Step 5, the end: the network of step 4 on patients that it never met."""
    print(f"{INDENT}The network of step 4 is judged by the test part, which it never met:")
    for kind, name, right in ((1, "malignant", "above"), (0, "benign", "below")):
        n, yes = int((y == kind).sum()), int(((risk > 0.5) == kind)[y == kind].sum())
        low, high = wilson(yes, n)
        line(
            name,
            f"{yes} of {n} have a predicted risk {right} 50 %: {percent(yes / n)} ({percent(low)} to {percent(high)})",
        )
