"""The size space of MobileNetV3-style inverted residual blocks (paper D, section 3.2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import gcd
from typing import Any, Literal

from torch import nn

from duonas.core.arch import Arch
from duonas.core.block import Activation, BlockSpec, Bottleneck, head_block, input_block, mbconv_block, stem_block
from duonas.core.errors import DuonasError, nearest
from duonas.core.fields import Count, Width
from duonas.core.space import Axis, SearchSpace, once_per_arch
from duonas.layers.blocks import ElasticHead, ElasticMBConv, ElasticStem
from duonas.layers.elastic import KernelTransform, Shrink, centre
from duonas.spaces.options import NarrowedOptions, preset_advice
from duonas.supernet.family import Family
from duonas.supernet.options import Norm
from duonas.supernet.supernet import Supernet, narrowed

WIDTHS = (0.25, 0.5, 0.75, 1.0)
DEPTHS = (1, 2, 3, 4)
KERNELS = (3, 5, 7)
EXPANSIONS = (1, 2, 4, 6)
FEWEST_CHANNELS = 4
MOST_SWITCHED = 8  # widths per stage; with more, each is trained too rarely for separate statistics


@dataclass(frozen=True)
class Stage:
    """A stage at its largest width: channels, stride of the first block, activation, squeeze-excite."""

    channels: int
    stride: int
    activation: Activation = "hswish"
    squeeze_excite: bool = False


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
        kernels: depthwise kernel sizes.
        expansions: ratios of hidden channels to input channels of a block.
        widths: fractions of a stage's channels.
        width_range: if set, all numbers of channels between two fractions replace ``widths``.
        divisor: of the numbers of channels per stage.
        activation: of stem and head.
    """

    image_size: int
    stem: int
    stem_stride: int
    stages: tuple[Stage, ...]
    head: int
    resolutions: tuple[int, ...]
    depths: tuple[int, ...] = DEPTHS
    kernels: tuple[int, ...] = KERNELS
    expansions: tuple[int, ...] = EXPANSIONS
    widths: tuple[float, ...] = WIDTHS
    width_range: tuple[float, float] | None = None
    divisor: int = 2
    activation: Activation = "hswish"

    def channels(self, stage: int, width: float) -> int:
        """The number of channels of a stage (1, 2, ...) at a width."""
        fewest = -(-FEWEST_CHANNELS // self.divisor)
        nearest_multiple = int(self.stages[stage - 1].channels * width / self.divisor + 0.5)
        return self.divisor * max(fewest, nearest_multiple)

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
}  # fmt: skip


class MobileNetSpace(SearchSpace):
    """Width and depth of each stage, kernel and expansion of each block, resolution.

    Args:
        preset: the largest network and its options.
        image_size: side of the images, in pixels.
        classes: number of classes K.
        narrow: values to keep of ``width``, ``depth``, ``kernel``, ``expansion`` or ``resolution``.
    """

    def __init__(
        self, preset: Preset, image_size: int, classes: int, narrow: dict[str, list[Any]] | None = None
    ) -> None:
        options = {
            "width": preset.widths,
            "depth": preset.depths,
            "kernel": preset.kernels,
            "expansion": preset.expansions,
            "resolution": preset.resolutions if image_size == preset.image_size else (image_size,),
        }
        self.preset = preset
        axes = _axes(preset, narrowed(options, narrow or {}))
        super().__init__("mobilenet", axes, image_size=image_size, classes=classes)

    def channels(self, stage: int, width: float) -> int:
        """The number of channels of a stage (1, 2, ...) at a width."""
        return self.preset.channels(stage, width)

    def kernels(self, spec: BlockSpec) -> tuple[int, ...]:
        """The kernel sizes of a block over all archs."""
        return self.axes[f"{spec.name.replace('_', '.')}.kernel"].values

    def layer_widths(self, spec: BlockSpec) -> dict[str, list[int]]:
        """All numbers of output channels of each layer of a block over all archs."""
        count = len(self.preset.stages)
        if spec.kind == "head":
            last = [self.channels(count, width) for width in self.axes[f"stage{count}.width"].values]
            return {"widen": [channels * self.preset.head for channels in last]}
        stage, block = spec.stage, int(spec.name.split("block")[1])
        outs = [self.channels(stage, width) for width in self.axes[f"stage{stage}.width"].values]
        ins = outs
        if block == 0:
            previous = self.axes[f"stage{stage - 1}.width"].values if stage > 1 else ()
            ins = [self.channels(stage - 1, width) for width in previous] or [self.preset.stem]
        hidden = [i * e for i in ins for e in self.axes[f"stage{stage}.block{block}.expansion"].values]
        return {"expand": hidden, "depthwise": hidden, "project": outs}

    @once_per_arch
    def blocks(self, arch: Arch) -> tuple[BlockSpec, ...]:
        """Input, stem, the blocks of each stage, head."""
        side = self.value(arch, "resolution")
        stem = stem_block(self.preset.stem, side, stride=self.preset.stem_stride, activation=self.preset.activation)
        blocks = [input_block(self.image_size, side), stem]
        for number, stage in enumerate(self.preset.stages, 1):
            width = self.channels(number, self.value(arch, f"stage{number}.width"))
            for index in range(self.value(arch, f"stage{number}.depth")):
                name = f"stage{number}.block{index}"
                outer = Bottleneck(
                    blocks[-1].out_channels,
                    width,
                    blocks[-1].out_resolution,
                    stride=stage.stride if index == 0 else 1,
                    expansion=self.value(arch, f"{name}.expansion"),
                    activation=stage.activation,
                )
                kernel, place = self.value(arch, f"{name}.kernel"), name.replace(".", "_")
                blocks.append(mbconv_block(place, number, outer, kernel=kernel, squeeze_excite=stage.squeeze_excite))
        last = blocks[-1]
        features = last.out_channels * self.preset.head
        blocks.append(head_block(len(self.preset.stages) + 1, last.out_channels, features, self.classes,
                                 last.out_resolution, activation=self.preset.activation))  # fmt: skip
        return tuple(blocks)


