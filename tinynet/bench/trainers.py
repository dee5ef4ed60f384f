"""Who trains: each function prepares a problem and returns epoch(order) -> loss. What it imports may be missing."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

import tinynet as tn
from tinynet.bench.problem import BETA_1, BETA_2, EPSILON, RATE, Problem
from tinynet.formulas.vocabulary import Array
from tinynet.training import Training

Epoch = Callable[[Array], float]


def our_model(problem: Problem, backend: str, threads: int | None) -> tn.Sequential:
    """The problem's network as a model of ours."""
    hidden = [tn.layers.Dense(units, "relu") for units in problem.hidden]
    model = tn.Sequential([*hidden, tn.layers.Dense(1)])
    model.compile(tn.optimizers.Adam(RATE), "mean_squared_error", backend=backend, threads=threads)
    model.build((None, problem.columns))
    model.set_weights(problem.weights())
    return model


def our_state(problem: Problem, backend: str, threads: int) -> tuple[Training, dict[str, Array]]:
    x, t = problem.data()
    state = our_model(problem, backend, threads)._compiled()
    return state, {"X": x, "T": t, "weights": np.ones((len(x), 1), np.float32)}


def tinynet(problem: Problem, threads: int, backend: str) -> Epoch:
    state, data = our_state(problem, backend, threads)
    return lambda order: state.epoch(data, order, problem.batch)


def tinynet_numpy(problem: Problem, threads: int) -> Epoch:
    from threadpoolctl import threadpool_limits

    threadpool_limits(threads)
    return tinynet(problem, threads, "numpy")


def tinynet_numba(problem: Problem, threads: int) -> Epoch:
    return tinynet(problem, threads, "numba")


def products_by_blas(problem: Problem, threads: int) -> Epoch:
    """As `products_alone`, all of them by BLAS."""
    from tinynet.backends import numba_product_rows

    numba_product_rows.LARGEST = 0  # of this process, which is this contestant's own
    return products_alone(problem, threads)


def products_alone(problem: Problem, threads: int) -> Epoch:
    """The matrix products of the numba backend's steps alone: same shapes, threads and kernels. No training."""
    from tinynet.backends.numba_machine import Machine
    from tinynet.backends.numba_training import NumbaTraining, block_for
    from tinynet.program import Program

    state, data = our_state(problem, "numba", threads)
    assert isinstance(state, NumbaTraining)
    step = state.program("step")
    products = [row for row in step.rows if row.operation == "gemm"]
    y = next(row for row in reversed(products) if row.arguments["out"].per_row and row.arguments["out"].name[0] == "z")
    arrays = {"parameters": state.network.parameters, "gradients": state.network.gradients}
    block = block_for(step, -(-problem.batch // threads))
    machine = Machine(Program(products, step.batch, y.arguments["out"]), arrays, threads, problem.batch, block)

    def epoch(order: Array) -> float:
        machine.begin(state.network, data, order, None)
        machine.run(-(-len(order) // problem.batch))
        return 0.0

    return epoch


def scikit_learn(problem: Problem, threads: int) -> Epoch:
    from sklearn.neural_network import MLPRegressor
    from threadpoolctl import threadpool_limits

    threadpool_limits(threads)
    given = problem.weights()

    class Peer(MLPRegressor):  # type: ignore[misc]
        def _init_coef(self, fan_in: int, fan_out: int, dtype: Any) -> tuple[Array, Array]:
            return given.pop(0), given.pop(0)

    x, t = problem.data()
    model = Peer(
        hidden_layer_sizes=problem.hidden, batch_size=problem.batch, alpha=0.0, epsilon=EPSILON, shuffle=False,
        learning_rate_init=RATE,
    )  # fmt: skip

    def epoch(order: Array) -> float:
        model.partial_fit(x[order], t[order, 0])
        return 2 * float(model.loss_)  # its loss is half the squared error

    return epoch


def torch_model(problem: Problem) -> Any:
    import torch

    layers: list[Any] = []
    weights = problem.weights()
    for w, b in zip(weights[::2], weights[1::2], strict=True):
        layer = torch.nn.Linear(*w.shape)
        layer.weight.data, layer.bias.data = torch.from_numpy(w.T.copy()), torch.from_numpy(b)
        layers += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def torch_eager(problem: Problem, threads: int, compiled: bool = False) -> Epoch:
    import torch

    torch.set_num_threads(threads)
    x, t = map(torch.from_numpy, problem.data())
    model, loss_of = torch_model(problem), torch.nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, betas=(BETA_1, BETA_2), eps=EPSILON, fused=True)

    def forth_and_back(rows: Any, targets: Any) -> Any:
        loss = loss_of(model(rows), targets)
        loss.backward()
        return loss.detach()

    step = torch.compile(forth_and_back) if compiled else forth_and_back

    def epoch(order: Array) -> float:
        places = torch.from_numpy(order)
        rows, targets, losses = x[places], t[places], []
        for start in range(0, len(order), problem.batch):
            optimizer.zero_grad()
            losses.append(step(rows[start : start + problem.batch], targets[start : start + problem.batch]))
            optimizer.step()
        return float(torch.stack(losses).mean())

    return epoch


def torch_compile(problem: Problem, threads: int) -> Epoch:
    return torch_eager(problem, threads, compiled=True)


def jax_scan(problem: Problem, threads: int) -> Epoch:
    """The whole epoch is one compiled scan over its batches."""
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
        m = [BETA_1 * a + (1 - BETA_1) * b for a, b in zip(m, g, strict=True)]
        v = [BETA_2 * a + (1 - BETA_2) * b * b for a, b in zip(v, g, strict=True)]
        rate = RATE * jnp.sqrt(1 - BETA_2**count) / (1 - BETA_1**count)
        p = [a - rate * b / (jnp.sqrt(c) + EPSILON) for a, b, c in zip(p, m, v, strict=True)]
        return (p, m, v, count), loss

    def whole(carried: Any, rows: Any, targets: Any, order: Any) -> Any:
        parts = (rows[order].reshape(-1, problem.batch, rows.shape[1]), targets[order].reshape(-1, problem.batch, 1))
        return jax.lax.scan(step, carried, parts)

    p = [jnp.asarray(w) for w in problem.weights()]
    state = [(p, [jnp.zeros_like(w) for w in p], [jnp.zeros_like(w) for w in p], jnp.array(0.0))]
    compiled, (x, t) = jax.jit(whole), map(jnp.asarray, problem.data())

    def epoch(order: Array) -> float:
        state[0], losses = compiled(state[0], x, t, order)
        return float(losses.mean())

    return epoch


TRAINERS: dict[str, Callable[[Problem, int], Epoch]] = {
    "tinynet numba": tinynet_numba, "tinynet numpy": tinynet_numpy, "products alone": products_alone,
    "products by BLAS": products_by_blas, "PyTorch eager": torch_eager, "torch.compile": torch_compile,
    "JAX scan": jax_scan, "scikit-learn": scikit_learn,
}  # fmt: skip
SMALL = replace(Problem(10, (16, 16), 32, 16_384), rows=1024)  # for first uses and memory
