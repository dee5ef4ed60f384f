"""Data that comes in batches: generators, iterators, and objects with a length and batches by number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


class PyDataset:
    """The base of data in numbered batches, as Keras has it: write `__len__` and `__getitem__(index)` -> (x, y).

    Keras's settings for worker processes may be given; batches are asked for one after the other.
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, use_multiprocessing, max_queue_size

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} has no __len__ yet, the number of its batches")

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__ yet, which gives a batch (x, y)")

    def on_epoch_end(self) -> None:
        """After each epoch; shuffle here."""


Sequence = PyDataset  # Keras's older name


NOT_BATCHES = (np.ndarray, list, tuple, str, bytes, bytearray, memoryview, dict, set, frozenset)


def come_in_batches(x: Any, y: Any) -> bool:
    """Whether x yields batches (x, y) by itself, rather than being a table."""
    if y is not None or isinstance(x, NOT_BATCHES) or hasattr(x, "__array__") or hasattr(x, "shape"):
        return False
    return hasattr(x, "__next__") or hasattr(x, "__iter__") or (hasattr(x, "__getitem__") and hasattr(x, "__len__"))


class Batches:
    """Batches (x, y) or (x, y, sample_weight), gone through epoch by epoch.

    Parameters
    ----------
    source : an iterator or generator, which goes on where the epoch before ended; an iterable, which begins anew; or
        an object with `len` and batches by number, such as a `keras.utils.PyDataset`
    steps : how many batches are an epoch; default all that come
    """

    def __init__(self, source: Any, steps: int | None) -> None:
        self.source = source
        self.steps = steps if steps is not None else len(source) if hasattr(source, "__len__") else None
        self.once = iter(source) if hasattr(source, "__next__") else None

    def __iter__(self) -> Iterator[tuple[Any, Any, Any]]:
        """One epoch. Raises ValueError where the batches end before it does, or one is not (x, y)."""
        for number, batch in enumerate(self.batches(), 1):
            if not isinstance(batch, (tuple, list)) or len(batch) not in (2, 3):
                raise ValueError(f"batch {number} is no (x, y) or (x, y, sample_weight)")
            yield batch[0], batch[1], batch[2] if len(batch) == 3 else None

    def inputs(self) -> Iterator[Any]:
        """The x of every batch, be it x, (x,), (x, y) or (x, y, sample_weight)."""
        for batch in self.batches():
            yield batch[0] if isinstance(batch, tuple) and batch else batch

    def batches(self) -> Iterator[Any]:
        found = 0
        iterator = self.once or (iter(self.source) if hasattr(self.source, "__iter__") else self.numbered())
        while self.steps is None or found < self.steps:
            try:
                batch = next(iterator)
            except StopIteration:
                break
            found += 1
            yield batch
        if found == 0 or (self.steps is not None and found < self.steps):
            wanted = "at least one" if self.steps is None else str(self.steps)
            raise ValueError(
                f"the batches ended after {found} of an epoch, {wanted} were expected: let the generator go on for "
                "ever and give steps_per_epoch, or give something that can be gone through anew"
            )
        if hasattr(self.source, "on_epoch_end"):
            self.source.on_epoch_end()

    def numbered(self) -> Iterator[Any]:
        return (self.source[i] for i in range(len(self.source)))
