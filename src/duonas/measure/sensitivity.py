"""How much hangs on the exact threshold (paper D, figure 5): robust or fragile."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from duonas.core.cost import PairCost
from duonas.measure.accuracy import Outputs

NUDGE = 0.05  # of the spread of the scores, to either side
ROBUST, FRAGILE = 0.005, 0.02  # accuracy that a nudge may cost


@dataclass(frozen=True)
class Slope:
    """The trade-off curve around tau.

    Args:
        nudge: how far tau is moved to either side, in units of the score.
        accuracy: what that changes of the accuracy at most, in [0, 1].
        macs: what that changes of the expected MACs at most, relative to big's.
        accuracy_slope: the accuracy's slope, the change between both nudges per unit of the score.
        share_slope: the little share's.
    """

    nudge: float
    accuracy: float
    macs: float
    accuracy_slope: float
    share_slope: float

    @property
    def verdict(self) -> str:
        """The slope in a word."""
        worst = max(self.accuracy, self.macs / 10)  # ten points of cost weigh like one of accuracy
        return "robust" if worst <= ROBUST else "fragile" if worst > FRAGILE else "moderately sensitive"

    def to_json(self) -> dict[str, Any]:
        """All figures and the verdict."""
        return asdict(self) | {"verdict": self.verdict}


def slope(outputs: Outputs, tau: float, cost: PairCost) -> Slope | None:
    """The slope at ``tau``; ``None`` where tau is infinite, or no score is finite, and there is nothing to move."""
    finite = outputs.score[np.isfinite(outputs.score)]
    if not np.isfinite(tau) or not finite.size:
        return None
    nudge = NUDGE * float(np.subtract(*np.quantile(finite, (0.95, 0.05))))
    below, here, above = (_at(outputs, tau + shift) for shift in (-nudge, 0.0, nudge))
    share, accuracy = (max(abs(below[i] - here[i]), abs(above[i] - here[i])) for i in (0, 1))
    share_slope, accuracy_slope = ((above[i] - below[i]) / (2 * nudge) if nudge else 0.0 for i in (0, 1))
    return Slope(nudge, accuracy, share * abs(cost.extra) / (cost.stem + cost.big), accuracy_slope, share_slope)


def _at(outputs: Outputs, tau: float) -> tuple[float, float]:
    """Little share and accuracy at any finite tau."""
    kept = outputs.score >= tau
    return float(kept.mean()), float(np.where(kept, outputs.little_right, outputs.big_right).mean())
