"""Who trains on a GPU: as `trainers`, with the data resident on the device and TF32 off. What lacks a GPU says so."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from tinynet.bench.problem import BETA_1, BETA_2, EPSILON, RATE, Problem
from tinynet.bench.trainers import Epoch, jax_scan, our_state, torch_model
from tinynet.formulas.vocabulary import Array

REPEATS = 50  # of a step whose parts are timed


def tinynet_cupy(problem: Problem, threads: int, driver: Any = None) -> Epoch:
    """`threads` are the CPU's, and say nothing here; `epoch.parts()` tells what a step is made of."""
    from tinynet.backends.cupy_training import CupyTraining

    state, data = our_state(problem, "numpy", 1)
    training = CupyTraining(state.network, state.objective, state.optimizer, 1, driver)

    def epoch(order: Array) -> float:
        return training.epoch(data, order, problem.batch)

    epoch.parts = lambda: parts(training, problem.batch)  # type: ignore[attr-defined]
    return epoch


def parts(training: Any, batch: int) -> dict[str, float]:
    """Seconds of one step, of its products alone, of asking for either, and of copying the network there and back."""
    from tinynet.backends import cupy_frame as F
    from tinynet.backends.cupy_driver import Gemm

    state, machine = training.state, training.machine("step", batch)
    driver = state.driver
    driver.begin_capture()
    for item in machine.items:
        if isinstance(item, Gemm):
            driver.gemm(item)
    found: dict[str, float] = {}
    # A step that is not alive changes nothing, wherever its counters run; so its rows are those of batch 0 each time.
    for name, graph in (("products", driver.end_capture()), ("step", machine.graph(1))):
        whole, asking = [], []
        for _ in range(REPEATS):
            frame = dict(enumerate(state.take_frame().tolist()))
            state.put_frame(frame | dict.fromkeys((F.ALIVE, F.BATCH, F.PLACE, F.RATES, F.VALUES), 0))
            driver.wait()
            start = time.perf_counter()
            driver.replay(graph)
            asking.append(time.perf_counter() - start)
            driver.wait()
            whole.append(time.perf_counter() - start)
        found[name], found[f"launch of {name}"] = median(whole), median(asking)
    start = time.perf_counter()
    state.put_network()
    state.take_network()
    return found | {"transfer": time.perf_counter() - start}


def torch_on_gpu(problem: Problem, threads: int, compiled: bool = False) -> Epoch:
    import torch

    if not torch.cuda.is_available():
        raise ImportError("PyTorch sees no GPU")
    torch.backends.cuda.matmul.allow_tf32 = False
    x, t = (torch.from_numpy(part).cuda() for part in problem.data())
    model, loss_of = torch_model(problem).cuda(), torch.nn.MSELoss()
    optimizer = torch.optim.Adam(
        model.parameters(), lr=RATE, betas=(BETA_1, BETA_2), eps=EPSILON, fused=True, capturable=True
    )

    def forth_and_back(rows: Any, targets: Any) -> Any:
        loss = loss_of(model(rows), targets)
        loss.backward()
        return loss

    step = torch.compile(forth_and_back, mode="reduce-overhead") if compiled else forth_and_back

    def epoch(order: Array) -> float:
        places = torch.from_numpy(order).cuda()
        rows, targets, losses = x[places], t[places], []
        for start in range(0, len(order), problem.batch):
            optimizer.zero_grad(set_to_none=False)
            loss = step(rows[start : start + problem.batch], targets[start : start + problem.batch])
            losses.append(loss.detach().clone())
            optimizer.step()
        return float(torch.stack(losses).mean())

    return epoch


def torch_compiled_on_gpu(problem: Problem, threads: int) -> Epoch:
    return torch_on_gpu(problem, threads, compiled=True)


def jax_on_gpu(problem: Problem, threads: int) -> Epoch:
    os.environ["NVIDIA_TF32_OVERRIDE"] = "0"
    import jax

    if jax.default_backend() != "gpu":
        raise ImportError("JAX sees no GPU")
    return jax_scan(problem, 2)


GPU_TRAINERS: dict[str, Callable[[Problem, int], Epoch]] = {
    "tinynet cupy": tinynet_cupy, "PyTorch eager, GPU": torch_on_gpu,
    "torch.compile reduce-overhead, GPU": torch_compiled_on_gpu, "JAX scan, GPU": jax_on_gpu,
}  # fmt: skip
