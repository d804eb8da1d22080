"""A routed pair beside a network of N exits, at equal mean cost: where is it better, and where not?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from duonas.core.cost import PairCost
from duonas.exits.answers import Exits
from duonas.exits.curve import ExitCurve, at_budget
from duonas.routing.bounds import paired_difference
from duonas.routing.threshold import sweep
from duonas.runtime.units import written_count as count

Ranges = list[tuple[float, float]]  # of mean costs or times
Line = tuple[np.ndarray, np.ndarray]  # mean costs or times, rising, and accuracies


@dataclass(frozen=True)
class Axis:
    """What two networks take on average where their accuracies are compared, in words."""

    name: str
    unit: str
    write: Callable[[float], str]


COST, TIME = Axis("mean cost", "MACs", count), Axis("mean time", "ms", "{:.3g}".format)


@dataclass(frozen=True)
class RoutedPair:
    """A routed pair on the test images, and the cost that its threshold was chosen for.

    Args:
        macs: mean multiply-accumulates (T,) of the test images, by threshold.
        little_share: of the test images (T,), by threshold.
        accuracy: on the test images (T,), by threshold.
        right: whether the pair, at its own threshold, is right on each test image (M,).
        own_macs: mean multiply-accumulates of the test images at its own threshold.
        own_share: of the test images that stay little at its own threshold.
        expected_macs: those of the images that its threshold was chosen on.
    """

    macs: np.ndarray
    little_share: np.ndarray
    accuracy: np.ndarray
    right: np.ndarray
    own_macs: float
    own_share: float
    expected_macs: float

    @property
    def line(self) -> Line:
        """Accuracy against mean multiply-accumulates."""
        return line(self.macs, self.accuracy)

    def line_ms(self, ways_ms: Sequence[float]) -> Line:
        """Accuracy against mean time, by the times of an image that stays little and of one that goes to big."""
        stays, asks = ways_ms
        return line(self.little_share * stays + (1 - self.little_share) * asks, self.accuracy)

    def beside(self, right: np.ndarray) -> dict[str, Any]:
        """The pair at its own threshold beside what is right (M,) or not on the test images."""
        only_pair, only_this = int((self.right & ~right).sum()), int((right & ~self.right).sum())
        return {
            "pair_accuracy": float(self.right.mean()),
            "pair_macs": self.own_macs,
            "pair_minus_this": list(paired_difference(only_pair, only_this, len(right))),
        }

    @classmethod
    def of(
        cls,
        answers: Sequence[np.ndarray],
        is_little: np.ndarray,
        taus: Sequence[float],
        cost: PairCost,
        expected: float,
    ) -> RoutedPair:
        """The pair by its answers to the test images.

        Args:
            answers: the router's scores, whether little and whether big is right, (M,) each.
            is_little: (M,) bool, where the images went.
            taus: thresholds to show, which were chosen without the test images.
            cost: in multiply-accumulates.
            expected: mean multiply-accumulates of the images that the threshold was chosen on.
        """
        score, little, big = answers
        curve = sweep(score, little, big).at(np.sort(np.asarray(taus, np.float64))[::-1])
        return cls(
            macs=np.asarray(cost.expected(curve.little_share), np.float64),
            little_share=curve.little_share,
            accuracy=curve.accuracy,
            right=np.where(is_little, little, big),
            own_macs=float(cost.expected(is_little.mean())),
            own_share=float(is_little.mean()),
            expected_macs=expected,
        )


def against(name: str, curve: ExitCurve, choosing: Exits, test: Exits, pair: RoutedPair) -> dict[str, Any]:
    """Compare a pair with a network of N exits, as it is in ``baselines.json``.

    Returns:
        ``range``, the mean multiply-accumulates that both can have (``None`` if there are none), and the parts of it
        where the pair is more accurate, ``better``, and less, ``worse``; ``at_pair``, the network at the cost of the
        pair, with the 95 % interval of the pair's accuracy minus its own (``None`` where that is below its first exit);
        and ``sentence``.
    """
    theirs = line(*map(np.array, zip(*((each.macs, each.accuracy) for each in curve.budgeted), strict=True)))
    point = at_budget(pair.expected_macs, choosing, test)
    same = None if point is None else point.to_json() | pair.beside(test.right_at(test.leave_at(point.thresholds)))
    found = compared(name, pair.line, theirs, COST)
    return found | {"at_pair": same, "sentence": _with(found["sentence"], name, same)}


def against_pair(name: str, other: RoutedPair, pair: RoutedPair) -> dict[str, Any]:
    """Compare a pair with another one, whose threshold was chosen for the first one's cost; see ``against``."""
    accuracy, share = float(other.right.mean()), other.own_share
    own = {"accuracy": accuracy, "macs": other.own_macs, "shares": (share, 1 - share)}
    found, same = compared(name, pair.line, other.line, COST), own | pair.beside(other.right)
    return found | {"at_pair": same, "sentence": _with(found["sentence"], name, same)}


