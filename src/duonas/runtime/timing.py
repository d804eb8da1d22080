"""Time calls on a machine that does other work, too: short bursts in shuffled rounds, beside a reference.

One thread of ONNX Runtime on the CPU computes in the thread that calls it. Its processor time is what it takes on a
quiet machine: the time in which other programs have the core is not in it. What they cost by sharing caches, memory
and the clock of the processor still is.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median, quantiles
from typing import Literal, TypeVar

from .session import CPU

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
READINGS = 100  # of a clock in a row, by which its steps and the cost of reading it are known
WAITING = 0.2  # of the time of a measurement that may pass with waiting


@dataclass(frozen=True)
class Clock:
    """Time in seconds, and sleep; tests have their own.

    Args:
        now: wall time, by which deadlines and waits go.
        sleep: lets wall time pass.
        processor: processor time of the thread that calls it, by which calls are timed; ``None``: by wall time, too.
        reading: s that it takes to read the time of a call, which are taken off.
    """

    now: Callable[[], float] = time.perf_counter
    sleep: Callable[[float], None] = time.sleep
    processor: Callable[[], float] | None = None
    reading: float = 0.0

    @property
    def kind(self) -> Literal["processor", "wall"]:
        """By which time calls are timed."""
        return "wall" if self.processor is None else "processor"

    def time(self, call: Call) -> float:
        """The time in ms that a call takes."""
        timer = self.processor or self.now
        start = timer()
        call()
        return max(0.0, timer() - start - self.reading) * 1e3


def clock_for(threads: int, provider: str = CPU) -> Clock:
    """The clock that times ONNX Runtime: processor time for one CPU thread, else wall time.

    Several threads work at once, and another provider works outside of the processor, so that only wall time tells what
    they take. So it is where a system tells processor time in coarse steps, as Windows does.

    Args:
        threads: of the session; 0: one for each core.
        provider: execution provider.
    """
    if threads != 1 or provider != CPU or not hasattr(time, "thread_time"):
        return Clock()
    reading = _cost_of_reading(time.thread_time)
    return Clock(processor=time.thread_time, reading=reading) if reading > 0 else Clock()


def _cost_of_reading(timer: Callable[[], float]) -> float:
    """The usual step from one reading of a clock to the next, in s; 0 if most readings are the same."""
    return median(after - before for before, after in pairwise(timer() for _ in range(READINGS)))


def burst(call: Call, clock: Clock) -> float:
    """The median time in ms of some calls in a row, of which the first two are not counted."""
    for _ in range(WARM_UP):
        call()
    times: list[float] = []
    while len(times) < MOST and (len(times) < FEWEST or sum(times) < BURST_MS):
        times.append(clock.time(call))
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
    bursts: int = 0

    def wait(self) -> None:
        """Return as soon as the machine is quiet, or after a second, or at once if all patience is spent."""
        self.bursts += 1
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
        self.times.append(self.clock.time(self.call))
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
