"""All pairs of the evaluated archs at all thresholds, as arithmetic on their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from duonas.core.errors import DuonasError
from duonas.core.goal import MEANS, PAIR_FIGURES, PEAKS, Goal
from duonas.routing.threshold import Steps, steps
from duonas.search.prices import Charge, PriceRow

LEVELS = {0: 1, 1: 256, 2: 16, 3: 7}  # budgets of each expected figure, by how many of them are objectives
CHUNK = 256  # bigs at a time: their running sums stay in the processor's cache
SPAN = 1e-6  # of the largest budget: below it none is of use
BINS = {0: 1, 1: 48, 2: 8, 3: 4, 4: 3, 5: 2}  # of each pair figure, by how many of them are objectives


@dataclass(frozen=True)
class Judged:
    """A little judged by a router, and the bigs that the two go with.

    Args:
        little: number of the arch.
        router: number of the router.
        score: (N,) float32 of the val images.
        row: what the pairs cost with this router.
    """

    little: int
    router: int
    score: np.ndarray
    row: PriceRow


@dataclass(frozen=True)
class Points:
    """P routed pairs, one router and threshold each; arrays of shape (P,).

    Args:
        little: number of the arch.
        big: likewise.
        router: number of the router.
        tau: the threshold.
        little_share: fraction of val that stays little.
        accuracy: in [0, 1].
        figures: the expected ones, and those that are the same at every threshold, by name.
    """

    little: np.ndarray
    big: np.ndarray
    router: np.ndarray
    tau: np.ndarray
    little_share: np.ndarray
    accuracy: np.ndarray
    figures: dict[str, np.ndarray]


def best_within(
    little: Steps,
    little_correct: np.ndarray,
    big_correct: np.ndarray,
    prices: PriceRow,
    levels: Mapping[str, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """The best threshold of one little with B bigs within each of G budgets, exactly: all thresholds are looked at.

    Args:
        little: the steps of little's score.
        little_correct: (N,) int8.
        big_correct: (B, N) int8.
        prices: of the B pairs.
        levels: G budgets, (G,) of each quantity that has one.

    Returns:
        How many images are right (G, B), -1 where a budget is too small, and how many stay little (G, B): of equally
        good thresholds the cheapest.
    """
    bigs, count = big_correct.shape
    width = len(little.order) + 1
    # One integer says both: right images * (N + 1) + images that stay little. Its running maximum from the cheap end is
    # the most accurate threshold that costs no more, the cheapest of equals.
    kind = np.int32 if (count + 1) ** 2 < 2**31 else np.int64
    code = np.empty((bigs, width), kind)
    np.subtract(little_correct[little.order], np.take(big_correct, little.order, axis=1), out=code[:, 1:])
    code[:, 1:] *= count + 1
    code[:, 1:] += 1
    code[:, 0] = big_correct.sum(1, dtype=kind) * (count + 1)
    np.cumsum(code, axis=1, out=code)
    if len(little.kept) < width:
        code = np.ascontiguousarray(code[:, little.kept])
    best = np.maximum.accumulate(code[:, ::-1], axis=1)[:, ::-1]
    first, reachable = _first_within(little.kept, count, prices, levels)
    found = best[np.arange(bigs), first]
    return np.where(reachable, found // (count + 1), -1), np.where(reachable, found % (count + 1), 0)


def _first_within(
    kept: np.ndarray, count: int, prices: PriceRow, levels: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """The step (G, B) with the smallest little share that all budgets allow, and whether there is one.

    Every expected cost falls as the little share rises, so the narrowest budget decides.
    """
    each = [_first(kept, count, prices.charges[quantity], budgets) for quantity, budgets in levels.items()]
    steps, reachable = zip(*each, strict=True)
    return np.maximum.reduce(steps), np.logical_and.reduce(reachable)


def _first(kept: np.ndarray, count: int, charge: Charge, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same for budgets (G,) of one quantity."""
    spare = levels[:, None] - charge.least
    # A big that costs nothing on top may run for every image.
    headroom = np.divide(spare, charge.extra, out=np.where(spare >= 0, 1.0, 0.0), where=charge.extra > 0)
    needed = np.clip(np.ceil((1 - headroom) * count - 1e-6), 0, count + 1)
    first = np.minimum(np.searchsorted(kept, needed), len(kept) - 1)
    # The division rounds; the cost itself decides.
    over = charge.expected(kept[first] / count) > levels[:, None]
    first = np.minimum(first + over, len(kept) - 1)
    return first, charge.expected(kept[first] / count) <= levels[:, None]


