"""A weighting of your own: images that both networks get wrong count less, since they may have a wrong label.

duonas run digits --set finetune.mode=joint --set finetune.loss.weighting=examples/own_weighting.py:Doubtful
"""

from dataclasses import dataclass

import torch

from duonas.core.fields import BelowOne
from duonas.training.weighting import ImageWeights, Weighting, times


class Doubtful(Weighting):
    """Images that both networks get wrong weigh 1 - doubt times as much as the others."""

    @dataclass(frozen=True)
    class Options:
        """Keys of ``[finetune.loss]``: each is followed by its help."""

        doubt: BelowOne = 0.5
        """How much less an image counts that both networks get wrong."""

    def __call__(self, batch, step, backward):
        """The weights (B,) of a batch's images for little and for big, which include those of their classes."""
        wrong = torch.stack([each.argmax(1) != batch.classes for each in (batch.little, batch.big)]).all(0)
        others = torch.ones(len(wrong), device=wrong.device) if batch.weights is None else batch.weights
        weights = times(1 - self.options.doubt * wrong.float(), others)
        weights = weights * others.sum() / weights.sum().clamp(min=1e-12)
        return ImageWeights(weights, weights)
