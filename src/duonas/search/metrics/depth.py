"""The depth of an arch."""

from __future__ import annotations

from typing import ClassVar, Literal

from duonas.core.block import BlockSpec
from duonas.core.cell import CONVOLUTIONS, EDGES, NODES
from duonas.search.metric import ArchFacts, ArchMetric


class Depth(ArchMetric):
    """Convolutions and linear layers on the longest path from image to logits; the deeper, the better.

    Of a pair the depth of the shallower network counts.
    """

    unit = "layers"
    direction: ClassVar[Literal["min", "max"]] = "max"
    listed = False

    def value(self, arch: ArchFacts) -> float:
        """The depth, counted from the blocks."""
        return float(sum(map(_depth, arch.blocks)))


def _depth(block: BlockSpec) -> int:
    if block.kind == "cell":
        return _depth_of_cell(block.operations)
    return sum(layer.kind != "norm" and layer.name != "shortcut" for layer in block.layers)


def _depth_of_cell(operations: tuple[str, ...]) -> int:
    """Convolutions on the longest path through a cell; 0 where its output does not depend on its input."""
    deepest: dict[int, int] = {0: 0}
    for (source, node), operation in zip(EDGES, operations, strict=True):
        if operation != "none" and source in deepest:
            deepest[node] = max(deepest.get(node, 0), deepest[source] + (operation in CONVOLUTIONS))
    return deepest.get(NODES - 1, 0)
