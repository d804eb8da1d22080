"""The presets of the mobilenet space: the outline of the largest network and the values of its axes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import gcd
from typing import Literal

from duonas.core.block import Activation
from duonas.core.errors import DuonasError
from duonas.spaces._published import IMAGE_SIZE, SHARES, Origin, divisible, resolutions
from duonas.spaces._published import WIDTHS as PUBLISHED_WIDTHS

Kind = Literal["mbconv", "fused", "dense"]
KINDS: tuple[Kind, ...] = ("mbconv", "fused", "dense")  # from the fewest MACs to the most, for the same sizes
WIDTHS = (0.25, 0.5, 0.75, 1.0)
DEPTHS = (1, 2, 3, 4)
KERNELS = (3, 5, 7)
EXPANSIONS = (1, 2, 4, 6)
FEWEST_CHANNELS = 4


@dataclass(frozen=True)
class Stage:
    """A stage at its largest width.

    Args:
        channels: of every block.
        stride: of the first block.
        activation: of every block.
        squeeze_excite: whether its blocks have channel attention; dense ones never have.
        kinds: kinds of block to choose from, one for the whole stage.
        kernels: kernel sizes; ``None`` for the preset's, as below.
        expansions: ratios of hidden channels to input channels of a block.
        depths: numbers of blocks.
        ratios: expansion of each of its blocks in a published network; ``expansions`` are shares of it.
    """

    channels: int
    stride: int
    activation: Activation = "hswish"
    squeeze_excite: bool = False
    kinds: tuple[Kind, ...] = ("mbconv",)
    kernels: tuple[int, ...] | None = None
    expansions: tuple[float, ...] | None = None
    depths: tuple[int, ...] | None = None
    ratios: tuple[float, ...] = ()


@dataclass(frozen=True)
class Preset:
    """A search space for one image size.

    Args:
        image_size: side in pixels.
        stem: channels of the stem.
        stem_stride: stride of the stem.
        stages: the stages at their largest width.
        head: ratio of head features to channels of the last stage.
        resolutions: sides to which images may be resized, in pixels.
        depths: numbers of blocks per stage.
        kernels: kernel sizes of a block.
        expansions: ratios of hidden channels to input channels of a block.
        widths: fractions of a stage's channels.
        width_range: if set, all numbers of channels between two fractions replace ``widths``.
        divisor: of the numbers of channels per stage.
        activation: of stem and head.
        stem_kernel: kernel size of the stem.
        origin: the published network that is the largest arch, if it is one.
    """

    image_size: int
    stem: int
    stem_stride: int
    stages: tuple[Stage, ...]
    head: int
    resolutions: tuple[int, ...]
    depths: tuple[int, ...] = DEPTHS
    kernels: tuple[int, ...] = KERNELS
    expansions: tuple[float, ...] = EXPANSIONS
    widths: tuple[float, ...] = WIDTHS
    width_range: tuple[float, float] | None = None
    divisor: int = 2
    activation: Activation = "hswish"
    stem_kernel: int = 3
    origin: Origin | None = None

    def channels(self, stage: int, width: float) -> int:
        """The number of channels of a stage (1, 2, ...) at a width."""
        fewest = -(-FEWEST_CHANNELS // self.divisor)
        nearest_multiple = int(self.stages[stage - 1].channels * width / self.divisor + 0.5)
        return self.divisor * max(fewest, nearest_multiple)

    def features(self, channels: int) -> int:
        """The number of the head's features for these channels of the last stage."""
        if self.origin is None:
            return channels * self.head
        return divisible(self.origin.features * channels / self.stages[-1].channels)

    def inside(self, stage: int, block: int, entering: int, share: float) -> int:
        """The number of hidden channels of a block of a published network; 0 without an expansion of its own.

        Args:
            stage: 1, 2, ...
            block: 0, 1, ...
            entering: number of channels that enter.
            share: of the block's own expansion.
        """
        ratios = self.stages[stage - 1].ratios
        return divisible(entering * ratios[block] * share) if ratios and ratios[block] > 1 else 0

    def sides(self, image_size: int) -> tuple[int, ...]:
        """The sides to which images of a size may be resized, in pixels."""
        if self.origin is not None:
            return resolutions(image_size)
        return self.resolutions if image_size == self.image_size else (image_size,)

    def widths_of(self, stage: int, widths: Iterable[float]) -> tuple[float, ...]:
        """One width for each number of channels that a stage has at ``widths``, or within ``width_range``."""
        if self.width_range:
            least, most = (self.channels(stage, width) for width in self.width_range)
            widest = self.stages[stage - 1].channels
            return tuple(round(channels / widest, 4) for channels in range(least, most + 1, self.divisor))
        return tuple({self.channels(stage, width): width for width in widths}.values())

    def with_squeeze_excite(self, on: bool) -> Preset:
        """This preset with squeeze-excite in all stages or in none."""
        return replace(self, stages=tuple(replace(stage, squeeze_excite=on) for stage in self.stages))

    def simple(self) -> Preset:
        """This preset with ReLU everywhere and without squeeze-excite, similar to MobileNetV2's blocks."""
        stages = tuple(replace(stage, activation="relu", squeeze_excite=False) for stage in self.stages)
        return replace(self, activation="relu", stages=stages)

    def of_kinds(self, kinds: tuple[Kind, ...]) -> Preset:
        """This preset with the same kinds of block to choose from in every stage, and the preset's other values."""
        ordered = tuple(kind for kind in KINDS if kind in kinds)
        changed = (replace(stage, kinds=ordered, kernels=None, expansions=None) for stage in self.stages)
        return replace(self, stages=tuple(changed))

    def ranged(self, least: float, most: float) -> Preset:
        """This preset with all numbers of channels between two fractions of a stage's channels (US-Nets).

        Raises:
            DuonasError: ``least`` is larger than ``most``.
        """
        if least > most:
            raise DuonasError(f"[space] width_range goes from small to large: got {least:g} to {most:g}.")
        return replace(self, width_range=(least, most))

    def divided(self, divisor: int) -> Preset:
        """This preset with numbers of channels that are multiples of ``divisor``.

        Raises:
            DuonasError: a stage's largest number of channels is not a multiple.
        """
        common = gcd(*(stage.channels for stage in self.stages))
        if common % divisor:
            possible = ", ".join(str(n) for n in range(1, common + 1) if common % n == 0)
            raise DuonasError(
                f"[space] divisor = {divisor} does not divide the stages' channels "
                f"({', '.join(str(stage.channels) for stage in self.stages)}): choose from {possible}."
            )
        return replace(self, divisor=divisor)


