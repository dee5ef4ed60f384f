"""Time of a training step on a GPU: tinynet's cupy backend against PyTorch and JAX, and against tinynet on the CPU.

    python benchmarks/gpu_against_peers.py [--pairs 9] [--peers-python PATH] [--out benchmarks/results/gpu.json]

All train the same networks (relu inside, mean squared error, Adam with Keras's epsilon) on the same rows in float32,
from the same initial weights, in the same order of rows, data resident on the device. TF32 is off everywhere. Each
contestant is a process of its own; they take turns, one epoch at a time. The share of matrix products is that of
tinynet's own step: the time of a graph of its products alone over the time of the whole step. Without a GPU it says
what it could not run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numba_against_peers import jax_epoch, problem

WIDTHS = [(64, 64), (256, 256), (1024, 1024), (4096, 4096)]
BATCHES = [32, 256, 2048, 16_384]
COLUMNS, STEPS = 64, 64  # of x; batches of an epoch
CONTESTANTS = ("tinynet cupy", "tinynet auto", "torch eager", "torch compiled", "jax scan")


def tinynet_state(x: Any, weights: list[Any]) -> Any:
    import tinynet as tn

    hidden = [tn.layers.Dense(w.shape[1], "relu") for w in weights[:-2:2]]
    model = tn.Sequential([*hidden, tn.layers.Dense(1)])
    model.compile("adam", "mean_squared_error", backend="numpy")
    model._built(x)
    model.set_weights(weights)
    return model._compiled()


def tinynet_cupy(x: Any, t: Any, weights: list[Any], batch: int, driver: Any = None) -> Any:
    from tinynet.backends.cupy_training import CupyTraining

    state = tinynet_state(x, weights)
    training = CupyTraining(state.network, state.objective, state.optimizer, 1, driver)
    data = {"X": x, "T": t, "weights": np.ones((len(x), 1), np.float32)}

    def epoch(order: Any) -> float:
        return training.epoch(data, order, batch)

    epoch.shares = lambda: shares(training, batch)
    return epoch


def shares(training: Any, batch: int) -> dict[str, float]:
    """Seconds of one step, of its products alone, of asking for it, and of copying the network there and back."""
    from tinynet.backends import cupy_frame as F
    from tinynet.backends.cupy_driver import Gemm

    state, machine = training.state, training.machine("step", batch)
    driver = state.driver
    driver.begin_capture()
    for item in machine.items:
        if isinstance(item, Gemm):
            driver.gemm(item)
    products = driver.end_capture()
    whole = machine.graph(1)
    found: dict[str, float] = {}
    # A step that is not alive changes nothing, wherever its counters run; so its rows are those of batch 0 each time.
    for name, graph in (("step", whole), ("products", products)):
        times, asking = [], []
        for _ in range(50):
            frame = dict(enumerate(state.take_frame().tolist()))
            state.put_frame(frame | dict.fromkeys((F.ALIVE, F.BATCH, F.PLACE, F.RATES, F.VALUES), 0))
            driver.wait()
            start = time.perf_counter()
            driver.replay(graph)
            asking.append(time.perf_counter() - start)
            driver.wait()
            times.append(time.perf_counter() - start)
        found[name] = statistics.median(times)
        found[f"{name}, asking"] = statistics.median(asking)
    start = time.perf_counter()
    state.put_network()
    state.take_network()
    return found | {"transfer": time.perf_counter() - start, "share of products": found["products"] / found["step"]}


def tinynet_auto(x: Any, t: Any, weights: list[Any], batch: int) -> Any:
    """The best of the CPU's backends."""
    from tinynet.backends import choose

    state = tinynet_state(x, weights)
    training = choose("auto")[0](state.network, state.objective, state.optimizer, 1)
    data = {"X": x, "T": t, "weights": np.ones((len(x), 1), np.float32)}
    return lambda order: training.epoch(data, order, batch)


def torch_epoch(x: Any, t: Any, weights: list[Any], batch: int, compiled: bool) -> Any:
    import torch

    if not torch.cuda.is_available():
        raise ImportError("PyTorch sees no GPU")
    torch.backends.cuda.matmul.allow_tf32 = False
    layers: list[Any] = []
    for w, b in zip(weights[::2], weights[1::2], strict=True):
        layer = torch.nn.Linear(*w.shape)
        layer.weight.data, layer.bias.data = torch.from_numpy(w.T.copy()), torch.from_numpy(b.copy())
        layers += [layer, torch.nn.ReLU()]
    model, loss_of = torch.nn.Sequential(*layers[:-1]).cuda(), torch.nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, fused=True, capturable=True)
    rows, targets = torch.from_numpy(x).cuda(), torch.from_numpy(t).cuda()

    def forward_and_backward(a: Any, b: Any) -> Any:
        loss = loss_of(model(a), b)
        loss.backward()
        return loss

    if compiled:
        forward_and_backward = torch.compile(forward_and_backward, mode="reduce-overhead")

    def epoch(order: Any) -> float:
        order = torch.from_numpy(order).cuda()
        shuffled, wanted = rows[order], targets[order]
        losses = []
        for start in range(0, len(order), batch):
            optimizer.zero_grad(set_to_none=False)
            loss = forward_and_backward(shuffled[start : start + batch], wanted[start : start + batch])
            losses.append(loss.detach().clone())
            optimizer.step()
        return float(torch.stack(losses).mean())

    return epoch


