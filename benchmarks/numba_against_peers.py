"""Training time of tinynet's numba backend against scikit-learn, PyTorch and JAX, interleaved in one run.

    python benchmarks/numba_against_peers.py [--pairs 9] [--threads 1 2] [--peers-python PATH] [--out result.json]

All train the same networks (relu inside, mean squared error, Adam with Keras's epsilon) on the same rows in float32,
from the same initial weights, in the same order of rows (scikit-learn draws its own). Each contestant is a process of
its own; they take turns, one epoch at a time, and the pairs' ratios are what is compared, so that a machine whose speed
drifts treats all alike. Every contestant runs with each number of threads asked for, and its best counts. Compile time
is in the first epoch, which is shown apart.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

NETWORKS = [
    (10, (16, 16), 32, 16_384), (64, (128, 64), 32, 16_384), (64, (128, 64), 256, 16_384),
    (64, (128, 64), 1024, 16_384), (256, (1024, 1024), 1024, 4_096),
]  # fmt: skip
CONTESTANTS = ("tinynet", "scikit-learn", "torch", "jax")


def problem(columns: int, widths: tuple[int, ...], rows: int) -> tuple[Any, Any, list[Any]]:
    """Rows, targets and the weights to begin with."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal((rows, columns)).astype(np.float32)
    t = (2 * x[:, :1] + np.sin(x[:, 1:2])).astype(np.float32)
    sizes = [columns, *widths, 1]
    weights: list[Any] = []
    for n, m in itertools.pairwise(sizes):
        limit = (6 / (n + m)) ** 0.5
        weights += [generator.uniform(-limit, limit, (n, m)).astype(np.float32), np.zeros(m, np.float32)]
    return x, t, weights


def tinynet_epoch(x: Any, t: Any, weights: list[Any], batch: int, threads: int) -> Any:
    import tinynet as tn
    from tinynet.backends.numba_training import NumbaTraining

    model = tn.Sequential(
        [*[tn.layers.Dense(w.shape[1], "relu") for w in weights[:-2:2]], tn.layers.Dense(1)]
    )  # fmt: skip
    model.compile("adam", "mean_squared_error", backend="numpy")
    model._built(x)
    model.set_weights(weights)
    state = model._compiled()
    state = NumbaTraining(state.network, state.objective, state.optimizer, 1, threads=threads)
    data = {"X": x, "T": t, "weights": np.ones((len(x), 1), np.float32)}
    return lambda order: state.epoch(data, order, batch)


def scikit_learn_epoch(x: Any, t: Any, weights: list[Any], batch: int, threads: int) -> Any:
    from sklearn.neural_network import MLPRegressor
    from threadpoolctl import threadpool_limits

    threadpool_limits(threads)
    widths = [w.shape[1] for w in weights[:-2:2]]
    model = MLPRegressor(hidden_layer_sizes=widths, batch_size=batch, alpha=0.0, epsilon=1e-7, random_state=0)

    def epoch(order: Any) -> float:
        model.partial_fit(x, t[:, 0])
        return 2 * float(model.loss_)  # its loss is half the squared error

    return epoch


def torch_epoch(x: Any, t: Any, weights: list[Any], batch: int, threads: int) -> Any:
    import torch

    torch.set_num_threads(threads)
    layers: list[Any] = []
    for w, b in zip(weights[::2], weights[1::2], strict=True):
        layer = torch.nn.Linear(*w.shape)
        layer.weight.data, layer.bias.data = torch.from_numpy(w.T.copy()), torch.from_numpy(b.copy())
        layers += [layer, torch.nn.ReLU()]
    model, loss_of = torch.nn.Sequential(*layers[:-1]), torch.nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, fused=True)
    rows, targets = torch.from_numpy(x), torch.from_numpy(t)

    def epoch(order: Any) -> float:
        order = torch.from_numpy(order)
        shuffled, wanted = rows[order], targets[order]
        losses = []
        for start in range(0, len(order), batch):
            optimizer.zero_grad()
            loss = loss_of(model(shuffled[start : start + batch]), wanted[start : start + batch])
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        return float(torch.stack(losses).mean())

    return epoch


