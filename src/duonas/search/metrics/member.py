"""The cost of one network of a pair."""

from __future__ import annotations

from typing import Any

from duonas.core.cost import QUANTITIES, STORED
from duonas.search.metric import PairMetric, PairPrice

_FIGURES = (*QUANTITIES, *STORED, "peak_memory_bytes")


class Member(PairMetric):
    """The MACs, latency, energy, parameters, weight bytes or memory of the whole little or big network."""

    routed = listed = False
    family = tuple(f"{role}_{figure}" for figure in _FIGURES for role in ("little", "big"))

    @property
    def quantity(self) -> str | None:
        """The quantity that the cost model must have."""
        figure = self.called.partition("_")[2]
        return figure if figure in QUANTITIES else None

    def value(self, pair: PairPrice, little_share: Any = 1.0) -> Any:
        """The figure, equal at every threshold."""
        role, _, figure = self.called.partition("_")
        return (pair.little if role == "little" else pair.big)[figure]
