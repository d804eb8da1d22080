"""The space of universal inverted bottlenecks (paper T, sections 4.2, A.3 and A.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from duonas.core.arch import Arch
from duonas.core.axis import Axis
from duonas.core.block import (
    Activation,
    BlockSpec,
    Bottleneck,
    DeepHead,
    deep_head_block,
    fused_block,
    input_block,
    stem_block,
)
from duonas.core.errors import DuonasError, nearest
from duonas.core.space import SearchSpace, once_per_arch
from duonas.core.uib import PLACES, form, uib_block
from duonas.layers.blocks import ElasticStem
from duonas.layers.deep_head import ElasticDeepHead
from duonas.layers.dense import ElasticFused
from duonas.layers.uib import ElasticUIB
from duonas.spaces._published import SHARES, expansion, networks
from duonas.spaces._uib_presets import KERNELS, KHYPER, PRESETS, Preset, Stage
from duonas.spaces.options import NarrowedOptions, narrowed_stages, preset_advice
from duonas.supernet.family import Family
from duonas.supernet.supernet import Supernet

__all__ = ["KERNELS", "KHYPER", "PRESETS", "UIB", "Preset", "Stage", "UIBSpace", "UIBSupernet"]

OF_STAGES = ("width", "depth")  # kinds of axes whose values differ from stage to stage
ACTIVATION: Activation = "relu"  # everywhere, as in MobileNetV4


class UIBSpace(SearchSpace):
    """Channels and depth of each stage, the two depthwise convolutions of each block, resolution.

    Args:
        preset: stem, stages, head and resolutions.
        image_size: side of the images, in pixels.
        classes: number of classes K.
        narrow: values to keep of ``first``, ``second``, ``expansion``, ``resolution``, of ``width`` or ``depth`` in all
            stages, or in one stage such as ``stage3.width``.
    """

    def __init__(
        self, preset: Preset, image_size: int, classes: int, narrow: Mapping[str, list[Any]] | None = None
    ) -> None:
        self.preset = preset
        axes = _axes(preset, preset.sides(image_size), narrow or {})
        super().__init__("uib", axes, image_size=image_size, classes=classes)
        self.mixed = tuple(name for name, axis in self.axes.items() if axis.kind in PLACES)

    def arch(self, **values: Any) -> Arch:
        """The arch with these values; ``arch="khyper-s"`` sets all values of a named arch.

        Raises:
            DuonasError: no such axis, value or name.
        """
        if "arch" in values:
            values = self._named(values.pop("arch")) | {name.replace("_", "."): v for name, v in values.items()}
        return super().arch(**values)

    def forms(self, arch: Arch) -> dict[str, str]:
        """The forms of the blocks of an arch, such as ``Extra DW``, by name."""
        blocks = [name.removesuffix(".first") for name in dict(arch.choices) if name.endswith(".first")]
        return {block: form(*(self.value(arch, f"{block}.{place}") for place in PLACES)) for block in blocks}

    def layer_widths(self, spec: BlockSpec) -> dict[str, list[int]]:
        """All numbers of output channels of each layer of a block over all archs."""
        outs = list(self.axes[f"stage{spec.stage}.width"].values)
        ins = outs
        if spec.name.endswith("block0"):
            ins = list(self.axes[f"stage{spec.stage - 1}.width"].values) if spec.stage > 1 else [self.preset.stem]
        stage, (_, index) = self.preset.stages[spec.stage - 1], _place(spec.name)
        if stage.blocks:
            shares = self.axes[f"stage{spec.stage}.block{index}.expansion"].values
            hidden = [stage.blocks[index].hidden(channels, share) for channels in ins for share in shares]
        else:
            hidden = [channels * stage.expansion for channels in ins]
        return {"first": ins, "expand": hidden, "second": hidden, "project": outs}

    def kernels(self, spec: BlockSpec) -> dict[str, tuple[int, ...]]:
        """The kernel sizes of both depthwise convolutions of a block over all archs."""
        return {place: self.axes[f"{spec.name.replace('_', '.')}.{place}"].values for place in PLACES}

    def _named(self, name: object) -> dict[str, Any]:
        if not self.preset.named:
            raise DuonasError(
                f"this preset of search space 'uib' has no named archs such as {name!r}: only the preset 'uib' has."
            )
        if name not in self.preset.named:
            raise DuonasError(
                f"search space 'uib' has no arch named {name!r}: {nearest(str(name), self.preset.named)}."
            )
        return self.preset.named[str(name)].values()

    @once_per_arch
    def blocks(self, arch: Arch) -> tuple[BlockSpec, ...]:
        """Input, stem, the blocks of each stage, head."""
        preset, side = self.preset, self.value(arch, "resolution")
        stem = stem_block(preset.stem, side, stride=preset.stem_stride, activation=ACTIVATION)
        blocks = [input_block(self.image_size, side), stem]
        for number in range(1, len(preset.stages) + 1):
            for index in range(self.value(arch, f"stage{number}.depth")):
                blocks.append(self._block(arch, number, index, blocks[-1]))
        last = blocks[-1]
        sizes = DeepHead(preset.features, preset.hidden, normed=preset.origin is not None)
        head = deep_head_block(len(preset.stages) + 1, last.out_channels, sizes, self.classes, last.out_resolution,
                               activation=ACTIVATION)  # fmt: skip
        return (*blocks, head)

    def _block(self, arch: Arch, number: int, index: int, before: BlockSpec) -> BlockSpec:
        stage, name = self.preset.stages[number - 1], f"stage{number}.block{index}"
        inside = 0
        if stage.blocks:
            inside = stage.blocks[index].hidden(before.out_channels, self.value(arch, f"{name}.expansion"))
        outer = Bottleneck(
            before.out_channels,
            self.value(arch, f"stage{number}.width"),
            before.out_resolution,
            stride=stage.stride if index == 0 else 1,
            expansion=expansion(inside, before.out_channels) if inside else stage.expansion,
            activation=ACTIVATION,
            inside=inside,
        )
        weights = name.replace(".", "_")
        if stage.fused:
            return fused_block(weights, number, outer, kernel=stage.blocks[index].first, leaving=stage.leaving)
        first, second = (self.value(arch, f"{name}.{place}") for place in PLACES)
        return uib_block(weights, number, outer, first=first, second=second)


class UIBSupernet(Supernet):
    """The supernet of a ``UIBSpace``."""

    relaxes = True

    space: UIBSpace
    options: UIB.Options

    def build(self, largest: BlockSpec) -> nn.Module:
        """Build an elastic stem, fused block, universal inverted bottleneck or head."""
        if largest.kind == "stem":
            return ElasticStem(largest, self.norm)
        if largest.kind == "head":
            return ElasticDeepHead(largest, self.norm)
        widths = self.space.layer_widths(largest)
        if largest.kind == "fused":
            return ElasticFused(largest, widths, self.norm)
        kernels = self.space.kernels(largest)
        return ElasticUIB(largest, widths, self.norm, kernels, self.options.kernel_transform)


def _place(name: str) -> tuple[int, int]:
    """The number of a block's stage (1, 2, ...) and its own in that (0, 1, ...) by its name, such as stage2_block0."""
    stage, block = name.removeprefix("stage").split("_block")
    return int(stage), int(block)


