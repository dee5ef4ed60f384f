"""One contestant's process: it reads a request in JSON from each line and answers with a line of JSON."""

from __future__ import annotations

import itertools
import json
import sys
import time
from typing import Any

import numpy as np

from tinynet.bench.gpu_trainers import GPU_TRAINERS
from tinynet.bench.predictors import BULK, PREDICTORS, SERVED
from tinynet.bench.problem import Problem
from tinynet.bench.trainers import TRAINERS

PARTS: list[Any] = []  # how to time the parts of a step of the trainer that was asked for, where it can
LEARNED = 6  # epochs whose losses are compared
TURN = 0.1  # seconds
CALLS = 2000  # one-row predictions that are timed at a time


def peak_memory() -> float:
    """The most memory this process has had, in MB."""
    import resource  # not on Windows, where it is left out

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)


def train(name: str, threads: int, asked: list[Any]) -> Any:
    """First (seconds of the first epoch, compiling included, losses of the first LEARNED epochs); then at each `again`
    the seconds of an epoch, as the mean of as many as fill a TURN: a short epoch alone would mostly measure how a core
    wakes up."""
    columns, hidden, batch, rows = asked
    problem = Problem(columns, tuple(hidden), batch, rows)
    epoch = {**TRAINERS, **GPU_TRAINERS}[name](problem, threads)
    if hasattr(epoch, "parts"):
        PARTS.append(epoch.parts)
    start = time.perf_counter()
    losses = [epoch(problem.order(0))]
    first = time.perf_counter() - start
    losses += [epoch(problem.order(number)) for number in range(1, LEARNED)]
    yield first, losses
    for number in itertools.count(LEARNED):
        order = problem.order(number)
        count, start = 0, time.perf_counter()
        while time.perf_counter() - start < TURN:
            epoch(order)
            count += 1
        yield (time.perf_counter() - start) / count


def predict(name: str, threads: int, rows: int) -> Any:
    """At each `next`, the seconds of each of many calls with one row, or of one call with many."""
    answer = PREDICTORS[name](threads)
    x = np.random.default_rng(0).standard_normal((rows, SERVED.columns)).astype(np.float32)
    expected = by_hand(x[:1])
    if np.abs(answer(x)[:1] - expected).max() > 1e-4:
        raise ValueError(f"{name} predicts something else")
    calls = CALLS if rows == 1 else 1
    for _ in range(calls):
        answer(x)
    while True:
        seconds = []
        for _ in range(calls):
            start = time.perf_counter()
            answer(x)
            seconds.append(time.perf_counter() - start)
        yield seconds


def by_hand(x: Any) -> Any:
    """The served network, written out."""
    w = SERVED.weights()
    for i in range(0, len(w), 2):
        x = x @ w[i] + w[i + 1]
        x = np.maximum(x, 0) if i < len(w) - 2 else x
    return x


def main() -> None:
    """Requests: ["train", name, threads, problem], ["one row" or "bulk", name, threads], ["again"], ["memory"],
    ["parts"] of a step on a GPU."""
    source: Any = None
    for line in sys.stdin:
        what, *given = json.loads(line)
        try:
            if what == "train":
                source = train(*given)
            elif what in ("one row", "bulk"):
                name, threads = given
                source = predict(name, threads, 1 if what == "one row" else BULK)
            if what == "memory":
                answer: Any = peak_memory()
            elif what == "parts":
                answer = [PARTS[-1]()]
            else:
                answer = next(source)
        except ImportError:
            answer = {}
        except Exception as error:  # a peer's: the others go on without it
            answer = {"failed": f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
