"""Zero-cost metrics: figures of an untrained network, each in its own file (``duonas list proxy``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from duonas.core.registry import find, names
from duonas.search.proxy import Proxy

if TYPE_CHECKING:
    from torch import Tensor, nn


class ZeroCost(Proxy):
    """A proxy by its name, whose file is imported when the first network is judged, since it needs torch."""

    family = tuple(names("proxy"))
    listed = False

    def of(self, network: nn.Sequential, images: Tensor, labels: Tensor) -> float:
        """The figure of a network."""
        proxy: Proxy = find("proxy", self.called)(self.called)
        return proxy.of(network, images, labels)
