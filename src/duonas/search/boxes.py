"""A grid of budgets with the best pair within each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from duonas.core.cost import QUANTITIES
from duonas.search.goal import Goal
from duonas.search.pair_table import PriceRow

LEVELS = {0: 1, 1: 256, 2: 16, 3: 7}  # budgets per expected figure, by the number of these that are objectives
SPAN = 1e-6  # smallest useful budget, as a fraction of the largest
TOGETHER = 8  # budgets that are tried as one, so that most pairs are excluded by few comparisons
BINS = {0: 1, 1: 48, 2: 8, 3: 4, 4: 3}  # limits per pair figure, by the number of these that are objectives; 2 for more


class Boxes:
    """The best point within each box: a budget combined with a limit on each pair figure that is an objective.

    No pair dominates the best point of a box at any threshold (of equally accurate points the cheapest is best), so
    these points are an exact subset of the front.

    Args:
        goal: has the objectives.
        rows: prices of all pairs with all routers.
        images: N, the number of images.
        compared: the quantity by which pairs are compared with single networks.
        below: further budgets (K,) of this quantity, whose best points may be dominated in the objectives; see
            ``Singles.budgets``.

    ``levels`` has G budgets, (G,) for each quantity with budgets, and ``loose`` fewer: the largest of every few.
    """

    def __init__(self, goal: Goal, rows: Sequence[PriceRow], images: int, compared: str, below: np.ndarray) -> None:
        self._images, self._names = images, sorted(rows[0].figures)
        expected = [quantity for quantity in QUANTITIES if f"expected_{quantity}" in goal.objectives]
        columns = [np.concatenate([row.figures[name] for row in rows]) for name in self._names]
        bins = BINS.get(len(columns), 2)
        self._lowest = [min(float(column.min()), 0.0) for column in columns]  # the origin of sizes
        self._edges = [_edges(column, bins) for column in columns]
        self._by_size = bool(columns) and not expected
        peaks = {quantity: max(float(row.parts[quantity].peak.max()) for row in rows) for quantity in rows[0].parts}
        self._dearest = {quantity: peaks[quantity] for quantity in expected or [compared]}
        self.levels = _levels(goal, rows, peaks, {compared: below})
        self._shape = tuple(map(len, self._edges))
        cells = int(np.prod(self._shape, initial=1))
        count = len(next(iter(self.levels.values())))
        self._starts = np.arange(0, count, TOGETHER)
        self.loose = {quantity: np.maximum.reduceat(each, self._starts) for quantity, each in self.levels.items()}
        self._key = np.full((count, cells), -np.inf)
        self._row, self._big, self._kept = (np.zeros((count, cells), dtype=np.int64) for _ in range(3))

    def sort(self, row: PriceRow) -> tuple[PriceRow, np.ndarray]:
        """Sort a row by cell and then by size, and return it with the cell of each pair (B,)."""
        cell = np.zeros(len(row.bigs), dtype=np.int64)
        for name, edges in zip(self._names, self._edges, strict=True):
            cell = cell * len(edges) + np.searchsorted(edges, row.figures[name])
        order = np.lexsort([self._size(row), cell])
        return row.take(order), cell[order]

    def hopeful(self, most: np.ndarray, cell: np.ndarray) -> np.ndarray:
        """Which of B pairs may be the best in some box, as a mask (B,).

        Args:
            most: upper bounds of the number of correct images, within each budget of ``levels`` (G, B) or of ``loose``.
            cell: (B,) of each pair.
        """
        # The cost's part of a key is in [0, 1), so a pair needs at least as many correct images as the key rounded up.
        needed = np.maximum(np.ceil(self._key), 0)
        if len(most) < len(needed):
            needed = np.minimum.reduceat(needed, self._starts)
        mask: np.ndarray = (most >= needed[:, cell]).any(0)
        return mask

    def add(self, number: int, row: PriceRow, cell: np.ndarray, correct: np.ndarray, kept: np.ndarray) -> None:
        """Add B pairs at their best thresholds.

        Args:
            number: of their row.
            row: their prices, sorted by ``sort``.
            cell: (B,) of each pair.
            correct: (G, B) number of correct images, -1 if the budget is too small.
            kept: (G, B) number of images that little answers.
        """
        # More correct images first, then lower cost in the objectives: the second term is below 1.
        if self._by_size:
            key = correct - self._size(row) / (len(self._names) + 1)
        else:
            share, parts = kept / self._images, len(self._dearest)
            key = correct - sum(
                row.parts[quantity].expected(share) / (parts * (2 * dearest + 1))
                for quantity, dearest in self._dearest.items()
            )
        key[correct < 0] = -np.inf
        starts = np.flatnonzero(np.diff(cell, prepend=-1))
        best = np.maximum.reduceat(key, starts, axis=1)
        ends = np.append(starts[1:], len(cell))
        for level, segment in zip(*np.nonzero(best > self._key[:, cell[starts]]), strict=True):
            start = starts[segment]
            one = start + int(key[level, start : ends[segment]].argmax())
            place = level, cell[start]
            self._key[place] = key[level, one]
            self._row[place], self._big[place], self._kept[place] = number, row.bigs[one], kept[level, one]

    def winners(self) -> np.ndarray:
        """The distinct (row, big, number of images that little answers) that are best in some box, (P, 3)."""
        key = self._key.reshape(-1, *self._shape)
        held = np.stack([self._row, self._big, self._kept]).reshape(3, -1, *self._shape)
        for axis in range(1, key.ndim):
            key, held = np.moveaxis(key, axis, 0), np.moveaxis(held, axis + 1, 0)
            for cell in range(1, len(key)):
                # The point of a smaller limit meets this limit too, and is better on a tie.
                better = key[cell - 1] >= key[cell]
                key[cell] = np.where(better, key[cell - 1], key[cell])
                held[cell] = np.where(better, held[cell - 1], held[cell])
            key, held = np.moveaxis(key, 0, axis), np.moveaxis(held, 0, axis + 1)
        found = held.reshape(3, -1).T[np.isfinite(key.reshape(-1))]
        return np.unique(found, axis=0)

    def _size(self, row: PriceRow) -> np.ndarray:
        """The sum of the pair figures that are objectives, each as a fraction of its largest value (B,)."""
        fractions = [
            (row.figures[name] - lowest) / ((edges[-1] - lowest) or 1)
            for name, edges, lowest in zip(self._names, self._edges, self._lowest, strict=True)
        ]
        return np.sum(fractions, axis=0) if fractions else np.zeros(len(row.bigs))


def _edges(values: np.ndarray, bins: int) -> np.ndarray:
    rising = np.sort(values)
    different = rising[np.append(True, rising[1:] != rising[:-1])]  # several times faster than numpy.unique
    if len(different) <= bins:
        return different
    return np.unique(np.quantile(different, np.linspace(0, 1, bins), method="higher"))


def _levels(
    goal: Goal, rows: Sequence[PriceRow], peaks: Mapping[str, float], more: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """All combinations of budgets of each expected figure that is an objective, within the constraints.

    Args:
        goal: has the objectives and constraints.
        rows: prices of all pairs.
        peaks: the largest peak of any pair, by quantity.
        more: further budgets by quantity.
    """
    count = LEVELS[sum(f"expected_{quantity}" in goal.objectives for quantity in peaks)]
    axes = {}
    for quantity, dearest in peaks.items():
        name = f"expected_{quantity}"
        if name in goal.objectives or name in goal.constraints or quantity in more:
            least, most = min(float(row.parts[quantity].least.min()) for row in rows), min(goal.limit(name), dearest)
            spaced = _spaced(least, most, count if name in goal.objectives else 1)
            further = more.get(quantity, np.empty(0))
            axes[quantity] = np.unique([*spaced, *further[(further >= least) & (further < most)]])
    grid = np.meshgrid(*axes.values(), indexing="ij")
    return {quantity: budgets.ravel() for quantity, budgets in zip(axes, grid, strict=True)}


def _spaced(least: float, most: float, count: int) -> np.ndarray:
    """``count`` budgets from the least to the most, evenly on a logarithmic scale; a single one is the most."""
    if count == 1 or most <= 0:
        return np.array([most])
    levels = np.geomspace(max(least, SPAN * most), most, count)
    levels[0], levels[-1] = least, most
    return np.unique(levels)
