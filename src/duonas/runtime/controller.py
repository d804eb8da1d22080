"""Keep a mean time, energy or little share by moving the threshold within the policy's table.

**The rule** is integral control. ``wanted`` is a little share in [0, 1], and the threshold is always the one of the
allowed rows of the table whose little share on calib is nearest to it. After each image ``wanted`` moves by
``error / images``: up where the image took more than its target, or where too few stay little, and down otherwise;
the error of a time or an energy is a fraction of the target. At the ends of the allowed rows ``wanted`` stops, so that
what cannot be kept is not saved up for later.

As long as no end is reached, the mean over T images differs from the target by at most ``images / T``, in share or as a
fraction of the target, whatever the images are like: the errors add up to ``images`` times the way that ``wanted`` has
gone, which is 1 at most. For a little share this is the rule of adaptive conformal inference (Gibbs and Candès 2021,
proposition 4.1). It does not swing up as long as big takes less than ``images`` times the target more than little.

**What it costs.** A floor is promised for one threshold that was chosen in advance. A threshold that follows the images
has no such promise: ``least_accuracy`` leaves only the rows of the table that were so accurate on calib, which is an
estimate and no guarantee, and where images become harder than calib's, accuracy falls with them.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .errors import BundleError, TargetError
from .policy import Row
from .units import percentage

Kind = Literal["share", "latency", "energy"]
UNITS = {"latency": "ms", "energy": "mJ"}
FEWEST, MOST_STEP = 10, 0.5


@dataclass(frozen=True)
class Aim:
    """What is kept.

    Args:
        kind: ``"share"``: the fraction of images that stay little; ``"latency"`` or ``"energy"`` of an image, ms or mJ.
        target: its mean.
        images: over about so many images it is evened out; more are steadier, fewer faster.
        least_accuracy: only thresholds are used that had at least this accuracy on calib.

    Raises:
        BundleError: a figure is out of its range.
    """

    kind: Kind
    target: float
    images: int = 200
    least_accuracy: float = 0.0

    def __post_init__(self) -> None:
        if self.kind == "share" and not 0 <= self.target <= 1:
            raise BundleError(f"a little share must be between 0 and 1, got {self.target:g}.")
        if self.kind != "share" and not 0 < self.target < math.inf:
            raise BundleError(f"the {self.kind} to keep must be above 0 {UNITS[self.kind]}, got {self.target:g}.")
        if self.images < FEWEST:
            raise BundleError(f"images must be at least {FEWEST}, got {self.images}.")
        if not 0 <= self.least_accuracy <= 1:
            raise BundleError(f"least_accuracy must be between 0 and 1, got {self.least_accuracy:g}.")

    def written(self, value: float) -> str:
        """A value of what is kept, with its unit."""
        return f"{value:.1%} little" if self.kind == "share" else f"{value:.4g} {UNITS[self.kind]} an image"


class Controller:
    """Moves the threshold; see this module for the rule. It needs no clock: what was observed is given to ``add``.

    Args:
        table: of the policy.
        aim: what is kept.
        tau: the threshold to begin at.

    Raises:
        TargetError: no row of the table is as accurate as it must be.
    """

    def __init__(self, table: Sequence[Row], aim: Aim, tau: float) -> None:
        allowed = [row for row in table if row.accuracy >= aim.least_accuracy]
        if not allowed:
            best = f"{math.floor(max(row.accuracy for row in table) * 1e4) / 1e4:.4f}"
            raise TargetError(
                f"no threshold of the table has an accuracy of {percentage(aim.least_accuracy)} on calib: the highest "
                f"possible is {percentage(float(best))}.",
                best,
            )
        self.aim = aim
        self._rows = allowed
        self._shares = [row.little_share for row in allowed]
        self._wanted = next((row.little_share for row in allowed if row.tau <= tau), self._shares[-1])
        self._mean: float | None = None
        self.row = self._nearest()

    @property
    def wanted(self) -> float:
        """The little share, by calib, that is asked for now."""
        return self._wanted

    @property
    def mean(self) -> float | None:
        """Mean of what is kept over about the last ``images`` images; ``None`` before the first."""
        return self._mean

    @property
    def at_end(self) -> Literal["big", "little"] | None:
        """The end of the allowed rows at which the threshold stands, beyond which it cannot go."""
        if self._wanted <= self._shares[0]:
            return "big"
        return "little" if self._wanted >= self._shares[-1] else None

    def __repr__(self) -> str:
        kept = "nothing yet" if self._mean is None else self.aim.written(self._mean)
        end = f", at the end: no more of the images can go to {self.at_end}" if self.at_end else ""
        return f"Controller(target {self.aim.written(self.aim.target)}, now {kept}, tau {self.row.tau:.4g}{end})"

    def add(self, observed: float, images: int = 1) -> Row:
        """Take in what images took, and return the threshold for the next ones.

        Args:
            observed: mean over these images: the fraction that stayed little, ms, or mJ.
            images: how many they were; 0 changes nothing. A large batch moves ``wanted`` by half of its error at most.

        Raises:
            BundleError: ``observed`` is not finite.
        """
        if not images:
            return self.row
        if not math.isfinite(observed):
            raise BundleError(f"what a controller observes must be a finite number, got {observed}.")
        error = self.aim.target - observed if self.aim.kind == "share" else observed / self.aim.target - 1
        moved = self._wanted + min(images / self.aim.images, MOST_STEP) * error
        self._wanted = min(max(moved, self._shares[0]), self._shares[-1])
        part = min(images / self.aim.images, 1.0)
        self._mean = observed if self._mean is None else self._mean + part * (observed - self._mean)
        self.row = self._nearest()
        return self.row

    def _nearest(self) -> Row:
        """The allowed row whose share on calib is nearest to the wanted one; at an end that end, which is exact."""
        if self._wanted >= self._shares[-1]:
            return self._rows[-1]
        place = bisect_left(self._shares, self._wanted)
        if place == 0:
            return self._rows[0]
        nearer_below = self._wanted - self._shares[place - 1] <= self._shares[place] - self._wanted
        return self._rows[place - 1 if nearer_below else place]
