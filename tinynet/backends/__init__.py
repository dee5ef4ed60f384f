"""Machines that carry programs out. NumPy's is `Training` itself; the others are loaded when asked for."""

from __future__ import annotations

import os
from importlib.util import find_spec

from tinynet.network import Network
from tinynet.prediction import Prediction
from tinynet.settings import shown
from tinynet.training import Training

NAMES = ("auto", "numpy", "numba", "cupy")
BACKENDS = "'auto', 'numpy', 'numba' or 'cupy'"
NEEDED = {"numba": ("numba", "scipy", "threadpoolctl")}
SOURCE = "the source files of tinynet"  # formulas are printed from them; a frozen application may leave them out


def missing(backend: str) -> list[str]:
    """Which packages the backend lacks here, and whether its sources; finds them without importing them."""
    lacks = [package for package in NEEDED.get(backend, ()) if find_spec(package) is None]
    has_source = os.path.isfile(os.path.join(os.path.dirname(__file__), "numba_kernels.py"))
    return lacks if has_source or backend not in NEEDED else [*lacks, SOURCE]


def choose(backend: str = "auto") -> tuple[type[Training], str]:
    """The class that trains on this backend, and the backend's name.

    Parameters
    ----------
    backend : "numpy", "numba", "cupy", or "auto", which takes numba where what it needs is installed, else NumPy;
        never the GPU, as long as no crossover has been measured

    Raises
    ------
    ValueError : for any other name
    ImportError : for "numba" and "cupy" where they are not installed
    RuntimeError : for "cupy" where there is no GPU to use, with what is missing
    """
    if backend not in NAMES:
        raise ValueError(f"backend is {BACKENDS}; given was {shown(backend)}")
    if backend == "cupy":
        from tinynet.backends.cupy_cuda import require
        from tinynet.backends.cupy_training import CupyTraining

        require()
        return CupyTraining, "cupy"
    lacks = missing("numba")
    if backend == "numpy" or (backend == "auto" and lacks):
        return Training, "numpy"
    if SOURCE in lacks:
        raise ImportError(
            f"backend 'numba' compiles formulas from {SOURCE}, which are not here as files: ship the .py files with "
            "the application, or take backend='numpy'"
        )
    if lacks:
        raise ImportError(
            f"backend 'numba' needs {', '.join(lacks)}, which is not installed: pip install 'tinynet[fast]'"
        )
    from tinynet.backends.numba_training import NumbaTraining

    return NumbaTraining, "numba"


def prediction(network: Network, backend: str, threads: int | None = None) -> Prediction:
    """What predicts with this network on the machine that "numpy" or "numba" names."""
    if backend == "numpy":
        return Prediction(network)
    from tinynet.backends.numba_prediction import NumbaPrediction

    return NumbaPrediction(network, threads)
