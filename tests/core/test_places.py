"""Which choices decide about which block, found by changing one after the other."""

from __future__ import annotations

import pytest

from duonas.core import places as module
from duonas.core.errors import DuonasError
from duonas.core.places import places
from duonas.core.rng import stream
from duonas.spaces.mobilenet import MobileNet
from duonas.spaces.nasbench201 import NasBench201

SPACE = MobileNet.space(MobileNet.Options(preset="digits", axes={"depth": [1, 2, 3], "width": [0.5, 1.0]}), 8, 4)


def test_the_choices_of_a_block_its_width_and_the_one_before_decide_and_its_depth():
    found = {(place.stage, place.number): place for place in places(SPACE)}
    assert [*found] == [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2), (3, 0)]
    assert found[0, 1].axes == () and found[3, 0].axes == ("stage2.width",)
    assert set(found[2, 0].axes) == {"stage1.width", "stage2.width", "stage2.block0.kernel", "stage2.block0.expansion"}
    assert set(found[2, 2].axes) == {"stage2.width", "stage2.depth", "stage2.block2.kernel", "stage2.block2.expansion"}
    assert found[2, 2].optional and not found[2, 0].optional
    depth = found[2, 1].classes[found[2, 1].axes.index("stage2.depth")]
    assert depth.tolist() == [0, 1, 1]  # a third block makes no difference to the second


def test_the_blocks_of_any_arch_are_those_of_its_combinations():
    found = places(SPACE)
    for number in range(20):
        arch = SPACE.sample(stream(0, number))
        blocks = []
        for place in found:
            row = [classes[arch.get(axis, 0)] for axis, classes in zip(place.axes, place.classes, strict=True)]
            blocks.append(place.specs[place.rows.tolist().index(row)])
        assert tuple(block for block in blocks if block is not None) == SPACE.blocks(arch)


def test_of_a_cell_only_single_changes_are_needed():
    cells = [place for place in places(NasBench201.space(NasBench201.Options(), 8, 4)) if place.additive]
    assert len(cells) == 15 and all(len(place.specs) == 1 + 6 * 4 for place in cells)


def test_too_many_combinations_are_refused(monkeypatch):
    monkeypatch.setattr(module, "MOST", 10)
    with pytest.raises(DuonasError, match=r"combinations of choices for one block of stage \d, of which at most 10"):
        places(SPACE)
