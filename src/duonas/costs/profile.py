"""Device profiles: what whole networks took on a device, from a table that somebody measured (DESIGN, section 5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from duonas.core.arch import Arch
from duonas.core.cost import QUANTITIES
from duonas.core.errors import DuonasError, nearest
from duonas.core.files import checksum
from duonas.core.options import DeviceOptions
from duonas.core.space import SearchSpace

WALKED = 200_000  # archs of the largest space that is walked through


@dataclass(frozen=True)
class DeviceProfile:
    """Latency and energy of the archs of a space, each measured as a whole.

    A table of whole networks knows nothing of what a pair has in common, nor of its router, so that a pair's figures
    are those of its two networks: after little ``E = l + (1 - a) b``, at most ``l + b``; before it ``E = a l +
    (1 - a) b``. The shared stem is paid twice after little, hence these are upper bounds but for the router's time and
    for that of starting a second network.

    Args:
        archs: latency in ms and energy in mJ by ``Cost``'s names, of each arch for which all of ``quantities`` are
            known; of them alone pairs are made.
        quantities: of ``QUANTITIES``, which of the two the table gives.
        origin: the file, its SHA-256, the columns, and how many archs of the space it knows, as JSON.
    """

    archs: Mapping[Arch, Mapping[str, float]]
    quantities: tuple[str, ...]
    origin: Mapping[str, Any]

    def column(self, quantity: str) -> np.ndarray:
        """A quantity of all known archs, in ms or mJ."""
        return np.array([figures[quantity] for figures in self.archs.values()])


def load_profile(options: DeviceOptions, space: SearchSpace) -> DeviceProfile:
    """The profile of a ``[search.device]`` table for the archs of a space.

    Raises:
        DuonasError: no such file or column, a column without figures or with one that cannot be, or archs that are not
            those of the space.
    """
    path = Path(options.path).expanduser()
    wanted = {"latency_ms": options.latency, "energy_mj": options.energy}
    columns = {quantity: column for quantity in QUANTITIES if (column := wanted.get(quantity)) is not None}
    if not columns:
        raise DuonasError("[search.device] needs latency or energy or both: each is the name of a column of the table.")
    if space.text(space.largest()) is None:
        raise DuonasError(
            f"[search.device] is for spaces whose archs have a text to look up: those of {space.name!r} have none."
        )
    if space.size() > WALKED:
        raise DuonasError(
            f"[search.device] is for spaces of at most {WALKED:,} archs, each measured as a whole: this one has "
            f"{space.size():,}; narrow [space.axes]."
        )
    table = _read(path, {"key": options.key} | {q.partition("_")[0]: column for q, column in columns.items()})
    keys = _texts(path, options.key, table[options.key])
    figures = [_figures(path, column, table[column], keys) for column in columns.values()]
    rows = {key: dict(zip(columns, row, strict=True)) for key, *row in zip(keys, *figures, strict=True)}
    known = {arch: rows[text] for arch in space.archs() if (text := space.text(arch)) in rows}
    if not known:
        raise DuonasError(
            f"device table {path} has none of the archs of {space.name!r} in its column {options.key!r}: "
            f"expected such as {space.text(space.largest())!r}, got {keys[0]!r}."
        )
    known = {arch: row for arch, row in known.items() if not np.isnan(list(row.values())).any()}
    if not known:
        raise DuonasError(f"device table {path} has no figure for any arch of {space.name!r}.")
    origin = {"path": str(path), "sha256": checksum(path), "key": options.key, **columns,
              "known_archs": len(known), "archs": space.size()}  # fmt: skip
    return DeviceProfile(known, tuple(columns), origin)


def _read(path: Path, columns: Mapping[str, str]) -> pa.Table:
    """The columns, given by the option that names them."""
    if not path.is_file():
        raise DuonasError(f"[search.device] path: there is no file {path}.")
    try:
        there = pq.read_schema(path).names
        for option, column in columns.items():
            if column not in there:
                raise DuonasError(
                    f"[search.device] {option}: device table {path} has no column {column!r}: {nearest(column, there)}."
                )
        table = pq.read_table(path, columns=list(dict.fromkeys(columns.values())))
    except (pa.ArrowException, OSError) as error:
        raise DuonasError(f"device table {path} cannot be read as Parquet: {str(error).splitlines()[0]}.") from error
    if not table.num_rows:
        raise DuonasError(f"device table {path} has no rows.")
    return table


def _texts(path: Path, name: str, column: pa.ChunkedArray) -> list[str | None]:
    """A column's texts, each once."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise DuonasError(f"device table {path}: column {name!r} holds {column.type}, expected the text of an arch.")
    texts: list[str | None] = column.to_pylist()
    for text, times in Counter(texts).items():
        if times > 1 and text is not None:
            raise DuonasError(f"device table {path} has the arch {text!r} more than once.")
    return texts


def _figures(path: Path, name: str, column: pa.ChunkedArray, keys: list[str | None]) -> list[float]:
    """A column's figures, NaN where it has none."""
    kind = column.type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind)):
        raise DuonasError(f"device table {path}: column {name!r} holds {kind}, expected numbers.")
    values = np.array([np.nan if value is None else value for value in column.to_pylist()], dtype=float)
    wrong = np.flatnonzero((values < 0) | np.isinf(values))
    if len(wrong):
        raise DuonasError(
            f"device table {path}: column {name!r} has {values[wrong[0]]:g} for {keys[wrong[0]]!r}, expected a number "
            "that is not negative."
        )
    if np.isnan(values).all():
        raise DuonasError(f"device table {path}: column {name!r} has no figure at all.")
    found: list[float] = values.tolist()
    return found
