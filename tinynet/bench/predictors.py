"""Who predicts: each function returns predict(x) -> y for float32 rows (n, 30) and the network 30-64-32-1."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tinynet.bench.problem import Problem
from tinynet.bench.trainers import our_model, torch_model
from tinynet.formulas.vocabulary import Array

Predict = Callable[[Array], Any]
SERVED = Problem(30, (64, 32), 32, 1024)
BULK = 100_000  # rows


def tinynet_numpy(threads: int) -> Predict:
    from threadpoolctl import threadpool_limits

    threadpool_limits(threads)
    return our_model(SERVED, "numpy", None).predict_on_batch


def tinynet_numba(threads: int) -> Predict:
    return our_model(SERVED, "numba", threads).predict_on_batch


def tinynet_predictor(threads: int) -> Predict:
    return our_model(SERVED, "numba", threads).predictor()


def torch_eager(threads: int) -> Predict:
    import torch

    torch.set_num_threads(threads)
    model = torch_model(SERVED).eval()

    def predict(x: Array) -> Any:
        with torch.inference_mode():
            return model(torch.from_numpy(x)).numpy()

    return predict


def jax_jit(threads: int) -> Predict:
    if threads == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    import jax

    w = SERVED.weights()

    def forward(x: Any) -> Any:
        for i in range(0, len(w), 2):
            x = x @ w[i] + w[i + 1]
            x = jax.nn.relu(x) if i < len(w) - 2 else x
        return x

    compiled = jax.jit(forward)
    return lambda x: np.asarray(compiled(x))


def scikit_learn(threads: int) -> Predict:
    from sklearn.neural_network import MLPRegressor
    from threadpoolctl import threadpool_limits

    threadpool_limits(threads)
    weights = SERVED.weights()
    x, t = SERVED.data()
    model = MLPRegressor(hidden_layer_sizes=SERVED.hidden).partial_fit(x, t[:, 0])
    model.coefs_, model.intercepts_ = weights[::2], weights[1::2]
    return lambda x: model.predict(x)[:, None]


def onnx_runtime(threads: int) -> Predict:
    """The same network as an ONNX file of Gemm and Relu, written by the onnx package."""
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    weights = SERVED.weights()
    names = [f"p{i}" for i in range(len(weights))]
    nodes, a = [], "x"
    for i in range(0, len(weights), 2):
        last = i == len(weights) - 2
        z = "y" if last else f"z{i}"
        nodes.append(helper.make_node("Gemm", [a, names[i], names[i + 1]], [z]))
        if not last:
            a = f"a{i}"
            nodes.append(helper.make_node("Relu", [z], [a]))
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", m]) for n, m in (("x", SERVED.columns), ("y", 1))]
    kept = [numpy_helper.from_array(w, name) for w, name in zip(weights, names, strict=True)]
    graph = helper.make_graph(nodes, "served", ends[:1], ends[1:], kept)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    with TemporaryDirectory() as folder:
        path = Path(folder) / "served.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"x": x})[0]


PREDICTORS: dict[str, Callable[[int], Predict]] = {
    "tinynet numba": tinynet_numba, "tinynet predictor()": tinynet_predictor, "tinynet numpy": tinynet_numpy,
    "ONNX Runtime": onnx_runtime, "PyTorch eager": torch_eager, "JAX jit": jax_jit, "scikit-learn": scikit_learn,
}  # fmt: skip
