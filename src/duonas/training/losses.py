"""The losses of supernet training."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def label_loss(logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy of logits (B, K) with classes (B,) or class probabilities (B, K)."""
    return F.cross_entropy(logits.float(), targets, label_smoothing=smoothing)


def distillation_loss(student: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """Mean cross-entropy of the student (B, K) with the teacher's softened prediction (Hinton et al., section 2).

    Scaled by the squared temperature so that its gradients keep their size. The teacher gets no gradient.
    """
    soft = F.softmax(teacher.detach().float() / temperature, dim=1)
    return F.cross_entropy(student.float() / temperature, soft) * temperature**2
