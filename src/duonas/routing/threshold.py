"""The exact threshold: every trade-off that a score allows, from one sort and prefix sums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.stats import beta
from torch import Tensor

from duonas.core.cost import PairCost
from duonas.core.errors import DuonasError

LARGEST = float(np.finfo(np.float32).max)


class Steps(NamedTuple):
    """The decisions that a score allows, from "none stays little" to "all do".

    Args:
        order: (M,) image numbers by falling score; images with a NaN score always go to big and are left out.
        kept: (T,) how many of ``order`` stay little at each step, rising from 0 to M; equal scores move together.
        tau: (T,) float32 values, falling from +inf to -inf, that make these decisions.
    """

    order: np.ndarray
    kept: np.ndarray
    tau: np.ndarray


def steps(score: np.ndarray) -> Steps:
    """Sort (N,) scores once, O(N log N). They are taken as float32: that is what a threshold meets on the device."""
    score = np.clip(np.asarray(score, np.float32), -LARGEST, LARGEST)
    order = np.argsort(-score, kind="stable")  # NaN comes last
    order = order[: len(score) - np.isnan(score).sum()]
    falling = score[order]
    last = np.flatnonzero(falling[1:] != falling[:-1])  # the last of each group of equal scores, but the lowest group
    kept = np.concatenate([[0], last + 1, [len(order)]] if len(order) else [[0]]).astype(np.int64)
    tau = np.concatenate([[np.inf], _between(falling[last], falling[last + 1]), [-np.inf]])
    return Steps(order, kept, tau if len(order) else tau[:1])


def _between(high: np.ndarray, low: np.ndarray) -> np.ndarray:
    middle = ((high.astype(np.float64) + low) / 2).astype(np.float32)
    # No float32 lies between neighbours: then the upper score itself, which ">=" keeps.
    return np.where(middle > low, middle, high).astype(np.float64)


@dataclass(frozen=True)
class Curve:
    """The trade-off curve of a pair and a score: all thresholds that decide differently, from big to little.

    Args:
        tau: (T,), falling from +inf to -inf.
        little_share: (T,) fraction that stays little, rising.
        correct: (T,) how many images the routed pair gets right.
        count: N, the number of images.
    """

    tau: np.ndarray
    little_share: np.ndarray
    correct: np.ndarray
    count: int

    @property
    def accuracy(self) -> np.ndarray:
        """(T,) of the routed pair, in [0, 1]."""
        return self.correct / self.count

    def accuracy_lower(self, confidence: float = 0.95, index: np.ndarray | int | None = None) -> np.ndarray:
        """One-sided Clopper-Pearson lower bounds on the accuracy, at all thresholds or those of ``index``.

        Each bound holds for its own threshold; it does not know that the threshold was chosen on the same images.
        """
        correct = self.correct if index is None else self.correct[index]
        return clopper_pearson(correct, self.count, confidence)

    def at_floor(self, floor: float, confidence: float = 0.95) -> int:
        """The cheapest threshold whose accuracy is at least ``floor`` with this confidence.

        Raises:
            DuonasError: no threshold reaches it; the message says which floor can be held.
        """
        # The bound rises with the number of right images: look for the least number that holds, not at every threshold.
        low, high = 0, self.count + 1
        while low < high:
            middle = (low + high) // 2
            if clopper_pearson(middle, self.count, confidence) >= floor:
                high = middle
            else:
                low = middle + 1
        held = np.flatnonzero(self.correct >= low)
        if len(held) == 0:
            best = float(clopper_pearson(self.correct.max(), self.count, confidence))
            raise DuonasError(
                f"an accuracy floor of {floor:g} cannot be held with {confidence:.0%} confidence on {self.count} "
                f"images: the highest that can is {np.floor(best * 1e4) / 1e4:.4f}."
            )
        return int(held[-1])

    def at_budget(self, budget: float, cost: PairCost) -> int:
        """The most accurate threshold whose expected cost is at most ``budget`` (in the unit of ``cost``).

        Raises:
            DuonasError: not even the images that stay little fit; the message says what the least cost is.
        """
        expected = cost.expected(self.little_share)
        affordable = np.flatnonzero(expected <= budget)
        if len(affordable) == 0:
            raise DuonasError(
                f"a budget of {budget:g} MACs is below the {np.ceil(expected.min()):.0f} that this pair costs when "
                "every image stays little: that is the smallest possible."
            )
        correct = self.correct[affordable]
        return int(affordable[len(correct) - 1 - correct[::-1].argmax()])  # the cheapest of the most accurate

    def at_share(self, share: float) -> int:
        """The threshold with the nearest little share that can be had."""
        return int(np.abs(self.little_share - share).argmin())

    def near_big(self, slack: float = 0.005) -> int:
        """The cheapest threshold that loses at most ``slack`` of big's accuracy."""
        return int(np.flatnonzero(self.correct >= self.correct[0] - slack * self.count)[-1])

    def thinned(self, rows: int = 201, keep: int | None = None) -> np.ndarray:
        """Indices of at most ``rows`` thresholds: evenly spaced in little share, and ``keep`` among them."""
        shares = np.linspace(0, 1, rows - 1)
        after = np.clip(np.searchsorted(self.little_share, shares), 1, max(1, len(self.tau) - 1))
        after = np.minimum(after, len(self.tau) - 1)
        before = np.maximum(after - 1, 0)
        nearer = shares - self.little_share[before] <= self.little_share[after] - shares
        index = np.where(nearer, before, after)
        return np.unique(index if keep is None else np.append(index, keep))


def sweep(score: np.ndarray, little_correct: np.ndarray, big_correct: np.ndarray) -> Curve:
    """The exact trade-off curve of a score, in O(N log N).

    Args:
        score: (N,), higher = keep little.
        little_correct: (N,) bool.
        big_correct: (N,) bool.

    Raises:
        DuonasError: there is no image.
    """
    if len(score) == 0:
        raise DuonasError("a threshold cannot be chosen on no images: give the split some.")
    order, kept, tau = steps(score)
    gain = np.asarray(little_correct, np.int64)[order] - np.asarray(big_correct, np.int64)[order]
    correct = np.concatenate([[0], np.cumsum(gain)])[kept] + int(np.sum(big_correct))
    return Curve(tau, kept / len(score), correct, len(score))


def clopper_pearson(correct: np.ndarray | int, count: int, confidence: float) -> np.ndarray:
    """The one-sided lower bound on a probability after ``correct`` of ``count`` (Clopper and Pearson 1934)."""
    correct = np.asarray(correct)
    bound = beta.ppf(1 - confidence, np.maximum(correct, 1), count - correct + 1)
    return np.where(correct > 0, bound, 0.0)


def keeps_little(score: Tensor, tau: float | Tensor) -> Tensor:
    """Which rows stay little, (N,) scores to (N,) bool.

    At tau = +inf none does, not even at a score of +inf; a NaN score never does.
    """
    infinity = float("inf")
    return (score >= tau) & (tau < infinity)
