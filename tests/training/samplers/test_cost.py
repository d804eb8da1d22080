"""Ranges of MACs, and the choice among archs that cost the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from duonas.core.couplings import pair_space
from duonas.core.rng import stream
from duonas.recipe.schema import options_for
from duonas.spaces.mobilenet import PRESETS, MobileNetSpace
from duonas.training.drawing import macs_of, spread_arch
from duonas.training.sampler import make_sampler

SPACE = MobileNetSpace(PRESETS["cifar-small"], 32, 10)
PAIRS = pair_space(SPACE)
LOWEST, HIGHEST = (macs_of(SPACE, arch) for arch in (SPACE.smallest(), SPACE.largest()))


def ranges(archs):
    """How many archs are in each of four ranges of equal ratios of MACs."""
    macs = np.array([macs_of(SPACE, arch) for arch in archs])
    return np.histogram(np.log(macs), np.log(np.geomspace(LOWEST, HIGHEST, 5) * [0.99, 1, 1, 1, 1.01]))[0]


def made(**options):
    return make_sampler(PAIRS, options_for("train", sampler={"name": "cost", **options}).sampler)


def test_every_range_of_macs_is_drawn_alike_where_uniform_archs_are_nearly_all_of_middling_size():
    sampler, rng = made(ranges=4, candidates=1), stream(0)
    found = ranges([sampler.arch("big", rng) for _ in range(200)])
    assert found.min() >= 30
    assert ranges([SPACE.sample(rng) for _ in range(200)]).min() < 10


def test_archs_that_are_spread_reach_both_ends():
    found = ranges([spread_arch(SPACE, stream(1, number)) for number in range(200)])
    assert found.min() >= 10


@pytest.mark.parametrize(("pick", "wanted"), [("best", 1), ("worst", -1)])
def test_the_best_or_the_worst_of_equal_cost_is_trained(pick, wanted):
    """A stage-1 kernel that does harm is drawn less often by the best, more often by the worst."""
    sampler, rng = made(pick=pick, candidates=4), stream(2)
    axis = "stage1.block0.kernel"
    for _ in range(60):
        archs = [SPACE.sample(rng) for _ in range(4)]
        sampler.model("big").observe(archs, torch.tensor([float(arch[axis]) for arch in archs]))
    one = made(candidates=1)
    plain = np.mean([one.arch("big", stream(3, number))[axis] for number in range(60)])
    sampler.prepare(0, 100)
    picked = np.mean([sampler.arch("big", stream(3, number))[axis] for number in range(60)])
    assert (plain - picked) * wanted > 0.3
