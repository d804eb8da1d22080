"""Figures of subnets by metrics that need no accuracies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from duonas.core.errors import DuonasError
from duonas.core.pair import Subnet
from duonas.search.metric import ArchFacts, ArchMetric
from duonas.search.prices import Prices

if TYPE_CHECKING:
    from duonas.search.untrained import UntrainedNetworks


class Judge:
    """Judges subnets before their evaluation, and remembers what it found.

    Args:
        prices: of subnets.
        untrained: untrained networks, for metrics of these.

    ``values`` has the figures by metric and subnet.
    """

    def __init__(self, prices: Prices, untrained: UntrainedNetworks | None = None) -> None:
        self._prices, self._untrained = prices, untrained
        self.values: dict[str, dict[Subnet, float]] = {}

    @property
    def computed(self) -> int:
        """The number of figures of untrained networks that were computed anew."""
        return 0 if self._untrained is None else self._untrained.new

    def value(self, metric: ArchMetric, subnet: Subnet) -> float:
        """The figure of a subnet by a metric that is not ``dear``.

        Raises:
            DuonasError: the metric is one of untrained networks, and there are none, or it is not a finite number.
        """
        known = self.values.setdefault(metric.called, {})
        if subnet not in known:
            known[subnet] = self._value(metric, subnet)
        return known[subnet]

    def _value(self, metric: ArchMetric, subnet: Subnet) -> float:
        if not metric.untrained:
            return self._prices.arch_value(metric, subnet)
        if self._untrained is None:
            raise DuonasError(f"[search] metric {metric.called} needs the images of the train split.")
        price = self._prices.of(subnet)
        return self._untrained.value(metric, ArchFacts(subnet, price.blocks, price.cost))
