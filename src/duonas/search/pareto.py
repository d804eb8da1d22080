"""Pareto sets."""

from __future__ import annotations

import numpy as np


def nondominated(points: np.ndarray) -> np.ndarray:
    """Indices of the rows that no other row dominates, in the order of the first column.

    Args:
        points: (N, M), every column to be minimised. Of equal rows the first is kept.
    """
    order = np.lexsort(points.T[::-1])
    kept: list[int] = []
    front = np.empty((0, points.shape[1]))
    for index in order:
        # Sorted by the first column: only rows kept before can dominate this one.
        if not (front <= points[index]).all(axis=1).any():
            kept.append(int(index))
            front = np.vstack([front, points[index]])
    return np.array(kept, dtype=int)
