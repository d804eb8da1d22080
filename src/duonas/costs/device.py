"""The cost model of a recipe: counted costs, or the device table of ``[search.device]``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from duonas.core.block import BlockSpec
from duonas.core.cell import convolves
from duonas.core.errors import DuonasError, nearest
from duonas.core.files import checksum, expand
from duonas.core.pair import PairSpace
from duonas.core.protocols import CostModel
from duonas.core.text import listed, plural
from duonas.costs.analytic import analytic
from duonas.costs.block_table import INPUT, BlockTable, lacking
from duonas.costs.calibration import Calibration, NetworkSum, calibrate
from duonas.costs.device_table import CALIBRATIONS, COLUMN, OPTION, DeviceTable, read_device_table
from duonas.costs.distinct import distinct_blocks
from duonas.costs.fitting import FEWEST, Fitted, fit_blocks
from duonas.costs.network_table import read_network_table
from duonas.costs.options import HERE, NONE, DeviceOptions, Missing
from duonas.costs.table import column_names, read_figures, write_table

# A table is of another space if it has a smaller share of the blocks than the first, and a smaller share of its own is
# of the space than the second; a table of the space may have few, where there was little time to measure.
OTHER, OWN = 0.05, 0.5


def cost_model(options: DeviceOptions, pairs: PairSpace) -> CostModel:
    """The cost model for a pair space; a table with a column ``block`` is a table of blocks, else of whole networks.

    Args:
        options: the ``[search.device]`` table, whose ``table`` is a file or ``"none"``. Its columns are by default
            ``latency_ms`` and ``energy_mj`` for a table of blocks; for a table of whole networks at least one must be
            named.
        pairs: the pairs that the model must know.

    Raises:
        DuonasError: the table cannot be read, or lacks archs or blocks of the space.
    """
    if options.table == NONE:
        return analytic
    path = expand(options.table, OPTION)
    columns, of_blocks = table_columns(options, path)
    if not of_blocks:
        return read_network_table(path, options.key, columns, pairs.space)
    table = complete(read_device_table(path, columns), pairs, options.missing, str(path))
    return block_table(table, {"path": str(path), "sha256": checksum(path), **columns}, options.missing)


def copy_table(options: DeviceOptions, pairs: PairSpace, to: Path, called: str | None = None) -> Path:
    """Write what a pair space needs of a table to a Parquet file, complete and calibrated; see ``of_copy``.

    Args:
        options: as in ``cost_model``.
        pairs: the pairs that the copy must know.
        to: the copy.
        called: the name of the original in messages and in ``front.json``; default: its path.

    Raises:
        DuonasError: the table cannot be used.
    """
    path = expand(options.table, OPTION)
    columns, of_blocks = table_columns(options, path)
    about = {"path": called or str(path), "sha256": checksum(path)}
    if of_blocks:
        table = complete(read_device_table(path, columns), pairs, options.missing, str(path))
        return replace(table, about=about | dict(table.about or {}) | ({"path": called} if called else {})).write(to)
    read_network_table(path, options.key, columns, pairs.space)  # checks it
    keys, values = read_figures(path, OPTION, ("[search.device] key", options.key), columns)
    figures = {column: each.tolist() for column, each in zip(columns.values(), values, strict=True)}
    return write_table(to, {options.key: keys, **figures}, about)


def of_copy(options: DeviceOptions, path: Path) -> DeviceOptions:
    """The options that read a copy of a table, where columns of blocks have the names of their quantities."""
    found = replace(options, table=str(path))
    return replace(found, latency=None, energy=None) if COLUMN in column_names(path, OPTION) else found


def table_columns(options: DeviceOptions, path: Path) -> tuple[dict[str, str], bool]:
    """The column names of a table by quantity, and whether it is a table of blocks.

    Raises:
        DuonasError: the file cannot be read, or no column is named or there.
    """
    wanted = {"latency_ms": options.latency, "energy_mj": options.energy}
    columns = {quantity: column for quantity, column in wanted.items() if column is not None}
    if not path.suffix and not path.exists() and (hint := nearest(path.name.lower(), (HERE, NONE))).endswith("?"):
        raise DuonasError(f"{OPTION}: there is no file {path}: {hint}")
    there = column_names(path, OPTION)
    if COLUMN not in there:
        if not columns:
            raise DuonasError("[search.device] needs latency or energy or both: each names a column of the table.")
        return columns, False
    columns = columns or {name: name for name in wanted if name in there}
    if not columns:
        raise DuonasError(
            f"{OPTION}: {path} has no column 'latency_ms' or 'energy_mj', but {listed(there, 9)}: name one by "
            "[search.device] latency or energy."
        )
    return columns, True


def block_table(table: DeviceTable, source: Mapping[str, Any], missing: Missing = "fit") -> BlockTable:
    """The cost model of a table of blocks that is complete for a space.

    Args:
        table: its contents.
        source: the file, its SHA-256 and columns, as JSON; metadata of the table take their place.
        missing: what to do with further blocks.
    """
    about = dict(table.about or {})
    calibrations = {
        name: Calibration.from_json(about.get(CALIBRATIONS[name]) or Calibration().to_json()) for name in table.figures
    }
    rows = zip(table.blocks, *(values.tolist() for values in table.figures.values()), strict=True)
    names = tuple(table.figures)
    return BlockTable(
        rows={block: dict(zip(names, row, strict=True)) for block, *row in rows},
        calibrations=calibrations,
        source={**source, **about, "blocks": len(table.blocks)},
        quantities=("macs", *names),
        routers={name: {q: cost for q, cost in costs.items() if q in names}
                 for name, costs in (table.routers or {}).items()},
        fitted=_Rest(table) if missing == "fit" else None,
    )  # fmt: skip


class TooFewMeasured(DuonasError):
    """Too few blocks of a table were measured to fit the others.

    Args:
        message: the whole sentence.
        reason: its part that says what is missing, without the name of the table.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


