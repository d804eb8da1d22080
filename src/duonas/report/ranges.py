"""Which range of values a chart shows, and which of many points."""

from __future__ import annotations

import math

import numpy as np


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
