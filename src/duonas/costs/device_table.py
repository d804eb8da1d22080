"""What the file of a device table holds: raw figures of blocks, whole networks and routers, and how they were made.

The columns are ``block`` (see ``block_text``), ``latency_ms``, ``energy_mj`` or both, and ``origin``, which says of
each row whether it was measured or fitted. Metadata are texts, structured ones JSON: ``networks``, ``routers``,
``reference``, ``energy``, ``calibration``, ``energy_calibration``, ``fitting``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import index
from pathlib import Path
from typing import Any, get_args

import numpy as np

from duonas.core.block import BlockSpec
from duonas.core.cost import ON_DEVICE, RouterCost
from duonas.core.errors import DuonasError, nearest
from duonas.costs.calibration import Calibration
from duonas.costs.table import about, possible, read_figures, read_texts, write_table
from duonas.runtime.device_kit import Use

COLUMN = "block"  # with the specifications of blocks; a table with this column is a table of blocks
ORIGIN = "origin"
MEASURED, FITTED = "measured", "fitted"
STRUCTURED = ("networks", "routers", "reference", "energy", "calibration", "energy_calibration", "fitting")
CALIBRATIONS = {"latency_ms": "calibration", "energy_mj": "energy_calibration"}
ERRORS = ("median", "worst")
FOR: tuple[str, ...] = get_args(Use)
OPTION = "[search.device] table"


@dataclass(frozen=True)
class NetworkRow:
    """A whole network that was measured beside the blocks.

    Args:
        rows: the row numbers of its blocks in the table.
        to_check: whether it is kept to check predictions, not to fit them.
        figures: ``latency_ms``, and ``energy_mj`` and ``peak_memory_bytes`` where they were measured.
    """

    rows: tuple[int, ...]
    to_check: bool
    figures: Mapping[str, float]


@dataclass(frozen=True)
class DeviceTable:
    """The contents of a table of blocks, as they were measured.

    Args:
        blocks: N distinct blocks, without name and stage.
        figures: (N,) by quantity, ``latency_ms`` and ``energy_mj``; NaN where there is none.
        measured: (N,) bool; other rows were fitted.
        networks: the whole networks.
        routers: what routing adds, by quantity, by the router's name, such as ``margin@after_little``.
        about: all other metadata: texts, and values that were read from JSON.
    """

    blocks: tuple[BlockSpec, ...]
    figures: Mapping[str, np.ndarray]
    measured: np.ndarray
    networks: tuple[NetworkRow, ...] = ()
    routers: Mapping[str, Mapping[str, RouterCost]] | None = None
    about: Mapping[str, Any] | None = None

    def with_rows(self, blocks: Sequence[BlockSpec], figures: Mapping[str, np.ndarray], **more: Any) -> DeviceTable:
        """The table with further, fitted rows, and further metadata."""
        joined = {name: np.concatenate([values, figures[name]]) for name, values in self.figures.items()}
        measured = np.concatenate([self.measured, np.zeros(len(blocks), dtype=bool)])
        return replace(self, blocks=(*self.blocks, *blocks), figures=joined, measured=measured,
                       about={**(self.about or {}), **more})  # fmt: skip

    def write(self, path: Path) -> Path:
        """Write the table atomically, as CSV if the file name ends in ``.csv``, else as Parquet."""
        columns: dict[str, list[Any]] = {COLUMN: [block_text(block) for block in self.blocks]}
        for name, values in self.figures.items():
            columns[name] = [None if math.isnan(value) else value for value in values.tolist()]
        columns[ORIGIN] = [MEASURED if known else FITTED for known in self.measured.tolist()]
        said = dict(self.about or {})
        if self.networks:
            said["networks"] = [_network_json(network) for network in self.networks]
        if self.routers:
            said["routers"] = {name: _router_json(costs) for name, costs in self.routers.items()}
        return write_table(path, columns, {key: _text(key, value) for key, value in said.items()})


@lru_cache(maxsize=200_000)
def block_text(block: BlockSpec) -> str:
    """The specification of a block as one line of JSON, without name and stage: its key in a table."""
    fields = {name: value for name, value in block.fields().items() if name not in ("name", "stage")}
    return json.dumps(fields, separators=(",", ":"))


def read_block(text: str) -> BlockSpec:
    """Read a block, without name and stage, that ``block_text`` wrote.

    Raises:
        TypeError, ValueError, KeyError: it is none.
    """
    value = json.loads(text)
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        raise TypeError("not the specification of a block")
    block = BlockSpec.from_json({"name": "", "stage": 0, **value}).key
    _ = block.macs, block.peak_activations  # a field of another type
    sizes = (block.in_channels, block.out_channels, block.resolution, block.out_resolution)
    if min(sizes) < 1:
        raise ValueError(f"channels and sides of at least 1, got {sizes}")
    return block


def read_device_table(path: Path, columns: Mapping[str, str]) -> DeviceTable:
    """Read a table of blocks as it was measured.

    Args:
        path: a Parquet or CSV file.
        columns: column names by quantity, ``latency_ms`` or ``energy_mj`` or both.

    Raises:
        DuonasError: the file cannot be read, a block is none or there twice, a figure is negative or infinite, or the
            metadata are damaged.
    """
    named_by = {f"[search.device] {name.partition('_')[0]}": column for name, column in columns.items()}
    texts, read = read_figures(path, OPTION, (OPTION, COLUMN), named_by, "block")
    kept = [row for row, text in enumerate(texts) if text is not None]
    for column, values in zip(columns.values(), read, strict=True):
        possible(path, column, values, texts)
    blocks = _blocks(path, texts)
    figures = {name: values[kept] for name, values in zip(columns, read, strict=True)}
    origins = read_texts(path, ORIGIN) or [MEASURED] * len(texts)
    for origin in set(origins) - {MEASURED, FITTED}:
        raise DuonasError(f"{path}: column 'origin' has {origin!r}: {nearest(str(origin), (MEASURED, FITTED))}.")
    said = {key: _checked(path, key, _value(path, key, text)) for key, text in about(path).items()}
    networks = _networks(path, said.pop("networks", []), len(texts), kept)
    routers = _routers(path, said.pop("routers", {}))
    measured = np.array([origins[row] == MEASURED for row in kept], dtype=bool)
    return DeviceTable(blocks, figures, measured, networks, routers, said)


def _blocks(path: Path, texts: Sequence[str | None]) -> tuple[BlockSpec, ...]:
    rows: dict[BlockSpec, int] = {}
    for row, text in enumerate(texts, 1):
        if text is None:
            continue
        try:
            block = read_block(text)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise DuonasError(
                f"{path}: row {row} of column 'block' is {text[:60]!r}, expected the specification of a block as "
                "`duonas device bench` writes it."
            ) from error
        if block in rows:
            raise DuonasError(
                f"{path} has the block {in_words(block)} more than once, in rows {rows[block]} and {row}."
            )
        rows[block] = row
    return tuple(rows)


def in_words(block: BlockSpec) -> str:
    """A short description of a block, for messages."""
    words = [f"{block.kind} {block.in_channels} to {block.out_channels} channels at {block.resolution} px"]
    words += [f"{name} {value}" for name in ("kernel", "stride", "expansion") if (value := getattr(block, name)) > 1]
    return ", ".join([*words, *(["/".join(block.operations)] if block.operations else [])])


def _text(key: str, value: Any) -> str:
    return value if key not in STRUCTURED and isinstance(value, str) else json.dumps(value)


def _value(path: Path, key: str, text: str) -> Any:
    if key not in STRUCTURED:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DuonasError(f"{path}: its metadata {key!r} are not JSON: {error}.") from error


def _checked(path: Path, key: str, value: Any) -> Any:
    """Return a value of the metadata whose numbers are used or shown later."""
    try:
        if key in CALIBRATIONS.values():
            # Of an earlier version, whose constant was another one: calibrated anew.
            return None if "constant_ms" in value else Calibration.from_json(value).to_json()
        if key == "fitting":
            return value | {"fitted": index(value["fitted"])} | {name: _finite(value[name]) for name in ERRORS}
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise DuonasError(f"{path}: its metadata {key!r} cannot be read: {error!r}.") from error
    return value


def _networks(path: Path, found: Any, rows: int, kept: Sequence[int]) -> tuple[NetworkRow, ...]:
    """The networks; their row numbers become those among the rows that have a block."""
    places = {row: place for place, row in enumerate(kept)}
    networks = []
    if not isinstance(found, list):
        raise DuonasError(f"{path}: its metadata 'networks' are no list.")
    for number, each in enumerate(found):
        try:
            numbers = [index(row) for row in each["blocks"]]
            figures = {name: float(each[name]) for name in ON_DEVICE if each.get(name) is not None}
            memory = {name: _finite(each[name]) for name in ("peak_memory_bytes",) if each.get(name) is not None}
            purpose = each["for"]
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise DuonasError(
                f"{path}: network {number} of its metadata 'networks' cannot be read: {error}."
            ) from error
        if not numbers or not all(row in places for row in numbers):
            raise DuonasError(
                f"{path}: network {number} of its metadata 'networks' names rows that the table of {rows:,} rows does "
                "not have."
            )
        if purpose not in FOR:
            raise DuonasError(f"{path}: network {number} is for {purpose!r}: {nearest(str(purpose), FOR)}.")
        for name, value in figures.items():
            if not 0 < value < math.inf:
                raise DuonasError(f"{path}: network {number} has {name} = {value:g}, expected a number above 0.")
        networks.append(NetworkRow(tuple(places[row] for row in numbers), purpose == "check", figures | memory))
    return tuple(networks)


def _routers(path: Path, found: Any) -> dict[str, dict[str, RouterCost]]:
    """What routing adds; noise below nothing counts as nothing."""
    try:
        return {
            str(name): {
                quantity: _router_cost(costs, _unit(quantity))
                for quantity in ON_DEVICE
                if costs.get(f"keep_{_unit(quantity)}") is not None
            }
            for name, costs in found.items()
        }
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise DuonasError(f"{path}: its metadata 'routers' cannot be read: {error!r}.") from error


def _router_cost(costs: Mapping[str, Any], unit: str) -> RouterCost:
    return RouterCost(*(max(0.0, _finite(costs[f"{part}_{unit}"])) for part in ("keep", "ask")))


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number} is not finite")
    return number


def _network_json(network: NetworkRow) -> dict[str, Any]:
    return {"blocks": list(network.rows), "for": FOR[network.to_check], **network.figures}


def _router_json(costs: Mapping[str, RouterCost]) -> dict[str, float]:
    return {
        f"{part}_{_unit(quantity)}": getattr(cost, part) for quantity, cost in costs.items() for part in ("keep", "ask")
    }


def _unit(quantity: str) -> str:
    return quantity.rpartition("_")[2]
