from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from duonas.training.divergences.decoupled import Decoupled

DRAWN = torch.Generator().manual_seed(0)
STUDENT, TEACHER = torch.randn(2, 1, 4, generator=DRAWN)
TARGET = torch.tensor([2])


def of(target=1.0, other=1.0, student=STUDENT, teacher=TEACHER, targets=TARGET):
    return Decoupled(Decoupled.Options(target_weight=target, other_weight=other))(student, teacher, targets)


def test_by_the_teachers_doubt_it_is_the_plain_divergence():
    """Equation 6: KL = target part + (1 - p of the target) * part of the others."""
    plain = F.kl_div(STUDENT.log_softmax(1), TEACHER.log_softmax(1), reduction="batchmean", log_target=True)
    doubt = 1 - TEACHER.softmax(1)[0, 2].item()
    torch.testing.assert_close(of(1.0, doubt), plain)


def test_the_parts_are_those_of_the_target_and_of_the_others():
    moved = STUDENT.clone()
    moved[0, 2] += 1.0
    torch.testing.assert_close(of(0.0, student=moved), of(0.0))  # the others alone do not see the target's logit
    assert of(1.0, 0.0, student=moved) != pytest.approx(of(1.0, 0.0).item())


def test_probabilities_and_two_classes_will_do():
    soft = torch.tensor([[0.1, 0.2, 0.6, 0.1]])
    assert torch.equal(of(targets=soft), of())
    two = of(0.0, student=STUDENT[:, :2], teacher=TEACHER[:, :2], targets=torch.tensor([0]))
    assert two.item() == 0  # there is but one other class


def test_a_teacher_that_is_quite_sure_gives_finite_gradients():
    student = torch.zeros(1, 4, requires_grad=True)
    of(student=student, teacher=torch.tensor([[0.0, 0.0, 200.0, 0.0]])).backward()
    assert student.grad.isfinite().all() and student.grad.any()
