"""The usual loss of distillation by its definition (Hinton et al. 2015, section 2)."""

from __future__ import annotations

from torch import Tensor


def distillation_loss(student: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """The mean cross-entropy of logits (B, K) with the teacher's, both softened, times the squared temperature."""
    soft, answers = (teacher / temperature).softmax(1), (student / temperature).log_softmax(1)
    return -(soft * answers).sum(1).mean() * temperature**2
