"""Every shipped space and supernet passes the contract suite."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from duonas.core.linear import LinearSpace
from duonas.core.rng import stream
from duonas.spaces._published import Origin
from duonas.spaces._uib_presets import Own
from duonas.spaces.mobilenet import MobileNet, MobileNetSpace, MobileNetSupernet, Preset, Stage
from duonas.spaces.nasbench201 import NasBench201
from duonas.spaces.uib import PRESETS as UIB_PRESETS
from duonas.spaces.uib import UIB, UIBSpace
from duonas.spaces.uib import Preset as UIBPreset
from duonas.spaces.uib import Stage as UIBStage
from duonas.supernet.family import Family, build_space, build_supernet
from duonas.supernet.options import SpaceOptions
from duonas.supernet.supernet import Supernet
from duonas.supernet.weights.few_shot import FewShot
from duonas.supernet.weights.kshot import Kshot
from duonas.supernet.weights.kshot_hypernet import KshotHypernet
from duonas.testing import SpaceContract, SupernetContract

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


def made(family: type[Family], size: int, table: SpaceOptions) -> Supernet:
    return build_supernet(family, build_space(family, table, size, 5), MEAN, STD, stream(0, "init"), table)


def mobilenet(size: int = 16, **options) -> Supernet:
    return made(MobileNet, size, MobileNet.Options(**options))


def nasbench201(size: int = 8, **options) -> Supernet:
    return made(NasBench201, size, NasBench201.Options(**{"channels": 4, "cells": 1} | options))


def uib(size: int = 8, **options) -> Supernet:
    return made(UIB, size, UIB.Options(**options))


class TestMobileNetDigits(SupernetContract):
    def supernet(self):
        return mobilenet(8, preset="digits")


class TestMobileNetSwitchable(SupernetContract):
    def supernet(self):
        return mobilenet(8, preset="digits", norm="switchable", axes={"depth": [1, 2]})


@pytest.mark.slow
class TestMobileNetKernelTransform(SupernetContract):
    def supernet(self):
        return mobilenet(8, preset="digits", kernel_transform=True, axes={"depth": [1, 2]})


class TestMobileNetTied(SupernetContract):
    """Stages with a few sizes; the kind of block stays a choice of its own."""

    def supernet(self):
        return mobilenet(
            8,
            preset="digits",
            tied=True,
            kinds=["mbconv", "fused"],
            axes={"depth": [1, 2], "kernel": [3], "expansion": [1, 2]},
        )


def linear() -> Supernet:
    stages = tuple(Stage(channels, 2, kinds=("mbconv", "fused")) for channels in (8, 12, 24))
    preset = Preset(16, 8, 1, stages, 2, (16,), kernels=(3,), depths=(1, 2), expansions=(1, 2), widths=(0.5, 1.0))
    space = LinearSpace(MobileNetSpace(preset, 16, 5))
    table = MobileNet.Options(widths="linear")
    return build_supernet(MobileNet, space, MEAN, STD, stream(0, "init"), table)


class TestMobileNetLinear(SpaceContract):
    """Widths on a line: what is contained by both ends is contained in each stage."""

    def space(self):
        return linear().space


@pytest.mark.slow
class TestMobileNetLinearSupernet(SupernetContract):
    def supernet(self):
        return linear()

    def test_a_relaxed_network_without_doubt_is_the_subnet(self):
        """Widths of the whole network cannot be mixed, so strategies with gradients refuse the space."""
        table = MobileNet.Options(preset="fast-64", widths="linear")
        assert not build_space(MobileNet, table, 64, 5).relaxes
        assert build_space(MobileNet, MobileNet.Options(preset="fast-64"), 64, 5).relaxes


class TestUibTied(SpaceContract):
    """Kernels, which the supernet mixes, stay free; those of later blocks are choices of large stages alone."""

    def space(self):
        return build_space(UIB, UIB.Options(preset="uib-digits", tied=True), 8, 5)


class TestMobileNetTwoResolutions(SupernetContract):
    """Squeeze-excite, and pairs whose towers look at different resolutions and so share nothing."""

    def supernet(self):
        return mobilenet(32, preset="cifar", axes={"depth": [1, 2], "width": [0.25, 0.5]})


class TestMobileNetEnumerable(SpaceContract):
    """Small enough for the exact counts to be checked one by one."""

    def space(self):
        axes = {"depth": [1, 2], "width": [0.5, 1.0], "kernel": [3], "expansion": [2]}
        return mobilenet(8, preset="digits", axes=axes).space


class TestMobileNetKinds(SupernetContract):
    """All kinds of block to choose from, so that no arch contains all others; with attention and learned kernels."""

    def supernet(self):
        axes = {"depth": [1, 2], "width": [0.5, 1.0], "kernel": [3, 5], "expansion": [1, 2]}
        table = {"kinds": ("mbconv", "fused", "dense"), "squeeze_excite": "on", "norm": "both"}
        return mobilenet(8, preset="digits", kernel_transform=True, axes=axes, **table)


class TestMobileNetKindsEnumerable(SpaceContract):
    """Small enough for the exact counts to be checked one by one."""

    def space(self):
        axes = {"depth": [1], "width": [0.5, 1.0], "kernel": [3], "expansion": [1, 2], "stage2.kind": ["dense"]}
        return mobilenet(8, preset="digits", kinds=("fused", "dense"), axes=axes).space


class TestMobileNetFast(SpaceContract):
    """The fixed kinds of a preset, two resolutions."""

    def space(self):
        return mobilenet(64, preset="fast-64").space


class TestPublished(SupernetContract):
    """What networks of timm need: uneven padding, ReLU6, parts of hidden channels, a deep head; odd and even maps."""

    def supernet(self):
        axes = {"stage1.width": [0.5, 1.0], "resolution": [18]}
        stages = (
            Stage(16, 2, "relu6", True, kernels=(3,), expansions=(1,), depths=(1,), ratios=(1,)),
            Stage(16, 2, "hswish", True, expansions=(0.5, 1.0), depths=(1, 2), ratios=(2.3, 4.5)),
        )
        origin = Origin("of a test", 40, hidden=24, padding="same", eps=1e-3)
        preset = Preset(18, 8, 1, stages, 1, (18,), kernels=(3, 5), divisor=8, activation="hswish", origin=origin)
        space = MobileNetSpace(preset, 18, 5, axes)
        return MobileNetSupernet(space, MEAN, STD, stream(0, "init"), MobileNet.Options(norm="both"))


class TestMobileNetWidthRange(SupernetContract):
    """Every number of channels from half to all, in steps of 4: long axes, of another length in each stage."""

    def supernet(self):
        return mobilenet(8, preset="digits", width_range=(0.5, 1.0), divisor=4, axes={"depth": [1, 2]})


class TestSimpleLittle(SupernetContract):
    """Little without squeeze-excite and with ReLU; nested, one set of weights is used with two activations."""

    def supernet(self, **options):
        axes = {"depth": [1, 2], "width": [0.5, 1.0]}
        return mobilenet(8, preset="digits", norm="both", axes=axes, **options or {"squeeze_excite": "on"})

    def little(self):
        return self.supernet(blocks="simple")


class TestOwnLittle(SupernetContract):
    """Little of another family and at a smaller resolution, with another kind of norm."""

    def supernet(self):
        return mobilenet(8, preset="digits", axes={"depth": [1, 2]})

    def little(self):
        space = UIBSpace(replace(UIB_PRESETS["uib-digits"], resolutions=(5, 6)), 8, 5)
        return UIB.supernet(space, STD, MEAN, stream(1, "init"), UIB.Options(norm="both"))


class TestOwnLittleEnumerable(SpaceContract):
    """Small enough for the exact counts to be checked one by one."""

    def space(self):
        axes = {"depth": [1], "width": [0.5, 1.0], "kernel": [3], "expansion": [1, 2]}
        return mobilenet(8, preset="digits", axes=axes).space

    def little_space(self):
        return uib(axes={"first": [0, 5], "second": [3], "width": [12, 48], "depth": [1]}).space


class TestNasBench201(SupernetContract):
    """Maps of an odd side among them: 6, 3, 2."""

    def supernet(self):
        return nasbench201(6)


class TestNasBench201Kshot(SupernetContract):
    def supernet(self):
        return nasbench201(weights=Kshot.Options(dictionary=3))


@pytest.mark.slow
class TestNasBench201FewShot(SupernetContract):
    """A sub-supernet for each operation of an edge."""

    def supernet(self):
        return nasbench201(weights=FewShot.Options(axes=("edge01.operation",)))


class TestNasBench201Hypernet(SupernetContract):
    def supernet(self):
        return nasbench201(weights=KshotHypernet.Options(dictionary=4, rank=4))


class TestMobileNetHypernet(SupernetContract):
    """Sizes are cut out of weights that are made for the arch."""

    def supernet(self):
        return mobilenet(
            8, preset="digits", weights=KshotHypernet.Options(dictionary=4, rank=4), axes={"depth": [1, 2]}
        )


class TestNasBench201Nothing(SpaceContract):
    """Two operations, nothing and a convolution: small enough for the exact counts to be checked one by one."""

    def space(self):
        return nasbench201(axes={"operation": ["none", "nor_conv_1x1"]}).space


class TestNasBench201Weightless(SpaceContract):
    """Nothing and skips: each arch contains every other, so the smallest can be a big."""

    def space(self):
        return nasbench201(axes={"operation": ["none", "skip_connect"]}).space


class TestUIBDigits(SupernetContract):
    """A stage without expansion, strided blocks of all forms, maps of an odd side."""

    def supernet(self):
        return uib(7, norm="both", kernel_transform=True)


class TestUIBPublished(SupernetContract):
    """What MobileNetV4 needs: fused stages with and without an activation at their end, parts of hidden channels."""

    def supernet(self):
        stages = (
            UIBStage((8, 16), (1,), 2, blocks=(Own(3, 0, 1),), fused=True, leaving="relu"),
            UIBStage((16,), (1,), 2, blocks=(Own(3, 0, 3.5),), fused=True),
            UIBStage((16, 24), (1, 2), 1, blocks=(Own(5, 3, 2.5), Own(0, 5, 3))),
        )
        preset = UIBPreset(17, 8, 1, stages, 24, 16, (17,), origin=Origin("of a test", 24, hidden=16))
        space = UIBSpace(preset, 17, 5, {"expansion": [0.5, 1.0], "resolution": [17]})
        return UIB.supernet(space, MEAN, STD, stream(0, "init"), UIB.Options(norm="both"))


class TestUIBEnumerable(SpaceContract):
    """Small enough for the exact counts to be checked one by one."""

    def space(self):
        return uib(
            axes={"first": [0, 5], "second": [0, 3], "width": [12, 48], "stage1.depth": [1], "stage2.depth": [1, 2]}
        ).space


@pytest.mark.parametrize("kind", ["mbconv", "fused", "dense"])
@pytest.mark.parametrize("norm", ["recalibrated", "switchable"])
def test_residual_blocks_start_as_the_identity(norm, kind):
    """BigNAS's third trick: the last norm of a residual block starts at zero."""
    net = mobilenet(8, preset="digits", norm=norm, kinds=(kind,))
    residual = [s for s in net.space.blocks(net.space.largest()) if s.residual]
    assert residual
    for spec in residual:
        assert all((p == 0).all() for n, p in net.blocks[spec.name].project.norm.named_parameters() if "weight" in n)


