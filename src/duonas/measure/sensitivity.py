"""Sensitivity of accuracy and cost to the threshold (paper D, figure 5)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from duonas.core.cost import PairCost
from duonas.measure.accuracy import Outputs

NUDGE = 0.05  # change of tau, as a fraction of the range of the scores
ROBUST, FRAGILE = 0.005, 0.02  # bounds on the change in accuracy


@dataclass(frozen=True)
class Slope:
    """The trade-off curve around tau.

    Args:
        nudge: change of tau in both directions, in units of the score.
        accuracy: largest change of the accuracy, in [0, 1].
        macs: largest change of the expected MACs, relative to big's.
        accuracy_slope: slope of the accuracy per unit of the score.
        share_slope: slope of the little share per unit of the score.
    """

    nudge: float
    accuracy: float
    macs: float
    accuracy_slope: float
    share_slope: float

    @property
    def verdict(self) -> str:
        """The sensitivity in words: robust, moderately sensitive or fragile."""
        worst = max(self.accuracy, self.macs / 10)  # ten points of cost weigh as much as one point of accuracy
        return "robust" if worst <= ROBUST else "fragile" if worst > FRAGILE else "moderately sensitive"

    def to_json(self) -> dict[str, Any]:
        """Return all figures and the verdict."""
        return asdict(self) | {"verdict": self.verdict}


def slope(outputs: Outputs, tau: float, cost: PairCost) -> Slope | None:
    """Return the slope at ``tau``; ``None`` if tau is infinite or no score is finite."""
    finite = outputs.score[np.isfinite(outputs.score)]
    if not np.isfinite(tau) or not finite.size:
        return None
    nudge = NUDGE * float(np.subtract(*np.quantile(finite, (0.95, 0.05))))
    below, here, above = (_at(outputs, tau + shift) for shift in (-nudge, 0.0, nudge))
    share, accuracy = (max(abs(below[i] - here[i]), abs(above[i] - here[i])) for i in (0, 1))
    share_slope, accuracy_slope = ((above[i] - below[i]) / (2 * nudge) if nudge else 0.0 for i in (0, 1))
    return Slope(nudge, accuracy, share * abs(cost.extra) / (cost.stem + cost.big), accuracy_slope, share_slope)


def _at(outputs: Outputs, tau: float) -> tuple[float, float]:
    kept = outputs.score >= tau
    return float(kept.mean()), float(np.where(kept, outputs.little_right, outputs.big_right).mean())
