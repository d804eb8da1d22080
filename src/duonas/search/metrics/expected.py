"""The mean cost of an image."""

from __future__ import annotations

from typing import Any

from duonas.core.cost import QUANTITIES
from duonas.search.metric import PairMetric, PairPrice


class Expected(PairMetric):
    """The mean MACs, latency or energy of an image at a threshold (paper D, section 3.4)."""

    family = tuple(f"expected_{quantity}" for quantity in QUANTITIES)
    varies = True

    @property
    def quantity(self) -> str:
        """The quantity that is averaged."""
        return self.called.removeprefix("expected_")

    def value(self, pair: PairPrice, little_share: Any = 1.0) -> Any:
        """The mean cost at a little share; it falls as the share rises."""
        return pair.parts[self.quantity].expected(little_share)
