"""Every example in a docstring of the package runs as it stands."""

import doctest
import importlib
import pkgutil

import pytest

import tinynet

MODULES = [tinynet.__name__] + [
    found.name for found in pkgutil.walk_packages(tinynet.__path__, "tinynet.") if not found.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if str(missing.name).startswith("tinynet"):
            raise
        pytest.skip(f"needs {missing.name}")
    assert doctest.testmod(module).failed == 0


def test_the_layer_of_one_s_own_is_among_them():
    assert doctest.DocTestFinder().find(tinynet.layers.Layer)[0].examples
    assert doctest.DocTestFinder().find(tinynet.Sequential)[0].examples
