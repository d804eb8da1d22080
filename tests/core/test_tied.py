"""Stages whose choices grow together."""

from __future__ import annotations

import pytest

from duonas.core.errors import DuonasError
from duonas.core.rng import stream
from duonas.core.tied import TiedSpace
from duonas.recipe.schema import options_for
from duonas.spaces.mobilenet import PRESETS, MobileNet, MobileNetSpace
from duonas.spaces.nasbench201 import NasBench201
from duonas.spaces.uib import UIB
from duonas.supernet.family import build_space


def test_a_stage_has_as_many_sizes_as_its_finest_choice_and_all_choices_grow_with_it():
    free = MobileNetSpace(PRESETS["digits"], 8, 4, {"depth": [1, 2], "kernel": [3, 5, 7]})
    space = TiedSpace(free)
    assert {name: len(axis.values) for name, axis in space.axes.items()} == {
        "resolution": 1, "stage1.size": 4, "stage2.size": 4,
    }  # fmt: skip
    assert space.size() == 16
    rows = [space.freed(space.arch(stage1_size=size)) for size in space.axes["stage1.size"].values]
    choices = [[arch[f"stage1.{name}"] for arch in rows] for name in ("width", "depth", "block0.kernel")]
    assert choices == [[0, 1, 2, 3], [0, 0, 1, 1], [0, 1, 1, 2]]
    assert space.freed(space.smallest()) == free.smallest() and space.freed(space.largest()) == free.largest()


def test_an_arch_is_the_same_network_in_both_spaces():
    space = build_space(MobileNet, options_for("space", preset="digits", tied=True), 8, 4)
    assert isinstance(space, TiedSpace)
    for number in range(20):
        arch = space.sample(stream(0, number))
        assert space.blocks(arch) == space.free.blocks(space.freed(arch))
    assert len({space.blocks(arch) for arch in space.archs()}) == space.size() == 16


def test_what_a_supernet_mixes_stays_a_choice_of_its_own():
    free = UIB.space(UIB.Options(preset="uib-digits"), 16, 4)
    space = TiedSpace(free)
    assert set(free.mixed) == set(space.mixed) == {name for name in space.axes if name in free.mixed}
    later = [axis for name, axis in space.axes.items() if name in free.mixed and axis.parent and axis.minimum]
    assert later and all(axis.parent.endswith(".size") for axis in later)
    assert all(axis.name not in space.smallest() for axis in later)


def test_a_space_without_sizes_has_nothing_to_tie():
    with pytest.raises(DuonasError, match=r"\[space\] tied = true needs stages with several .*'nasbench201' has none"):
        TiedSpace(NasBench201.space(NasBench201.Options(), 8, 4))
    with pytest.raises(DuonasError, match="leave it out"):
        TiedSpace(
            MobileNetSpace(PRESETS["digits"], 8, 4, {"width": [1], "depth": [1], "kernel": [3], "expansion": [2]})
        )


def tied(**axes):
    return build_space(MobileNet, options_for("space", preset="digits", tied=True, axes=axes), 8, 4)


def test_sizes_can_be_left_out_of_all_stages_or_of_one():
    whole, some = tied(), tied(size=[0, 0.33, 1], **{"stage2.size": [1, 0.33]})
    assert some.axes["stage1.size"].values == (0, 0.33, 1) and some.axes["stage2.size"].values == (0.33, 1)
    kept = [arch for arch in whole.archs() if whole.values(arch)["stage1.size"] != 0.67]
    kept = [arch for arch in kept if whole.values(arch)["stage2.size"] in (0.33, 1)]
    assert [some.blocks(arch) for arch in some.archs()] == [whole.blocks(arch) for arch in kept]
    fixed = tied(**{"stage1.size": [1]})
    assert fixed.size() == 4 and fixed.blocks(fixed.largest()) == whole.blocks(whole.largest())
    assert tied(depth=[1], **{"stage2.size": [1]}).size() == 4  # beside axes of the free space


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"stage3.size": [1]}, r"\[space.axes\] has no axis 'stage3.size': did you mean 'stage[12].size'"),
        ({"size": [0.5, 1]}, r"size has no value 0.5: choose from \[0.0, 0.33, 0.67, 1.0\]"),
        ({"stage1.size": [0]}, "stage1.size must keep 1, the largest, which the supernet is built for"),
    ],
)
def test_wrong_sizes_are_refused_in_one_sentence(axes, message):
    with pytest.raises(DuonasError, match=message):
        tied(**axes)
