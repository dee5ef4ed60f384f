"""Contestants take turns: each is a process of its own, an epoch or a tenth of a second at a time, round after round.

What is compared is the ratio of times of one round, so that a machine whose speed drifts treats all alike.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass, field
from math import comb
from statistics import median
from typing import Any

from tinynet.bench.gpu_trainers import GPU_TRAINERS
from tinynet.bench.predictors import PREDICTORS
from tinynet.bench.problem import Problem
from tinynet.bench.trainers import TRAINERS

REFERENCE = "tinynet numba"


@dataclass
class Samples:
    """What one contestant took with one number of threads."""

    name: str
    threads: int
    first: float = 0.0  # seconds of the first epoch, compiling included
    seconds: list[float] = field(default_factory=list)  # of each later epoch, or of each call
    losses: list[float] = field(default_factory=list)  # of the first epochs
    memory: float = 0.0  # the most the process had, MB

    def __str__(self) -> str:
        return f"{self.name}, {self.threads} thread{'s' * (self.threads > 1)}"


class Contestant:
    """A process that answers requests."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def ask(self, *request: Any) -> Any:
        """The answer; None where the contestant is not installed, or failed, which is told."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(request), file=self.process.stdin, flush=True)
        for line in self.process.stdout:
            if line[:1] in "[{0123456789":  # a peer may print lines of its own
                answer = json.loads(line)
                if not isinstance(answer, dict):
                    return answer
                if answer:
                    print(f"left out: {request[1]}, {answer['failed']}", file=sys.stderr)
                break
        return None


@contextmanager
def started() -> Iterator[Contestant]:
    command = [sys.executable, "-m", "tinynet.bench.worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Contestant(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()


def rounds(
    requests: dict[tuple[str, int], list[Any]], count: int, say: Callable[[str], None]
) -> Iterator[tuple[str, int, Contestant, Any, int]]:
    """(name, threads, process, answer, round) of every contestant, `count` rounds in turn; the first prepares."""
    with ExitStack() as stack:
        there: dict[tuple[str, int], Contestant] = {}
        for number in range(count):
            for key, request in requests.items():
                if number == 0:
                    say(f"starting {key[0]}")
                    contestant = stack.enter_context(started())
                    answer = contestant.ask(*request)
                    if answer is None:
                        continue
                    there[key] = contestant
                elif key not in there or (answer := there[key].ask("again")) is None:
                    there.pop(key, None)
                    continue
                yield *key, there[key], answer, number


def training(
    problem: Problem, names: list[str], threads: list[int], count: int, say: Callable[[str], None],
    parts: dict[str, float] | None = None,
) -> list[Samples]:  # fmt: skip
    """Every trainer that is installed, with every number of threads; `parts` gets what a step on a GPU is made of."""
    found: dict[tuple[str, int], Samples] = {}
    known = {**TRAINERS, **GPU_TRAINERS}
    requests = {(n, t): ["train", n, t, astuple(problem)] for n in names if n in known for t in threads}
    for name, count_, process, answer, number in rounds(requests, count + 1, say):
        samples = found.setdefault((name, count_), Samples(name, count_))
        if number:
            samples.seconds.append(answer)
        else:
            samples.first, samples.losses = answer
        if number == count:
            samples.memory = process.ask("memory")
            if parts is not None and name == "tinynet cupy":
                parts.update(process.ask("parts")[0])
    return list(found.values())


def predicting(
    what: str, names: list[str], threads: list[int], count: int, say: Callable[[str], None]
) -> list[Samples]:
    """Every predictor that is installed: "one row", each call timed, or "bulk"."""
    found: dict[tuple[str, int], Samples] = {}
    requests = {(n, t): [what, n, t] for n in names if n in PREDICTORS for t in threads}
    for name, count_, _, seconds, _number in rounds(requests, count, say):
        found.setdefault((name, count_), Samples(name, count_)).seconds.extend(seconds)
    return list(found.values())


def best(samples: list[Samples], name: str) -> Samples | None:
    """The contestant at its best number of threads: that with the smallest median."""
    return min((s for s in samples if s.name == name), key=lambda s: median(s.seconds), default=None)


def median_interval(values: list[float], level: float = 0.95) -> tuple[float, float, float]:
    """(median, lower, upper): order statistics that hold the median with at least this chance, by the binomial.

    Few values may not reach it; then the interval is all of them (Hahn and Meeker, Statistical Intervals, 1991).
    """
    ordered, n = sorted(values), len(values)
    rank = 0  # of the lower end, counted from 1
    while sum(comb(n, i) for i in range(rank + 1)) / 2**n <= (1 - level) / 2:
        rank += 1
    rank = max(rank, 1)
    return median(ordered), ordered[rank - 1], ordered[n - rank]


def ratio(theirs: Samples, ours: Samples) -> tuple[float, float, float]:
    """Their time by ours, round by round: the median with its interval."""
    return median_interval([a / b for a, b in zip(theirs.seconds, ours.seconds, strict=False)])


def seconds_to(samples: Samples, loss: float) -> float | None:
    """The time until an epoch's mean loss was `loss` or less, compiling left out; None where it never was."""
    for number, reached in enumerate(samples.losses, 1):
        if reached <= loss:
            return number * median(samples.seconds)
    return None
