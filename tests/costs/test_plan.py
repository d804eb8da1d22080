"""What is measured of a space: networks of all sizes and their blocks, then blocks that cover the others."""

from __future__ import annotations

import pytest

from duonas.core.couplings import pair_space
from duonas.costs.distinct import distinct_blocks
from duonas.costs.plan import make_plan
from duonas.spaces.mobilenet import MobileNet

SPACE = MobileNet.space(MobileNet.Options(preset="digits"), 8, 10)
PAIRS = pair_space(SPACE)
EVERY = {block.key for block in distinct_blocks(PAIRS)}


@pytest.fixture(scope="module")
def whole():
    return make_plan(PAIRS, 10_000)


def test_all_blocks_are_planned_where_there_is_time(whole):
    assert set(whole.blocks) == EVERY and len(whole.blocks) == len(EVERY) and whole.left_out == 0


def test_networks_are_of_all_sizes_and_their_blocks_come_first(whole):
    macs = [sum(whole.blocks[place].macs for place in network) for network in whole.networks]
    assert len(set(whole.networks)) == 40 and macs == sorted(macs)
    ends = [sum(block.macs for block in SPACE.blocks(arch)) for arch in (SPACE.smallest(), SPACE.largest())]
    assert [macs[0], macs[-1]] == ends
    used = {place for network in whole.networks for place in network}
    assert used == set(range(len(used)))


def test_where_time_is_short_the_others_are_covered(whole):
    """Each block is planned, or one of its kind, kernel and expansion is."""
    used = len({place for network in whole.networks for place in network})
    few = make_plan(PAIRS, used + 40)
    assert few.blocks[:used] == whole.blocks[:used] and len(few.blocks) == used + 40
    assert few.left_out == len(EVERY) - len(few.blocks)
    kinds = {(block.kind, block.kernel, block.expansion, block.activation) for block in few.blocks}
    assert kinds == {(block.kind, block.kernel, block.expansion, block.activation) for block in EVERY}
    assert make_plan(PAIRS, 0).blocks == whole.blocks[:used]


def test_a_space_of_few_archs_has_fewer_networks():
    axes = {"width": [0.5], "depth": [1], "kernel": [3], "expansion": [1, 2]}
    plan = make_plan(pair_space(MobileNet.space(MobileNet.Options(preset="digits", axes=axes), 8, 10)), 100)
    assert len(plan.networks) == 4
