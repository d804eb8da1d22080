"""A supernet that starts from pretrained weights is timm's network in its largest arch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from duonas.core.couplings import pair_space
from duonas.core.errors import DuonasError
from duonas.core.rng import stream
from duonas.pretrained.load import check_fits, network_of, start
from duonas.pretrained.outline import outline
from duonas.pretrained.read import Weights
from duonas.pretrained.sources import Source
from duonas.spaces.mobilenet import MobileNet
from duonas.spaces.nasbench201 import NasBench201
from duonas.spaces.uib import UIB
from duonas.supernet.family import build_space, build_supernet
from duonas.supernet.options import PairOptions
from duonas.supernet.pair import PairSupernet
from duonas.supernet.weights.kshot import Kshot
from support.timm_weights import drawn

FAMILIES = (MobileNet, UIB)
PRESETS = [(family, preset) for family in FAMILIES for preset in family.published]


def weights_of(network, classes=7):
    made = drawn(network, classes)
    tensors = [values for values in made.state_dict().values() if values.ndim]
    return made, Weights(tensors, outline(network, classes), Source(Path("drawn"), "drawn"), "")


def started(family, weights, size=48, classes=7, **options):
    table = family.Options(**{"pretrained": "timm"} | options)
    space = build_space(family, table, size, classes)
    supernet = build_supernet(family, space, weights.like.mean, weights.like.std, stream(0, "init"), table)
    start(supernet, family, weights)
    return supernet.eval()


def normalised(images, like):
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (like.mean, like.std))
    return (images - mean) / std


@pytest.mark.parametrize(("family", "preset"), PRESETS)
def test_the_largest_arch_is_timms_network(family, preset):
    """Law: the same logits and parameters; maps have odd and even sides here, 75, 38, 19, 10, 5 and 3."""
    theirs, weights = weights_of(family.published[preset])
    supernet, images = started(family, weights, 75, preset=preset), torch.rand(3, 3, 75, 75)
    plain = supernet.extract(supernet.space.largest())
    with torch.inference_mode():
        expected = theirs(normalised(images, weights.like))
        logits = supernet(images, supernet.space.largest())
        assert torch.equal(logits, plain(images))
    assert (logits - expected).abs().max() < 1e-4 * expected.abs().max()
    assert (expected - expected.mean(0)).abs().max() > 1e-2 * expected.abs().max()  # it depends on the images
    assert sum(p.numel() for p in plain.parameters()) == sum(p.numel() for p in theirs.parameters())


@pytest.fixture(scope="module")
def lite():
    return weights_of("tf_efficientnet_lite0")


def test_other_archs_keep_the_most_important_channels_and_the_centres(lite):
    theirs, weights = lite
    supernet = started(MobileNet, weights, preset="efficientnet-lite0")
    narrow = supernet.space.arch(stage3_block1_expansion=0.5, stage3_block1_kernel=3)
    spec = next(block for block in supernet.space.blocks(narrow) if block.name == "stage3_block1")
    block = theirs.blocks[2][1]
    importance = block.conv_pwl.weight.abs().sum((0, 2, 3))
    kept = importance.argsort(descending=True, stable=True)[: spec["project"].in_channels]
    _, *values = supernet.blocks[spec.name].depthwise.weights(spec["depthwise"])
    mine = next(supernet.blocks[spec.name].depthwise.weights(spec["depthwise"]))
    assert torch.equal(mine, block.conv_dw.weight[kept][..., 1:4, 1:4])
    assert torch.equal(values[0], block.bn2.weight[kept])


@pytest.mark.parametrize("norm", ["switchable", "both"])
def test_a_norm_for_each_width_starts_from_the_leading_channels(lite, norm):
    _, weights = lite
    one, each = (started(MobileNet, weights, preset="efficientnet-lite0", norm=kind) for kind in ("recalibrated", norm))
    images = torch.rand(2, 3, 48, 48)
    with torch.inference_mode():
        for arch in (one.space.largest(), one.space.smallest(), one.space.sample(stream(0))):
            assert torch.equal(one(images, arch), each(images, arch))


def test_a_narrowed_space_takes_its_part(lite):
    """The archs that a narrowed space shares with the whole one have the same logits."""
    _, weights = lite
    axes = {"stage4.width": [0.5, 0.75], "stage7.width": [0.75], "kernel": [3], "expansion": [0.5, 1], "depth": [1, 2]}
    whole = started(MobileNet, weights, preset="efficientnet-lite0")
    part = started(MobileNet, weights, preset="efficientnet-lite0", axes=axes)
    images = torch.rand(2, 3, 48, 48)
    for i in range(3):
        arch = part.space.sample(stream(1, i))
        same = whole.space.arch(**part.space.values(arch))
        with torch.inference_mode():
            assert torch.equal(part(images, arch), whole(images, same))


@pytest.mark.parametrize(("family", "preset"), [PRESETS[0], PRESETS[-1]])
def test_tied_stages_have_the_network_as_their_largest(family, preset):
    theirs, weights = weights_of(family.published[preset])
    supernet, images = started(family, weights, preset=preset, tied=True), torch.rand(2, 3, 48, 48)
    with torch.inference_mode():
        expected = theirs(normalised(images, weights.like))
        assert (supernet(images, supernet.space.largest()) - expected).abs().max() < 1e-4 * expected.abs().max()
        small = supernet.space.smallest()
        assert torch.equal(supernet(images, small), supernet.extract(small)(images))


def test_the_classifier_is_new_for_other_classes(lite):
    _, weights = lite
    supernet = started(MobileNet, weights, classes=4, preset="efficientnet-lite0")
    fresh = build_supernet(MobileNet, supernet.space, (0.5,) * 3, (0.5,) * 3, stream(0, "init"), supernet.options)
    mine, other = (net.blocks["head"].classify for net in (supernet, fresh))
    assert torch.equal(mine.weight, other.weight) and mine.weight.shape == (4, 1280)
    kept = started(MobileNet, weights, preset="efficientnet-lite0").blocks["head"]
    assert torch.equal(supernet.blocks["head"].widen.conv.weight, kept.widen.conv.weight)
    assert torch.equal(kept.classify.bias, weights.tensors[-1])


@pytest.mark.parametrize("coupling", ["nested", "sibling", "partial"])
def test_both_networks_of_every_coupling_start_from_them(lite, coupling):
    theirs, weights = lite
    towers = [started(MobileNet, weights, preset="efficientnet-lite0") for _ in range(2)]
    pairs = pair_space(towers[0].space, coupling)
    coupled = PairSupernet(pairs, *towers[: len(pairs.towers)]).eval()
    images = torch.rand(2, 3, 48, 48)
    with torch.inference_mode():
        expected = theirs(normalised(images, weights.like))
        for subnet in pairs.largest_subnets():
            assert (coupled(images, subnet) - expected).abs().max() < 1e-4 * expected.abs().max()


@pytest.mark.parametrize(
    ("family", "options", "message"),
    [
        (MobileNet, {}, r"a network of timm, and the default one is none: expected one of efficientnet-lite0"),
        (MobileNet, {"preset": "cifar"}, r"a network of timm, and 'cifar' is none: "),
        (MobileNet, {"preset": "efficientnet-lite0", "weights": Kshot.Options()}, "needs weights that all archs share"),
        (NasBench201, {}, "'nasbench201' has no preset with pretrained weights"),
    ],
)
def test_what_has_no_pretrained_weights_is_refused(family, options, message):
    name = {"name": "nasbench201"} if family is NasBench201 else {}
    with pytest.raises(DuonasError, match=message):
        network_of(family, family.Options(pretrained="auto", **name, **options))


@pytest.mark.parametrize("options", [{"blocks": "simple"}, {"squeeze_excite": "on"}])
def test_a_space_with_other_blocks_is_refused(lite, options):
    _, weights = lite
    table = MobileNet.Options(preset="efficientnet-lite0", pretrained="timm", **options)
    with pytest.raises(DuonasError, match=r"block \w+ of this space is not a part of timm's tf_efficientnet_lite0"):
        check_fits(build_space(MobileNet, table, 48, 7), MobileNet, table, weights)


def test_kinds_are_not_for_published_networks():
    with pytest.raises(DuonasError, match="kinds is not for presets that are published networks"):
        MobileNet.space(MobileNet.Options(preset="efficientnet-lite0", kinds=("dense",)), 48, 7)


def test_littles_own_blocks_are_none_of_the_networks(lite):
    _, weights = lite
    table = PairOptions(little_blocks="simple").of_little(MobileNet.Options(preset="efficientnet-lite0"))
    with pytest.raises(DuonasError, match="little_blocks"):
        check_fits(build_space(MobileNet, table, 48, 7), MobileNet, table, weights)