def against_in_time(
    name: str, curve: ExitCurve, exit_ms: Sequence[float], pair: RoutedPair, ways_ms: Sequence[float]
) -> dict[str, Any]:
    """Compare a pair with a network of N exits at equal mean time, as it is in ``baselines.json``.

    Args:
        name: of the network.
        curve: its points.
        exit_ms: (N,) the time of an image that leaves at each exit.
        pair: the pair.
        ways_ms: the times of an image that stays little, and of one that goes to big.

    Returns:
        ``range``, ``better``, ``worse`` and ``sentence`` as ``against`` has them, in ms.
    """
    points = [(each.mean_ms(exit_ms), each.accuracy) for each in curve.budgeted]
    return compared(name, pair.line_ms(ways_ms), line(*map(np.array, zip(*points, strict=True))), TIME)


def compared(name: str, mine: Line, theirs: Line, axis: Axis) -> dict[str, Any]:
    """Return where the accuracies of the pair, ``mine``, are above those of another, where below, and a sentence."""
    low, high = max(mine[0][0], theirs[0][0]), min(mine[0][-1], theirs[0][-1])
    if low > high:
        return {"range": None, "better": [], "worse": [], "sentence": _apart(name, mine, theirs, axis)}
    knots = np.unique(np.concatenate([[low, high], *(x[(x > low) & (x < high)] for x, _ in (mine, theirs))]))
    gap = np.interp(knots, *mine) - np.interp(knots, *theirs)
    better, worse = _where(knots, gap), _where(knots, -gap)
    said = _in_words(name, (low, high), better, worse, axis)
    return {"range": (float(low), float(high)), "better": better, "worse": worse, "sentence": said}


def line(costs: np.ndarray, accuracy: np.ndarray) -> Line:
    """Return points by rising cost; of those of one cost, the most accurate."""
    known = np.unique(costs)
    return known, np.array([accuracy[costs == each].max() for each in known])


def _where(knots: np.ndarray, gap: np.ndarray) -> Ranges:
    """Return the ranges in which a piecewise linear function is above zero."""
    found: Ranges = []
    for left, right, before, after in zip(knots, knots[1:], gap, gap[1:], strict=False):
        if before <= 0 and after <= 0:
            continue
        crossing = left + (right - left) * before / (before - after) if before * after < 0 else left
        part = (crossing, right) if before < 0 else (left, crossing if after < 0 else right)
        if found and found[-1][1] == part[0]:
            part = (found.pop()[0], part[1])
        found.append((float(part[0]), float(part[1])))
    if len(knots) == 1 and gap[0] > 0:
        found.append((float(knots[0]), float(knots[0])))
    return found


def _apart(name: str, mine: Line, theirs: Line, axis: Axis) -> str:
    if theirs[0][0] > mine[0][-1]:
        ends, when = (theirs[0][0], mine[0][-1]), ("first exit, more", "dearest")
    else:
        ends, when = (theirs[0][-1], mine[0][0]), ("dearest, less", "cheapest")
    network, pair = map(axis.write, ends)
    return (
        f"{name} takes {network} {axis.unit} at its {when[0]} than the pair at its {when[1]} ({pair}): there is no "
        f"{axis.name} at which both could be compared."
    )


def _in_words(name: str, both: tuple[float, float], better: Ranges, worse: Ranges, axis: Axis) -> str:
    least, most = map(axis.write, both)
    where = f"at {least}" if least == most else f"from {least} to {most}"
    beginning = f"At equal {axis.name}, {where} {axis.unit}, the pair is"
    if not worse:
        return f"{beginning} {'more' if better else 'as'} accurate {'than' if better else 'as'} {name} throughout."
    if not better:
        return f"{beginning} nowhere more accurate than {name}, and less accurate {_ranges(worse, axis)}."
    return f"{beginning} more accurate than {name} {_ranges(better, axis)}, and less accurate {_ranges(worse, axis)}."


def _ranges(ranges: Ranges, axis: Axis) -> str:
    ends = [tuple(map(axis.write, each)) for each in ranges]
    return "at " + " and ".join(low if low == high else f"{low} to {high}" for low, high in ends)


def _with(said: str, name: str, same: dict[str, Any] | None) -> str:
    """Add to a sentence what the network reaches at the cost of the pair."""
    if same is None:
        return said
    gap, (lower, upper) = same["pair_accuracy"] - same["accuracy"], same["pair_minus_this"]
    noise = "within the noise of the test images: " if lower <= 0 <= upper else ""
    more = "more" if gap > 0 else "less"
    return (
        f"{said} Chosen for the pair's mean cost, {name} is right on {same['accuracy']:.1%} for "
        f"{count(same['macs'])} MACs, and the pair on {same['pair_accuracy']:.1%} for {count(same['pair_macs'])}, "
        f"{abs(100 * gap):.1f} points {more} ({noise}95% interval {100 * lower:+.1f} to {100 * upper:+.1f})."
    )
