"""Archs near the front of MACs and predicted loss, once it is known."""

from __future__ import annotations

import numpy as np
import torch

from duonas.core.couplings import pair_space
from duonas.core.rng import stream
from duonas.recipe.schema import options_for
from duonas.spaces.mobilenet import PRESETS, MobileNetSpace
from duonas.training.sampler import make_sampler

SPACE = MobileNetSpace(PRESETS["cifar-small"], 32, 10, {"width": [1.0], "depth": [1, 2]})
PAIRS = pair_space(SPACE)
GOOD = "stage3.block0.expansion"  # the one choice that makes archs better


def taught(**options):
    sampler, rng = make_sampler(PAIRS, options_for("train", sampler={"name": "front", **options}).sampler), stream(0)
    for _ in range(60):
        archs = [SPACE.sample(rng) for _ in range(4)]
        sampler.model("big").observe(archs, torch.tensor([-float(arch[GOOD]) for arch in archs]))
    return sampler


def drawn(sampler):
    return [sampler.arch("big", stream(1, number)) for number in range(80)]


def test_before_its_time_archs_are_uniform():
    sampler = taught(after=0.5)
    for step in range(50):
        sampler.prepare(step, 100)
    assert drawn(sampler) == [SPACE.sample(stream(1, number)) for number in range(80)]


def test_then_work_is_spent_where_it_makes_archs_better():
    """On the front only the good choice costs anything; all others are as small as they can be."""
    sampler = taught(explore=0.0, mutation=0.0)
    for step in range(51):
        sampler.prepare(step, 100)
    archs = drawn(sampler)
    assert {arch[GOOD] for arch in archs} == {0, 1, 2, 3}
    others = [index for arch in archs for name, index in arch.choices if name.endswith(".expansion") and name != GOOD]
    assert np.mean(others) < 0.5


def test_what_is_explored_stays_uniform():
    sampler = taught(after=0.0, explore=1.0)
    sampler.prepare(0, 100)
    assert len(set(drawn(sampler))) > 70


def test_nothing_known_means_no_front():
    sampler = make_sampler(PAIRS, options_for("train", sampler={"name": "front", "after": 0.0}).sampler)
    sampler.prepare(0, 100)
    assert drawn(sampler) == [SPACE.sample(stream(1, number)) for number in range(80)]
