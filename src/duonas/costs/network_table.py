"""Published device tables of whole networks: latency and energy of each arch of a space on a device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from duonas.core.arch import Arch
from duonas.core.block import BlockSpec
from duonas.core.cost import Cost
from duonas.core.errors import DuonasError
from duonas.core.files import checksum
from duonas.core.protocols import CostModel
from duonas.core.space import WALKED, SearchSpace
from duonas.costs.analytic import analytic
from duonas.costs.table import about, possible, read_figures


@dataclass(frozen=True)
class NetworkTable(CostModel):
    """Latency and energy of the archs of a space, each measured as a whole network.

    The table has no figures for shared blocks and routers, so a pair has the figures of its two networks: with the
    router after little ``E = l + (1 - a) b``, at most ``l + b``; with the router before little ``E = a l + (1 - a) b``.
    After little the shared stem counts twice, so these are upper bounds, except for the time of the router and of
    starting a second network.

    Args:
        source: the file, its SHA-256, columns, and number of known archs, as JSON.
        networks: ``latency_ms`` and ``energy_mj`` by arch. Archs without a wanted figure are left out, and no pair has
            them.
        quantities: ``macs``, and the quantities of the table.
    """

    source: Mapping[str, Any]
    networks: Mapping[Arch, Mapping[str, float]]
    quantities: tuple[str, ...]

    def __call__(self, blocks: Sequence[BlockSpec]) -> Cost:
        """The counted costs of consecutive blocks, without latency and energy, which are known of whole archs only."""
        return analytic(blocks)

    def origin(self) -> Mapping[str, Any]:
        """The file and its checksum."""
        return self.source

    def column(self, quantity: str) -> np.ndarray:
        """A quantity of all known archs, in ms or mJ."""
        return np.array([figures[quantity] for figures in self.networks.values()])


def read_network_table(path: Path, key: str, columns: Mapping[str, str], space: SearchSpace) -> NetworkTable:
    """Read the figures of the archs of a space from a table of whole networks.

    Args:
        path: a Parquet or CSV file.
        key: the column with the names of archs, see ``SearchSpace.text``.
        columns: column names by quantity, ``latency_ms`` or ``energy_mj`` or both.
        space: the search space.

    Raises:
        DuonasError: no such file or column, a column without figures, a negative or infinite figure, no arch of the
            space in the table, or a space that is too large or whose archs have no names.
    """
    if space.text(space.largest()) is None:
        raise DuonasError(
            f"[search.device] table: {path} is a table of whole networks, for spaces whose archs have a name to look "
            f"up: those of {space.name!r} have none; give a table of blocks, with a column 'block'."
        )
    if space.size() > WALKED:
        raise DuonasError(
            f"[search.device] table: {path} is a table of whole networks, for spaces of at most {WALKED:,} archs: this "
            f"one has {space.size():,}; narrow [space.axes]."
        )
    named_by = {f"[search.device] {q.partition('_')[0]}": column for q, column in columns.items()}
    keys, read = read_figures(path, "[search.device] table", ("[search.device] key", key), named_by)
    figures = [possible(path, column, values, keys) for column, values in zip(columns.values(), read, strict=True)]
    rows = {text: dict(zip(columns, row, strict=True)) for text, *row in zip(keys, *figures, strict=True)}
    known = {arch: rows[text] for arch in space.archs() if (text := space.text(arch)) in rows}
    if not known:
        raise DuonasError(
            f"device table {path} has none of the archs of {space.name!r} in its column {key!r}: "
            f"expected such as {space.text(space.largest())!r}, got {keys[0]!r}."
        )
    known = {arch: row for arch, row in known.items() if not np.isnan(list(row.values())).any()}
    if not known:
        raise DuonasError(f"device table {path} has no figure for any arch of {space.name!r}.")
    original = {name: said for name, said in about(path).items() if name in ("path", "sha256")}  # of a run's copy
    source = {"path": str(path), "sha256": checksum(path), **original, "key": key, **columns,
              "known_archs": len(known), "archs": space.size()}  # fmt: skip
    return NetworkTable(source, known, ("macs", *columns))
