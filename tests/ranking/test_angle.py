"""The angle between weights before and after training."""

from __future__ import annotations

import math
from copy import deepcopy

import pytest
import torch

from duonas.core.couplings import pair_space
from duonas.core.pair import Subnet
from duonas.core.rng import stream
from duonas.ranking.angle import Angles, paths_of
from duonas.spaces.nasbench201 import NasBench201
from duonas.supernet.family import build_space, build_supernet
from duonas.supernet.pair import PairSupernet


def test_paths_are_counted_through_each_edge():
    every = ("nor_conv_3x3",) * 6  # edges 01, 02, 12, 03, 13, 23
    assert list(paths_of(every).values()) == [2, 1, 1, 1, 1, 2]
    assert list(paths_of(("skip_connect", "none", "none", "none", "nor_conv_1x1", "nor_conv_3x3")).values()) == [
        1, 0, 0, 0, 1, 0,
    ]  # fmt: skip


def supernet(channels=2):
    table = NasBench201.Options(channels=channels, cells=1)
    space = build_space(NasBench201, table, 8, 4)
    return PairSupernet(pair_space(space), build_supernet(NasBench201, space, (0.5,) * 3, (0.2,) * 3, stream(0), table))


def subnet(net, *operations):
    cell = "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|".format(*operations)
    return Subnet(net.pairs.space.arch(cell=cell))


def test_weights_that_only_grew_have_no_angle_and_turned_ones_half_a_turn():
    before = supernet()
    after = deepcopy(before)
    with torch.no_grad():
        for weight in after.parameters():
            weight.mul_(2)
    one = subnet(before, *["nor_conv_1x1"] * 6)
    assert Angles(before, after)(one) == pytest.approx(0, abs=1e-6)
    with torch.no_grad():
        for weight in after.parameters():
            weight.neg_()
    assert Angles(before, after)(one) == pytest.approx(math.pi)


def test_it_is_the_angle_of_the_vector_along_all_paths():
    """By hand: a convolution and two poolings lie on the two paths of a cell, two more poolings on none."""
    before, after = supernet(), supernet()
    with torch.no_grad():
        for number, weight in enumerate(after.parameters()):
            weight.add_(torch.from_numpy(stream(number).normal(0, 0.1, weight.shape)))
    one = subnet(before, "nor_conv_1x1", *["avg_pool_3x3"] * 4, "none")
    vectors = []
    for net in (before, after):
        parts = []
        for weight in net.extract(one).parameters():
            parts += [weight.flatten()] if weight.ndim > 1 else []
        pools = [torch.full((channels**2 * 9,), 1 / 9) for channels in (2, 4, 8) for _ in range(2)]  # edges 03 and 13
        vectors.append(torch.cat([*parts, *pools]).double())
    angle = torch.arccos(torch.dot(*vectors) / (vectors[0].norm() * vectors[1].norm())).item()
    assert Angles(before, after)(one) == pytest.approx(angle, rel=1e-5)
