"""The presets of the uib space: the outline of the largest network and the values of its axes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from duonas.core.block import Activation
from duonas.core.uib import PLACES
from duonas.spaces._published import IMAGE_SIZE, WIDTHS, Origin, divisible, resolutions

KERNELS = (0, 3, 5)  # of each depthwise convolution; 0 for none

# FFN, ConvNext-like, IB and Extra DW blocks as the kernels of their two depthwise convolutions.
Kernels = tuple[int, int]
FFN = (0, 0)
MANY = 6  # blocks of a published network's stage above which every second depth is left out


@dataclass(frozen=True)
class Own:
    """A block of a published network.

    Args:
        first: kernel of its first depthwise convolution, 0 for none; of a fused block, of its convolution.
        second: kernel of its second depthwise convolution, 0 for none.
        expansion: hidden channels as a multiple of those that enter, before they are rounded.
    """

    first: int
    second: int
    expansion: float

    def kernels(self, place: str) -> tuple[int, ...]:
        """The values of the axis ``first`` or ``second``: kernels up to its own, which is not left out."""
        own = {"first": self.first, "second": self.second}[place]
        return tuple(kernel for kernel in KERNELS if 0 < kernel <= own) or (0,)

    def hidden(self, entering: int, share: float) -> int:
        """The number of hidden channels for a number that enters, and a share of its expansion."""
        return divisible(entering * self.expansion * share)


@dataclass(frozen=True)
class Stage:
    """A stage at its largest and smaller.

    Args:
        widths: numbers of channels.
        depths: numbers of blocks.
        stride: of the first block.
        expansion: of every block.
        blocks: the blocks of a published network, whose expansions are elastic and which stand in place of that.
        fused: whether its block is a fused one: a convolution and a 1 x 1 convolution, without depthwise ones.
        leaving: activation of what leaves a fused block.
    """

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    stride: int
    expansion: int = 6
    blocks: tuple[Own, ...] = ()
    fused: bool = False
    leaving: Activation = "none"


@dataclass(frozen=True)
class Named:
    """An arch with a name: its resolution, and for each stage its channels and the kernels of its blocks."""

    resolution: int
    stages: tuple[tuple[int, tuple[Kernels, ...]], ...]

    def values(self) -> dict[str, Any]:
        """The values of all active axes."""
        values: dict[str, Any] = {"resolution": self.resolution}
        for number, (width, blocks) in enumerate(self.stages, 1):
            values |= {f"stage{number}.width": width, f"stage{number}.depth": len(blocks)}
            for index, kernels in enumerate(blocks):
                names = (f"stage{number}.block{index}.{place}" for place in PLACES)
                values |= dict(zip(names, kernels, strict=True))
        return values


@dataclass(frozen=True)
class Preset:
    """A search space for one image size.

    Args:
        image_size: side in pixels.
        stem: channels of the stem.
        stem_stride: stride of the stem.
        stages: the stages with all their values.
        features: channels of the head's convolution.
        hidden: units of the head's hidden layer.
        resolutions: sides to which images may be resized, in pixels.
        named: archs by name.
        origin: the published network that is the largest arch, if it is one.
    """

    image_size: int
    stem: int
    stem_stride: int
    stages: tuple[Stage, ...]
    features: int
    hidden: int
    resolutions: tuple[int, ...]
    named: Mapping[str, Named] = field(default_factory=dict)
    origin: Origin | None = None

    def sides(self, image_size: int) -> tuple[int, ...]:
        """The sides to which images of a size may be resized, in pixels."""
        if self.origin is not None:
            return resolutions(image_size)
        return self.resolutions if image_size == self.image_size else (image_size,)


# Tables 9 to 11 of paper T; docs/parts/uib.md lists their contradictions and how they are resolved.
KHYPER = {
    "khyper-s": Named(
        272,
        (
            (16, ((0, 3), FFN)),
            (24, ((3, 3), (5, 3))),
            (48, ((5, 3), (5, 5), (5, 0))),
            (88, ((5, 3), (0, 5))),
            (112, ((0, 3), (3, 0), (5, 5))),
            (192, ((0, 5), (3, 0), (0, 5))),
            (320, (FFN,)),
        ),
    ),
    "khyper-m": Named(
        320,
        (
            (16, (FFN,)),
            (32, ((5, 3), (3, 3))),
            (48, ((0, 5), (5, 3))),
            (88, ((3, 3), (0, 5), FFN, (5, 5))),
            (128, ((5, 3), (3, 0), (0, 5), FFN, (3, 5))),
            (216, ((0, 5), (5, 0), (3, 5), (5, 0))),
            (320, (FFN, FFN)),
        ),
    ),
    "khyper-l": Named(
        320,
        (
            (24, ((0, 5), (0, 5))),
            (32, ((5, 5), (3, 5), (3, 5))),
            (48, ((0, 5), (0, 5), (5, 5))),
            (88, (FFN, (3, 5), (5, 0), (5, 5))),
            (128, ((0, 5), (5, 0), (5, 5), FFN, (0, 5), (0, 5))),
            (216, ((5, 5), (3, 0), (0, 5), (0, 5), (0, 5), (5, 0))),
            (352, (FFN, FFN)),
        ),
    ),
}


def _published(network: str, *stages: Stage) -> Preset:
    """MobileNetV4 (Qin et al. 2024), as timm has it: parts of its widths, depths, kernels and expansions."""
    origin = Origin(network, 960, hidden=1280)
    return Preset(IMAGE_SIZE, 32, 2, stages, 960, 1280, resolutions(IMAGE_SIZE), origin=origin)


def _stage(channels: int, *blocks: tuple[int, int, float]) -> Stage:
    """A stage of universal inverted bottlenecks that halves the map, by first and second kernel and expansion."""
    depths = range(len(blocks), 0, -1 if len(blocks) <= MANY else -2)
    return Stage(_widths(channels), tuple(depths)[::-1], 2, blocks=tuple(Own(*block) for block in blocks))


def _fused(channels: int, expansion: float, leaving: Activation = "none") -> Stage:
    """A stage of one fused block with a 3 x 3 convolution that halves the map."""
    return Stage(_widths(channels), (1,), 2, blocks=(Own(3, 0, expansion),), fused=True, leaving=leaving)


def _widths(channels: int) -> tuple[int, ...]:
    return tuple(divisible(channels * width) for width in WIDTHS)


PRESETS = {
    # 8 x 8 digits, which have room for two stages.
    "uib-digits": Preset(8, 16, 1, (Stage((12, 24), (1, 2), 1, 1), Stage((24, 48), (1, 2), 2, 4)), 96, 128, (8,)),
    # 32 x 32 with later strides and fewer stages than "uib", for budgets of 6 to 58M MACs.
    "uib-cifar": Preset(
        32, 24, 1,
        (Stage((12, 16), (1, 2), 1, 1), Stage((24, 32), (1, 2, 3), 2), Stage((40, 56), (1, 2, 3, 4), 2),
         Stage((72, 96), (1, 2, 3, 4), 1)),
        384, 512, (32,),
    ),
    # Table 8 with the strides, expansions, head and resolutions of Tables 9 to 11, and resolution 224.
    "uib": Preset(
        320, 32, 2,
        (Stage((16, 24), (1, 2), 1, 1), Stage((24, 32), (2, 3), 2), Stage((40, 48), (2, 3), 2),
         Stage((80, 88), (2, 3, 4), 2), Stage((112, 128), (2, 3, 4, 5, 6), 1), Stage((192, 216), (2, 3, 4, 5, 6), 2),
         Stage((320, 352), (1, 2), 1)),
        960, 1280, (224, 272, 320), KHYPER,
    ),
    # Numbers of channels that are multiples of 16, which CPUs are fast at, with little and big far apart.
    "uib-fast-32": Preset(
        32, 16, 1,
        (Stage((16, 32, 48), (1, 2), 2, 2), Stage((32, 64, 96), (1, 2, 3), 2, 4),
         Stage((64, 128, 192), (1, 2, 3), 2, 4)),
        384, 256, (32,),
    ),
    "uib-fast-64": Preset(
        64, 16, 2,
        (Stage((16, 32, 48), (1, 2), 2, 2), Stage((32, 64, 96), (1, 2, 3), 2, 4),
         Stage((48, 112, 160), (1, 2, 3), 1, 4), Stage((64, 192, 256), (1, 2, 3), 2, 4)),
        512, 512, (48, 64),
    ),
    "uib-fast-128": Preset(
        128, 16, 2,
        (Stage((16, 32), (1, 2), 2, 2), Stage((32, 48, 64), (1, 2, 3), 2, 4),
         Stage((48, 96, 128), (1, 2, 3), 2, 4), Stage((64, 192, 256), (1, 2, 3), 2, 4)),
        768, 512, (64, 96, 128),
    ),
    "uib-fast-224": Preset(
        224, 16, 2,
        (Stage((16, 32), (1, 2), 2, 2), Stage((32, 48, 64), (1, 2, 3), 2, 4),
         Stage((48, 96, 128), (1, 2, 3, 4), 2), Stage((64, 128, 192), (1, 2, 3, 4), 2)),
        768, 768, (128, 160, 192, 224),
    ),
    # Networks of timm, whose pretrained weights fit (docs/parts/pretrained.md).
    "mobilenetv4-conv-s": _published(
        "mobilenetv4_conv_small",
        _fused(32, 1, "relu"), _fused(64, 3, "relu"),
        _stage(96, (5, 5, 3), (0, 3, 2), (0, 3, 2), (0, 3, 2), (0, 3, 2), (3, 0, 4)),
        _stage(128, (3, 3, 6), (5, 5, 4), (0, 5, 4), (0, 5, 3), (0, 3, 4), (0, 3, 4)),
    ),
    "mobilenetv4-conv-m": _published(
        "mobilenetv4_conv_medium",
        _fused(48, 4),
        _stage(80, (3, 5, 4), (3, 3, 2)),
        _stage(160, (3, 5, 6), (3, 3, 4), (3, 3, 4), (3, 5, 4), (3, 3, 4), (3, 0, 4), (0, 0, 2), (3, 0, 4)),
        _stage(256, (5, 5, 6), (5, 5, 4), (3, 5, 4), (3, 5, 4), (0, 0, 4), (3, 0, 4), (3, 5, 2), (5, 5, 4), (0, 0, 4),
               (0, 0, 4), (5, 0, 2)),
    ),
}  # fmt: skip
