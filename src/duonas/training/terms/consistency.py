"""Mutual consistency of little and big: the symmetric KL divergence of their predictions (paper D, Table 6)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from duonas.core.fields import NotNegative
from duonas.training.term import PairBatch, Term


class Consistency(Term):
    """``(KL(little, big) + KL(big, little)) / 2`` of the softened predictions, with gradients to both networks.

    Paper D names ``L_consistency`` without a formula, and calls it a mutual regulariser: so both networks learn from
    each other (deep mutual learning, Zhang et al. 2018, section 2). It is scaled by the squared temperature, as
    distillation is.
    """

    @dataclass(frozen=True)
    class Options:
        """Keys of ``[finetune.loss]``."""

        consistency: NotNegative = 0.0
        """Weight of the symmetric KL divergence between the predictions of little and big."""

    @property
    def weight(self) -> float:
        """``consistency``."""
        return float(self.options.consistency)

    def __call__(self, batch: PairBatch) -> Tensor:
        """Return the mean loss of a batch."""
        softness = batch.divergence.temperature
        little, big = ((logits.float() / softness).log_softmax(1) for logits in (batch.little, batch.big))
        symmetric = ((little.exp() - big.exp()) * (little - big)).sum(1) / 2
        return batch.mean(symmetric) * softness**2
