"""The MobileNet space: presets, counts and narrowing."""

from __future__ import annotations

import pytest

from duonas.core.errors import DuonasError
from duonas.core.options import SpaceOptions
from duonas.costs.counting import analytic
from duonas.spaces.mobilenet import FAMILY, PRESETS, MobileNetSpace


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_every_preset_spans_the_papers_axes(preset):
    space = FAMILY.space(SpaceOptions(preset=preset), PRESETS[preset].image_size, 10)
    assert space.axes["stage1.width"].values == (0.25, 0.5, 0.75, 1.0)
    assert space.axes["stage1.depth"].values == (1, 2, 3, 4)
    assert space.axes["stage1.block0.kernel"].values == (3, 5, 7)
    assert space.axes["stage1.block0.expansion"].values == (1, 2, 4, 6)
    assert space.axes["resolution"].values == PRESETS[preset].resolutions


def test_exact_size_of_the_cifar_space():
    stages, per_block = 3, 3 * 4
    stage = 4 * sum(per_block**depth for depth in (1, 2, 3, 4))
    assert FAMILY.space(SpaceOptions(preset="cifar"), 32, 10).size() == 2 * stage**stages


def test_costs_of_known_archs():
    space = FAMILY.space(SpaceOptions(preset="cifar-small"), 32, 10)
    smallest = analytic(space.blocks(space.smallest()))
    # stem 27*16*32^2; three blocks without expansion: depthwise 9*c*h^2, project c*c'*h^2; head 24*72*16 + 72*10
    by_hand = (
        27 * 16 * 1024 + (9 * 16 + 16 * 6) * 256 + (9 * 6 + 6 * 12) * 64 + (9 * 12 + 12 * 24) * 16 + 24 * 72 * 16 + 720
    )
    assert smallest.macs == by_hand
    assert smallest.peak_memory_bytes == 4 * (16 * 32**2 + 16 * 16**2)  # the first depthwise


def test_narrowing_keeps_the_order_and_refuses_what_is_not_there():
    space = FAMILY.space(SpaceOptions(preset="cifar", axes={"kernel": [5, 3], "depth": [2]}), 32, 10)
    assert space.axes["stage1.block0.kernel"].values == (3, 5)
    assert "stage1.block2.kernel" not in space.axes and isinstance(space, MobileNetSpace)
    with pytest.raises(DuonasError, match=r"kernel has no value 9: choose from \[3, 5, 7\]"):
        FAMILY.space(SpaceOptions(preset="cifar", axes={"kernel": [9]}), 32, 10)
    with pytest.raises(DuonasError, match="no axis 'kernal': did you mean 'kernel'"):
        FAMILY.space(SpaceOptions(preset="cifar", axes={"kernal": [3]}), 32, 10)
    with pytest.raises(DuonasError, match="no preset 'cifr': did you mean 'cifar'"):
        FAMILY.space(SpaceOptions(preset="cifr"), 32, 10)
