"""Keras scripts with tinynet in Keras's place report what Keras reported: the scripts are in tests/oracles."""

import json
import sys
from pathlib import Path

import pytest

import tinynet as tn

ORACLES = Path(__file__).parents[1] / "oracles"
sys.path.insert(0, str(ORACLES))
from keras_scripts import SCRIPTS, different, plain  # noqa: E402

KERAS = json.loads((ORACLES / "keras_scripts.json").read_text())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_the_script_reports_what_keras_reports(script):
    assert different(plain(script(tn)), KERAS[script.__name__], 2e-4) == []


def test_a_difference_would_be_seen():
    assert different({"a": [1.0, 2.0]}, {"a": [1.0, 2.001]}, 2e-4) == ["/a/1: 2.0"]
    assert different({"a": [1.0]}, {"b": [1.0]}, 2e-4)
    assert different([1.0, 2.0], [1.0], 2e-4)
