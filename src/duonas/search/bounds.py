"""Upper bounds of what pairs reach, by which most of them need not be scored exactly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from duonas.core.cost import PairCost
from duonas.routing.threshold import Steps
from duonas.search.pair_table import PriceRow


@dataclass(frozen=True)
class Bigs:
    """The predictions of all subnets that are a big of some pair.

    Args:
        column: (A,) the column of each subnet in ``gain``; undefined for other subnets. They are by rising cost, since
            the bigs of a little often are those above a cost.
        gain: (2 N, bigs) int8, what a little that is wrong gains over each big on each image (0 or -1), then what one
            that is right gains (1 or 0).
        alone: (bigs,) int32, number of correct images of each.
    """

    column: np.ndarray
    gain: np.ndarray
    alone: np.ndarray

    @classmethod
    def of(cls, correct: np.ndarray, rows: Iterable[PriceRow], costs: np.ndarray) -> Bigs:
        """Select the bigs of these rows from the predictions (A, N) int8 of all subnets, whose costs are (A,)."""
        some = np.zeros(len(correct), dtype=bool)
        for row in rows:
            some[row.bigs] = True
        rising = np.argsort(costs)
        rising = rising[some[rising]]
        column = np.zeros(len(correct), dtype=int)
        column[rising] = np.arange(len(rising))
        by_image = np.ascontiguousarray(correct[rising].T)
        return cls(column, np.concatenate([-by_image, 1 - by_image]), by_image.sum(0, dtype=np.int32))


@dataclass(frozen=True)
class Bounds:
    """Upper bounds of the number of images that one little and B bigs answer correctly.

    Thresholds are grouped in strides, and all thresholds of the first stride that has one within a budget count, so
    that the bounds are close.

    Args:
        best: (S, B) int32, the most correct images from each stride on.
        length: images of a stride.
        count: number of images N.
        row: prices of the B pairs.
    """

    best: np.ndarray
    length: int
    count: int
    row: PriceRow

    @classmethod
    def of(cls, little: Steps, little_correct: np.ndarray, bigs: Bigs, row: PriceRow) -> Bounds:
        """Bound the pairs of a row.

        Args:
            little: the steps of little's score.
            little_correct: (N,) int8.
            bigs: the predictions of all bigs.
            row: prices of the B pairs.
        """
        count, which = len(little_correct), bigs.column[row.bigs]
        first, last = which.min(), which.max() + 1
        length = int(np.clip(count**0.5, 8, 127))  # short enough for counts in int8
        strides = -(-len(little.order) // length) or 1
        gained, most = (np.zeros((strides, last - first), dtype=np.int8) for _ in range(2))
        rows = np.where(little_correct[little.order], count, 0) + little.order  # of ``gain``
        for place in range(length):  # the next image of every stride
            next_ones = rows[place::length]
            part, highest = gained[: len(next_ones)], most[: len(next_ones)]
            part += bigs.gain[next_ones, first:last]
            np.maximum(highest, part, out=highest)
        reached = np.zeros((strides, len(which)), dtype=np.int32)
        np.cumsum(gained[:-1, which - first], axis=0, out=reached[1:])
        reached += most[:, which - first]
        best = bigs.alone[which] + np.maximum.accumulate(reached[::-1], axis=0)[::-1]
        return cls(best, length, count, row)

    def take(self, index: np.ndarray) -> Bounds:
        """Select bigs by index."""
        return replace(self, best=self.best[:, index], row=self.row.take(index))

    def within(self, levels: Mapping[str, np.ndarray]) -> np.ndarray:
        """The bounds within G budgets, (G,) by quantity, as (G, B); -1 where no threshold is within them."""
        needed = np.maximum.reduce([fewest(self.row.parts[name], each, self.count) for name, each in levels.items()])
        needed = np.maximum(needed, least_images(self.row.share, self.count))
        stride = np.clip((needed - 1) / self.length, 0, len(self.best) - 1).astype(np.intp)
        return np.where(needed > self.count, -1, np.take_along_axis(self.best, stride, axis=0))


def least_images(share: np.ndarray, count: int) -> np.ndarray:
    """The least number of N images that is at least a share of them, (B,)."""
    return np.asarray(np.ceil(share * count - 1e-6))


def fewest(cost: PairCost, levels: np.ndarray, count: int) -> np.ndarray:
    """The least number of N images that little must answer within budgets (G,) of one quantity, (G, B).

    It is N + 1 if no number is enough, and may be one too small by rounding.
    """
    spare = levels[:, None] - cost.least
    # A big without additional cost may run for every image.
    headroom = np.divide(spare, cost.extra, out=np.where(spare >= 0, 1.0, 0.0), where=cost.extra > 0)
    images: np.ndarray = np.clip(np.ceil((1 - headroom) * count - 1e-6), 0, count + 1)
    return images
