"""The size and memory of a pair."""

from __future__ import annotations

from typing import Any

from duonas.core.cost import STORED
from duonas.search.metric import PairMetric, PairPrice


class Stored(PairMetric):
    """The parameters and weight bytes of both networks together, and the peak activation memory.

    ``params`` counts shared blocks once and a nested little not at all. ``weight_bytes`` (see ``Cost``) counts only the
    shared blocks once: the saved pair has the weights of a nested little too, since its norms differ from big's.
    """

    routed = False
    family = (*STORED, "peak_memory_bytes")

    def value(self, pair: PairPrice, little_share: Any = 1.0) -> Any:
        """The figure, equal at every threshold."""
        return pair.stored[self.called] if self.called in STORED else pair.peak_memory_bytes
