"""What ``[train]`` makes of a rule: its sampler, and a warm start by the largest arch."""

from __future__ import annotations

import pytest
import torch

from duonas.core.couplings import pair_space
from duonas.core.errors import DuonasError
from duonas.core.pair import Subnet
from duonas.recipe.schema import options_for
from duonas.spaces.mobilenet import PRESETS, MobileNetSpace
from duonas.spaces.nasbench201 import NasBench201
from duonas.supernet.family import build_space
from duonas.training.rule import make_rule

PAIRS = pair_space(MobileNetSpace(PRESETS["digits"], 8, 4))
CELLS = pair_space(NasBench201.space(NasBench201.Options(), 8, 4))


@pytest.mark.parametrize(
    ("pairs", "keys", "message"),
    [
        (
            PAIRS,
            {"rule": "fair", "sampler": "cost"},
            "no effect on rule = 'fair', .* choose a rule from cotrain, hybrid",
        ),
        (
            PAIRS,
            {"rule": "uniform", "sampler": "front"},
            "compares the archs of a step, and rule = 'uniform' trains one",
        ),
        (
            PAIRS,
            {"random_archs": 0, "sampler": "front"},
            "random_archs = 0 leaves nothing to draw by sampler = 'front'",
        ),
        (CELLS, {"rule": "uniform", "warm_start": 0.2}, "its largest arch does not contain all others: set it to 0"),
    ],
)
def test_what_would_have_no_effect_is_refused(pairs, keys, message):
    with pytest.raises(DuonasError, match=message):
        make_rule(pairs, options_for("train", **keys))


def test_generated_weights_have_no_warm_start():
    space = build_space(NasBench201, options_for("space", name="nasbench201", weights="kshot"), 8, 4)
    with pytest.raises(DuonasError, match="its weights are generated for each arch: set it to 0"):
        make_rule(pair_space(space), options_for("train", warm_start=0.2))


def test_a_sampler_that_compares_nothing_goes_with_single_paths(make, take):
    options = options_for("train", rule="uniform", sampler={"name": "cost", "candidates": 1})
    net = make()
    watched, _, _ = take(make_rule(net.pairs, options), net)
    net.pairs.space.validate(watched.subnets[0].arch)


@pytest.mark.parametrize("coupling", ["nested", "sibling", "partial"])
def test_a_warm_start_trains_the_largest_alone_and_then_sorts_its_channels(make, take, coupling):
    net = make(coupling)
    rule = make_rule(net.pairs, options_for("train", warm_start=0.3))
    largest, images = net.pairs.space.largest(), torch.rand(3, 3, 8, 8)
    watched, _, _ = take(rule, net, 29)
    assert [subnet.arch for subnet in watched.subnets] == [largest] * len(net.pairs.roles)

    net.eval()
    before, narrow = net(images, Subnet(largest)), net(images, Subnet(net.pairs.space.smallest()))
    assert rule.prepare(net, 30, 100)  # the loop forgets the momentum of the old order
    torch.testing.assert_close(net(images, Subnet(largest)), before, rtol=1e-3, atol=1e-4)
    assert not torch.allclose(net(images, Subnet(net.pairs.space.smallest())), narrow)
    assert not rule.prepare(net, 31, 100)

    watched, losses, _ = take(rule, net.train(), 31)
    assert len(watched.subnets) > len(net.pairs.roles) and "smallest" in losses
