"""Percentiles of any number of times in little memory."""

from __future__ import annotations

import math

import numpy as np

LEAST, MOST = 1e-4, 1e6  # ms; what lies outside is counted at the end
STEP = 0.005  # of the logarithm: a percentile is right to a quarter of a per cent
BINS = math.ceil(math.log(MOST / LEAST) / STEP)


class Histogram:
    """Counts of times in ms, in bins of equal ratio."""

    def __init__(self) -> None:
        self.counts = np.zeros(BINS, np.int64)

    def add(self, times: np.ndarray) -> None:
        """Count times (N,) in ms."""
        bins = np.log(np.clip(times, LEAST, MOST) / LEAST) / STEP
        self.counts += np.bincount(np.minimum(bins.astype(np.int64), BINS - 1), minlength=BINS)

    def add_equal(self, ms: float, times: int) -> None:
        """Count one time in ms so many times; without numpy, since it stands beside networks that take 50 us."""
        place = int(math.log(min(max(ms, LEAST), MOST) / LEAST) / STEP)
        self.counts[min(place, BINS - 1)] += times

    def percentile(self, rank: float) -> float | None:
        """Return the time in ms that ``rank`` per cent do not exceed; ``None`` if nothing was counted."""
        total = int(self.counts.sum())
        if total == 0:
            return None
        place = int(np.searchsorted(np.cumsum(self.counts), math.ceil(total * rank / 100)))
        return LEAST * math.exp((place + 0.5) * STEP)