def jax_on_gpu(x: Any, t: Any, weights: list[Any], batch: int) -> Any:
    os.environ["NVIDIA_TF32_OVERRIDE"] = "0"
    import jax

    if jax.default_backend() != "gpu":
        raise ImportError("JAX sees no GPU")
    return jax_epoch(x, t, weights, batch, 0)


EPOCHS = {
    "tinynet cupy": tinynet_cupy, "tinynet auto": tinynet_auto, "torch eager": lambda *a: torch_epoch(*a, False),
    "torch compiled": lambda *a: torch_epoch(*a, True), "jax scan": jax_on_gpu,
}  # fmt: skip


def worker(name: str, widths: tuple[int, ...], batch: int) -> None:
    """One contestant: an epoch for every line it is sent; answers with [seconds, loss]."""
    rows = batch * STEPS
    x, t, weights = problem(COLUMNS, tuple(widths), rows)
    try:
        epoch = EPOCHS[name](x, t, weights, batch)
        epoch(np.arange(rows))  # what is loaded, compiled and captured at first is not in the comparison
    except (ImportError, RuntimeError) as error:
        print(json.dumps(str(error).splitlines()[0]), flush=True)
        return
    print(json.dumps(["ready"]), flush=True)
    for number, _ in enumerate(sys.stdin):
        order = np.random.default_rng(number).permutation(rows)
        start = time.perf_counter()
        loss = epoch(order)
        print(json.dumps([time.perf_counter() - start, loss]), flush=True)
    if hasattr(epoch, "shares"):
        print(json.dumps(epoch.shares()), flush=True)


def compare(widths: tuple[int, ...], batch: int, arguments: argparse.Namespace, absent: dict[str, str]) -> Any:
    """All contestants in turn; `absent` gets who could not run, and why."""
    processes = {}
    for name in CONTESTANTS:
        if name in absent:
            continue
        python = sys.executable if name.startswith("tinynet") else arguments.peers_python
        command = [python, __file__, "--worker", json.dumps([name, widths, batch])]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        answer = json.loads(process.stdout.readline() or '"it failed"')
        if answer == ["ready"]:
            processes[name] = process
        else:
            absent[name] = answer
            process.communicate()
    found: dict[str, list[Any]] = {name: [] for name in processes}
    for _ in range(arguments.pairs):
        for name, process in processes.items():
            assert process.stdin is not None
            assert process.stdout is not None
            print(file=process.stdin, flush=True)
            found[name].append(json.loads(process.stdout.readline()))
    said = {name: process.communicate()[0] for name, process in processes.items()}
    return {
        "widths": widths, "batch size": batch,
        "seconds a step": {name: [s / STEPS for s, _ in samples] for name, samples in found.items()},
        "last loss": {name: samples[-1][1] for name, samples in found.items()},
        "one step of tinynet": json.loads(said["tinynet cupy"]) if said.get("tinynet cupy") else None,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--widths", type=int, nargs="+", default=range(len(WIDTHS)), help="which of WIDTHS")
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    parser.add_argument("--peers-python", default=sys.executable)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--worker")
    arguments = parser.parse_args()
    if arguments.worker:
        worker(*json.loads(arguments.worker))
        return
    from tinynet.backends.cupy_cuda import cuda_driver, lacking

    if why := lacking():
        print(f"nothing was compared: backend 'cupy' cannot be used: {why}")
        return
    machine = str(cuda_driver())
    print(machine)
    absent: dict[str, str] = {}
    results = []
    for number in arguments.widths:
        for batch in arguments.batches:
            result = compare(WIDTHS[number], batch, arguments, absent)
            results.append(result)
            times = {name: statistics.median(own) for name, own in result["seconds a step"].items()}
            share = (result["one step of tinynet"] or {}).get("share of products", float("nan"))
            print(f"{WIDTHS[number]}, batch {batch}: matrix products are {100 * share:.0f} % of tinynet's step")
            for name, middle in times.items():
                print(f"  {name:16} {1e6 * middle:10.1f} us a step, {middle / times['tinynet cupy']:6.2f} of tinynet's")
    for name, why in absent.items():
        print(f"not run: {name}: {why}")
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(
            json.dumps({"machine": machine, "absent": absent, "results": results}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