def jax_epoch(x: Any, t: Any, weights: list[Any], batch: int, threads: int) -> Any:
    """The whole epoch is one compiled scan."""
    import os

    if threads == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    import jax
    import jax.numpy as jnp

    def loss_of(parameters: Any, rows: Any, targets: Any) -> Any:
        a = rows
        for i in range(0, len(parameters), 2):
            a = a @ parameters[i] + parameters[i + 1]
            a = jax.nn.relu(a) if i < len(parameters) - 2 else a
        return jnp.mean((a - targets) ** 2)

    def step(carried: Any, part: Any) -> Any:
        p, m, v, count = carried
        loss, g = jax.value_and_grad(loss_of)(p, *part)
        count = count + 1
        m = [0.9 * a + 0.1 * b for a, b in zip(m, g, strict=True)]
        v = [0.999 * a + 0.001 * b * b for a, b in zip(v, g, strict=True)]
        rate = 1e-3 * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        p = [a - rate * b / (jnp.sqrt(c) + 1e-7) for a, b, c in zip(p, m, v, strict=True)]
        return (p, m, v, count), loss

    def whole(carried: Any, rows: Any, targets: Any, order: Any) -> Any:
        parts = (rows[order].reshape(-1, batch, rows.shape[1]), targets[order].reshape(-1, batch, 1))
        return jax.lax.scan(step, carried, parts)

    p = [jnp.asarray(w) for w in weights]
    state = [(p, [jnp.zeros_like(w) for w in p], [jnp.zeros_like(w) for w in p], jnp.array(0.0))]
    compiled, rows, targets = jax.jit(whole), jnp.asarray(x), jnp.asarray(t)

    def epoch(order: Any) -> float:
        state[0], losses = compiled(state[0], rows, targets, order)
        return float(losses.mean())

    return epoch


EPOCHS = {
    "tinynet": tinynet_epoch, "scikit-learn": scikit_learn_epoch, "torch": torch_epoch, "jax": jax_epoch,
}  # fmt: skip


def worker(name: str, columns: int, widths: tuple[int, ...], batch: int, rows: int, threads: int) -> None:
    """One contestant: an epoch for every line it is sent; answers with [seconds, loss]."""
    x, t, weights = problem(columns, widths, rows)
    try:
        epoch = EPOCHS[name](x, t, weights, batch, threads)
    except ImportError as error:
        print(json.dumps(str(error)), flush=True)
        return
    print(json.dumps("ready"), flush=True)
    for number, _ in enumerate(sys.stdin):
        order = np.random.default_rng(number).permutation(rows)
        start = time.perf_counter()
        loss = epoch(order)
        print(json.dumps([time.perf_counter() - start, loss]), flush=True)


def compare(network: Any, arguments: argparse.Namespace) -> dict[str, Any]:
    """All contestants with all numbers of threads, in turn; the first epoch of each is shown apart."""
    processes = {}
    for name in CONTESTANTS:
        for threads in arguments.threads:
            python = sys.executable if name == "tinynet" else arguments.peers_python
            command = [python, __file__, "--worker", json.dumps([name, *network, threads])]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            assert process.stdout is not None
            if json.loads(process.stdout.readline() or '"failed"') == "ready":
                processes[f"{name}, {threads} thread{'s' * (threads > 1)}"] = process
            else:
                process.wait()
    found: dict[str, list[Any]] = {name: [] for name in processes}
    for _ in range(arguments.pairs + 1):
        for name, process in processes.items():
            assert process.stdin is not None
            assert process.stdout is not None
            print(file=process.stdin, flush=True)
            found[name].append(json.loads(process.stdout.readline()))
    for process in processes.values():
        process.communicate()
    seconds = {name: [s for s, _ in samples[1:]] for name, samples in found.items()}
    return {
        "network": "-".join(map(str, (network[0], *network[1], 1))), "batch size": network[2], "rows": network[3],
        "first epoch, seconds": {name: samples[0][0] for name, samples in found.items()},
        "seconds": seconds, "last loss": {name: samples[-1][1] for name, samples in found.items()},
    }  # fmt: skip


def best(result: dict[str, Any], name: str) -> str | None:
    """The contestant's number of threads with the smallest median."""
    own = [key for key in result["seconds"] if key.startswith(name)]
    return min(own, key=lambda key: statistics.median(result["seconds"][key]), default=None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--networks", type=int, nargs="+", default=range(len(NETWORKS)))
    parser.add_argument("--peers-python", default=sys.executable)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--worker")
    arguments = parser.parse_args()
    if arguments.worker:
        worker(*json.loads(arguments.worker))
        return
    results = []
    for number in arguments.networks:
        result = compare(NETWORKS[number], arguments)
        results.append(result)
        ours = best(result, "tinynet")
        assert ours is not None
        print(f"{result['network']}, batch {result['batch size']}: {ours}")
        for name in result["seconds"]:
            times = result["seconds"][name]
            ratios = sorted(a / b for a, b in zip(times, result["seconds"][ours], strict=True))
            middle = np.percentile(ratios, [25, 50, 75])
            print(
                f"  {name:24} best {1e3 * min(times):9.2f} ms, median {1e3 * statistics.median(times):9.2f} ms, "
                f"first {result['first epoch, seconds'][name]:6.2f} s, ratio {middle[1]:7.2f} "
                f"({middle[0]:.2f} to {middle[2]:.2f}), of the best {min(times) / min(result['seconds'][ours]):7.2f}, "
                f"loss {result['last loss'][name]:.3g}",
                flush=True,
            )
    if arguments.out:
        machine = {"machine": platform.processor() or platform.machine(), "python": platform.python_version()}
        arguments.out.write_text(json.dumps({**machine, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
