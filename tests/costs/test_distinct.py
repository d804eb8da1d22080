"""All distinct blocks of a space are found by combining the few axes that each depends on."""

from __future__ import annotations

import pytest

from duonas.core.couplings import pair_space
from duonas.costs import distinct
from duonas.costs.distinct import distinct_blocks
from duonas.spaces.mobilenet import MobileNet
from duonas.spaces.nasbench201 import NasBench201
from duonas.spaces.uib import UIB


def spaces():
    axes = {"width": [0.5, 1.0], "depth": [1, 2], "kernel": [3, 5], "expansion": [1, 4]}
    yield MobileNet.space(MobileNet.Options(preset="digits", axes=axes), 8, 10)
    yield UIB.space(UIB.Options(preset="uib-digits", axes={"depth": [1], "first": [0, 3]}), 8, 10)
    cells = {"operation": ["none", "skip_connect", "nor_conv_3x3"]}
    yield NasBench201.space(NasBench201.Options(preset="nasbench201-small", axes=cells), 32, 10)


@pytest.mark.parametrize("space", list(spaces()), ids=lambda space: space.name)
def test_combining_axes_finds_what_enumerating_archs_finds(space, monkeypatch):
    every = {block.key for arch in space.archs() for block in space.blocks(arch)}
    assert space.size() <= distinct.FEW
    monkeypatch.setattr(distinct, "FEW", 729)  # no arch is enumerated, but all values of six axes of three values are
    monkeypatch.setattr(distinct, "PATIENCE", 0)  # nor drawn
    monkeypatch.setattr(type(space), "size", lambda self: 10**9)
    found = list(distinct_blocks(pair_space(space)))
    assert {block.key for block in found} == every
    assert len(found) == len(every)


def test_blocks_of_a_large_space_are_few_and_all_there():
    space = MobileNet.space(MobileNet.Options(preset="cifar-small"), 32, 10)
    blocks = list(distinct_blocks(pair_space(space)))
    stage1 = 4 * 4 * 3 + 4 * 4 * 3  # first and further blocks: widths, expansions, kernels
    later = 4 * 4 * 4 * 3 + 4 * 4 * 3  # as many widths of the stage before
    assert len(blocks) == 2 + stage1 + 2 * later + 4
