"""Training time of tinynet's NumPy backend against scikit-learn's MLPRegressor, interleaved in one run.

    python benchmarks/against_scikit_learn.py [--pairs 7] [--out result.json]

Both train the same network with Adam on the same rows in float32 with the same batch size, one epoch at a time, in
turn. What is compared is the ratio of each pair of epochs, so that a machine whose speed drifts treats both alike; the
range given is that of the middle half of the ratios. BLAS runs on one thread for both: on products this small a second
thread costs more than it gives.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.neural_network import MLPRegressor
from threadpoolctl import threadpool_limits

import tinynet as tn

ROWS = 16_384
NETWORKS = [(10, (16, 16), 32), (64, (128, 64), 32), (64, (128, 64), 256), (64, (128, 64), 1024)]


def timed(work: Any) -> float:
    """Seconds that a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def pairs(columns: int, widths: tuple[int, ...], batch_size: int, count: int) -> dict[str, Any]:
    """Times of `count` epochs of each, in turn, after one of each that is not counted."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal((ROWS, columns)).astype(np.float32)
    t = 2 * x[:, 0] + np.sin(x[:, 1])
    tn.set_random_seed(0)
    ours = tn.Sequential([*[tn.layers.Dense(width, "relu") for width in widths], tn.layers.Dense(1)])
    ours.compile("adam", "mean_squared_error")
    theirs = MLPRegressor(hidden_layer_sizes=widths, batch_size=batch_size, alpha=0.0, random_state=0)
    times: dict[str, list[float]] = {"tinynet": [], "scikit-learn": []}
    for _ in range(count + 1):
        times["tinynet"].append(timed(lambda: ours.fit(x, t, batch_size=batch_size, verbose=0)))
        times["scikit-learn"].append(timed(lambda: theirs.partial_fit(x, t)))
    ratios = np.array(times["scikit-learn"][1:]) / np.array(times["tinynet"][1:])
    return {
        "network": "-".join(map(str, (columns, *widths, 1))),
        "batch_size": batch_size,
        "seconds": {name: values[1:] for name, values in times.items()},
        "ratio": np.percentile(ratios, [50, 25, 75]).tolist(),
        "mean squared error": [
            float(np.mean((model.predict(x).ravel() - t) ** 2)) for model in (ours, theirs)
        ],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=7, help="pairs of epochs for each network (default 7)")
    parser.add_argument("--out", type=Path, help="where to write all samples, as JSON")
    chosen = parser.parse_args()
    print(
        f"{'network':<14} {'batch':>6} {'tinynet':>10} {'scikit-learn':>13} {'ratio':>7}  "
        f"{'middle half':<12} final losses"
    )
    results = []
    with threadpool_limits(1, user_api="blas"):
        for network in NETWORKS:
            found = pairs(*network, chosen.pairs)
            results.append(found)
            ours, theirs = (1e3 * float(np.median(seconds)) for seconds in found["seconds"].values())
            ratio, low, high = found["ratio"]
            losses = ", ".join(f"{loss:.1e}" for loss in found["mean squared error"])
            print(f"{found['network']:<14} {found['batch_size']:>6} {ours:>7.1f} ms {theirs:>10.1f} ms {ratio:>7.2f}  "
                  f"{low:.2f} to {high:.2f} {losses}")  # fmt: skip
    machine = {name: version(name) for name in ("numpy", "scikit-learn")} | {
        "tinynet": tn.__version__,
        "python": platform.python_version(), "machine": platform.machine(), "system": platform.system(),
    }  # fmt: skip
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    if chosen.out:
        chosen.out.write_text(json.dumps({"machine": machine, "rows": ROWS, "results": results}, indent=1))


if __name__ == "__main__":
    main()