def _dense(channels: int, *depths: int) -> Stage:
    """The first stage of a ``fast`` preset, which halves the map: 3 x 3 convolutions, one a block."""
    return Stage(channels, 2, "relu", kinds=("dense",), kernels=(3,), expansions=(1,), depths=depths)


def _fused(channels: int) -> Stage:
    """The second stage of a ``fast`` preset, which halves the map."""
    return Stage(channels, 2, "relu", kinds=("fused",), kernels=(3,), expansions=(1, 2))


def _fast(
    image_size: int, stem_stride: int, stages: tuple[Stage, ...], head: int, resolutions: tuple[int, ...]
) -> Preset:
    """A preset for runtimes that lay channels out in blocks of 16 (or 8): no other numbers of channels, ReLU only.

    Dense convolutions come first, where maps are large and depthwise ones wait for memory; MBConv comes last.
    """
    return Preset(image_size, 16, stem_stride, stages, head, resolutions, depths=(1, 2, 3), kernels=(3, 5),
                  expansions=(1, 2, 4), divisor=16, activation="relu")  # fmt: skip


def _published(
    origin: Origin, stem: int, stages: tuple[Stage, ...], activation: Activation, image_size: int = IMAGE_SIZE
) -> Preset:
    """A preset whose largest arch is a network of timm: parts of its widths, depths, kernels and expansions."""
    return Preset(image_size, stem, 2, stages, 1, resolutions(image_size), kernels=(3, 5), expansions=SHARES,
                  widths=PUBLISHED_WIDTHS, divisor=8, activation=activation, origin=origin)  # fmt: skip


def _stage(
    channels: int, stride: int, kernel: int, activation: Activation, *ratios: float, attention: bool = False
) -> Stage:
    """A stage of a published network by the expansions of its blocks, which are elastic where there is one."""
    return Stage(
        channels, stride, activation, attention, kernels=(3, 5) if kernel == 5 else (kernel,),
        expansions=SHARES if max(ratios) > 1 else (1,), depths=tuple(range(1, len(ratios) + 1)), ratios=ratios,
    )  # fmt: skip


