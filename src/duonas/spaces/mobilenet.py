"""The size space of MobileNetV3-style inverted residual blocks (paper D, section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import MinLen
from torch import nn

from duonas.core.arch import Arch
from duonas.core.axis import Axis
from duonas.core.block import (
    BlockSpec,
    Bottleneck,
    DeepHead,
    deep_head_block,
    dense_block,
    fused_block,
    head_block,
    input_block,
    mbconv_block,
    stem_block,
)
from duonas.core.errors import DuonasError, nearest
from duonas.core.fields import Count, Width
from duonas.core.space import SearchSpace, once_per_arch
from duonas.layers.blocks import ElasticHead, ElasticMBConv, ElasticStem
from duonas.layers.deep_head import ElasticDeepHead
from duonas.layers.dense import ElasticDense, ElasticFused
from duonas.layers.elastic import KernelTransform, centre
from duonas.spaces._mobilenet_presets import PRESETS, Kind, Preset, Stage
from duonas.spaces._published import divisible, expansion, networks
from duonas.spaces.options import NarrowedOptions, narrowed_stages, preset_advice
from duonas.supernet.family import Family
from duonas.supernet.options import Norm
from duonas.supernet.supernet import Supernet

__all__ = ["PRESETS", "MobileNet", "MobileNetSpace", "MobileNetSupernet", "Preset", "Stage"]

MOST_SWITCHED = 8  # widths per stage; with more, each is trained too rarely for separate statistics


class MobileNetSpace(SearchSpace):
    """Width and depth of each stage, and its kind of block; kernel and expansion of each block; resolution.

    Where a stage can choose between kinds of block, each kind has weights of its own.

    Args:
        preset: the largest network and its options.
        image_size: side of the images, in pixels.
        classes: number of classes K.
        narrow: values to keep of ``width``, ``depth``, ``kernel``, ``expansion`` or ``kind`` in all stages, in one
            stage such as ``stage2.kernel``, or of ``resolution``.
    """

    def __init__(
        self, preset: Preset, image_size: int, classes: int, narrow: dict[str, list[Any]] | None = None
    ) -> None:
        options = narrowed_stages({"resolution": preset.sides(image_size), **_stage_values(preset)}, narrow or {})
        self.preset = preset
        self.kinds: dict[int, tuple[Kind, ...]] = {n: options[f"stage{n}.kind"] for n in _numbers(preset)}
        super().__init__("mobilenet", _axes(preset, options), image_size=image_size, classes=classes)

    def channels(self, stage: int, width: float) -> int:
        """The number of channels of a stage (1, 2, ...) at a width."""
        return self.preset.channels(stage, width)

    def kernels(self, spec: BlockSpec) -> tuple[int, ...]:
        """The kernel sizes of a block over all archs."""
        return self.axes[f"{_place(spec)}.kernel"].values

    def layer_widths(self, spec: BlockSpec) -> dict[str, list[int]]:
        """All numbers of output channels of each layer of a block over all archs."""
        count = len(self.preset.stages)
        if spec.kind == "head":
            last = [self.channels(count, width) for width in self.axes[f"stage{count}.width"].values]
            return {"widen": [self.preset.features(channels) for channels in last]}
        stage, place = spec.stage, _place(spec)
        outs = [self.channels(stage, width) for width in self.axes[f"stage{stage}.width"].values]
        ins = outs
        if place.endswith("block0"):
            previous = self.axes[f"stage{stage - 1}.width"].values if stage > 1 else ()
            ins = [self.channels(stage - 1, width) for width in previous] or [self.preset.stem]
        shares = self.axes[f"{place}.expansion"].values
        index = int(place.partition("block")[2])
        hidden = [self.preset.inside(stage, index, i, e) or i * e for i in ins for e in shares]
        return {"expand": hidden, "depthwise": hidden, "project": outs}

    @once_per_arch
    def blocks(self, arch: Arch) -> tuple[BlockSpec, ...]:
        """Input, stem, the blocks of each stage, head."""
        preset, side = self.preset, self.value(arch, "resolution")
        stem = stem_block(preset.stem, side, stride=preset.stem_stride, activation=preset.activation,
                          kernel=preset.stem_kernel)  # fmt: skip
        blocks = [input_block(self.image_size, side), stem]
        for number in _numbers(preset):
            for index in range(self.value(arch, f"stage{number}.depth")):
                blocks.append(self._block(arch, number, index, blocks[-1]))
        blocks.append(self._head(blocks[-1]))
        return tuple(blocks if preset.origin is None else map(preset.origin.conformed, blocks))

    def whole(self) -> tuple[BlockSpec, ...]:
        """The blocks of the largest archs of every kind."""
        found = dict.fromkeys(block for arch in self.maximal() for block in self.blocks(arch))
        return tuple(sorted(found, key=lambda block: block.stage))

    def maximal(self) -> tuple[Arch, ...]:
        """The largest archs: every two kinds of block are in two neighbouring stages of one of them."""
        elastic = [name for name, axis in self.axes.items() if axis.kind == "kind"]
        most = max((len(self.axes[name].values) for name in elastic), default=1)
        largest = {name: len(axis.values) - 1 for name, axis in self.axes.items()}
        found = []
        for one in range(most):
            for other in range(most):
                chosen = {n: min(i, largest[n]) for n, i in zip(elastic, cycle((one, other)), strict=False)}
                found.append(self.build(largest | chosen))
        return tuple(dict.fromkeys(found))

    def _block(self, arch: Arch, number: int, index: int, before: BlockSpec) -> BlockSpec:
        stage, place = self.preset.stages[number - 1], f"stage{number}.block{index}"
        kinds, name = self.kinds[number], place.replace(".", "_")
        kind = kinds[0] if len(kinds) == 1 else self.value(arch, f"stage{number}.kind")
        if len(kinds) > 1:
            name += f"_{kind}"  # each kind has weights of its own
        times = self.value(arch, f"{place}.expansion")
        inside = self.preset.inside(number, index, before.out_channels, times)
        outer = Bottleneck(
            before.out_channels,
            self.channels(number, self.value(arch, f"stage{number}.width")),
            before.out_resolution,
            stride=stage.stride if index == 0 else 1,
            expansion=expansion(inside, before.out_channels) if inside else times,
            activation=stage.activation,
            inside=inside,
        )
        kernel = self.value(arch, f"{place}.kernel")
        if kind == "dense":
            return dense_block(name, number, outer, kernel=kernel)
        if kind == "fused":
            return fused_block(name, number, outer, kernel=kernel, squeeze_excite=stage.squeeze_excite)
        squeezed = 0 if self.preset.origin is None else divisible(outer.hidden / 4)
        return mbconv_block(name, number, outer, kernel=kernel, squeeze_excite=stage.squeeze_excite, squeezed=squeezed)

    def _head(self, before: BlockSpec) -> BlockSpec:
        preset, stage, side = self.preset, len(self.preset.stages) + 1, before.out_resolution
        if preset.origin is not None and preset.origin.hidden:
            sizes = DeepHead(preset.origin.features, preset.origin.hidden)
            return deep_head_block(stage, before.out_channels, sizes, self.classes, side, activation=preset.activation)
        features = preset.features(before.out_channels)
        return head_block(stage, before.out_channels, features, self.classes, side, activation=preset.activation)


class MobileNetSupernet(Supernet):
    """The supernet of a ``MobileNetSpace``."""

    relaxes = True

    space: MobileNetSpace
    options: MobileNet.Options

    def build(self, largest: BlockSpec) -> nn.Module:
        """Build an elastic stem, block of its kind, or head."""
        if largest.kind == "stem":
            return ElasticStem(largest, self.norm)
        widths = self.space.layer_widths(largest)
        if largest.kind == "head":
            return (
                ElasticDeepHead(largest, self.norm) if "hidden" in largest else ElasticHead(largest, widths, self.norm)
            )
        kernels = self.space.kernels(largest)
        learned = kernels if self.options.kernel_transform and len(kernels) > 1 else ()
        if largest.kind == "mbconv":
            return ElasticMBConv(largest, widths, self.norm, KernelTransform(learned) if learned else centre)
        return (ElasticDense if largest.kind == "dense" else ElasticFused)(largest, widths, self.norm, learned)


def _numbers(preset: Preset) -> range:
    return range(1, len(preset.stages) + 1)


def _place(spec: BlockSpec) -> str:
    """The first part of the names of a block's axes, such as ``stage1.block0``, without its kind."""
    return spec.name.removesuffix(f"_{spec.kind}").replace("_", ".")


