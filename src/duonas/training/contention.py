"""Notices that other programs keep the cores busy, where the threads of a training wait for each other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Clock = Callable[[], float]

STEPS = 20  # that are looked at, unless they take longer than SECONDS
FEWEST = 3
SECONDS = 20.0
RUNNING = 0.7  # share of the time that the main thread should run on a core; on idle ones it is nearly all
ADVICE = (
    "other programs keep the cores busy, so the threads of the training wait for each other: `--set threads=1` is "
    "likely faster, and this run goes on with it after Ctrl-C."
)


class Contention:
    """Compares what the first steps take with how long the main thread ran on a core in that time.

    Args:
        threads: of torch. One thread waits for no other, so nothing is said of it.
        wall: the time in seconds.
        running: the seconds that this thread ran on a core; with waiting for other threads, where that is spinning.
    """

    def __init__(self, threads: int, wall: Clock = time.perf_counter, running: Clock = time.thread_time) -> None:
        self._wall, self._running = wall, running
        self._steps = -1  # the first step also sets things up
        self._taken = self._ran = 0.0
        self._watching = threads > 1

    @contextmanager
    def step(self) -> Iterator[None]:
        """Time the computation of one step, without the reading of its images."""
        wall, running = self._wall(), self._running()
        yield
        if self._steps >= 0:
            self._taken += self._wall() - wall
            self._ran += self._running() - running
        self._steps += 1

    def advice(self) -> str:
        """Return what to do, once and as soon as it is known; else nothing."""
        known = self._steps >= STEPS or (self._steps >= FEWEST and self._taken >= SECONDS)
        if not self._watching or not known:
            return ""
        self._watching = False
        return ADVICE if self._ran < RUNNING * self._taken else ""
