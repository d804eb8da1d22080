"""The topology space of NAS-Bench-201 (Dong and Yang 2020; paper T, section 4.1)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from torch import nn

from duonas.core.arch import Arch
from duonas.core.axis import Axis
from duonas.core.block import BlockSpec, basic_block, classifier_block, input_block, stem_block
from duonas.core.cell import EDGES, OPERATIONS, WEIGHTLESS, axis_name, cell_block, read_cell, write_cell
from duonas.core.errors import DuonasError, nearest
from duonas.core.fields import Count
from duonas.core.space import SearchSpace, once_per_arch
from duonas.layers.blocks import ElasticStem
from duonas.layers.cells import ElasticBasic, ElasticCell, ElasticClassifier
from duonas.spaces.options import NarrowedOptions
from duonas.supernet.family import Family
from duonas.supernet.supernet import Supernet, narrowed

STAGES = 3


@dataclass(frozen=True)
class Skeleton:
    """Channels of the first stage, which each later stage doubles, and the number of cells per stage."""

    channels: int
    cells: int


PRESETS = {
    "nasbench201": Skeleton(16, 5),  # that of the benchmark
    "nasbench201-small": Skeleton(8, 1),  # for CPUs
}


class NasBench201Space(SearchSpace):
    """One operation for each of the six edges of a cell; all cells of a network are equal.

    An arch contains another if on every edge the other has the same operation or one without weights.

    Args:
        skeleton: channels and number of cells.
        image_size: side of the images, in pixels.
        classes: number of classes K.
        narrow: operations to keep, as ``{"operation": [...]}``.
    """

    def __init__(
        self, skeleton: Skeleton, image_size: int, classes: int, narrow: dict[str, list[Any]] | None = None
    ) -> None:
        operations = narrowed({"operation": OPERATIONS}, narrow or {})["operation"]
        axes = [Axis(axis_name(edge), operations, weightless=WEIGHTLESS) for edge in range(len(EDGES))]
        super().__init__("nasbench201", axes, image_size=image_size, classes=classes)
        self.mixed = tuple(self.axes)
        self.skeleton = skeleton

    def arch(self, **values: Any) -> Arch:
        """The arch with these values; ``cell="|nor_conv_3x3~0|+..."`` sets all edges by the benchmark's string.

        Raises:
            DuonasError: no such axis or value, or the string is not a cell.
        """
        if "cell" in values:
            values = dict(zip(self.axes, read_cell(values.pop("cell")), strict=True)) | values
        return super().arch(**values)

    def cell(self, arch: Arch) -> str:
        """The benchmark's string of an arch."""
        return write_cell(self.operations(arch))

    def text(self, arch: Arch) -> str:
        """The benchmark's string of an arch, its key in the benchmark's tables."""
        return self.cell(arch)

    def operations(self, arch: Arch) -> tuple[str, ...]:
        """The operations on the edges of an arch's cells, in the order of ``duonas.core.cell.EDGES``."""
        return tuple(self.value(arch, axis) for axis in self.axes)

    @once_per_arch
    def blocks(self, arch: Arch) -> tuple[BlockSpec, ...]:
        """Input, stem, the cells of each stage with a basic block between stages, head."""
        return self._with_cells(self.operations(arch))

    def whole(self) -> tuple[BlockSpec, ...]:
        """The blocks with every operation on every edge."""
        return self._whole

    def mixed_blocks(self, arch: Arch) -> tuple[BlockSpec, ...]:
        """The blocks with every operation on every edge, since all axes are mixed."""
        return self._whole

    @cached_property
    def _whole(self) -> tuple[BlockSpec, ...]:
        operations = self.axes["edge01.operation"].values
        same = zip(*(self._with_cells((operation,) * len(EDGES)) for operation in operations), strict=True)
        return tuple(map(_joined, same))

    def _with_cells(self, operations: tuple[str, ...]) -> tuple[BlockSpec, ...]:
        channels, side = self.skeleton.channels, self.image_size
        blocks = [input_block(side, side), stem_block(channels, side, stride=1, activation="none")]
        for stage in range(1, STAGES + 1):
            if stage > 1:
                blocks.append(basic_block(f"stage{stage}_basic", stage, channels, 2 * channels, side))
                channels, side = 2 * channels, blocks[-1].out_resolution
            cell = cell_block("cell", stage, channels, side, operations)
            blocks += [replace(cell, name=f"stage{stage}_cell{index}") for index in range(self.skeleton.cells)]
        return (*blocks, classifier_block(STAGES + 1, channels, self.classes, side))


class NasBench201Supernet(Supernet):
    """The supernet of a ``NasBench201Space``."""

    relaxes = True

    def build(self, largest: BlockSpec) -> nn.Module:
        """Build an elastic stem, cell, basic block or head."""
        return _ELASTIC[largest.kind](largest, self.norm)


_ELASTIC: dict[str, Any] = {
    "stem": ElasticStem,
    "cell": ElasticCell,
    "basic": ElasticBasic,
    "head": ElasticClassifier,
}


def _joined(same: tuple[BlockSpec, ...]) -> BlockSpec:
    """One block with the layers and operations of several."""
    layers = dict.fromkeys(layer for block in same for layer in block.layers)
    operations = dict.fromkeys(operation for block in same for operation in block.operations)
    return replace(same[-1], layers=tuple(layers), operations=tuple(operations))


class NasBench201(Family):
    """Cells of six edges with one of five operations each: 15,625 topologies (Dong and Yang 2020)."""

    supernet = NasBench201Supernet

    @dataclass(frozen=True)
    class Options(NarrowedOptions):
        """Keys of ``[space]``."""

        name: str = "nasbench201"
        preset: str | None = None
        """The skeleton: nasbench201 (16 channels and 5 cells per stage, as in the benchmark), the default, or
        nasbench201-small (8 channels and 1 cell per stage)."""
        channels: Count | None = None
        """Channels of the first stage; default: the preset's."""
        cells: Count | None = None
        """Cells per stage; default: the preset's."""

    @classmethod
    def space(cls, options: Options, image_size: int, classes: int) -> NasBench201Space:
        """Build the space with the preset's skeleton, or that of the options."""
        name = options.preset or "nasbench201"
        if name not in PRESETS:
            raise DuonasError(f"search space 'nasbench201' has no preset {name!r}: {nearest(name, PRESETS)}.")
        preset = PRESETS[name]
        skeleton = Skeleton(options.channels or preset.channels, options.cells or preset.cells)
        return NasBench201Space(skeleton, image_size, classes, options.axes)
