"""The contract of divergences."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from duonas.training.divergence import Divergence

IMAGES, CLASSES = 8, 5


class DivergenceContract(ABC):
    """Tests of every divergence."""

    @abstractmethod
    def divergence(self, temperature: float = 1.0) -> Divergence:
        """Return the divergence under test."""

    def test_it_is_least_where_student_and_teacher_agree(self) -> None:
        """No other student comes below the teacher itself, and small steps against the gradient come nearer."""
        _, teacher, targets = self._batch()
        for temperature in (1.0, 3.0):
            divergence = self.divergence(temperature)
            least = divergence(teacher, teacher, targets)
            for number in range(20):
                noise = torch.randn(IMAGES, CLASSES, generator=torch.Generator().manual_seed(number))
                other = (teacher + noise).requires_grad_()
                loss = divergence(other, teacher, targets)
                assert loss > least
                (slope,) = torch.autograd.grad(loss, other)
                assert divergence(other - 1e-2 * slope, teacher, targets) < loss

    def test_the_student_alone_gets_a_gradient(self) -> None:
        """The teacher is a target, not a pupil."""
        student, teacher, targets = self._batch()
        teacher.requires_grad_()
        self.divergence()(student, teacher, targets).backward()
        assert teacher.grad is None
        assert student.grad is not None and torch.isfinite(student.grad).all() and student.grad.abs().sum() > 0

    def test_weights_multiply_the_losses_of_single_images(self) -> None:
        """Processes that share a batch can average their losses, and no image's loss depends on its batch-mates."""
        student, teacher, targets = self._batch()
        divergence, weights = self.divergence(2.0), torch.linspace(0, 2, IMAGES)
        single = torch.stack([divergence(*(each[i : i + 1] for each in self._batch())) for i in range(IMAGES)])
        torch.testing.assert_close(divergence(student, teacher, targets), single.mean())
        torch.testing.assert_close(divergence(student, teacher, targets, weights), (single * weights).mean())

    def test_mixed_images_have_class_probabilities(self) -> None:
        """Targets may be classes (B,) or probabilities (B, K); one-hot probabilities are classes."""
        student, teacher, targets = self._batch()
        hot = torch.nn.functional.one_hot(targets, CLASSES).float()
        divergence = self.divergence()
        torch.testing.assert_close(divergence(student, teacher, hot), divergence(student, teacher, targets))
        even = torch.full((IMAGES, CLASSES), 1 / CLASSES)
        assert torch.isfinite(divergence(student, teacher, even))

    def test_logits_far_apart_stay_finite(self) -> None:
        """A student that is sure of the wrong class, as at the beginning of a training, gets a finite gradient."""
        targets = torch.arange(IMAGES) % CLASSES
        teacher = 60 * torch.nn.functional.one_hot(targets, CLASSES).float()
        student = teacher.roll(1, 1).requires_grad_()
        loss = self.divergence()(student, teacher, targets)
        loss.backward()
        assert torch.isfinite(loss) and student.grad is not None and torch.isfinite(student.grad).all()

    @staticmethod
    def _batch() -> tuple[Tensor, Tensor, Tensor]:
        rows = torch.randn(2, IMAGES, CLASSES, generator=torch.Generator().manual_seed(7))
        return rows[0].clone().requires_grad_(), rows[1].clone(), torch.arange(IMAGES) % CLASSES
