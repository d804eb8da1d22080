"""What a network of N exits reaches on the test images: anytime, and within budgets (Huang et al. 2018, section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from duonas.exits.answers import Exits
from duonas.exits.thresholds import RATIOS, geometric, swept

BUDGETS = 20  # evenly spaced mean costs between the first exit's and the last one's


@dataclass(frozen=True)
class Point:
    """Thresholds, and what they give on the test images and on those that they were chosen on.

    Args:
        thresholds: (N - 1,) least confidence of all exits but the last.
        chosen_accuracy: on the images that the thresholds were chosen on, in [0, 1].
        chosen_macs: mean multiply-accumulates of these images.
        accuracy: on the test images.
        macs: mean multiply-accumulates of the test images.
        shares: (N,) of the test images that leave at each exit.
    """

    thresholds: tuple[float, ...]
    chosen_accuracy: float
    chosen_macs: float
    accuracy: float
    macs: float
    shares: tuple[float, ...]

    def mean_ms(self, exit_ms: Sequence[float]) -> float:
        """Return the mean time of a test image, by those (N,) of an image that leaves at each exit."""
        return float(np.dot(self.shares, exit_ms))

    def to_json(self) -> dict[str, Any]:
        """The point as it is in ``baselines.json``."""
        return asdict(self)


@dataclass(frozen=True)
class ExitCurve:
    """The accuracy of a network of N exits against its mean cost, on the test images.

    Args:
        anytime: accuracy (N,) of each exit, where all images leave there.
        budgeted: points at the thresholds of the sweep, one for each budget.
        geometric: points at the thresholds of geometric shares.
    """

    anytime: tuple[float, ...]
    budgeted: tuple[Point, ...]
    geometric: tuple[Point, ...]


def measure_curve(choosing: Exits, test: Exits) -> ExitCurve:
    """Choose thresholds on some images for a set of mean costs, and measure them on the test images.

    Args:
        choosing: the answers to the images that thresholds are chosen on.
        test: the answers to the test images, which change no threshold.
    """
    macs = choosing.macs.astype(np.float64)
    budgets = np.unique(np.append(np.linspace(macs[0], macs[-1], BUDGETS), macs))
    return ExitCurve(
        anytime=tuple(map(float, test.right.mean(0))),
        budgeted=tuple(point_at(each, choosing, test) for each in swept(choosing, budgets)),
        geometric=tuple(point_at(geometric(choosing, ratio), choosing, test) for ratio in RATIOS),
    )


def at_budget(budget: float, choosing: Exits, test: Exits) -> Point | None:
    """Measure the thresholds for one mean cost; ``None`` where the first exit alone costs more."""
    if budget < choosing.macs[0]:
        return None
    return point_at(swept(choosing, np.array([budget]))[0], choosing, test)


def point_at(thresholds: np.ndarray, choosing: Exits, test: Exits) -> Point:
    """Return what thresholds (N - 1,) give."""
    there, here = choosing.leave_at(thresholds), test.leave_at(thresholds)
    return Point(
        tuple(map(float, thresholds)),
        choosing.accuracy(there),
        choosing.mean_macs(there),
        test.accuracy(here),
        test.mean_macs(here),
        tuple(map(float, test.shares(here))),
    )
