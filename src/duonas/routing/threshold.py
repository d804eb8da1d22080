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
ENOUGH = 100  # images that tau is chosen on: a share of them has a standard error of 5 points or less


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


def doubt(images: int) -> str | None:
    """How little is known of a threshold that was chosen on a few images, in one sentence; ``None`` where enough are.

    What share of other images stays little at that threshold has, seen from these images, a standard error of
    ``sqrt(a (1 - a) / images)``, which is largest for a share of a half.
    """
    if images >= ENOUGH:
        return None
    error, bound = (50 / max(each, 1) ** 0.5 for each in (images, ENOUGH))
    return (
        f"the threshold is chosen on half of the calib split, {images:,} images, which tell the share that stays "
        f"little only to within {error:.0f} points (one standard error) where {ENOUGH} would tell it to within "
        f"{bound:.0f}: raise [data] calib, or take more images."
    )


def steps(score: np.ndarray) -> Steps:
    """Sort (N,) scores once, O(N log N). They are taken as float32: that is what a threshold meets on the device."""
    return _steps(score)[0]


def _steps(score: np.ndarray) -> tuple[Steps, np.ndarray]:
    """The steps, and (T,) the lowest score that stays little at each; +inf where none does."""
    score = np.clip(np.asarray(score, np.float32), -LARGEST, LARGEST)
    order = _falling(score)
    if len(order) == 0:
        return Steps(order, np.zeros(1, np.int64), np.array([np.inf])), np.array([np.inf])
    falling = score[order]
    last = np.flatnonzero(falling[1:] != falling[:-1])  # the last of each group of equal scores, but the lowest group
    kept = np.concatenate([[0], last + 1, [len(order)]])
    tau = np.concatenate([[np.inf], _between(falling[last], falling[last + 1]), [-np.inf]])
    return Steps(order, kept, tau), np.concatenate([[np.inf], falling[last], falling[-1:]])


