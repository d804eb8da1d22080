"""The topology space of NAS-Bench-201 (Dong and Yang 2020), the first of paper T's (section 4.1)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from torch import nn

from duonas.core.arch import Arch
from duonas.core.block import BlockSpec, basic_block, classifier_block, input_block, stem_block
from duonas.core.cell import EDGES, OPERATIONS, WEIGHTLESS, axis_name, cell_block, read_cell, write_cell
from duonas.core.errors import DuonasError, nearest
from duonas.core.options import SpaceOptions
from duonas.core.space import Axis, SearchSpace
from duonas.layers.blocks import ElasticStem
from duonas.layers.cells import ElasticBasic, ElasticCell, ElasticClassifier
from duonas.supernet.supernet import Family, Supernet, narrowed, refuse_keys

STAGES = 3


@dataclass(frozen=True)
class Skeleton:
    """What stands around the cells: channels of the first stage, doubled by each later one, and cells in a stage."""

    channels: int
    cells: int


PRESETS = {
    "nasbench201": Skeleton(16, 5),  # the benchmark's own
    "nasbench201-small": Skeleton(8, 1),  # for CPUs
}


class NasBench201Space(SearchSpace):
    """One operation for each of a cell's six edges; all cells of a network are alike.

    "Contained" means: on every edge little's operation is big's, or has no weights (a skip, or nothing).

    Args:
        skeleton: what stands around the cells.
        image_size: side of the images that come in.
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
        self._blocks = lru_cache(maxsize=20_000)(self._make_blocks)

    def arch(self, **values: Any) -> Arch:
        """As in every space; ``cell="|nor_conv_3x3~0|+..."`` gives all edges in the benchmark's text.

        Raises:
            DuonasError: no such axis or value, or the text is not a cell's.
        """
        if "cell" in values:
            values = dict(zip(self.axes, read_cell(values.pop("cell")), strict=True)) | values
        return super().arch(**values)

    def cell(self, arch: Arch) -> str:
        """The benchmark's text of an arch."""
        return write_cell(self.operations(arch))

    def text(self, arch: Arch) -> str:
        """The same: tables of this benchmark go by it."""
        return self.cell(arch)

    def operations(self, arch: Arch) -> tuple[str, ...]:
        """The operations on the edges of an arch's cells, in the order of ``duonas.core.cell.EDGES``."""
        return tuple(self.value(arch, axis) for axis in self.axes)

    def blocks(self, arch: Arch) -> tuple[BlockSpec, ...]:
        """Input, stem, the cells of each stage with a basic block of stride 2 between stages, head."""
        return self._blocks(self.operations(arch))

    def whole(self) -> tuple[BlockSpec, ...]:
        """Cells with every operation on every edge: one arch has but one of them."""
        operations = self.axes["edge01.operation"].values
        same = zip(*(self._blocks((operation,) * len(EDGES)) for operation in operations), strict=True)
        return tuple(map(_joined, same))

    def mixed_blocks(self, arch: Arch) -> tuple[BlockSpec, ...]:
        """Cells with every operation on every edge: the whole space."""
        return self.whole()

    def _make_blocks(self, operations: tuple[str, ...]) -> tuple[BlockSpec, ...]:
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
    """The supernet over a ``NasBench201Space``: each convolution of each edge once."""

    def build(self, largest: BlockSpec) -> nn.Module:
        """The elastic form of a stem, cell, basic block or head."""
        return _BUILT[largest.kind](largest, self.norm)


_BUILT: dict[str, Any] = {
    "stem": ElasticStem,
    "cell": ElasticCell,
    "basic": ElasticBasic,
    "head": ElasticClassifier,
}


def _joined(same: tuple[BlockSpec, ...]) -> BlockSpec:
    """One block with the layers of all that stand in the same place."""
    layers = dict.fromkeys(layer for block in same for layer in block.layers)
    operations = dict.fromkeys(operation for block in same for operation in block.operations)
    return replace(same[-1], layers=tuple(layers), operations=tuple(operations))


def _space(options: SpaceOptions, image_size: int, classes: int) -> NasBench201Space:
    refuse_keys("nasbench201", options, "width_range", "divisor", "squeeze_excite", "blocks", "kernel_transform")
    name = options.preset or "nasbench201"
    if name not in PRESETS:
        raise DuonasError(f"search space 'nasbench201' has no preset {name!r}: {nearest(name, PRESETS)}.")
    preset = PRESETS[name]
    skeleton = Skeleton(options.channels or preset.channels, options.cells or preset.cells)
    return NasBench201Space(skeleton, image_size, classes, options.axes)


FAMILY = Family(_space, NasBench201Supernet)
