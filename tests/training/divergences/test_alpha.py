"""The alpha-divergence against its definition, and what clipping does."""

from __future__ import annotations

import math

import pytest
import torch

from duonas.core.errors import DuonasError
from duonas.core.pair import Subnet
from duonas.recipe.schema import options_for
from duonas.training.divergence import make_divergence
from duonas.training.divergences.alpha import Alpha
from duonas.training.rules.sandwich import Sandwich

STUDENT, TEACHER = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
CLASSES = torch.zeros(6, dtype=torch.long)


def exact(student, teacher, alpha):
    """The divergence of each image by its definition, differentiable everywhere."""
    q, p = student.softmax(1), teacher.softmax(1)
    if alpha == 1:
        return (p * (p / q).log()).sum(1)
    if alpha == 0:
        return (q * (q / p).log()).sum(1)
    return (q * ((p / q) ** alpha - 1)).sum(1) / (alpha * (alpha - 1))


def of(student, **options):
    return Alpha(Alpha.Options(**options)).losses(student, TEACHER, CLASSES)


@pytest.mark.parametrize("alpha", [-1.0, -0.5, 0.0, 0.5, 1.0, 2.0])
def test_without_clipping_value_and_gradient_are_those_of_the_definition(alpha):
    one, other = STUDENT.clone().requires_grad_(), STUDENT.clone().requires_grad_()
    found, wanted = of(one, alpha_min=alpha, alpha_max=alpha, clip=1e9), exact(other, TEACHER, alpha)
    torch.testing.assert_close(found, wanted)
    found.sum().backward()
    wanted.sum().backward()
    torch.testing.assert_close(one.grad, other.grad)


def test_each_image_is_taught_by_the_larger_of_the_two():
    low, high = exact(STUDENT, TEACHER, -1.0), exact(STUDENT, TEACHER, 1.0)
    assert (low > high).any() and (low < high).any()
    torch.testing.assert_close(of(STUDENT, clip=1e9), torch.maximum(low, high))


def test_an_overestimated_class_is_punished_more_than_by_cross_entropy_and_no_more_than_clipped():
    teacher = torch.tensor([[0.0, 0.0, -9.0]])
    student = torch.tensor([[0.0, 0.0, 0.0]], requires_grad=True)
    slopes = []
    for name, options in (("cross_entropy", {}), ("alpha", {}), ("alpha", {"clip": 100.0})):
        divergence = make_divergence(options_for("train", divergence={"name": name, **options}).divergence)
        (slope,) = torch.autograd.grad(divergence(student, teacher, torch.tensor([0])), student)
        slopes.append(slope[0, 2].item())
    assert 0 < slopes[0] < slopes[1] < slopes[2]
    # With alpha = -1 the pull on log q of the class is q (q / p), at most q times the clip.
    assert slopes[1] < 5 / 3 and math.isfinite(slopes[2])


def test_alphas_in_the_wrong_order_are_refused():
    with pytest.raises(DuonasError, match=r"alpha_min = 2 is larger than alpha_max = 1: exchange them"):
        make_divergence(options_for("train", divergence={"name": "alpha", "alpha_min": 2.0}).divergence)


def test_students_of_a_rule_learn_by_it(make, take):
    net = make()
    options = options_for("train", divergence="alpha", temperature=2.0)
    watched, losses, targets = take(Sandwich(net.pairs, options), net)
    place = watched.subnets.index(Subnet(net.pairs.space.smallest()))
    wanted = Alpha(options.divergence, 2.0)(watched.logits[place], watched.logits[0], targets)
    torch.testing.assert_close(losses["smallest"], wanted)
