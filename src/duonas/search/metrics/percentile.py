"""The cost that most images keep to."""

from __future__ import annotations

from typing import Any

import numpy as np

from duonas.core.cost import QUANTITIES
from duonas.search.metric import PairMetric, PairPrice

RANKS = (50, 90, 95, 99)


class Percentile(PairMetric):
    """A percentile of the MACs, latency or energy of single images, such as ``p95_latency_ms``, for constraints.

    An image takes little's path or the full one. With a little share of at least 95 % the 95th percentile is the cost
    of little's path, else that of the full one. The noise of a measurement is not in it.
    """

    family = tuple(f"p{rank}_{quantity}" for quantity in QUANTITIES for rank in RANKS)
    varies = True
    aim = listed = False

    @property
    def quantity(self) -> str:
        """The quantity of an image."""
        return self.called.partition("_")[2]

    @property
    def rank(self) -> float:
        """The fraction of the images that keep to the figure."""
        return int(self.called.partition("_")[0][1:]) / 100

    def value(self, pair: PairPrice, little_share: Any = 1.0) -> Any:
        """The percentile at a little share; it falls as the share rises."""
        return pair.parts[self.quantity].percentile(self.rank, little_share)

    def least_share(self, pair: PairPrice, limit: float) -> Any:
        """Zero if the dearest path is within the limit, else the rank if the cheapest one is."""
        cost = pair.parts[self.quantity]
        most = np.where(np.asarray(cost.least) <= limit, self.rank, np.inf)
        return np.where(np.asarray(cost.peak) <= limit, 0.0, most)