def _stage_values(preset: Preset) -> dict[str, tuple[Any, ...]]:
    values: dict[str, tuple[Any, ...]] = {}
    for number, stage in enumerate(preset.stages, 1):
        of_stage = {
            "width": preset.widths,
            "depth": stage.depths or preset.depths,
            "kernel": stage.kernels or preset.kernels,
            "expansion": stage.expansions or preset.expansions,
            "kind": stage.kinds,
        }
        values |= {f"stage{number}.{kind}": each for kind, each in of_stage.items()}
    return values


def _axes(preset: Preset, options: dict[str, tuple[Any, ...]]) -> list[Axis]:
    axes = [Axis("resolution", options["resolution"])]
    for stage in _numbers(preset):
        depth, kind = f"stage{stage}.depth", f"stage{stage}.kind"
        depths = options[depth]
        axes.append(Axis(f"stage{stage}.width", preset.widths_of(stage, options[f"stage{stage}.width"]), stage=stage))
        axes.append(Axis(depth, depths, stage=stage))
        if len(options[kind]) > 1:
            axes.append(Axis(kind, options[kind], stage=stage, weightless=()))  # no kind contains another
        for block in range(max(depths)):
            # The index of the smallest depth that has this block.
            minimum = next(i for i, d in enumerate(depths) if d > block)
            for choice in ("kernel", "expansion"):
                values = options[f"stage{stage}.{choice}"]
                axes.append(Axis(f"stage{stage}.block{block}.{choice}", values, depth, minimum, stage))
    return axes


