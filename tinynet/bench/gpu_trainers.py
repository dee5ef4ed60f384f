"""Who trains on a GPU: as `trainers`, with the data resident on the device. What lacks a GPU says so.

TF32 is off, but for those whose name says it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from tinynet.bench.problem import BETA_1, BETA_2, EPSILON, RATE, Problem
from tinynet.bench.trainers import Epoch, jax_scan, our_state, torch_model
from tinynet.formulas.vocabulary import Array

REPEATS = 50  # of a step whose parts are timed
LARGE = 4096  # rows and columns of the matrices that show what the device reaches
CEILING_REPEATS = 10


def tinynet_cupy(problem: Problem, threads: int, driver: Any = None) -> Epoch:
    """`threads` are the CPU's, and say nothing here; `epoch.parts()` tells what a step is made of."""
    from tinynet.backends.cupy_training import CupyTraining

    state, data = our_state(problem, "numpy", 1)
    training = CupyTraining(state.network, state.objective, state.optimizer, 1, driver)

    def epoch(order: Array) -> float:
        return training.epoch(data, order, problem.batch)

    epoch.parts = lambda large=LARGE: parts(training, problem.batch, large)  # type: ignore[attr-defined]
    return epoch


def tinynet_cupy_tf32(problem: Problem, threads: int) -> Epoch:
    from tinynet.backends.cupy_cuda import cuda_driver

    return tinynet_cupy(problem, threads, cuda_driver(tf32=True))


def parts(training: Any, batch: int, large: int = LARGE) -> dict[str, float]:
    """Seconds of one step, of its products alone, of asking for either, and of copying the network there and back; how
    many FLOPs and bytes a step is by its program, and how many a second the device reaches (see `ceilings`)."""
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
    found["transfer"] = time.perf_counter() - start
    rows = list(training.program("step").describe(batch))
    found["FLOPs"] = sum(work for row, work, _ in rows if row.operation == "gemm")
    found["bytes"] = sum(nbytes for *_, nbytes in rows)
    return found | ceilings(driver, large)


def ceilings(driver: Any, large: int) -> dict[str, float]:
    """FLOPs a second of a product of large square matrices, and bytes a second of a matrix, four times as large, with a
    vector, which takes as long as reading it takes."""
    return {
        "FLOPs a second": 2 * large**3 / product_seconds(driver, large, large, large),
        "bytes a second": 4 * 4 * large**2 / product_seconds(driver, 4 * large, 1, large),
    }


def product_seconds(driver: Any, m: int, n: int, k: int) -> float:
    """How long C (m, n) = A (m, k) B (k, n) takes in float32, the mean of some in a row."""
    from tinynet.backends.cupy_draft import Place
    from tinynet.backends.cupy_driver import Gemm

    generator, places = np.random.default_rng(0), list[Place]()
    for rows, columns in ((m, k), (k, n), (m, n)):
        places.append(Place(driver.allocate(4 * rows * columns), 4 * rows * columns))
        driver.upload(places[-1].address, generator.random((columns, rows), np.float32))
    a, b, c = places
    driver.begin_capture()
    for _ in range(CEILING_REPEATS):
        driver.gemm(Gemm("float32", False, False, m, n, k, a, m, b, k, False, c, m))
    graph = driver.end_capture()
    driver.replay(graph)
    driver.wait()
    start = time.perf_counter()
    driver.replay(graph)
    driver.wait()
    seconds = (time.perf_counter() - start) / CEILING_REPEATS
    for place in places:
        driver.free(place.address)
    return seconds


def torch_on_gpu(problem: Problem, threads: int, compiled: bool = False, tf32: bool = False) -> Epoch:
    import torch

    if not torch.cuda.is_available():
        raise ImportError("PyTorch sees no GPU")
    torch.backends.cuda.matmul.allow_tf32 = tf32
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


def torch_on_gpu_tf32(problem: Problem, threads: int) -> Epoch:
    return torch_on_gpu(problem, threads, tf32=True)


GPU_TRAINERS: dict[str, Callable[[Problem, int], Epoch]] = {
    "tinynet cupy": tinynet_cupy, "PyTorch eager, GPU": torch_on_gpu,
    "torch.compile reduce-overhead, GPU": torch_compiled_on_gpu, "JAX scan, GPU": jax_on_gpu,
    "tinynet cupy, TF32": tinynet_cupy_tf32, "PyTorch eager, GPU, TF32": torch_on_gpu_tf32,
}  # fmt: skip
