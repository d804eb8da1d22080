"""Channel sorting: the important ones lead, and the largest networks compute what they did."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from duonas.core.block import BlockSpec, LayerSpec
from duonas.core.couplings import pair_space
from duonas.core.rng import stream
from duonas.layers.norm import SwitchableBatchNorm
from duonas.spaces.mobilenet import MobileNet
from duonas.supernet.pair import PairSupernet
from duonas.supernet.sorting import by_importance, sort_channels

AXES = {"depth": [1, 2], "kernel": [3, 5], "width": [0.25, 0.5], "resolution": [32]}


def coupled(coupling, side=32, **options):
    """A supernet whose every number is drawn, running statistics too; with squeeze-excite in the last stage."""
    table = MobileNet.Options(**{"preset": "cifar", "axes": AXES, "kernel_transform": True} | options)
    space = MobileNet.space(table, side, 4)
    pairs = pair_space(space, coupling)
    towers = (MobileNet.supernet(space, (0.5,) * 3, (0.2,) * 3, stream(0, "init", r), table) for r in pairs.roles)
    net = PairSupernet(pairs, *towers).eval()
    with torch.no_grad():
        for name, value in net.state_dict().items():
            if value.is_floating_point() and "blocks.input" not in name:
                value.add_(torch.from_numpy(stream(0, name).random(value.shape)).float() * 0.3)
    return net


def falls(importance):
    return bool((importance.diff() <= 1e-4 * importance[:-1]).all())


@pytest.mark.parametrize("coupling", ["nested", "sibling", "partial"])
@pytest.mark.parametrize("norm", ["recalibrated", "switchable"])
@pytest.mark.parametrize("axes", [{}, {"expansion": [1]}])
def test_the_largest_networks_compute_what_they_did(coupling, norm, axes):
    net = coupled(coupling, norm=norm, axes=AXES | axes)
    images = torch.from_numpy(stream(1, "x").random((3, 3, 32, 32))).float()
    with torch.inference_mode():
        before = [net(images, subnet) for subnet in net.pairs.largest_subnets()]
        net.sort_channels()
        after = [net(images, subnet) for subnet in net.pairs.largest_subnets()]
    assert len(after) == {"nested": 1, "sibling": 2, "partial": 3}[coupling]
    for old, new in zip(before, after, strict=True):
        torch.testing.assert_close(new, old, rtol=1e-4, atol=1e-4 * float(old.abs().max()))
        assert not torch.equal(new, old)  # so something moved


@pytest.mark.parametrize("coupling", ["nested", "partial"])
def test_networks_of_every_kind_of_block_compute_what_they_did(coupling):
    """Blocks of different kinds write and read the same channels, in a stage and from one to the next."""
    net = coupled(coupling, 8, preset="digits", kinds=("mbconv", "fused", "dense"), axes={"depth": [2]})
    images = torch.from_numpy(stream(1, "x").random((3, 3, 8, 8))).float()
    subnets = [replace(n, arch=a) for n in net.pairs.largest_subnets() for a in net.pairs.space.maximal()]
    with torch.inference_mode():
        before = [net(images, subnet) for subnet in subnets]
        net.sort_channels()
        for old, new in zip(before, [net(images, subnet) for subnet in subnets], strict=True):
            torch.testing.assert_close(new, old, rtol=1e-4, atol=1e-4 * float(old.abs().max()))
            assert not torch.equal(new, old)  # so something moved


# The blocks that read stage 1 of big and stage 3 of each tower, as (tower, block).
BIG1, LITTLE2 = [("big", "stage1_block1"), ("big", "stage2_block0")], ("little", "stage2_block0")
BIG3, LITTLE3 = ([(tower, name) for name in ("stage3_block1", "head")] for tower in ("big", "little"))
READERS = {"nested": [BIG1, BIG3], "sibling": [BIG1, BIG3, LITTLE3], "partial": [[*BIG1, LITTLE2], BIG3, LITTLE3]}


@pytest.mark.parametrize("coupling", ["nested", "sibling", "partial"])
def test_leading_channels_are_the_important_ones(coupling):
    """A stage's by all that read it, in both towers; expanded, squeezed and pooled ones by what reads them inside."""
    net = coupled(coupling)
    net.sort_channels()
    for readers in READERS[coupling]:
        heard = [getattr(net, tower).blocks[name].input_importance() for tower, name in readers]
        assert falls(torch.stack(heard).sum(0))
    for tower in (net.big, net.little) if net.little else (net.big,):
        last = tower.blocks["stage3_block1"]
        assert falls(last.project.input_importance()) and falls(last.squeeze_excite.excite.input_importance())
        assert falls(tower.blocks["head"].classify.input_importance())


def test_equal_channels_stay_as_they_stand():
    assert by_importance(torch.tensor([1.0, 3.0, 1.0, 3.0, 2.0])).tolist() == [1, 3, 4, 0, 2]


def test_narrow_norms_follow_the_widest():
    norm = SwitchableBatchNorm([2, 4])
    with torch.no_grad():
        norm.by_width["4"].weight.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    norm.reorder(torch.tensor([3, 0, 2, 1]))
    weights = {width: next(norm.weights(LayerSpec("norm", "norm", width, width))).tolist() for width in (2, 4)}
    assert weights == {4: [4, 1, 3, 2], 2: [4, 1]}


class Plain(nn.Module):
    """A block that cannot reorder anything."""


class Reader(nn.Module):
    def __init__(self, importance):
        super().__init__()
        self.importance, self.orders = torch.tensor(importance), []

    def input_importance(self):
        return self.importance

    def reorder_inputs(self, order):
        self.orders.append(order.tolist())


class Middle(Reader):
    def reorder_outputs(self, order):
        self.orders.append(order.tolist())


def chain(*blocks):
    return [(BlockSpec(str(i), 1, "x", 2, 2, 1, 1, residual=residual), b) for i, (b, residual) in enumerate(blocks)]


def test_a_block_that_cannot_reorder_keeps_its_stream():
    a, b, last = Middle([0.0, 1.0]), Middle([1.0, 2.0]), Reader([0.0, 1.0])
    sort_channels([chain((Plain(), False), (a, False), (Plain(), True), (b, False), (last, False))])
    assert a.orders == [] and b.orders == [[1, 0]] and last.orders == [[1, 0]]


def test_networks_that_share_a_block_share_its_order():
    """One reader behind two writers, as where little branches off at two splits: one order for all of them."""
    first, second = Middle([0.0, 0.0]), Middle([0.0, 0.0])
    both, own = Reader([1.0, 2.0]), Reader([9.0, 0.0])
    start = (Plain(), False)
    sort_channels([chain(start, (first, False), (own, False)), chain(start, (first, False), (both, False)),
                   chain(start, (second, False), (both, False))])  # fmt: skip
    assert all(block.orders == [[0, 1]] for block in (first, second, both, own))