def test_switchable_norms_have_statistics_of_their_own_at_each_width():
    net = mobilenet(8, preset="digits", norm="switchable")
    widths = {p.num_features for n, p in net.blocks["stage1_block0"].named_modules() if "depthwise.norm.by_width." in n}
    assert widths == {16, 32, 64, 96}  # stem 16 times expansion 1, 2, 4, 6


def test_kernel_transforms_start_as_the_plain_crop():
    plain, learned = (mobilenet(8, preset="digits", kernel_transform=on).eval() for on in (False, True))
    images = torch.rand(3, 3, 8, 8)
    for i in range(4):
        arch = plain.space.sample(stream(0, i))
        assert torch.equal(plain(images, arch), learned(images, arch))


def test_kernel_transforms_are_there_where_a_depthwise_kernel_is_elastic():
    def transforms(**axes):
        state = mobilenet(8, preset="digits", kernel_transform=True, axes={"depth": [2], **axes}).state_dict()
        return {name.split("changes.")[0]: state[name].shape for name in state if "changes" in name}

    blocks = {f"blocks.stage{s}_block{b}.depthwise.conv.shrink." for s in (1, 2) for b in (0, 1)}
    assert transforms(kernel=[3]) == {}
    assert transforms(kernel=[5, 7]) == dict.fromkeys(blocks, (25, 25))
    assert transforms(kernel=[3, 7]) == dict.fromkeys(blocks, (9, 9))
