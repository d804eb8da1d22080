"""Device tables of blocks as a cost model: what each block takes on a device, independent of the arch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from duonas.core.block import BlockSpec
from duonas.core.cell import convolves
from duonas.core.cost import Cost, RouterCost
from duonas.core.errors import DuonasError
from duonas.core.protocols import CostModel
from duonas.costs.analytic import analytic
from duonas.costs.calibration import Calibration
from duonas.costs.device_table import DeviceTable, in_words

INPUT = "input"  # kind of the block that carries the constant of a network


@dataclass(frozen=True)
class BlockTable(CostModel):
    """Latency and energy of single blocks; consecutive blocks have the sum of their figures.

    A block's figure is its row in the table times a factor, and a block with convolutions has a constant added: both
    are fitted on whole networks, see ``duonas.costs.calibration``. So the whole is the sum of its parts.

    Args:
        rows: raw figures by block (without name and stage) and quantity.
        calibrations: by quantity.
        source: the file, its SHA-256, columns, metadata and number of blocks, as JSON.
        quantities: ``macs``, and the quantities of the table.
        routers: what routing adds, by quantity, by the router's name.
        fitted: raw figures of a block that is not in the table, by quantity; ``None``: such a block is refused.
    """

    rows: Mapping[BlockSpec, Mapping[str, float]]
    calibrations: Mapping[str, Calibration]
    source: Mapping[str, Any]
    quantities: tuple[str, ...]
    routers: Mapping[str, Mapping[str, RouterCost]] = field(default_factory=dict)
    fitted: Callable[[BlockSpec], Mapping[str, float]] | None = None
    _known: dict[BlockSpec, Mapping[str, float]] = field(default_factory=dict, init=False, compare=False, repr=False)

    def __call__(self, blocks: Sequence[BlockSpec]) -> Cost:
        """The cost of consecutive blocks for one image.

        Raises:
            DuonasError: the table lacks one of the blocks, and it may not be fitted.
        """
        rows = [self._figures(block) for block in blocks]
        measured: dict[str, Any] = {name: sum(row[name] for row in rows) for name in self.quantities if name != "macs"}
        return replace(analytic(blocks), **measured)

    def routing(self, router: str) -> Mapping[str, RouterCost]:
        """What routing adds to the networks, by quantity; of the dearest measured router if this one was not measured.

        Args:
            router: such as ``margin@after_little``.
        """
        if router in self.routers or not self.routers:
            return self.routers.get(router, {})
        position = router.rpartition("@")[2]
        alike = [costs for name, costs in self.routers.items() if name.rpartition("@")[2] == position]
        return _dearest(alike or list(self.routers.values()))

    def origin(self) -> Mapping[str, Any]:
        """The file, its checksum and its metadata."""
        return self.source

    def _figures(self, block: BlockSpec) -> Mapping[str, float]:
        known = self._known.get(block)
        if known is None:
            self._known[block] = known = self._calibrated(block.key)
        return known

    def _calibrated(self, block: BlockSpec) -> Mapping[str, float]:
        row = self.rows.get(block)
        if row is None:
            if self.fitted is None:
                raise DuonasError(lacking(self.source, [block], None))
            row = self.fitted(block)
        convolving = convolves(block)
        return {name: self.calibrations[name].price(value, convolves=convolving) for name, value in row.items()}


def _dearest(costs: Sequence[Mapping[str, RouterCost]]) -> dict[str, RouterCost]:
    names = dict.fromkeys(name for each in costs for name in each)
    return {
        name: RouterCost(
            *(max(getattr(each[name], part) for each in costs if name in each) for part in ("keep", "ask"))
        )
        for name in names
    }


def lacking(source: Mapping[str, Any], blocks: Sequence[BlockSpec], of: int | None) -> str:
    """Say which blocks of a space a table lacks, and what to do.

    Args:
        source: of the table.
        blocks: those that it lacks.
        of: number of blocks of the space; ``None`` if they were not counted.
    """
    first = blocks[0]
    named = f"{in_words(first)}{f' (such as {first.name})' if first.name else ''}"
    path = source.get("path", "")
    if of is None:
        said = f"device table {path} has no block {named}"
    else:
        said = f"device table {path} lacks {len(blocks):,} of the {of:,} blocks of this search space, such as {named}"
    return f"{said}: measure it, set [search.device] missing = 'fit', or narrow [space.axes]."


def write_block_table(path: Path, rows: Mapping[BlockSpec, Mapping[str, float]], about: Mapping[str, str]) -> Path:
    """Write a table of measured blocks atomically, as CSV if the file name ends in ``.csv``, else as Parquet.

    Args:
        path: the file.
        rows: ``latency_ms``, ``energy_mj`` or both, by block.
        about: ``device``, ``runtime``, ``threads``, ``precision``, ``date`` and further metadata as texts.
    """
    names = list(next(iter(rows.values())))
    figures = {name: np.array([row[name] for row in rows.values()], dtype=float) for name in names}
    blocks = tuple(block.key for block in rows)
    return DeviceTable(blocks, figures, np.ones(len(blocks), dtype=bool), about=about).write(path)
