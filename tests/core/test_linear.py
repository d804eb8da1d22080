"""Widths on a line from the first stage to the last."""

from __future__ import annotations

from itertools import product

import pytest

from duonas.core.couplings import pair_space
from duonas.core.errors import DuonasError
from duonas.core.linear import LinearSpace
from duonas.core.rng import stream
from duonas.recipe.schema import options_for
from duonas.search.prices import Prices
from duonas.spaces.mobilenet import PRESETS, MobileNet, MobileNetSpace
from duonas.spaces.uib import UIB
from duonas.supernet.family import build_space

FEW = {"depth": [1], "kernel": [3], "expansion": [1]}


def linear(preset="imagenet", size=224, **axes):
    return build_space(MobileNet, options_for("space", preset=preset, widths="linear", axes=FEW | axes), size, 4)


@pytest.fixture(scope="module")
def space():
    return linear(resolution=[224])


def channels(space, arch):
    free = space.freed(arch)
    return [space.channels(n, space.free.value(free, f"stage{n}.width")) for n in range(1, space.stages + 1)]


def test_each_stage_between_has_the_width_nearest_to_the_line(space):
    assert isinstance(space, LinearSpace) and space.size() == 16
    assert {name for name, axis in space.axes.items() if len(axis.values) > 1} == {"stage1.width", "stage5.width"}
    offered = [[space.channels(n, width) for width in (0.25, 0.5, 0.75, 1.0)] for n in range(1, 6)]
    for arch in space.archs():
        found = channels(space, arch)
        for number, width in enumerate(found):
            line = found[0] + (found[-1] - found[0]) * number / 4
            assert abs(width - line) == min(abs(each - line) for each in offered[number])
    assert space.freed(space.largest()) == space.free.largest()
    wide_to_narrow = space.arch(stage1_width=1.0, stage5_width=0.25)
    assert channels(space, wide_to_narrow) == [24, 30, 40, 28, 40]  # the line is 24, 28, 32, 36, 40


def test_what_is_contained_by_the_ends_is_contained_in_every_stage(space):
    """And, where the widths in between say no more than the ends, the other way round."""
    archs = list(space.archs())
    for little, big in product(archs, archs):
        inside = space.free.contains(space.freed(big), space.freed(little))
        assert space.contains(big, little) == inside
    pairs = pair_space(space, "nested")
    assert pairs.size() == 10 * 10 - 16
    prices = Prices(pairs)
    for number in range(10):
        pair = pairs.mutate(pairs.sample(stream(0, number)), stream(1, number), 0.5)
        assert space.contains(pair.big, pair.little)
        little, big = map(prices.subnet, pairs.subnets(pair))
        assert little.macs < big.macs


def test_channels_are_lines_in_a_space_that_names_them_too():
    free = UIB.space(UIB.Options(preset="uib-fast-64"), 64, 4)
    space = LinearSpace(free)
    for number in range(10):
        arch = space.sample(stream(0, number))
        assert space.blocks(arch) == free.blocks(space.freed(arch))
    assert space.size() < free.size()


def test_a_line_needs_three_stages_and_reaches_the_widest_of_each():
    with pytest.raises(DuonasError, match=r"widths = 'linear' needs .* at least 3 stages, and 'mobilenet' has 2"):
        LinearSpace(MobileNetSpace(PRESETS["digits"], 8, 4))
    with pytest.raises(DuonasError, match=r"no line from stage1.width to stage5.width comes near the widest of stage2"):
        linear(**{"stage5.width": [0.25]})
    table = options_for("space", preset="imagenet", widths="linear", tied=True)
    with pytest.raises(DuonasError, match="tied = true has sizes in place of widths"):
        build_space(MobileNet, table, 224, 4)
