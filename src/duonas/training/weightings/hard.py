"""Big is trained more on the images that little does not keep, so that both are trained for what they will answer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from duonas.core.fields import NotNegative
from duonas.routing.score import margin
from duonas.training.term import PairBatch
from duonas.training.weighting import Backward, ImageWeights, PairInTraining, Weighting, times

LATEST = 0.02  # share of the latest batch in the running threshold, once there were enough batches


class Hard(Weighting):
    """Images whose margin is below the threshold of the wanted little share count more for big.

    The weight of an image is ``1 + hard_weight`` where little would hand it on and 1 elsewhere, divided by the mean of
    that at the wanted share. Little's margin is its highest probability minus the second; the threshold is a running
    mean of its quantile over batches.
    """

    @dataclass(frozen=True)
    class Options:
        """Keys of ``[finetune.loss]``."""

        hard_weight: NotNegative = 1.0
        """How much more images that little hands on count for big: 1 is twice as much as those that it keeps."""

    def __init__(self, options: Options, trained: PairInTraining) -> None:
        super().__init__(options, trained)
        self._running = _RunningThreshold()
        self.weights = self._running

    def __call__(self, batch: PairBatch, step: int, backward: Backward) -> ImageWeights:
        """Return the weights of a batch's images."""
        share, extra = self.trained.little_share, self.options.hard_weight
        scores = margin(batch.little.detach().float().softmax(1))
        handed_on = scores < self._running.moved(torch.quantile(scores, 1 - share))
        weights = (1 + extra * handed_on.float()) / (1 + extra * (1 - share))
        return ImageWeights(batch.weights, times(weights, batch.weights))


class _RunningThreshold(nn.Module):
    """A running mean of the thresholds of batches, whose beginning counts no more than the rest."""

    tau: Tensor
    batches: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("tau", torch.zeros(()))
        self.register_buffer("batches", torch.zeros(()))

    @torch.no_grad()
    def moved(self, latest: Tensor) -> Tensor:
        """Return the mean after one more batch."""
        self.batches += 1
        self.tau.lerp_(latest, (1 / self.batches).clamp(min=LATEST))
        return self.tau
