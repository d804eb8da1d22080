"""The cost of the most expensive image."""

from __future__ import annotations

from typing import Any

from duonas.core.cost import QUANTITIES
from duonas.search.metric import PairMetric, PairPrice


class Peak(PairMetric):
    """The MACs, latency or energy of the most expensive path through a pair."""

    family = tuple(f"peak_{quantity}" for quantity in QUANTITIES)

    @property
    def quantity(self) -> str:
        """The quantity of the path."""
        return self.called.removeprefix("peak_")

    def value(self, pair: PairPrice, little_share: Any = 1.0) -> Any:
        """The cost of the path through both networks, or through the more expensive one if the router decides first."""
        return pair.parts[self.quantity].peak
