"""Cross-entropy with the teacher's prediction, the usual distillation (Hinton et al. 2015)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from duonas.training.divergence import Divergence


class CrossEntropy(Divergence):
    """The student's cross-entropy with the teacher's prediction: their Kullback-Leibler divergence up to a constant.

    The student is punished most for classes that it underestimates (Hinton et al. 2015, section 2).
    """

    def losses(self, student: Tensor, teacher: Tensor, targets: Tensor) -> Tensor:
        """The cross-entropy of each image (B,)."""
        return F.cross_entropy(student, teacher.softmax(1), reduction="none")
