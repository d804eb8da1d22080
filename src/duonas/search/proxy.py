"""The interface of proxies: zero-cost metrics, figures of an untrained network."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

from duonas.search.metric import ArchFacts, ArchMetric

if TYPE_CHECKING:
    from torch import Tensor, nn


class Proxy(ArchMetric):
    """A figure of an untrained network on one batch of images, the higher the better (Abdelfattah et al. 2021).

    The network is built from the arch's blocks with weights that the recipe's seed draws, and the batch is the same for
    all archs.
    """

    direction: ClassVar[Literal["min", "max"]] = "max"
    untrained = True

    @abstractmethod
    def of(self, network: nn.Sequential, images: Tensor, labels: Tensor) -> float:
        """The figure of a network.

        Args:
            network: plain, with a child for each block, in training mode; it may be changed.
            images: (B, 3, H, W) float32 in [0, 1], no two of them equal.
            labels: (B,) int64 class numbers.
        """

    def value(self, arch: ArchFacts) -> float:
        """The figure of an arch."""
        assert arch.untrained is not None
        return self.of(arch.untrained.network, arch.untrained.images, arch.untrained.labels)
