"""A progress bar of one line, on a terminal only."""

from __future__ import annotations

import sys
import time
from typing import TextIO

WIDTH = 24
REDRAW = 0.1  # seconds; more often costs time and no eye sees it


class Progress:
    """One line that counts batches or epochs, with the rate and the time left.

    Parameters
    ----------
    total : how many there are
    label : what stands at the beginning of the line
    stream : where it is drawn; default standard error
    show : whether to draw; default: only where the stream is a terminal
    """

    def __init__(self, total: int, label: str = "", stream: TextIO | None = None, show: bool | None = None) -> None:
        self.total, self.label = max(total, 1), label
        self.stream = sys.stderr if stream is None else stream
        self.show = self.stream.isatty() if show is None else show
        self.start = time.perf_counter()
        self.drawn_at, self.drawn = 0.0, 0

    def update(self, done: int, note: str = "") -> None:
        """Draw the line for `done` of `total`, at most ten times a second."""
        now = time.perf_counter()
        if not self.show or (now - self.drawn_at < REDRAW and done < self.total):
            return
        self.drawn_at = now
        spent = max(now - self.start, 1e-9)
        full = round(WIDTH * min(done / self.total, 1.0))
        left = spent * (self.total - done) / done if done else 0.0
        text = (
            f"{self.label} [{'=' * full}{' ' * (WIDTH - full)}] {done}/{self.total} "
            f"{done / spent:.0f}/s, {clock(left)} left{' - ' + note if note else ''}"
        )
        self.stream.write("\r" + text.ljust(self.drawn))
        self.stream.flush()
        self.drawn = len(text)

    def close(self) -> None:
        """Wipe the line away."""
        if self.show and self.drawn:
            self.stream.write("\r" + " " * self.drawn + "\r")
            self.stream.flush()
            self.drawn = 0


def clock(seconds: float) -> str:
    """Seconds as m:ss."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
