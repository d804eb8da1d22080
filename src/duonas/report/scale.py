"""From data to pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scale:
    """Maps ``domain`` linearly onto ``pixels``; what lies outside is clamped."""

    domain: tuple[float, float]
    pixels: tuple[float, float]

    def __call__(self, value: float) -> float:
        """The pixel of ``value``."""
        low, high = self.domain
        fraction = min(max((value - low) / (high - low), 0.0), 1.0)
        return self.pixels[0] + fraction * (self.pixels[1] - self.pixels[0])

    def holds(self, value: float) -> bool:
        """Whether ``value`` lies in the domain."""
        return self.domain[0] <= value <= self.domain[1]

    def ticks(self, most: int) -> list[float]:
        """At most ``most`` round values inside the domain, evenly spaced."""
        low, high = self.domain
        step = _round_up((high - low) / most)
        first = math.ceil(low / step - 1e-9)
        last = math.floor(high / step + 1e-9)
        return [index * step for index in range(first, last + 1)]


def _round_up(step: float) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is at least ``step``."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= step * (1 - 1e-9))


def span(
    values: np.ndarray | list[float], *, pad: float = 0.05, floor: float = -math.inf, ceiling: float = math.inf
) -> tuple[float, float]:
    """A domain that holds all finite ``values`` with some air, within [floor, ceiling]; never empty."""
    array = np.asarray(values, dtype=float)
    array = array[np.isfinite(array)]
    low, high = (float(array.min()), float(array.max())) if array.size else (0.0, 1.0)
    air = pad * (high - low) if high > low else max(abs(high) * 0.05, 1e-3)
    low, high = max(low - air, floor), min(high + air, ceiling)
    return (low, high) if low < high else (low - 1e-3, low + 1e-3)
