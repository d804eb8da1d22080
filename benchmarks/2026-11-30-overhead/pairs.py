"""Routed pairs of untrained networks, whose time does not depend on what they have learned."""

from __future__ import annotations

from typing import NamedTuple

import onnx
import torch
from torch import nn

from duonas.core.arch import Arch
from duonas.core.couplings import pair_space
from duonas.core.pair import PairArch
from duonas.core.rng import stream
from duonas.deploy.export import export_parts
from duonas.deploy.stitch import dynamic, whole
from duonas.layers.norm import recalibrate
from duonas.pair.pair import Pair
from duonas.routing.routers.confidence import Confidence
from duonas.spaces.mobilenet import PRESETS, MobileNet
from duonas.supernet.family import build_space, build_supernet
from duonas.supernet.pair import PairSupernet

CLASSES = 10
DRAWN = 1000  # archs of which the nearest to a number of MACs is taken
SIZES = (("fast-32", 5), ("fast-32", 10), ("fast-32", 20), ("fast-32", 50), ("fast-64", 100))  # MMACs of big


class Files(NamedTuple):
    """The ONNX files of a pair, and the MACs of its networks."""

    name: str
    routed: onnx.ModelProto
    little: onnx.ModelProto
    big: onnx.ModelProto
    macs: tuple[int, int]


def make(preset: str, millions: float) -> Files:
    """The smallest network of a preset as little, and as big the one drawn with the nearest number of MACs."""
    options = MobileNet.Options(preset=preset)
    side = PRESETS[preset].image_size
    space = build_space(MobileNet, options, side, CLASSES)
    supernet = build_supernet(MobileNet, space, [0.5] * 3, [0.3] * 3, stream(0, "weights"), options)
    coupled = PairSupernet(pair_space(space, "nested"), supernet).eval()
    rng = stream(0, "archs", preset)
    drawn = [space.largest(), *(_full_size(space.sample(rng), space.largest()) for _ in range(DRAWN))]
    most = min(drawn, key=lambda arch: abs(sum(block.macs for block in space.blocks(arch)) - millions * 1e6))
    pair = coupled.extract_pair(PairArch(_full_size(space.smallest(), most), most))
    images = torch.rand(64, 3, side, side, generator=torch.Generator().manual_seed(0))
    for tower in pair.towers().values():
        recalibrate(tower, [images])
        last = [module for module in tower.modules() if isinstance(module, nn.Linear)][-1]
        with torch.no_grad():  # scores that differ
            last.weight.normal_(0, 1, generator=torch.Generator().manual_seed(0))
    return _files(f"{preset}, big {millions} MMACs", pair.eval())


def _full_size(arch: Arch, like: Arch) -> Arch:
    """The arch at the resolution of another, so that a pair of both shares its stem."""
    return Arch(
        arch.space, tuple((axis, like[axis] if axis == "resolution" else arch[axis]) for axis, _ in arch.choices)
    )


def _files(name: str, pair: Pair) -> Files:
    parts = export_parts(pair, Confidence(temperature=1.3), 18)
    macs = tuple(pair.facts.networks[role].macs for role in ("little", "big"))
    return Files(
        name, dynamic(parts, 0.0, {}), whole("little", parts.stem, parts.little, {}),
        whole("big", parts.stem, parts.big, {}), (macs[0], macs[1]),
    )  # fmt: skip
