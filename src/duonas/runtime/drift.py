"""Tell when a device's images are no longer like those that the threshold was chosen on.

The policy's table says how many of the calib images had a score of at least each threshold, and that is what the stream
is compared with: windows of images are counted at the same thresholds, and each window is tested at all of them by
Fisher's exact test of two samples (the hypergeometric distribution, R. A. Fisher 1935), so that calib's own finite size
is accounted for. The thresholds were fixed on other images than they were counted on (``routing.route.fit``), all but
the chosen one, which is left out.

**False alarms.** A window of W images, of L lengths of windows and R thresholds, gives an alarm where a p-value times R
is at most W / (L · A). By Bonferroni's inequality a false one has at most the probability W / (L · A), there are N / W
such windows among N images, and expectations add up whatever depends on what: among N images at most N / A false alarms
are expected, and the probability of any is at most N / A. This holds at every time, however often one looks, for images
that are drawn independently from what calib was drawn from. Frames of a camera that follow each other are not: give
``every``.
"""

from __future__ import annotations

import math
import numbers
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from reprlib import repr as short
from typing import Any

import numpy as np

from .errors import BundleError
from .policy import Row

NEAR = 1e-5  # of the range of thresholds: one that is nearer to another might be decided by rounding
FEWEST = 20  # calib images


@dataclass(frozen=True)
class DriftOptions:
    """How changes are looked for.

    Args:
        images_per_false_alarm: among so many images at most one false alarm is expected.
        windows: numbers of images that are compared with calib, each a multiple of the one before: short windows find
            large changes soon, and long ones small changes.
        least_change: a smaller change of a share, as a fraction of all images, is not told.
        every: only each so many-th image is looked at, so that the frames of one scene count once.

    Raises:
        BundleError: a figure is out of its range.
    """

    images_per_false_alarm: float = 1_000_000
    windows: tuple[int, ...] = (256, 1024, 4096, 16384)
    least_change: float = 0.05
    every: int = 1

    def __post_init__(self) -> None:
        for name in ("images_per_false_alarm", "least_change", "every"):
            if not isinstance(getattr(self, name), numbers.Real):
                raise BundleError(f"{name} must be a number, got {short(getattr(self, name))}.")
        if not self.images_per_false_alarm >= 1 or math.isinf(self.images_per_false_alarm):
            raise BundleError(f"images_per_false_alarm must be at least 1, got {self.images_per_false_alarm:g}.")
        if not 0 <= self.least_change < 1:
            raise BundleError(f"least_change must be at least 0 and below 1, got {self.least_change:g}.")
        if not _whole(self.every):
            raise BundleError(f"every must be a whole number of at least 1, got {self.every}.")
        listed = isinstance(self.windows, tuple | list) and len(self.windows) > 0
        if not listed or not all(map(_whole, self.windows)) or any(b % a or b == a for a, b in pairwise(self.windows)):
            raise BundleError(
                f"windows must be whole numbers, each a multiple of the one before, got {short(self.windows)}."
            )


def _whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= 1


@dataclass(frozen=True)
class Change:
    """What changed.

    Args:
        since: when the first image of the window that shows it came, in seconds since the epoch.
        until: when its last image came.
        images: number of images in the window.
        little_share: fraction of them that stayed little.
        expected_share: what the calib images lead to expect, at the thresholds that were in force.
        tau: the threshold of the table with the least p-value.
        at_least: fraction of the images whose score is at least ``tau``.
        calib_at_least: the same on calib.
        images_per_false_alarm: see ``DriftOptions``.
    """

    since: float
    until: float
    images: int
    little_share: float
    expected_share: float
    tau: float
    at_least: float
    calib_at_least: float
    images_per_false_alarm: float

    @property
    def sentence(self) -> str:
        """What changed, by how much, and since when."""
        way = "lower" if self.at_least < self.calib_at_least else "higher"
        return (
            f"The images have changed since {datetime.fromtimestamp(self.since):%Y-%m-%d %H:%M:%S}: of {self.images:,} "
            f"images {self.little_share:.1%} stayed little, where calib leads to expect {self.expected_share:.1%}; "
            f"scores are {way}: {self.at_least:.1%} are at least {self.tau:.3g}, on calib {self.calib_at_least:.1%} "
            f"(at most one false alarm is expected in {self.images_per_false_alarm:,.0f} images)."
        )


