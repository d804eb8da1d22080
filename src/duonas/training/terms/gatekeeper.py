"""Makes little sure where it is right and unsure where it is wrong (Gatekeeper, Rabanser et al. 2025, section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

from duonas.core.fields import Fraction, NotNegative
from duonas.training.losses import label_losses
from duonas.training.term import PairBatch, Term


class Gatekeeper(Term):
    """``a CE(little)`` of the images that little answers rightly, ``(1 - a) KL(little, uniform)`` of the others.

    So what little gets wrong has a low confidence, and goes to big. The paper tunes a trained little on this alone;
    here it is added to the other losses, and alone with ``alpha = 0`` and ``beta = 0``.
    """

    @dataclass(frozen=True)
    class Options:
        """Keys of ``[finetune.loss]``."""

        gatekeeper: NotNegative = 0.0
        """Weight of the loss by which little is sure where it is right and unsure where it is wrong."""
        gatekeeper_alpha: Fraction = 0.5
        """Part of that loss that is for little's right answers; the rest is for its wrong ones."""

    @property
    def weight(self) -> float:
        """``gatekeeper``."""
        return float(self.options.gatekeeper)

    def __call__(self, batch: PairBatch) -> Tensor:
        """Return the mean loss of a batch."""
        logs = batch.little.float().log_softmax(1)
        right, part = logs.argmax(1) == batch.classes, self.options.gatekeeper_alpha
        sure = label_losses(batch.little, batch.targets)
        unsure = (logs.exp() * logs).sum(1) + log(logs.shape[1])
        return batch.mean(torch.where(right, part * sure, (1 - part) * unsure))
