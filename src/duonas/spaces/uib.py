"""The space of universal inverted bottlenecks (paper T, sections 4.2, A.3 and A.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from duonas.core.arch import Arch
from duonas.core.axis import Axis
from duonas.core.block import (
    Activation,
    BlockSpec,
    Bottleneck,
    DeepHead,
    deep_head_block,
    input_block,
    stem_block,
)
from duonas.core.errors import DuonasError, nearest
from duonas.core.space import SearchSpace, once_per_arch
from duonas.core.uib import PLACES, form, uib_block
from duonas.layers.blocks import ElasticStem
from duonas.layers.deep_head import ElasticDeepHead
from duonas.layers.uib import ElasticUIB
from duonas.spaces.options import NarrowedOptions, narrowed_stages, preset_advice
from duonas.supernet.family import Family
from duonas.supernet.supernet import Supernet

KERNELS = (0, 3, 5)  # of each depthwise convolution; 0 for none
OF_STAGES = ("width", "depth")  # kinds of axes whose values differ from stage to stage
ACTIVATION: Activation = "relu"  # everywhere, as in MobileNetV4

# FFN, ConvNext-like, IB and Extra DW blocks as the kernels of their two depthwise convolutions.
Kernels = tuple[int, int]
FFN = (0, 0)


@dataclass(frozen=True)
class Stage:
    """A stage: its numbers of channels and of blocks, the stride of its first block, its expansion."""

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    stride: int
    expansion: int = 6


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
    """

    image_size: int
    stem: int
    stem_stride: int
    stages: tuple[Stage, ...]
    features: int
    hidden: int
    resolutions: tuple[int, ...]
    named: Mapping[str, Named] = field(default_factory=dict)


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
}  # fmt: skip


class UIBSpace(SearchSpace):
    """Channels and depth of each stage, the two depthwise convolutions of each block, resolution.

    Args:
        preset: stem, stages, head and resolutions.
        image_size: side of the images, in pixels.
        classes: number of classes K.
        narrow: values to keep of ``first``, ``second``, ``resolution``, of ``width`` or ``depth`` in all stages, or in
            one stage such as ``stage3.width``.
    """

    def __init__(
        self, preset: Preset, image_size: int, classes: int, narrow: Mapping[str, list[Any]] | None = None
    ) -> None:
        self.preset = preset
        resolutions = preset.resolutions if image_size == preset.image_size else (image_size,)
        super().__init__("uib", _axes(preset, resolutions, narrow or {}), image_size=image_size, classes=classes)
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
        hidden = [channels * spec.expansion for channels in ins]
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
        for number, stage in enumerate(preset.stages, 1):
            width = self.value(arch, f"stage{number}.width")
            for index in range(self.value(arch, f"stage{number}.depth")):
                name = f"stage{number}.block{index}"
                blocks.append(
                    uib_block(
                        name.replace(".", "_"),
                        number,
                        Bottleneck(
                            blocks[-1].out_channels,
                            width,
                            blocks[-1].out_resolution,
                            stride=stage.stride if index == 0 else 1,
                            expansion=stage.expansion,
                            activation=ACTIVATION,
                        ),
                        first=self.value(arch, f"{name}.first"),
                        second=self.value(arch, f"{name}.second"),
                    )
                )
        last = blocks[-1]
        sizes = DeepHead(preset.features, preset.hidden)
        head = deep_head_block(len(preset.stages) + 1, last.out_channels, sizes, self.classes, last.out_resolution,
                               activation=ACTIVATION)  # fmt: skip
        return (*blocks, head)


class UIBSupernet(Supernet):
    """The supernet of a ``UIBSpace``."""

    space: UIBSpace
    options: UIB.Options

    def build(self, largest: BlockSpec) -> nn.Module:
        """Build an elastic stem, universal inverted bottleneck or head."""
        if largest.kind == "stem":
            return ElasticStem(largest, self.norm)
        if largest.kind == "head":
            return ElasticDeepHead(largest, self.norm)
        widths, kernels = self.space.layer_widths(largest), self.space.kernels(largest)
        return ElasticUIB(largest, widths, self.norm, kernels, self.options.kernel_transform)


def _axes(preset: Preset, resolutions: tuple[int, ...], narrow: Mapping[str, list[Any]]) -> list[Axis]:
    options = _values(preset, resolutions, narrow)
    axes = [Axis("resolution", options["resolution"])]
    for stage in range(1, len(preset.stages) + 1):
        width, depth = (f"stage{stage}.{kind}" for kind in OF_STAGES)
        axes += [Axis(name, options[name], stage=stage) for name in (width, depth)]
        for block in range(max(options[depth])):
            # The index of the smallest depth that has this block.
            minimum = next(i for i, d in enumerate(options[depth]) if d > block)
            for place in PLACES:
                axes.append(Axis(f"stage{stage}.block{block}.{place}", options[place], depth, minimum, stage))
    return axes


def _values(
    preset: Preset, resolutions: tuple[int, ...], narrow: Mapping[str, list[Any]]
) -> dict[str, tuple[Any, ...]]:
    """The values of ``resolution``, ``first``, ``second`` and each stage's axes that ``[space.axes]`` keeps."""
    whole: dict[str, tuple[Any, ...]] = {"resolution": resolutions, **dict.fromkeys(PLACES, KERNELS)}
    for number, stage in enumerate(preset.stages, 1):
        whole |= {f"stage{number}.width": stage.widths, f"stage{number}.depth": stage.depths}
    return narrowed_stages(whole, narrow)


def _preset_for(image_size: int) -> str:
    return "uib-digits" if image_size < 24 else "uib-cifar" if image_size < 96 else "uib"


class UIB(Family):
    """MobileNetV4's universal inverted bottlenecks: four forms of block, width, depth, resolution (paper T)."""

    supernet = UIBSupernet

    @dataclass(frozen=True)
    class Options(NarrowedOptions):
        """Keys of ``[space]``."""

        name: str = "uib"
        preset: str | None = None
        """The preset: uib-digits (8 x 8 pixels), uib-cifar (6 to 58M MACs at 32 x 32), uib (224 to 320 pixels; the 7
        stages of paper T, with the archs khyper-s, -m and -l); uib-fast-32, -64, -128 or -224, whose channels CPUs are
        fast at; default: uib-digits, uib-cifar or uib by the size of the images."""
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
        usual, sizes = _preset_for(image_size), {name: preset.image_size for name, preset in PRESETS.items()}
        return preset_advice(options.preset or usual, usual, sizes, image_size)
