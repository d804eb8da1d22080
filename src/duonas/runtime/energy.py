"""Energy of a stretch of work, from a meter of the machine or from the power that the user gives.

A meter is read at the beginning, at the end, and now and then in between, by a thread: a counter of joules before it
can have come round more than once, a power often enough that its mean is known. What is measured is all that the
meter covers, such as the processor with whatever else runs on it, and also what it draws at rest.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from threading import Condition, Thread
from time import perf_counter
from types import TracebackType
from typing import Any, ClassVar

from .errors import BundleError

SECONDS = 0.5  # of work over which one figure is taken
Clock = Callable[[], float]


class MeterError(BundleError):
    """A meter that is there but cannot be read; the message is one sentence for the user."""


class Meter(ABC):
    """What knows the energy that a device draws. A meter defines ``read`` and ``between``.

    Args:
        covers: what the figures are of, such as ``package-0``.
    """

    name: ClassVar[str]
    """The meter's name in tables and reports: that of its file in ``meters``."""
    every: ClassVar[float] = math.inf
    """Longest time between two readings, in s."""
    resolution: ClassVar[float] = 0.0
    """Shortest stretch whose energy the meter can tell to a few per cent, in s."""

    def __init__(self, covers: str) -> None:
        self.covers = covers

    def start(self) -> None:  # noqa: B027 (most meters need no preparation)
        """Prepare for readings."""

    def stop(self) -> None:  # noqa: B027
        """Undo ``start``."""

    @abstractmethod
    def read(self) -> Any:
        """Return a reading, whatever ``between`` understands.

        Raises:
            MeterError: the meter cannot be read.
        """

    @abstractmethod
    def between(self, before: Any, after: Any, seconds: float) -> float:
        """Return the energy in J between two readings that are ``seconds`` apart."""

    def measuring(self, clock: Clock = perf_counter) -> Measurement:
        """Measure what is done inside the block: ``with meter.measuring() as found: ...``, then ``found.joules``."""
        return Measurement(self, clock)

    def describe(self) -> dict[str, Any]:
        """Return what a table or a report says of the meter, as JSON."""
        return {"meter": self.name, "covers": self.covers}


class PowerMeter(Meter):
    """A meter whose readings are powers in W; the energy is their mean times the time."""

    every = 0.05
    resolution = 0.5

    def between(self, before: Any, after: Any, seconds: float) -> float:
        """Return the energy in J, the power taken as a straight line between the readings."""
        return float(before + after) / 2 * seconds


class GivenPower(PowerMeter):
    """No meter but a power that the user knows: the energy is that power times the time.

    Args:
        watts: in W, above 0.
    """

    name = "watts"
    every = math.inf
    resolution = 0.0

    def __init__(self, watts: float) -> None:
        super().__init__("the power given by the user")
        if not 0 < watts < math.inf:
            raise BundleError(f"watts must be above 0, got {watts:g}.")
        self.watts = float(watts)

    def read(self) -> float:
        """Return the power in W."""
        return self.watts

    def describe(self) -> dict[str, Any]:
        """Return what a table or a report says of it, as JSON."""
        return super().describe() | {"watts": self.watts}


class Measurement:
    """The energy of a block of work; ``joules`` and ``seconds`` may be asked inside the block, too.

    Args:
        meter: the meter.
        clock: returns the time in s.
    """

    def __init__(self, meter: Meter, clock: Clock = perf_counter) -> None:
        self._meter, self._clock = meter, clock
        self._changed, self._running, self._error = Condition(), False, ""
        self._joules = self._seconds = 0.0
        self._thread: Thread | None = None

    def __enter__(self) -> Measurement:
        self._meter.start()
        try:
            self._last, self._time = self._meter.read(), self._clock()
        except BaseException:
            self._meter.stop()
            raise
        self._running = True
        if math.isfinite(self._meter.every):
            self._thread = Thread(target=self._watch, name="meter", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._take()
            self._running = False
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
        self._meter.stop()

    @property
    def joules(self) -> float:
        """Energy in J since the block began, or of all of it.

        Raises:
            MeterError: the meter could not be read in the meantime.
        """
        with self._changed:
            self._take()
            if self._error:
                raise MeterError(self._error)
            return self._joules

    @property
    def seconds(self) -> float:
        """Time in s over which ``joules`` was last summed up."""
        return self._seconds

    def _watch(self) -> None:
        with self._changed:
            while self._running:
                self._changed.wait(self._meter.every)
                self._take()

    def _take(self) -> None:
        if not self._running or self._error:
            return
        try:
            reading, now = self._meter.read(), self._clock()
        except MeterError as error:
            self._error = str(error)
            return
        self._joules += self._meter.between(self._last, reading, now - self._time)
        self._seconds += now - self._time
        self._last, self._time = reading, now


def energy_mj(meter: Meter, call: Callable[[], object], seconds: float = SECONDS, clock: Clock = perf_counter) -> float:
    """Return the energy of one call in mJ: the mean over as many as take ``seconds``, or longer if the meter asks it.

    Args:
        meter: the meter.
        call: the work.
        seconds: time in s over which calls are repeated.
        clock: returns the time in s.

    Raises:
        MeterError: the meter cannot be read.
    """
    call()  # the first call is not typical
    calls = 0
    with meter.measuring(clock) as found:
        end = clock() + max(seconds, meter.resolution)
        while True:
            call()
            calls += 1
            if clock() >= end:
                break
    return 1e3 * found.joules / calls
