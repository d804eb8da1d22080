"""What a divergence is: how far a student's prediction is from its teacher's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor

from duonas.core.registry import Part, adapted, find
from duonas.training.options import DivergenceOptions


class Divergence(Part, ABC):
    """The loss by which a student learns from a teacher's prediction of the same images.

    Args:
        options: the ``[train.divergence]`` table, an ``Options`` of this class.
        temperature: divides the logits of both; the loss is multiplied by its square, so that gradients keep their
            size (Hinton et al. 2015, section 2).
    """

    Options = DivergenceOptions

    def __init__(self, options: Any, temperature: float = 1.0) -> None:
        self.options, self.temperature = options, temperature

    def __call__(self, student: Tensor, teacher: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """The mean loss of a batch; the teacher gets no gradient.

        Args:
            student: logits (B, K).
            teacher: logits (B, K).
            targets: classes (B,) or class probabilities (B, K).
            weights: (B,) of the images, which multiply their losses before the mean; ``None``: 1 each.
        """
        losses = self.losses(student.float() / self.temperature, teacher.detach().float() / self.temperature, targets)
        return (losses if weights is None else losses * weights).mean() * self.temperature**2

    @abstractmethod
    def losses(self, student: Tensor, teacher: Tensor, targets: Tensor) -> Tensor:
        """The loss of each image (B,), least where student and teacher predict the same.

        Args:
            student: logits (B, K), divided by the temperature.
            teacher: logits (B, K), likewise, without gradient.
            targets: classes (B,) or class probabilities (B, K).
        """


def make_divergence(options: DivergenceOptions, temperature: float = 1.0) -> Divergence:
    """The divergence that ``[train.divergence] name`` or ``[finetune.divergence] name`` names.

    Raises:
        DuonasError: no such divergence, or options that contradict each other.
    """
    found = find("divergence", options.name)
    made: Divergence = found(adapted(options, found.Options), temperature)
    return made
