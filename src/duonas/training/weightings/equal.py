"""Every image counts alike for both networks, but for the weight of its class."""

from __future__ import annotations

from duonas.training.term import PairBatch
from duonas.training.weighting import Backward, ImageWeights, Weighting


class Equal(Weighting):
    """The weights of ``[train] class_weights``, for both networks."""

    def __call__(self, batch: PairBatch, step: int, backward: Backward) -> ImageWeights:
        """Return the weights of a batch's images."""
        return ImageWeights(batch.weights, batch.weights)