def _lite(number: int, channels: tuple[int, ...], depths: tuple[int, ...], image_size: int = IMAGE_SIZE) -> Preset:
    """EfficientNet-Lite, as TensorFlow's weights have it."""
    outline = zip(channels, depths, (1, 2, 2, 2, 1, 2, 1), (3, 3, 5, 3, 5, 5, 3), strict=True)
    stages = [
        _stage(width, stride, kernel, "relu6", *[6.0 if index else 1.0] * depth)
        for index, (width, depth, stride, kernel) in enumerate(outline)
    ]
    origin = Origin(f"tf_efficientnet_lite{number}", 1280, padding="same", eps=1e-3)
    return _published(origin, 32, tuple(stages), "relu6", image_size)


def _large() -> Preset:
    """MobileNetV3-Large (Howard et al. 2019, Table 1), as timm has it."""
    stages = (
        _stage(16, 1, 3, "relu", 1),
        _stage(24, 2, 3, "relu", 4, 3),
        _stage(40, 2, 5, "relu", 3, 3, 3, attention=True),
        _stage(80, 2, 3, "hswish", 6, 2.5, 2.3, 2.3),
        _stage(112, 1, 3, "hswish", 6, 6, attention=True),
        _stage(160, 2, 5, "hswish", 6, 6, 6, attention=True),
    )
    return _published(Origin("mobilenetv3_large_100", 960, hidden=1280), 16, stages, "hswish")


def _small() -> Preset:
    """MobileNetV3-Small (Howard et al. 2019, Table 2), as timm has it."""
    stages = (
        _stage(16, 2, 3, "relu", 1, attention=True),
        _stage(24, 2, 3, "relu", 4.5, 3.67),
        _stage(40, 2, 5, "hswish", 4, 6, 6, attention=True),
        _stage(48, 1, 5, "hswish", 3, 3, attention=True),
        _stage(96, 2, 5, "hswish", 6, 6, 6, attention=True),
    )
    return _published(Origin("mobilenetv3_small_100", 576, hidden=1024), 16, stages, "hswish")


PRESETS = {
    # 8 x 8 digits, which have room for two stages.
    "digits": Preset(8, 16, 1, (Stage(32, 2, "relu"), Stage(64, 2)), 2, (8,)),
    # 32 x 32 with most of the work at 16 x 16 and below, for budgets of 1 to 15M MACs.
    "cifar-small": Preset(32, 16, 1, (Stage(24, 2, "relu"), Stage(48, 2), Stage(96, 2)), 3, (32,)),
    # 32 x 32 for budgets of 5 to 100M MACs.
    "cifar": Preset(32, 16, 1, (Stage(24, 1, "relu"), Stage(48, 2), Stage(96, 2, squeeze_excite=True)), 4, (24, 32)),
    # 224 x 224 with MobileNetV3-Large's channels, strides, activations and squeeze-excite.
    "imagenet": Preset(
        224, 16, 2,
        (Stage(24, 2, "relu"), Stage(40, 2, "relu", True), Stage(80, 2), Stage(112, 1, squeeze_excite=True),
         Stage(160, 2, squeeze_excite=True)),
        6, (128, 160, 192, 224),
    ),
    # Four presets for inference on CPUs (``_fast``), with little and big far apart.
    "fast-32": _fast(32, 1, (_dense(48, 1, 2, 3), _fused(96), Stage(192, 2, "relu")), 2, (32,)),
    "fast-64": _fast(
        64, 2, (_dense(48, 1, 2, 3), _fused(96), Stage(160, 1, "relu"), Stage(256, 2, "relu")), 2, (48, 64)
    ),
    "fast-128": _fast(
        128, 2, (_dense(32, 1, 2, 3), _fused(64), Stage(128, 2, "relu"), Stage(256, 2, "relu")), 3, (64, 96, 128)
    ),
    "fast-224": _fast(
        224, 2,
        (_dense(32, 1, 2), _fused(64), Stage(128, 2, "relu", depths=DEPTHS, expansions=EXPANSIONS),
         Stage(192, 2, "relu", depths=DEPTHS, expansions=EXPANSIONS)),
        4, (128, 160, 192, 224),
    ),
    # Networks of timm, whose pretrained weights fit (docs/parts/pretrained.md).
    "efficientnet-lite0": _lite(0, (16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 3, 3, 4, 1)),
    "mobilenetv3-large": _large(),
    "mobilenetv3-small": _small(),
    "efficientnet-lite2": _lite(2, (16, 24, 48, 88, 120, 208, 352), (1, 3, 3, 4, 4, 5, 1), 260),
}  # fmt: skip