def _varied(preset: Preset, options: MobileNet.Options) -> Preset:
    """The preset with the changes of the ``[space]`` table."""
    if options.kinds and preset.origin is not None:
        raise DuonasError(
            f"[space] kinds is not for presets that are published networks, such as {options.preset!r}: remove it, or "
            "choose another preset."
        )
    if options.blocks == "simple":
        if options.squeeze_excite == "on":
            raise DuonasError(
                "simple blocks have no squeeze-excite: set either blocks = 'simple' or squeeze-excite on."
            )
        preset = preset.simple()
    if options.kinds:
        preset = preset.of_kinds(options.kinds)
    if options.squeeze_excite != "preset":
        preset = preset.with_squeeze_excite(options.squeeze_excite == "on")
    if options.divisor:
        preset = preset.divided(options.divisor)
    if options.width_range:
        if given := [name for name in options.axes if name.rpartition(".")[2] == "width"]:
            raise DuonasError(f"[space] has both width_range and axes.{given[0]}: give one of them.")
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
    limits = ((24, "digits"), (48, "fast-32"), (96, "fast-64"), (176, "fast-128"))
    return next((name for limit, name in limits if image_size < limit), "fast-224")


class MobileNet(Family):
    """MobileNetV3-style inverted residual blocks, elastic in width, depth, kernel, expansion and resolution."""

    supernet = MobileNetSupernet
    published: ClassVar[Mapping[str, str]] = networks({name: preset.origin for name, preset in PRESETS.items()})

    @dataclass(frozen=True)
    class Options(NarrowedOptions):
        """Keys of ``[space]``."""

        preset: str | None = None
        """The preset: digits (8 x 8 pixels), cifar-small (0.6M to 33M MACs at 32 x 32), cifar (0.5M to 127M), imagenet
        (224 x 224, as MobileNetV3-Large); fast-32, fast-64, fast-128 or fast-224, with channels and blocks on which
        CPUs are fast; efficientnet-lite0, efficientnet-lite2, mobilenetv3-large or mobilenetv3-small, parts of these
        networks at any size of images; default: digits or one of the fast ones, by the size of the images."""
        width_range: tuple[Width, Width] | None = None
        """All numbers of channels between these fractions of a stage's channels, in place of the preset's widths."""
        divisor: Count | None = None
        """Numbers of channels per stage are multiples of it; default: the preset's, 2."""
        squeeze_excite: Literal["preset", "on", "off"] = "preset"
        """Squeeze-excite in all stages, in none, or as in the preset."""
        blocks: Literal["preset", "simple"] = "preset"
        """"simple": ReLU everywhere and no squeeze-excite."""
        kinds: Annotated[tuple[Kind, ...], MinLen(1)] | None = None
        """The kinds of block that each stage chooses from, of mbconv, fused and dense; default: the preset's."""
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
        if options.preset in cls.published:  # which are for any size
            return ""
        usual, sizes = _preset_for(image_size), {name: preset.image_size for name, preset in PRESETS.items()}
        return preset_advice(options.preset or usual, usual, sizes, image_size)