def _axes(preset: Preset, resolutions: tuple[int, ...], narrow: Mapping[str, list[Any]]) -> list[Axis]:
    options = _values(preset, resolutions, narrow)
    axes = [Axis("resolution", options["resolution"])]
    for number, stage in enumerate(preset.stages, 1):
        width, depth = (f"stage{number}.{kind}" for kind in OF_STAGES)
        axes += [Axis(name, options[name], stage=number) for name in (width, depth)]
        for block in range(max(options[depth])):
            # The index of the smallest depth that has this block.
            minimum = next(i for i, d in enumerate(options[depth]) if d > block)
            for kind, values in _of_block(stage, block, options, f"stage{number}.block{block}").items():
                axes.append(Axis(f"stage{number}.block{block}.{kind}", values, depth, minimum, number))
    return axes


def _of_block(
    stage: Stage, block: int, options: Mapping[str, tuple[Any, ...]], name: str
) -> dict[str, tuple[Any, ...]]:
    """The values of a block's own axes by kind."""
    if not stage.blocks:
        return {place: options[place] for place in PLACES}
    values: dict[str, tuple[Any, ...]] = {}
    for place in () if stage.fused else PLACES:
        whole = stage.blocks[block].kernels(place)
        values[place] = tuple(kernel for kernel in whole if kernel in options[place])
        if not values[place]:
            raise DuonasError(f"[space.axes] {place} keeps no value of {name}.{place}: keep some of {list(whole)}.")
    return values | {"expansion": options["expansion"]}


def _values(
    preset: Preset, resolutions: tuple[int, ...], narrow: Mapping[str, list[Any]]
) -> dict[str, tuple[Any, ...]]:
    """The values of ``resolution``, ``first``, ``second`` and each stage's axes that ``[space.axes]`` keeps."""
    whole: dict[str, tuple[Any, ...]] = {"resolution": resolutions, **dict.fromkeys(PLACES, KERNELS)}
    if preset.origin is not None:
        whole["expansion"] = SHARES
    for number, stage in enumerate(preset.stages, 1):
        whole |= {f"stage{number}.width": stage.widths, f"stage{number}.depth": stage.depths}
    return narrowed_stages(whole, narrow)


def _preset_for(image_size: int) -> str:
    return "uib-digits" if image_size < 24 else "uib-cifar" if image_size < 96 else "uib"


class UIB(Family):
    """MobileNetV4's universal inverted bottlenecks: four forms of block, width, depth, resolution (paper T)."""

    supernet = UIBSupernet
    published: ClassVar[Mapping[str, str]] = networks({name: preset.origin for name, preset in PRESETS.items()})

    @dataclass(frozen=True)
    class Options(NarrowedOptions):
        """Keys of ``[space]``."""

        name: str = "uib"
        preset: str | None = None
        """The preset: uib-digits (8 x 8 pixels), uib-cifar (6 to 58M MACs at 32 x 32), uib (224 to 320 pixels; the 7
        stages of paper T, with the archs khyper-s, -m and -l); uib-fast-32, -64, -128 or -224, whose channels CPUs are
        fast at; mobilenetv4-conv-s or -m, parts of these networks at any size of images; default: uib-digits, uib-cifar
        or uib by the size of the images."""
        kernel_transform: bool = False
        """Whether smaller kernels are learned maps of the centres of larger ones, not the centres themselves."""

    @classmethod
    def space(cls, options: Options, image_size: int, classes: int) -> UIBSpace:
        """Build the space of the preset with the changes of the options."""
        name = options.preset or _preset_for(image_size)
        if name not in PRESETS:
            raise DuonasError(f"search space 'uib' has no preset {name!r}: {nearest(name, PRESETS)}.")
        return UIBSpace(PRESETS[name], image_size, classes, options.axes)

    @classmethod
    def advice(cls, options: Any, image_size: int) -> str:
        """Advise another preset where this one is for images of another size."""
        if not isinstance(options, UIB.Options):  # a family of the user's own, which has no presets
            return ""
        if options.preset in cls.published:  # which are for any size
            return ""
        usual, sizes = _preset_for(image_size), {name: preset.image_size for name, preset in PRESETS.items()}
        return preset_advice(options.preset or usual, usual, sizes, image_size)
