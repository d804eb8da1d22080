"""Device tables of blocks: latency and energy of each block on a device, independent of the arch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from duonas.core.block import BlockSpec
from duonas.core.cost import Cost
from duonas.core.errors import DuonasError
from duonas.core.files import checksum
from duonas.core.pair import PairSpace
from duonas.core.protocols import CostModel
from duonas.core.rng import stream
from duonas.costs.analytic import analytic
from duonas.costs.table import about, possible, read_figures, write_table

COLUMN = "block"  # with the specifications of blocks; a table with this column is a table of blocks
FEW = 20_000  # spaces with at most so many archs are enumerated
PATIENCE = 1000  # draws without a new block after which all blocks count as found


@dataclass(frozen=True)
class BlockTable(CostModel):
    """Latency and energy of single blocks; consecutive blocks have the sum of their figures.

    Args:
        rows: ``latency_ms``, ``energy_mj`` or both by ``block_text``.
        source: the file, its SHA-256, columns, metadata and number of blocks, as JSON.
        quantities: ``macs``, and the quantities of the table.
    """

    rows: Mapping[str, Mapping[str, float]]
    source: Mapping[str, Any]
    quantities: tuple[str, ...]

    def __call__(self, blocks: Sequence[BlockSpec]) -> Cost:
        """The cost of consecutive blocks for one image.

        Raises:
            DuonasError: the table lacks one of the blocks.
        """
        rows = [self._row(block) for block in blocks]
        measured: dict[str, Any] = {name: sum(row[name] for row in rows) for name in self.quantities if name != "macs"}
        return replace(analytic(blocks), **measured)

    def origin(self) -> Mapping[str, Any]:
        """The file, its checksum and its metadata."""
        return self.source

    def check(self, pairs: PairSpace) -> None:
        """Check that the table has every block of a space.

        Raises:
            DuonasError: a block is missing; the message names it.
        """
        for block in distinct_blocks(pairs):
            self._row(block)

    def _row(self, block: BlockSpec) -> Mapping[str, float]:
        row = self.rows.get(block_text(block))
        if row is None:
            raise DuonasError(
                f"device table {self.source.get('path', '')} has no block {in_words(block)} (such as {block.name}): "
                "measure it, or narrow [space.axes]."
            )
        return row


def read_block_table(path: Path, columns: Mapping[str, str]) -> BlockTable:
    """Read a table of blocks.

    Args:
        path: a Parquet or CSV file.
        columns: column names by quantity, ``latency_ms`` or ``energy_mj`` or both.

    Raises:
        DuonasError: the file cannot be read, or a figure is negative or infinite.
    """
    named_by = {f"[search.device] {name.partition('_')[0]}": column for name, column in columns.items()}
    option = "[search.device] path"
    texts, read = read_figures(path, option, (option, COLUMN), named_by, "block")
    values = [possible(path, column, each, texts) for column, each in zip(columns.values(), read, strict=True)]
    rows = {
        text: dict(zip(columns, row, strict=True))
        for text, *row in zip(texts, *values, strict=True)
        if text is not None and not np.isnan(row).any()
    }
    source = {"path": str(path), "sha256": checksum(path), **columns, "blocks": len(rows), **about(path)}
    return BlockTable(rows, source, ("macs", *columns))


def write_block_table(path: Path, rows: Mapping[BlockSpec, Mapping[str, float]], about: Mapping[str, str]) -> Path:
    """Write a table of blocks atomically, as CSV if the file name ends in ``.csv``, else as Parquet.

    Args:
        path: the file.
        rows: ``latency_ms``, ``energy_mj`` or both, by block.
        about: ``device``, ``runtime``, ``threads``, ``precision`` and ``date``.
    """
    figures = list(next(iter(rows.values())))
    columns: dict[str, list[Any]] = {COLUMN: [block_text(block) for block in rows]}
    columns |= {name: [row[name] for row in rows.values()] for name in figures}
    return write_table(path, columns, about)


@lru_cache(maxsize=200_000)
def block_text(block: BlockSpec) -> str:
    """The specification of a block as one line of JSON, without name and stage: its key in a table."""
    fields = {name: value for name, value in asdict(block).items() if name not in ("name", "stage")}
    return json.dumps(fields, separators=(",", ":"))


def in_words(block: BlockSpec) -> str:
    """A short description of a block, for messages."""
    words = [f"{block.kind} {block.in_channels} to {block.out_channels} channels at {block.resolution} px"]
    words += [f"{name} {value}" for name in ("kernel", "stride", "expansion") if (value := getattr(block, name)) > 1]
    return ", ".join([*words, *(["/".join(block.operations)] if block.operations else [])])


def distinct_blocks(pairs: PairSpace) -> Iterator[BlockSpec]:
    """The distinct blocks of all archs of a pair space.

    Archs of large spaces are drawn until a thousand in a row have no new block, so rare blocks may be missing.
    """
    known = set[BlockSpec]()
    for space in dict.fromkeys(pairs.spaces.values()):
        rng, misses = stream(0, "distinct blocks"), 0
        archs = space.archs() if space.size() <= FEW else (space.sample(rng) for _ in count())
        for arch in archs:
            new = [block for block in space.blocks(arch) if block.key not in known]
            known.update(block.key for block in new)
            yield from {block.key: block for block in new}.values()
            misses = 0 if new else misses + 1
            if misses >= PATIENCE and space.size() > FEW:
                break
