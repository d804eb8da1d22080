"""Rules by name; the uniform rule; two rules after one another."""

from __future__ import annotations

from typing import get_args, get_type_hints

import numpy as np
import pytest
import torch

from duonas.core.options import TrainOptions
from duonas.core.rng import stream
from duonas.training.hybrid import Hybrid
from duonas.training.losses import label_loss
from duonas.training.rules import make_rule

NAMES = get_args(get_type_hints(TrainOptions)["rule"])


@pytest.mark.parametrize("name", NAMES)
def test_every_name_makes_a_rule_that_takes_a_step(make, take, name):
    net = make("partial")
    _, losses, _ = take(make_rule(net.pairs, TrainOptions(rule=name)), net)
    assert torch.isfinite(losses["loss"])


@pytest.mark.parametrize("coupling", ["nested", "sibling", "partial"])
def test_uniform_trains_one_drawn_subnet_of_each_tower_on_labels(make, take, coupling):
    net = make(coupling)
    rule = make_rule(net.pairs, TrainOptions(rule="uniform", label_smoothing=0.1, dropout=0.5))
    archs = set()
    for step in range(5):
        watched, losses, targets = take(rule, net, step)
        assert [subnet.role for subnet in watched.subnets] == list(net.pairs.roles)
        for subnet, logits, mask in zip(watched.subnets, watched.logits, watched.masks, strict=True):
            torch.testing.assert_close(losses[subnet.role], label_loss(logits, targets, 0.1))
            assert mask is None
            archs.add(subnet.arch)
    assert len(archs) == 5 * len(net.pairs.roles)


def test_hybrid_is_progressive_then_the_sandwich(make, take):
    net = make()
    rule = make_rule(net.pairs, TrainOptions(rule="hybrid", progressive_share=0.4, random_archs=1))
    archs = {}
    for step in (0, 9, 10, 39, 40, 99):
        watched, _, _ = take(rule, net, step)
        archs[step] = [subnet.arch for subnet in watched.subnets]
    largest, smallest = net.pairs.space.largest(), net.pairs.space.smallest()
    assert archs[0] == archs[9] == [largest]  # a quarter of the first 40 steps
    assert [len(archs[step]) for step in (10, 39)] == [2, 2]
    assert [archs[step][:2] for step in (40, 99)] == [[largest, smallest]] * 2


def test_hybrid_sorts_in_its_first_part_and_then_no_more(make):
    net = make()
    rule = make_rule(net.pairs, TrainOptions(rule="hybrid"))
    assert [step for step in range(200) if rule.prepare(net, step, 200)] == [75]


class Counting:
    """A rule that learns a number and remembers where it was."""

    def __init__(self):
        self.weights = torch.nn.Linear(1, 1)
        self.prepared, self.steps = [], 0

    def prepare(self, network, step, steps):
        self.prepared.append((step, steps))
        return step == 1

    def step(self, network, images, targets, rng, backward):
        self.steps += 1
        return {"loss": torch.zeros(())}


def test_each_rule_of_a_hybrid_sees_its_part_as_a_whole_run():
    first, second = Counting(), Counting()
    hybrid = Hybrid(first, second, 0.3)
    rewritten = []
    for step in range(10):
        rewritten.append(hybrid.prepare(torch.nn.Module(), step, 10))
        hybrid.step(None, None, None, stream(0, "x"), None)
    assert first.prepared == [(i, 3) for i in range(3)] and second.prepared == [(i, 7) for i in range(7)]
    assert (first.steps, second.steps) == (3, 7)
    assert np.flatnonzero(rewritten).tolist() == [1, 4]
    assert len(list(hybrid.weights.parameters())) == 4  # both rules' are trained and kept