def _falling(score: np.ndarray) -> np.ndarray:
    """(M,) numbers of those of (N,) scores that are numbers, highest first, equals in the order that they came in.

    Value and number of each are packed into one integer, since sorting integers is several times faster than
    ``argsort``.
    """
    there = np.flatnonzero(~np.isnan(score))
    bits = score[there].view(np.int32).astype(np.int64)
    rising = np.where(bits < 0, np.int64(-(2**31)) - bits, bits)  # the bits of negative floats count down
    return np.sort((-rising << 32) | there) & np.int64(2**32 - 1)


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
        lowest: (T,) the lowest score that stays little; +inf where none does.
    """

    tau: np.ndarray
    little_share: np.ndarray
    correct: np.ndarray
    count: int
    lowest: np.ndarray

    @property
    def accuracy(self) -> np.ndarray:
        """(T,) of the routed pair, in [0, 1]."""
        return self.correct / self.count

    def at(self, tau: np.ndarray) -> Curve:
        """The same images at other thresholds (T',), falling; several of them may decide alike."""
        index = np.searchsorted(-self.lowest, -np.asarray(tau, np.float64), side="right") - 1
        return Curve(tau, self.little_share[index], self.correct[index], self.count, self.lowest[index])

    def accuracy_lower(self, confidence: float = 0.95) -> np.ndarray:
        """(T,) one-sided Clopper-Pearson lower bounds on the accuracy, each for its own threshold."""
        return clopper_pearson(self.correct, self.count, confidence)

    def accuracy_upper(self, confidence: float = 0.95) -> np.ndarray:
        """(T,) one-sided upper bounds; with the lower ones an interval of confidence ``2 confidence - 1``."""
        return 1 - clopper_pearson(self.count - self.correct, self.count, confidence)

    def holds(self, confidence: float = 0.95) -> np.ndarray:
        """(T,) the accuracy floor that each threshold holds: the least lower bound from the first threshold up to it.

        A bound knows nothing of a choice: of many thresholds whose bounds are above a floor the cheapest is likely one
        that was lucky. So the thresholds are tested in a fixed order, from big's end, and testing stops at the first
        that fails. If the floor is violated somewhere, then to end beyond it the first violating threshold has to
        pass, and that has a probability of at most ``1 - confidence`` however many thresholds there are (fixed-sequence
        testing: Maurer et al. 1995; for risks of a model: Angelopoulos et al. 2021, "Learn then Test").

        This holds for thresholds that were fixed without these images, as ``at`` takes them, and images that are drawn
        from what is to come.
        """
        return np.minimum.accumulate(self.accuracy_lower(confidence))

    def at_floor(self, floor: float, confidence: float = 0.95) -> int:
        """The cheapest threshold that ``holds`` an accuracy of at least ``floor``.

        Raises:
            DuonasError: not even the first threshold holds it; the message says which floor can be held.
        """
        holds = self.holds(confidence)
        held = np.flatnonzero(holds >= floor)
        if len(held) == 0:
            raise DuonasError(
                f"an accuracy floor of {floor:g} cannot be held with {confidence:.0%} confidence on {self.count} "
                f"images: the highest that can, with every image at big, is {np.floor(holds[0] * 1e4) / 1e4:.4f}."
            )
        return int(held[-1])

    def at_budget(self, budget: float, cost: PairCost, what: str = "a budget", unit: str = "MACs") -> int:
        """The most accurate threshold whose expected cost is at most ``budget``.

        Args:
            budget: for one image, in the unit of ``cost``.
            cost: of the pair.
            what: the budget is called in messages.
            unit: of both.

        Raises:
            DuonasError: not even the images that stay little fit; the message says what the least cost is.
        """
        expected = cost.expected(self.little_share)
        affordable = np.flatnonzero(expected <= budget)
        if len(affordable) == 0:
            raise DuonasError(
                f"{what} of {budget:g} {unit} is below the {_rounded_up(expected.min())} {unit} that an image costs "
                "where all stay little: that is the smallest possible."
            )
        correct = self.correct[affordable]
        return int(affordable[len(correct) - 1 - correct[::-1].argmax()])  # the cheapest of the most accurate

    def at_share(self, share: float) -> int:
        """The threshold with the nearest little share that can be had."""
        return int(np.abs(self.little_share - share).argmin())

    def near_big(self, slack: float = 0.005) -> int:
        """The cheapest threshold that loses at most ``slack`` of big's accuracy."""
        return int(np.flatnonzero(self.correct >= self.correct[0] - slack * self.count)[-1])

    def thinned(self, rows: int = 200) -> np.ndarray:
        """Indices of at most ``rows`` thresholds, evenly spaced in little share, both ends among them."""
        shares = np.linspace(0, 1, rows)
        after = np.clip(np.searchsorted(self.little_share, shares), 1, max(1, len(self.tau) - 1))
        after = np.minimum(after, len(self.tau) - 1)
        before = np.maximum(after - 1, 0)
        nearer = shares - self.little_share[before] <= self.little_share[after] - shares
        return np.unique(np.where(nearer, before, after))


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
    (order, kept, tau), lowest = _steps(score)
    gain = np.asarray(little_correct, bool).astype(np.int8) - np.asarray(big_correct, bool).astype(np.int8)
    correct = np.concatenate([[0], np.cumsum(gain[order], dtype=np.int64)])[kept] + int(np.sum(big_correct))
    return Curve(tau, kept / len(score), correct, len(score), lowest)


def clopper_pearson(correct: np.ndarray | int, count: int, confidence: float) -> np.ndarray:
    """The one-sided lower bound on a probability after ``correct`` of ``count`` (Clopper and Pearson 1934)."""
    correct = np.asarray(correct)
    bound = beta.ppf(1 - confidence, np.maximum(correct, 1), count - correct + 1)
    return np.where(correct > 0, bound, 0.0)


def _rounded_up(value: float) -> str:
    """A cost with no more digits than one needs, and not less than it is: 12346 for 12345.1, 0.1235 for 0.12342."""
    step = 10.0 ** min(0, np.floor(np.log10(value)) - 3) if value > 0 else 1.0
    return f"{np.ceil(value / step) * step:.12g}"


def keeps_little(score: Tensor, tau: float | Tensor) -> Tensor:
    """Which rows stay little, (N,) scores to (N,) bool.

    At tau = +inf none does, not even at a score of +inf; a NaN score never does.
    """
    infinity = float("inf")
    return (score >= tau) & (tau < infinity)
