from __future__ import annotations

from math import log

import pytest
import torch

from duonas.testing import TermContract
from duonas.training.divergence import make_divergence
from duonas.training.options import DivergenceOptions
from duonas.training.term import PairBatch
from duonas.training.terms.gatekeeper import Gatekeeper


class TestGatekeeper(TermContract):
    def term(self):
        return Gatekeeper(Gatekeeper.Options(gatekeeper=0.5, gatekeeper_alpha=0.3))


def batch(little, targets):
    return PairBatch(torch.zeros(len(little), 3, 2, 2), targets, little, little.detach(), None,
                     make_divergence(DivergenceOptions()))  # fmt: skip


def test_right_answers_have_their_cross_entropy_and_wrong_ones_their_distance_from_uniform():
    little = torch.tensor([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1]]).log().requires_grad_()
    found = Gatekeeper(Gatekeeper.Options(gatekeeper=1.0, gatekeeper_alpha=0.3))(batch(little, torch.tensor([0, 1])))
    entropy = -(0.7 * log(0.7) + 0.2 * log(0.2) + 0.1 * log(0.1))
    assert found.item() == pytest.approx((0.3 * -log(0.7) + 0.7 * (log(3) - entropy)) / 2, rel=1e-5)
    found.backward()
    sure, unsure = little.grad
    assert sure[0] < 0 < sure[1]  # surer of what is right
    assert unsure[0] > 0 > unsure[2]  # and towards uniform where it is wrong


def test_little_is_tuned_to_be_sure_where_it_is_right_alone():
    little = torch.tensor([[1.0, 0.0, 0.0]] * 2, requires_grad=True)
    term, optimizer = Gatekeeper(Gatekeeper.Options(gatekeeper=1.0)), torch.optim.SGD([little], lr=1.0)
    for _ in range(200):
        optimizer.zero_grad()
        term(batch(little, torch.tensor([0, 2]))).backward()
        optimizer.step()
    right, wrong = little.detach().softmax(1).max(1).values
    assert right > 0.95 and wrong < 0.4