class _Window:
    """Counts of the images since it was last emptied, by how many thresholds they reach."""

    def __init__(self, length: int, bins: int) -> None:
        self.length = length
        self.reached = np.zeros(bins, np.int64)
        self.empty()

    def empty(self) -> None:
        self.reached[:] = 0
        self.count = self.little = 0
        self.expected = self.since = 0.0

    def take(self, other: _Window) -> None:
        """Add what another window has counted."""
        self.since = self.since if self.count else other.since
        self.reached += other.reached
        self.count += other.count
        self.little += other.little
        self.expected += other.expected


class DriftWatch:
    """Compares a stream of scores with calib; see this module for the test and what it promises.

    Args:
        table: of the policy.
        images: number of calib images that the table was counted on.
        chosen: the policy's threshold, which was chosen on these images.
        options: how changes are looked for.
        on_change: is told the change when it is found, once.
        clock: seconds since the epoch.

    Raises:
        BundleError: the policy does not say enough of calib.
    """

    def __init__(
        self,
        table: Sequence[Row],
        images: int,
        chosen: float,
        options: DriftOptions | None = None,
        on_change: Callable[[Change], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        rows = _fixed(table, chosen)
        if images < FEWEST or not rows:
            raise BundleError(
                f"changes cannot be told from a policy of {images} calib images and {len(rows)} thresholds: at least "
                f"{FEWEST} images and one threshold are needed; export it again with more."
            )
        self.options = options or DriftOptions()
        self.change: Change | None = None
        self._images, self._on_change, self._clock = images, on_change, clock
        self._taus = [row.tau for row in rows]  # ascending
        self._calib = np.array([round(row.little_share * images) for row in rows], np.int64)
        self._table = [(row.tau, row.little_share) for row in reversed(table)]
        self._windows = [_Window(length, len(rows) + 1) for length in self.options.windows]
        self._expected = (math.nan, 0.0)  # tau, and its share on calib
        self._skipped = 0

    def __repr__(self) -> str:
        return f"DriftWatch({self.sentence or 'no change'})"

    @property
    def sentence(self) -> str:
        """What changed, by how much, and since when; empty as long as nothing was found."""
        return self.change.sentence if self.change else ""

    def reset(self) -> None:
        """Forget the change and the images that were counted, and begin anew."""
        self.change, self._skipped = None, 0
        for window in self._windows:
            window.empty()

    def add(self, scores: np.ndarray, tau: float) -> Change | None:
        """Count the scores (N,) of images, in their order, that were routed by ``tau``.

        Returns:
            The change, if these images are the first to show one. After that nothing is tested until ``reset``.
        """
        if self.change:
            return None
        if self.options.every > 1:
            scores, self._skipped = self._thinned(scores)
        window = self._windows[0]
        while len(scores):
            room = window.length - window.count
            self._count(window, scores[:room], tau)
            scores = scores[room:]
            if window.count == window.length and self._full():
                return self.change
        return None

    def _thinned(self, scores: np.ndarray) -> tuple[np.ndarray, int]:
        """Each ``every``-th of all images, and how many came since the last of them."""
        every = self.options.every
        first = -self._skipped % every
        return scores[first::every], (self._skipped + len(scores)) % every

    def _count(self, window: _Window, scores: np.ndarray, tau: float) -> None:
        if not window.count:
            window.since = self._clock()
        if len(scores) == 1:  # without numpy, since it stands beside networks that take 50 us
            score = float(scores[0])
            window.reached[bisect_right(self._taus, score) if score == score else 0] += 1
            window.little += score >= tau
        else:
            reached = np.searchsorted(self._taus, np.where(np.isnan(scores), -np.inf, scores), "right")
            window.reached += np.bincount(reached, minlength=len(window.reached))
            window.little += int((scores >= tau).sum())
        window.count += len(scores)
        window.expected += len(scores) * self._share(tau)

    def _share(self, tau: float) -> float:
        """Fraction of the calib images that stay little at a threshold; between two rows that of the upper one."""
        if self._expected[0] != tau:
            place = min(bisect_left(self._table, (tau, -1.0)), len(self._table) - 1)
            self._expected = (tau, self._table[place][1])
        return self._expected[1]

    def _full(self) -> bool:
        """Test the windows that are full, hand each on to the next longer one, and say whether there is a change."""
        for place, window in enumerate(self._windows):
            if window.count < window.length:
                return False
            if self._test(window):
                return True
            if place + 1 < len(self._windows):
                self._windows[place + 1].take(window)
            window.empty()
        return False

    def _test(self, window: _Window) -> bool:
        reached = window.count - np.cumsum(window.reached)[:-1]  # how many reach each threshold
        found, known = reached / window.count, self._calib / self._images
        allowed = window.length / (len(self._windows) * self.options.images_per_false_alarm)
        allowed /= len(self._taus)
        large = (np.abs(found - known) >= self.options.least_change) & (found != known)
        likely = 2 * np.exp(_log_chance(reached, window.count, self._calib, self._images))  # no tail is less
        places = np.flatnonzero(large & (likely <= allowed))
        tails = [two_sided(int(reached[i]), window.count, int(self._calib[i]), self._images) for i in places]
        if not tails or min(tails) > allowed:
            return False
        least = places[int(np.argmin(tails))]
        self.change = Change(
            window.since, self._clock(), window.count, window.little / window.count, window.expected / window.count,
            self._taus[least], float(found[least]), float(known[least]), self.options.images_per_false_alarm,
        )  # fmt: skip
        if self._on_change:
            self._on_change(self.change)
        return True


def _fixed(table: Sequence[Row], chosen: float) -> list[Row]:
    """The finite thresholds, ascending, that were fixed on other images and are apart by more than rounding."""
    rows = [row for row in reversed(table) if math.isfinite(row.tau) and row.tau != chosen]
    if len(rows) < 2:
        return rows
    apart = np.diff([row.tau for row in rows]) > NEAR * (rows[-1].tau - rows[0].tau)
    return [row for row, below, above in zip(rows, [True, *apart], [*apart, True], strict=True) if below and above]


def two_sided(found: int, of: int, known: int, images: int) -> float:
    """Two-sided p-value of Fisher's exact test, twice the smaller tail.

    Args:
        found: images of the window that reach a threshold.
        of: images of the window.
        known: calib images that reach it.
        images: calib images.
    """
    every, total = found + known, of + images
    if found * total > of * every:  # more than expected: the upper tail
        ends = np.arange(found, min(of, every) + 1)
    else:
        ends = np.arange(max(0, every - images), found + 1)
    return min(1.0, 2 * float(np.exp(_log_chance(ends, of, every - ends, images)).sum()))


def _log_chance(found: np.ndarray, of: int, known: np.ndarray, images: int) -> np.ndarray:
    """Logarithm (N,) of the chance that of all that reach a threshold so many are in the window; see ``two_sided``."""
    table = _factorials(1 << (of + images).bit_length())
    inside = table[of] - table[found] - table[of - found]
    outside = table[images] - table[known] - table[images - known]
    every = found + known
    logs: np.ndarray = inside + outside - (table[of + images] - table[every] - table[of + images - every])
    return logs


@lru_cache(maxsize=4)
def _factorials(most: int) -> np.ndarray:
    """Logarithms (most + 1,) of the factorials from 0 on."""
    return np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, most + 1)))))
