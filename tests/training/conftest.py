"""A small supernet under any coupling, and what a rule does with it."""

from __future__ import annotations

import pytest
import torch

from duonas.core.couplings import pair_space
from duonas.core.protocols import Step
from duonas.core.rng import stream
from duonas.spaces.mobilenet import MobileNet
from duonas.supernet.pair import PairSupernet


class Watched:
    """A network that remembers the subnets that ran, their logits and their dropout."""

    def __init__(self, net):
        self.net, self.subnets, self.logits, self.masks = net, [], [], []
        self.mixtures, self.teacher = 0, None

    def __call__(self, images, subnet, feature_mask=None):
        logits = self.net(images, subnet, feature_mask)
        self.subnets.append(subnet)
        self.logits.append(logits.detach())
        self.masks.append(feature_mask)
        return logits

    def mixed(self, images, subnet, mixture, feature_mask=None):
        logits = self.net.mixed(images, subnet, mixture, feature_mask)
        self.mixtures, self.teacher = self.mixtures + 1, logits.detach()
        return logits

    def together(self, *networks):
        return self.net.together(*networks)


@pytest.fixture
def make():
    """A pair supernet from the coupling and the ``[space]`` table."""

    def made(coupling="nested", splits=None, **options):
        table = MobileNet.Options(**{"preset": "digits", "axes": {"depth": [1, 2, 3]}} | options)
        space = MobileNet.space(table, 8, 4)
        pairs = pair_space(space, coupling, splits)
        towers = (MobileNet.supernet(space, (0.5,) * 3, (0.2,) * 3, stream(0, "init", r), table) for r in pairs.roles)
        return PairSupernet(pairs, *towers).train()

    return made


@pytest.fixture
def take():
    """One step of a rule, prepared, at ``step`` of ``steps``: the watched network and the losses."""

    def taken(rule, net, step=0, steps=100):
        watched = Watched(net)
        rng = stream(0, "batch", step)
        images = torch.from_numpy(rng.random((6, 3, 8, 8))).float()
        targets = torch.from_numpy(rng.integers(0, 4, 6))
        rule.prepare(net, step, steps)
        losses = rule.step(watched, Step(images, targets, stream(0, "archs", step), lambda loss: loss.backward()))
        return watched, losses, targets

    return taken
