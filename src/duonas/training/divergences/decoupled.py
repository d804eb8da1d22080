"""Decoupled distillation: the target class and the others apart (Zhao et al. 2022, section 3; used by RAM-NAS)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from duonas.core.fields import NotNegative
from duonas.training.divergence import Divergence
from duonas.training.losses import classes_of
from duonas.training.options import DivergenceOptions

NONE = -1e4  # a logit that gives a probability of 0, and whose product with it is 0 too


class Decoupled(Divergence):
    """``a KL`` of "the target class or not" plus ``b KL`` of the other classes among themselves.

    In the plain Kullback-Leibler divergence the second part counts by ``1 - p(target)``, and so hardly at all where the
    teacher is sure. The paper has a = 1 with b = 8 at a temperature of 4 on CIFAR-100, and b = 0.5 at 1 on ImageNet.

    Zhao et al., "Decoupled Knowledge Distillation", CVPR 2022, equation 7.
    """

    @dataclass(frozen=True)
    class Options(DivergenceOptions):
        """Keys of ``[train.divergence]``."""

        name: str = "decoupled"
        target_weight: NotNegative = 1.0
        """Weight of the part on the target class."""
        other_weight: NotNegative = 1.0
        """Weight of the part on the other classes."""

    def losses(self, student: Tensor, teacher: Tensor, targets: Tensor) -> Tensor:
        """The weighted sum of both parts of each image (B,)."""
        target = F.one_hot(classes_of(targets), student.shape[1]).bool()
        whether = _kl(_whether(teacher, target), _whether(student, target))
        which = _kl(*(each.masked_fill(target, NONE).log_softmax(1) for each in (teacher, student)))
        return self.options.target_weight * whether + self.options.other_weight * which


def _whether(logits: Tensor, target: Tensor) -> Tensor:
    """The log-probabilities (B, 2) of the target class and of all others together."""
    logs = logits.log_softmax(1)
    others = logs.masked_fill(target, NONE).logsumexp(1)
    return torch.stack([logs.masked_fill(~target, 0.0).sum(1), others], 1)


def _kl(teacher: Tensor, student: Tensor) -> Tensor:
    """The Kullback-Leibler divergence (B,) of log-probabilities (B, C)."""
    return (teacher.exp() * (teacher - student)).sum(1)
