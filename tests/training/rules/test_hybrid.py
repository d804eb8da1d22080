"""Two rules after one another."""

from __future__ import annotations

import numpy as np
import torch

from duonas.recipe.schema import options_for
from duonas.training.in_turn import InTurn
from duonas.training.rule import make_rule


def test_hybrid_is_progressive_then_the_sandwich(make, take):
    net = make()
    rule = make_rule(net.pairs, options_for("train", rule="hybrid", progressive_share=0.4, random_archs=1))
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
    rule = make_rule(net.pairs, options_for("train", rule="hybrid"))
    assert [step for step in range(200) if rule.prepare(net, step, 200)] == [75]


class Counting:
    """A rule that learns a number and remembers where it was."""

    def __init__(self):
        self.weights = torch.nn.Linear(1, 1)
        self.prepared, self.steps = [], 0

    def prepare(self, network, step, steps):
        self.prepared.append((step, steps))
        return step == 1

    def step(self, network, given):
        self.steps += 1
        return {"loss": torch.zeros(())}


def test_each_rule_of_a_hybrid_sees_its_part_as_a_whole_run():
    first, second = Counting(), Counting()
    hybrid = InTurn(first, second, 0.3)
    rewritten = []
    for step in range(10):
        rewritten.append(hybrid.prepare(torch.nn.Module(), step, 10))
        hybrid.step(None, None)
    assert first.prepared == [(i, 3) for i in range(3)] and second.prepared == [(i, 7) for i in range(7)]
    assert (first.steps, second.steps) == (3, 7)
    assert np.flatnonzero(rewritten).tolist() == [1, 4]
    assert len(list(hybrid.weights.parameters())) == 4  # both rules' are trained and kept
