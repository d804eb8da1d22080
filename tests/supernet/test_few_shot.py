"""A supernet that is split into sub-supernets."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import duonas
from duonas.core.couplings import pair_space
from duonas.core.errors import DuonasError
from duonas.core.protocols import Step
from duonas.core.rng import stream
from duonas.recipe.idle import idle_keys
from duonas.recipe.schema import options_for
from duonas.spaces.mobilenet import MobileNet
from duonas.spaces.nasbench201 import NasBench201
from duonas.supernet.family import build_space, build_supernet
from duonas.supernet.options import WeightsOptions
from duonas.supernet.pair import PairSupernet
from duonas.supernet.weights.few_shot import FewShot
from duonas.training.rule import make_rule

IMAGES = torch.from_numpy(stream(0, "images").random((4, 3, 8, 8))).float()
TARGETS = torch.tensor([0, 1, 2, 3])
CELL = "|{}~0|+|{}~0|skip_connect~1|+|nor_conv_3x3~0|skip_connect~1|nor_conv_1x1~2|"


def built(weights, first=None, seed=0):
    table = NasBench201.Options(channels=2, cells=1, weights=weights)
    space = build_space(NasBench201, table, 8, 4)
    return build_supernet(NasBench201, space, (0.5,) * 3, (0.2,) * 3, stream(seed), table, first)


def cell(net, first, second="none"):
    return net.space.arch(cell=CELL.format(first, second))


def kernel(net, arch):
    """Of an edge that is not split."""
    specs = net.specs(arch, net.space.blocks(arch))
    layers = [layer for spec in specs for layer in spec.layers if hasattr(layer, "weight") and "edge03" in layer.name]
    return layers[0].weight


def test_two_edges_of_five_operations_are_25_sub_supernets():
    (count,) = {len(each) for each in built(FewShot.Options()).generator.kernels.values()}
    assert count == 25
    one = built(FewShot.Options(axes=("edge12.operation",)))
    assert {len(each) for each in one.generator.kernels.values()} == {5}


def test_archs_share_the_kernels_of_their_sub_supernet_alone():
    net = built(FewShot.Options(axes=("edge01.operation",)))
    one, same = cell(net, "nor_conv_1x1"), cell(net, "nor_conv_1x1", "avg_pool_3x3")
    other = cell(net, "skip_connect")
    assert kernel(net, one) is kernel(net, same) and kernel(net, one) is not kernel(net, other)
    assert torch.equal(kernel(net, one), kernel(net, other))  # at first


def test_a_step_trains_the_sub_supernets_of_its_archs_alone():
    net = built(FewShot.Options())
    pairs = PairSupernet(pair_space(net.space), net).train()
    rule = make_rule(pairs.pairs, options_for("train", rule="uniform"))
    rule.step(pairs, Step(IMAGES, TARGETS, stream(0, "x"), lambda loss: loss.backward()))
    trained = {number for each in net.generator.kernels.values() for number, w in enumerate(each) if w.grad is not None}
    assert len(trained) == 1


def test_all_start_from_a_shared_supernet_and_then_come_apart():
    shared = built(WeightsOptions(), seed=1)
    net = built(FewShot.Options(start="folder"), shared.state_dict()).eval()
    one, other = cell(net, "nor_conv_1x1"), cell(net, "skip_connect")
    with torch.no_grad():
        assert all(torch.equal(net(IMAGES, arch), shared.eval()(IMAGES, arch)) for arch in (one, other))
        before = net(IMAGES, other)
        kernel(net, one).mul_(2)
        assert torch.equal(net(IMAGES, other), before) and not torch.equal(net(IMAGES, one), shared(IMAGES, one))


def test_an_extracted_network_is_the_subnet():
    net = built(FewShot.Options()).eval()
    arch = cell(net, "nor_conv_3x3", "nor_conv_1x1")
    with torch.inference_mode():
        assert torch.equal(net.extract(arch)(IMAGES), net(IMAGES, arch))


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        (("edge01.operatio",), "'nasbench201' has no axis 'edge01.operatio': did you mean 'edge01.operation'"),
        ((), r"\[space.weights\] axes must name the axes to split, as search space 'mobilenet' has no operations"),
        (("stage1.block1.kernel",), "'stage1.block1.kernel' is no axis of every arch"),
    ],
)
def test_axes_that_cannot_be_split_are_refused(axes, message):
    table = MobileNet.Options(preset="digits", weights=FewShot.Options(axes=axes))
    family = NasBench201 if "operatio" in message and axes else MobileNet
    table = NasBench201.Options(channels=2, cells=1, weights=table.weights) if family is NasBench201 else table
    space = build_space(family, table, 8, 4)
    with pytest.raises(DuonasError, match=message):
        build_supernet(family, space, (0.5,) * 3, (0.2,) * 3, stream(0), table)


def test_a_warm_up_of_coefficients_is_said_to_be_idle():
    recipe = duonas.load_recipe("nasbench201-cpu", ["space.weights=few-shot", "train.coefficient_epochs=2"])
    assert any("coefficient_epochs" in said and "could warm up" in said for said in idle_keys(recipe))
    kept = replace(recipe, space=replace(recipe.space, weights=options_for("space", weights="kshot").weights))
    assert not any("coefficient_epochs" in said for said in idle_keys(kept))
