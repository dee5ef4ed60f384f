"""From a trained network to one file that takes raw measurements, and its use where only NumPy is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

import tinynet as tn
from tinynet.demo.recipe import Fit, network
from tinynet.formulas.vocabulary import Array

ALONE = Path(__file__).with_name("alone.py")
ROUNDING = 1e-5  # risks may differ by so much in float32, whose numbers have 7 digits: sums of 30 products lose 1 or 2


def folded(fit: Fit) -> tn.Sequential:
    """The same network for raw measurements, with the scaling inside its first layer.

    ((x - m) / s) W + b  =  x (W / s) + (b - (m / s) W), computed in double.
    """
    kernel, bias, *others = (weight.astype(np.float64) for weight in fit.model.get_weights())
    slope = kernel / fit.scaling.deviation[:, None]
    model = network(len(kernel))
    model.set_weights([slope, bias - fit.scaling.mean @ slope, *others])
    return model


def largest_gap(fit: Fit, model: tn.Sequential, x: Array) -> float:
    """The largest difference in risk between scaling-then-network and the folded network.

    Raises ArithmeticError where it is more than rounding.
    """
    gap = float(np.abs(fit(x) - model.predict(x)[:, 0]).max())
    if not gap <= ROUNDING:
        raise ArithmeticError(
            f"the folded model differs from the pipeline by {gap:.1e}; at most {ROUNDING:.0e} is rounding"
        )
    return gap


def predicted_alone(model_file: Path, measurements: Array) -> tuple[float, list[str]]:
    """(one patient's risk, the packages loaded), from a new Python process that can import NumPy and tinynet only."""
    search = [str(Path(tn.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-P", str(ALONE), str(model_file)],
        input=json.dumps(measurements.tolist()),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, search))},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    answer = json.loads(done.stdout)
    return answer["risk"], answer["loaded"]
