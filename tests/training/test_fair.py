"""The uniform rule: one drawn subnet of each tower, on labels."""

from __future__ import annotations

import pytest
import torch

from duonas.core.options import TrainOptions
from duonas.training.losses import label_loss
from duonas.training.fair import Uniform


@pytest.mark.parametrize("coupling", ["nested", "sibling", "partial"])
def test_uniform_trains_one_drawn_subnet_of_each_tower_on_labels(make, take, coupling):
    net = make(coupling)
    rule = Uniform(net.pairs, TrainOptions(label_smoothing=0.1, dropout=0.5))
    archs = set()
    for step in range(5):
        watched, losses, targets = take(rule, net, step)
        assert [subnet.role for subnet in watched.subnets] == list(net.pairs.roles)
        for subnet, logits, mask in zip(watched.subnets, watched.logits, watched.masks, strict=True):
            torch.testing.assert_close(losses[subnet.role], label_loss(logits, targets, 0.1))
            assert mask is None
            archs.add(subnet.arch)
    assert len(archs) == 5 * len(net.pairs.roles)