def complete(table: DeviceTable, pairs: PairSpace, missing: Missing, path: str) -> DeviceTable:
    """A table with a row for every block of a space that is found, calibrated on its whole networks.

    Args:
        table: as it was measured, or complete already.
        pairs: the pairs whose blocks are needed.
        missing: whether blocks without a figure are fitted or refused.
        path: of the table, for messages.

    Raises:
        DuonasError: blocks are missing and may not be fitted, or cannot: too few were measured, or those of another
            space.
    """
    wanted = {block.key: block for block in distinct_blocks(pairs)}
    known = _known(table)
    needed = [block for key, block in wanted.items() if key not in known]
    if needed and missing == "refuse":
        raise DuonasError(lacking({"path": path}, needed, len(wanted)))
    if needed:
        _check_fit(table, pairs, wanted, needed, path)
    if needed or not all(np.isfinite(values).all() for values in table.figures.values()):
        rows = set(table.blocks)
        table = _filled(table, [block.key for block in needed if block.key not in rows], path)
    about = dict(table.about or {})
    for name, values in table.figures.items():
        if about.get(CALIBRATIONS[name]) is None and table.networks:
            about[CALIBRATIONS[name]] = _calibrated(table, name, values).to_json()
    return replace(table, about=about)


def _known(table: DeviceTable) -> set[BlockSpec]:
    finite = np.all([np.isfinite(values) for values in table.figures.values()], axis=0)
    return {block for block, known in zip(table.blocks, finite.tolist(), strict=True) if known}


