"""Time calls on a machine that does other work, too: short bursts in shuffled rounds, beside a reference."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import TypeVar

Call = Callable[[], object]
Key = TypeVar("Key", bound=Hashable)

WARM_UP = 2  # calls at the start of a burst that are not counted
FEWEST, MOST = 5, 50  # counted calls of a burst
BURST_MS = 2.0  # after which a burst ends once it has the fewest calls
FEWEST_ROUNDS, MOST_ROUNDS = 3, 9
SETTLED = 0.02  # by which the median of a call's rounds may lie above their lower quartile
BUSY = 1.3  # times its least time that the reference takes on a busy machine
NAP = 0.05  # s between two looks at a busy machine
LONGEST_NAP = 1.0  # s for which one burst waits
WAITING = 0.2  # of the time of a measurement that may pass with waiting


@dataclass(frozen=True)
class Clock:
    """Time in seconds, and sleep; tests have their own."""

    now: Callable[[], float] = time.perf_counter
    sleep: Callable[[float], None] = time.sleep


def burst(call: Call, clock: Clock) -> float:
    """The median time in ms of some calls in a row, of which the first two are not counted."""
    for _ in range(WARM_UP):
        call()
    times: list[float] = []
    while len(times) < MOST and (len(times) < FEWEST or sum(times) < BURST_MS):
        start = clock.now()
        call()
        times.append((clock.now() - start) * 1e3)
    return median(times)


@dataclass
class Watch:
    """Notices a busy machine by a reference that always takes the same time, and waits for it.

    Args:
        call: the reference.
        clock: time.
        patience: the most seconds that may pass with waiting, in all.
    """

    call: Call
    clock: Clock
    patience: float
    times: list[float] = field(default_factory=list)
    busy: int = 0
    waited: float = 0.0

    def wait(self) -> None:
        """Return as soon as the machine is quiet, or after a second, or at once if all patience is spent."""
        start = self.clock.now()
        while self._is_busy() and self.waited < self.patience:
            self.clock.sleep(NAP)
            self.waited += NAP
            if self.clock.now() - start > LONGEST_NAP:
                return

    @property
    def least(self) -> float:
        """The least time of the reference in ms."""
        return min(self.times)

    @property
    def share(self) -> float:
        """The share of all looks at which the machine was busy."""
        return self.busy / len(self.times)

    def _is_busy(self) -> bool:
        start = self.clock.now()
        self.call()
        self.times.append((self.clock.now() - start) * 1e3)
        busy = self.times[-1] > BUSY * self.least
        self.busy += busy
        return busy


def typical(times: list[float]) -> float:
    """The lower quartile of the times of a call's bursts: the median of a quiet machine, whatever a busy one adds."""
    return times[0] if len(times) == 1 else quantiles(times, n=4, method="inclusive")[0]


def in_rounds(calls: Mapping[Key, Call], watch: Watch, deadline: float, rng: random.Random) -> dict[Key, float]:
    """Time calls in rounds, in each of which every call has one burst, in shuffled order.

    There are at least three rounds, and further ones for the calls whose times differ from round to round, nine at
    most. Nothing begins after the deadline.

    Args:
        calls: what to time.
        watch: looks at the machine before each burst.
        deadline: in seconds of the clock.
        rng: shuffles the calls.

    Returns:
        Time in ms by call; a call for which the deadline left no time is missing.
    """
    times: dict[Key, list[float]] = {key: [] for key in calls}
    for number in range(MOST_ROUNDS):
        waiting = [key for key, each in times.items() if number < FEWEST_ROUNDS or not _settled(each)]
        rng.shuffle(waiting)
        for key in waiting:
            if watch.clock.now() > deadline:
                return _typical(times)
            watch.wait()
            times[key].append(burst(calls[key], watch.clock))
    return _typical(times)


def _typical(times: Mapping[Key, list[float]]) -> dict[Key, float]:
    return {key: typical(each) for key, each in times.items() if each}


def _settled(times: list[float]) -> bool:
    return median(times) <= (1 + SETTLED) * typical(times)