class Boxes:
    """The best point within every combination of a budget and a limit on each pair figure that is an objective.

    What is best within a box is dominated by no pair at no threshold (of equally accurate points the cheapest is
    taken), so the boxes' points are a front, thinned to the boxes but exact.

    Args:
        goal: says which figures are objectives.
        rows: prices of all pairs with all routers.
    """

    def __init__(self, goal: Goal, rows: Sequence[PriceRow]) -> None:
        self._names = [name for name in PAIR_FIGURES if name in goal.objectives]
        means = [quantity for quantity, name in MEANS.items() if name in goal.objectives]
        self._by_size = bool(self._names) and not means
        self._edges = [
            _edges(np.concatenate([row.figures[name] for row in rows]), BINS[len(self._names)]) for name in self._names
        ]
        self._dearest = {q: max(float(row.figures[PEAKS[q]].max()) for row in rows) for q in means or ["macs"]}
        self.levels = _levels(goal, rows, LEVELS[len(means)])
        self._shape = tuple(map(len, self._edges))
        cells = int(np.prod(self._shape, initial=1))
        count = len(self.levels["macs"])
        self._key = np.full((count, cells), -np.inf)
        self._held = np.zeros((3, count, cells), dtype=np.int64)  # row, big, how many stay little

    def sort(self, row: PriceRow) -> tuple[PriceRow, np.ndarray]:
        """The row cell after cell, in each the smallest pair first, and each pair's cell (B,)."""
        cell = np.zeros(len(row.bigs), dtype=np.int64)
        for name, edges in zip(self._names, self._edges, strict=True):
            cell = cell * len(edges) + np.searchsorted(edges, row.figures[name])
        order = np.lexsort([self._size(row), cell])
        return row.take(order), cell[order]

    def add(
        self, number: int, row: PriceRow, cell: np.ndarray, correct: np.ndarray, kept: np.ndarray, count: int
    ) -> None:
        """Take what ``best_within`` found for row ``number``, or a part of it, sorted."""
        # More right images first, then what is cheaper in the objectives: the second term stays below 1.
        if self._by_size:
            key = correct - self._size(row) / (len(self._names) + 1)
        else:
            share, parts = kept / count, len(self._dearest)
            key = correct - sum(
                row.charges[quantity].expected(share) / (parts * (2 * dearest + 1))
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
            self._held[:, place[0], place[1]] = number, row.bigs[one], kept[level, one]

    def _size(self, row: PriceRow) -> np.ndarray:
        """The pair figures that are objectives, each as a fraction of its largest, added up (B,)."""
        fractions = [row.figures[name] / edges[-1] for name, edges in zip(self._names, self._edges, strict=True)]
        return np.sum(fractions, axis=0) if fractions else np.zeros(len(row.bigs))

    def winners(self) -> np.ndarray:
        """The different (row, big, how many stay little) that are best in some box, (P, 3)."""
        key = self._key.reshape(-1, *self._shape)
        held = self._held.reshape(3, -1, *self._shape)
        for axis in range(1, key.ndim):
            key, held = np.moveaxis(key, axis, 0), np.moveaxis(held, axis + 1, 0)
            for cell in range(1, len(key)):
                # A smaller limit's point is within this limit too; of equals it is the better.
                better = key[cell - 1] >= key[cell]
                key[cell] = np.where(better, key[cell - 1], key[cell])
                held[cell] = np.where(better, held[cell - 1], held[cell])
            key, held = np.moveaxis(key, 0, axis), np.moveaxis(held, 0, axis + 1)
        found = held.reshape(3, -1).T[np.isfinite(key.reshape(-1))]
        return np.unique(found, axis=0)


def recombine(correct: np.ndarray, judged: Sequence[Judged], goal: Goal) -> tuple[Points, int]:
    """The best routed pairs over all pairs at all thresholds of all routers, and how many different pairs that were.

    Args:
        correct: (A, N) int8, 1 where an arch is right on a val image.
        judged: every little with every router that can judge it.
        goal: objectives and constraints.

    Raises:
        DuonasError: no pair is left under the constraints.
    """
    judged = [each for each in judged if len(each.row.bigs)]
    if not judged:
        raise DuonasError("[search] no pair that was tried meets all constraints with any router: relax one.")
    boxes = Boxes(goal, [each.row for each in judged])
    count = correct.shape[1]
    scored = np.zeros((len(correct), len(correct)), dtype=bool)
    for number, each in enumerate(judged):
        scored[each.little, each.row.bigs] = True
        little_steps = steps(each.score)
        ordered, cells = boxes.sort(each.row)
        for start in range(0, len(cells), CHUNK):
            chunk = ordered.take(np.arange(start, min(start + CHUNK, len(cells))))
            found = best_within(little_steps, correct[each.little], correct[chunk.bigs], chunk, boxes.levels)
            boxes.add(number, chunk, cells[start : start + CHUNK], *found, count)
    return _points(correct, judged, boxes.winners()), int(scored.sum())


def _points(correct: np.ndarray, judged: Sequence[Judged], winners: np.ndarray) -> Points:
    count = correct.shape[1]
    columns: list[tuple[float, ...]] = []
    row = judged[0].row
    names = [*(MEANS[quantity] for quantity in row.charges), *(name for name in PAIR_FIGURES if name in row.figures)]
    known: dict[int, Steps] = {}
    for number, big, kept in winners.tolist():
        each = judged[number]
        if number not in known:
            known[number] = steps(each.score)
        order, sizes, tau = known[number]
        right = int(correct[each.little, order[:kept]].sum(dtype=np.int64))
        right += int(correct[big].sum(dtype=np.int64) - correct[big, order[:kept]].sum(dtype=np.int64))
        pair = each.row.take(np.flatnonzero(each.row.bigs == big))
        share = kept / count
        figures = {name: figure[0] for name, figure in pair.figures.items()}
        figures |= {MEANS[q]: charge.expected(np.array([share]))[0] for q, charge in pair.charges.items()}
        step = tau[np.searchsorted(sizes, kept)]
        columns.append((each.little, big, each.router, step, share, right / count, *(figures[name] for name in names)))
    little_, big_, router_, tau_, share_, accuracy, *rest = (np.array(column) for column in zip(*columns, strict=True))
    return Points(little_, big_, router_, tau_, share_, accuracy, dict(zip(names, rest, strict=True)))


def _edges(values: np.ndarray, bins: int) -> np.ndarray:
    different = np.unique(values)
    if len(different) <= bins:
        return different
    return np.unique(np.quantile(different, np.linspace(0, 1, bins), method="higher"))


def _levels(goal: Goal, rows: Sequence[PriceRow], count: int) -> dict[str, np.ndarray]:
    """Every combination of ``count`` budgets of each expected figure that is an objective, within the constraints."""
    axes = {}
    for quantity, name in MEANS.items():
        if name in goal.objectives or name in goal.constraints or quantity == "macs":
            least = min(float(row.charges[quantity].least.min()) for row in rows)
            dearest = max(float(row.figures[PEAKS[quantity]].max()) for row in rows)
            axes[quantity] = _spaced(least, min(goal.limit(name), dearest), count if name in goal.objectives else 1)
    grid = np.meshgrid(*axes.values(), indexing="ij")
    return {quantity: budgets.ravel() for quantity, budgets in zip(axes, grid, strict=True)}


def _spaced(least: float, most: float, count: int) -> np.ndarray:
    """``count`` budgets from the least to the most, evenly by their logarithm; of one the most."""
    if count == 1 or most <= 0:
        return np.array([most])
    levels = np.geomspace(max(least, SPAN * most), most, count)
    levels[0], levels[-1] = least, most
    return np.unique(levels)