class MobileNetSupernet(Supernet):
    """The supernet of a ``MobileNetSpace``."""

    space: MobileNetSpace
    options: MobileNet.Options

    def build(self, largest: BlockSpec) -> nn.Module:
        """Build an elastic stem, inverted residual block or head."""
        if largest.kind == "stem":
            return ElasticStem(largest, self.norm)
        widths = self.space.layer_widths(largest)
        if largest.kind == "head":
            return ElasticHead(largest, widths, self.norm)
        return ElasticMBConv(largest, widths, self.norm, self._shrink(largest))

    def _shrink(self, spec: BlockSpec) -> Shrink:
        kernels = self.space.kernels(spec)
        return KernelTransform(kernels) if self.options.kernel_transform and len(kernels) > 1 else centre


def _axes(preset: Preset, options: dict[str, tuple[Any, ...]]) -> list[Axis]:
    axes = [Axis("resolution", options["resolution"])]
    for stage in range(1, len(preset.stages) + 1):
        depth = f"stage{stage}.depth"
        axes.append(Axis(f"stage{stage}.width", preset.widths_of(stage, options["width"]), stage=stage))
        axes.append(Axis(depth, options["depth"], stage=stage))
        for block in range(max(options["depth"])):
            # The index of the smallest depth that has this block.
            minimum = next(i for i, d in enumerate(options["depth"]) if d > block)
            for choice in ("kernel", "expansion"):
                axes.append(Axis(f"stage{stage}.block{block}.{choice}", options[choice], depth, minimum, stage))
    return axes


def _varied(preset: Preset, options: MobileNet.Options) -> Preset:
    """The preset with the changes of the ``[space]`` table."""
    if options.blocks == "simple":
        if options.squeeze_excite == "on":
            raise DuonasError(
                "simple blocks have no squeeze-excite: set either blocks = 'simple' or squeeze-excite on."
            )
        preset = preset.simple()
    if options.squeeze_excite != "preset":
        preset = preset.with_squeeze_excite(options.squeeze_excite == "on")
    if options.divisor:
        preset = preset.divided(options.divisor)
    if options.width_range:
        if "width" in options.axes:
            raise DuonasError("[space] has both width_range and axes.width: give one of them.")
        preset = preset.ranged(*options.width_range)
    return preset


def _check_switchable(space: MobileNetSpace, norm: Norm) -> None:
    widths = {name: len(axis.values) for name, axis in space.axes.items() if name.endswith(".width")}
    name = max(widths, key=lambda axis: widths[axis])
    if norm != "recalibrated" and widths[name] > MOST_SWITCHED:
        raise DuonasError(
            f"[space] norm = {norm!r} trains a batch norm for every width, which {widths[name]} widths of "
            f"{name.split('.')[0]} are too many for (at most {MOST_SWITCHED}): use norm = 'recalibrated', a larger "
            f"divisor, or single widths."
        )


def _preset_for(image_size: int) -> str:
    return "digits" if image_size < 24 else "cifar" if image_size < 96 else "imagenet"


class MobileNet(Family):
    """MobileNetV3-style inverted residual blocks, elastic in width, depth, kernel, expansion and resolution."""

    supernet = MobileNetSupernet

    @dataclass(frozen=True)
    class Options(NarrowedOptions):
        """Keys of ``[space]``."""

        preset: str | None = None
        """The preset: digits (8 x 8 pixels), cifar-small (1 to 15M MACs at 32 x 32), cifar (5 to 100M MACs), imagenet
        (224 x 224, as MobileNetV3-Large); default: by the size of the images."""
        width_range: tuple[Width, Width] | None = None
        """All numbers of channels between these fractions of a stage's channels, in place of the preset's widths."""
        divisor: Count | None = None
        """Numbers of channels per stage are multiples of it; default: the preset's, 2."""
        squeeze_excite: Literal["preset", "on", "off"] = "preset"
        """Squeeze-excite in all stages, in none, or as in the preset."""
        blocks: Literal["preset", "simple"] = "preset"
        """"simple": ReLU everywhere and no squeeze-excite."""
        kernel_transform: bool = False
        """Whether smaller kernels are learned maps of the centres of larger ones, not the centres themselves."""

    @classmethod
    def space(cls, options: Options, image_size: int, classes: int) -> MobileNetSpace:
        """Build the space of the preset with the changes of the options."""
        name = options.preset or _preset_for(image_size)
        if name not in PRESETS:
            raise DuonasError(f"search space 'mobilenet' has no preset {name!r}: {nearest(name, PRESETS)}.")
        space = MobileNetSpace(_varied(PRESETS[name], options), image_size, classes, options.axes)
        _check_switchable(space, options.norm)
        return space

    @classmethod
    def advice(cls, options: Any, image_size: int) -> str:
        """Advise another preset where this one is for images of another size."""
        if not isinstance(options, MobileNet.Options):  # a family of the user's own, which has no presets
            return ""
        usual, sizes = _preset_for(image_size), {name: preset.image_size for name, preset in PRESETS.items()}
        return preset_advice(options.preset or usual, usual, sizes, image_size)
