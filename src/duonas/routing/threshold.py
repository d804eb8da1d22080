"""Thresholds of a confidence score: the exact trade-off curve, from one sort and prefix sums."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from torch import Tensor

from duonas.core.cost import PairCost
from duonas.core.errors import DuonasError
from duonas.core.text import plural
from duonas.routing.bounds import clopper_pearson
from duonas.runtime import choose
from duonas.runtime.errors import BundleError, TargetError

LARGEST = float(np.finfo(np.float32).max)
ENOUGH = 100  # images to choose tau on: the little share then has a standard error of at most 5 points


class Steps(NamedTuple):
    """All different decisions by thresholding a score, from "no image stays little" to "all do".

    Args:
        order: (M,) image indices by descending score, without those of NaN scores, which always go to big.
        kept: (T,) how many of ``order`` stay little at each step, from 0 to M; equal scores move together.
        tau: (T,) thresholds of these decisions, float32 values descending from +inf to -inf.
    """

    order: np.ndarray
    kept: np.ndarray
    tau: np.ndarray


def sample_size_warning(images: int) -> str | None:
    """Return a warning if a threshold is chosen on too few images, else ``None``.

    The little share ``a`` on other images has a standard error of ``sqrt(a (1 - a) / images)``, largest at a = 0.5.
    """
    if images >= ENOUGH:
        return None
    error, bound = (50 / max(each, 1) ** 0.5 for each in (images, ENOUGH))
    return (
        f"the threshold is chosen on half of the calib split, only {plural(images, 'image')}: the share of images that "
        f"stays little has a standard error of up to {error:.0f} points, against {bound:.0f} with {ENOUGH} images. "
        "Raise [data] calib, or add images."
    )


def steps(score: np.ndarray) -> Steps:
    """Sort (N,) scores, in O(N log N), as float32, the type of scores on the device."""
    return _steps(score)[0]


def _steps(score: np.ndarray) -> tuple[Steps, np.ndarray]:
    """Return the steps, and the lowest score (T,) that stays little at each; +inf where no image does."""
    score = np.clip(np.asarray(score, np.float32), -LARGEST, LARGEST)
    order = _falling(score)
    if len(order) == 0:
        return Steps(order, np.zeros(1, np.int64), np.array([np.inf])), np.array([np.inf])
    falling = score[order]
    last = np.flatnonzero(falling[1:] != falling[:-1])  # ends of the groups of equal scores, but the lowest
    kept = np.concatenate([[0], last + 1, [len(order)]])
    tau = np.concatenate([[np.inf], _between(falling[last], falling[last + 1]), [-np.inf]])
    return Steps(order, kept, tau), np.concatenate([[np.inf], falling[last], falling[-1:]])


def _falling(score: np.ndarray) -> np.ndarray:
    """Return the indices (M,) of the scores (N,) that are not NaN, in stable descending order.

    Score and index are packed into one integer: sorting integers is several times faster than ``argsort``.
    """
    there = np.flatnonzero(~np.isnan(score))
    bits = score[there].view(np.int32).astype(np.int64)
    rising = np.where(bits < 0, np.int64(-(2**31)) - bits, bits)  # the bits of negative floats count down
    return np.sort((-rising << 32) | there) & np.int64(2**32 - 1)


def _between(high: np.ndarray, low: np.ndarray) -> np.ndarray:
    middle = ((high.astype(np.float64) + low) / 2).astype(np.float32)
    # No float32 lies between adjacent ones: take the upper score itself, which ">=" keeps.
    return np.where(middle > low, middle, high).astype(np.float64)


@dataclass(frozen=True)
class Curve:
    """The trade-off curve of a pair and a score: all thresholds with different decisions, from big to little.

    Args:
        tau: (T,) thresholds, descending from +inf to -inf.
        little_share: (T,) fraction of the images that stays little, ascending.
        correct: (T,) number of images that the routed pair classifies correctly.
        count: number N of images.
        lowest: (T,) the lowest score that stays little; +inf where no image does.
    """

    tau: np.ndarray
    little_share: np.ndarray
    correct: np.ndarray
    count: int
    lowest: np.ndarray

    @property
    def accuracy(self) -> np.ndarray:
        """Accuracy (T,) of the routed pair, in [0, 1]."""
        return self.correct / self.count

    def at(self, tau: np.ndarray) -> Curve:
        """Return the curve of the same images at other, descending thresholds (T',)."""
        index = np.searchsorted(-self.lowest, -np.asarray(tau, np.float64), side="right") - 1
        return Curve(tau, self.little_share[index], self.correct[index], self.count, self.lowest[index])

    def accuracy_lower(self, confidence: float = 0.95) -> np.ndarray:
        """Return one-sided Clopper-Pearson lower bounds (T,) on the accuracy, each for one threshold."""
        return clopper_pearson(self.correct, self.count, confidence)

    def accuracy_upper(self, confidence: float = 0.95) -> np.ndarray:
        """Return one-sided upper bounds (T,); lower and upper ones form a ``2 confidence - 1`` interval."""
        return 1 - clopper_pearson(self.count - self.correct, self.count, confidence)

    def at_budget(
        self,
        budget: float,
        cost: PairCost,
        what: str = "a budget",
        unit: str = "MACs",
        allowed: np.ndarray | None = None,
    ) -> int:
        """Return the index of the most accurate threshold whose expected cost is at most ``budget``.

        Args:
            budget: budget per image, in the unit of ``cost``.
            cost: cost of the pair.
            what: name of the budget in messages.
            unit: unit of budget and cost, for messages.
            allowed: (T,) thresholds to choose from where one of them meets the budget; default: all.

        Raises:
            Unreachable: the budget is below the lowest possible cost, which the message gives.
        """
        expected = cost.expected(self.little_share)
        if allowed is not None and (allowed & (expected <= budget)).any():
            expected = np.where(allowed, expected, np.inf)
        with as_unreachable():
            return choose.at_budget(expected, self.correct, budget, what, unit)

    def at_share(self, share: float) -> int:
        """Return the index of the threshold with the nearest little share."""
        with as_unreachable():
            return choose.at_share(self.little_share, self.tau, share)

    def near_big(self, slack: float) -> np.ndarray:
        """Return the indices of the thresholds that lose at most ``slack`` of big's accuracy, the cheapest last."""
        return np.flatnonzero(self.correct >= self.correct[0] - slack * self.count)

    def thinned(self, rows: int = 200) -> np.ndarray:
        """Return the indices of at most ``rows`` thresholds, evenly spaced in little share, with both ends."""
        shares = np.linspace(0, 1, rows)
        after = np.clip(np.searchsorted(self.little_share, shares), 1, max(1, len(self.tau) - 1))
        after = np.minimum(after, len(self.tau) - 1)
        before = np.maximum(after - 1, 0)
        nearer = shares - self.little_share[before] <= self.little_share[after] - shares
        return np.unique(np.where(nearer, before, after))


def sweep(score: np.ndarray, little_correct: np.ndarray, big_correct: np.ndarray) -> Curve:
    """Return the exact trade-off curve of a score, in O(N log N).

    Args:
        score: (N,), higher = keep little.
        little_correct: (N,) bool, whether little is correct.
        big_correct: (N,) bool, whether big is correct.

    Raises:
        DuonasError: there are no images.
    """
    if len(score) == 0:
        raise DuonasError("a threshold cannot be chosen: the split has no images.")
    (order, kept, tau), lowest = _steps(score)
    gain = np.asarray(little_correct, bool).astype(np.int8) - np.asarray(big_correct, bool).astype(np.int8)
    correct = np.concatenate([[0], np.cumsum(gain[order], dtype=np.int64)])[kept] + int(np.sum(big_correct))
    return Curve(tau, kept / len(score), correct, len(score), lowest)


class Unreachable(DuonasError):
    """A target that no threshold of this pair meets.

    Args:
        message: one sentence for the user.
        possible: the nearest value of the target that can be met, as text.
    """

    def __init__(self, message: str, possible: str) -> None:
        super().__init__(message)
        self.possible = possible


@contextmanager
def as_unreachable() -> Iterator[None]:
    """Raise the errors of ``runtime.choose`` as ``DuonasError``, and a target that cannot be met as ``Unreachable``."""
    try:
        yield
    except TargetError as error:
        raise Unreachable(str(error), error.possible) from None
    except BundleError as error:
        raise DuonasError(str(error)) from None


def keeps_little(score: Tensor, tau: float | Tensor) -> Tensor:
    """Return which rows stay little, (N,) bool, from scores (N,).

    At tau = +inf no row does, not even one with a score of +inf; a NaN score never does.
    """
    infinity = float("inf")
    return (score >= tau) & (tau < infinity)
