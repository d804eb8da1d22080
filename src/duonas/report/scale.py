"""From data to pixels: scales, domains, and which of many points to draw."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

SHADES = 6  # of one colour in the style sheet


@dataclass(frozen=True)
class Scale:
    """Maps ``domain`` linearly onto ``pixels``; values outside of the domain are clamped."""

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


@dataclass(frozen=True)
class LogScale(Scale):
    """Maps a domain above zero to ``pixels`` by its logarithm; values outside of the domain are clamped."""

    def __call__(self, value: float) -> float:
        """The pixel of ``value``."""
        low, high = map(math.log10, self.domain)
        return Scale((low, high), self.pixels)(math.log10(max(value, self.domain[0])))

    def ticks(self, most: int) -> list[float]:
        """About ``most`` values inside the domain: 1, 2 and 5 times the powers of ten, or fewer of them."""
        powers_of_ten = range(math.floor(math.log10(self.domain[0])), math.ceil(math.log10(self.domain[1])) + 1)
        for factors, every in (((1, 2, 5), 1), ((1, 3), 1), *(((1,), every) for every in range(1, len(powers_of_ten)))):
            found = [factor * 10.0**power for power in powers_of_ten[::every] for factor in factors]
            found = [value for value in found if self.holds(value)]
            if len(found) <= most:
                break
        return found


def powers(values: list[float]) -> tuple[float, float]:
    """A domain above zero for a logarithmic scale, that holds ``values`` and at least a factor of two."""
    low, high = min(values) / 1.1, max(values) * 1.1
    return low, max(high, 2 * low)


def _round_up(step: float) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is at least ``step``."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= step * (1 - 1e-9))


def span(
    values: np.ndarray | list[float], *, pad: float = 0.05, floor: float = -math.inf, ceiling: float = math.inf
) -> tuple[float, float]:
    """A domain that holds all finite ``values`` and a margin, within [floor, ceiling]; it is never empty."""
    array = np.asarray(values, dtype=float)
    array = array[np.isfinite(array)]
    low, high = (float(array.min()), float(array.max())) if array.size else (0.0, 1.0)
    margin = pad * (high - low) if high > low else max(abs(high) * 0.05, 1e-3)
    low, high = max(low - margin, floor), min(high + margin, ceiling)
    return (low, high) if low < high else (low - 1e-3, low + 1e-3)


def shade(fraction: float) -> int:
    """The index, 0 to ``SHADES - 1``, of the shade that stands for a fraction in [0, 1]."""
    return min(int(fraction * SHADES), SHADES - 1)


def thin(values: np.ndarray, most: int) -> np.ndarray:
    """At most ``most`` indices into rising ``values``, about evenly spaced in value, both ends included."""
    if not len(values):
        return np.empty(0, dtype=int)
    wanted = np.searchsorted(values, np.linspace(values[0], values[-1], most))
    return np.unique(np.concatenate([[0], np.minimum(wanted, len(values) - 1), [len(values) - 1]]))


def pick(mask: np.ndarray, most: int) -> list[int]:
    """At most ``most`` of the indices where ``mask`` is true, evenly picked."""
    found = np.flatnonzero(mask)
    return [int(i) for i in found[:: max(1, -(-len(found) // most))]]
