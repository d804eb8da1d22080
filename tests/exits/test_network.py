"""A network of several exits: it stops where nobody asks on, and costs what ran."""

from __future__ import annotations

from itertools import islice

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from duonas.exits.network import ExitNet, count_exits


class Stage(nn.Module):
    """A convolution, which hands on its input, too."""

    def __init__(self, inputs):
        super().__init__()
        self.convolution = nn.Conv2d(inputs, 4, 3, padding=1)

    def forward(self, x, *more):
        return self.convolution(x).relu(), x


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.classifier = nn.Linear(4, 3)

    def forward(self, x, *more):
        return self.classifier(x.mean((2, 3)))


def network(**options):
    torch.manual_seed(0)
    return ExitNet([Stage(3), Stage(4), Stage(4)], [Head() for _ in range(3)], **options)


IMAGES = torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(0))


def test_what_comes_after_an_exit_changes_nothing_and_is_not_run():
    """Law 5: NaN weights in what is not reached."""
    net = network().eval()
    wanted = net(IMAGES)
    for broken in (net.stages[2], net.heads[2]):
        for weight in broken.parameters():
            nn.init.constant_(weight, torch.nan)
    found = list(islice(net.exits(IMAGES), 2))
    assert all(map(torch.equal, found, wanted)) and torch.isnan(net(IMAGES)[2]).all()


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_costs_are_those_of_what_ran_heads_on_the_way_included(number):
    """Law 4, in MACs."""
    net, image = network().eval(), IMAGES[:1]
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        list(islice(net.exits(image), number))
    stages = 36 * 9 * 4 * (3 + 4 * (number - 1))
    assert count_exits(net, image)[number - 1] == counter.get_total_flops() // 2 == stages + 12 * number


def test_frozen_the_early_heads_learn_without_changing_the_rest():
    net = network(frozen=True).train()
    net(IMAGES)[0].sum().backward()
    assert net.heads[0].classifier.weight.grad is not None and net.stages[0].convolution.weight.grad is None
    net(IMAGES)[2].sum().backward()
    assert all(stage.convolution.weight.grad is not None for stage in net.stages)
    assert all(map(torch.equal, net.eval()(IMAGES), network().eval()(IMAGES)))


def test_unlike_numbers_are_refused():
    with pytest.raises(ValueError, match="1 stages and 0 heads"):
        ExitNet([Stage(3)], [])
    with pytest.raises(ValueError, match="2 weights of losses for 1 exits"):
        ExitNet([Stage(3)], [Head()], weights=[1, 2])