def _check_fit(
    table: DeviceTable,
    pairs: PairSpace,
    wanted: Mapping[BlockSpec, BlockSpec],
    needed: Sequence[BlockSpec],
    path: str,
) -> None:
    """Refuse to fit the blocks of a space from those of another one."""
    space, known = pairs.space, len(wanted) - len(needed)
    said = (table.about or {}).get("space")
    of = f" (it is of the space {said!r})" if said else ""
    sizes = sorted({block.resolution for block in table.blocks if block.kind == INPUT})
    if sizes and space.image_size not in sizes and any(block.kind == INPUT for block in wanted):
        raise DuonasError(
            f"device table {path} is of images of {listed([f'{size} px' for size in sizes], 3)}{of}, and this recipe's "
            f"have {space.image_size} px: measure this one with `duonas device bench`."
        )
    if known < OTHER * len(wanted) and known < OWN * len(_known(table)):
        raise DuonasError(
            f"device table {path} has {known:,} of the {len(wanted):,} blocks of the space {space.name!r}{of}: it is "
            "of another space, skeleton or number of channels; measure this one with `duonas device bench`."
        )
    unknown = {block.kind for block in needed} - {block.kind for block in np.array(table.blocks)[table.measured]}
    if unknown:
        count = sum(block.kind in unknown for block in needed)
        reason = f"no block of the kind {min(unknown)!r} was measured, of which this space has {count:,}"
        raise TooFewMeasured(f"device table {path} cannot be completed: {reason}; measure some of them.", reason)


def _filled(table: DeviceTable, new: Sequence[BlockSpec], path: str) -> DeviceTable:
    """The table with figures for blocks that have none, and rows for new ones."""
    figures, rows, fits = {}, {}, {}
    measured = table.measured & np.isfinite(next(iter(table.figures.values())))
    for name, values in table.figures.items():
        fits[name] = fit = _fit(table, name, path)
        lacks = np.flatnonzero(~np.isfinite(values))
        figures[name] = values.copy()
        if len(lacks):
            figures[name][lacks] = fit.predict([table.blocks[row] for row in lacks])
        rows[name] = fit.predict(new) if new else np.empty(0)
    first = fits[next(iter(fits))]
    fitting = first.to_json() | {"fitted": len(new) + int((~measured).sum())}
    return replace(table, figures=figures, measured=measured).with_rows(new, rows, fitting=fitting)


def _fit(table: DeviceTable, name: str, path: str, model: str | None = None) -> Fitted:
    rows = np.flatnonzero(table.measured & np.isfinite(table.figures[name]))
    if len(rows) < FEWEST:
        reason = (
            f"{plural(len(rows), 'block')} with a figure of {name}, where at least {FEWEST} are needed to fit others"
        )
        raise TooFewMeasured(
            f"device table {path} has {reason}: measure more, or set [search.device] missing = 'refuse'.",
            f"it has {reason}",
        )
    return fit_blocks([table.blocks[row] for row in rows], table.figures[name][rows], model)


def _calibrated(table: DeviceTable, name: str, values: np.ndarray) -> Calibration:
    """Calibrate a quantity on the networks that it was measured of."""
    convolving = np.array([convolves(block) for block in table.blocks], dtype=bool)
    networks = {True: list[NetworkSum](), False: list[NetworkSum]()}
    for network in table.networks:
        rows = list(network.rows)
        total = float(values[rows].sum())
        if name in network.figures and total > 0:
            found = NetworkSum(total, int(convolving[rows].sum()), network.figures[name])
            networks[network.to_check].append(found)
    known = convolving & table.measured
    return calibrate(networks[False], networks[True], float(values[known].min()) if known.any() else 0.0)


@dataclass
class _Rest:
    """Figures of blocks that a table does not have, fitted when the first of them is asked for."""

    table: DeviceTable
    _fits: dict[str, Fitted] | None = None

    def __call__(self, block: BlockSpec) -> dict[str, float]:
        """The raw figures of a block by quantity."""
        if self._fits is None:
            about = self.table.about or {}
            model = (about.get("fitting") or {}).get("model")
            path = str(about.get("path", ""))
            self._fits = {name: _fit(self.table, name, path, model) for name in self.table.figures}
        return {name: float(fit.predict([block])[0]) for name, fit in self._fits.items()}
