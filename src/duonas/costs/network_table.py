"""Device profiles: what whole networks took on a device, from a table that somebody measured (DESIGN, section 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from duonas.core.arch import Arch
from duonas.core.cost import QUANTITIES
from duonas.core.errors import DuonasError
from duonas.core.files import checksum
from duonas.core.options import DeviceOptions
from duonas.core.space import WALKED, SearchSpace
from duonas.costs.archtable import read_figures


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
    named_by = {f"[search.device] {q.partition('_')[0]}": column for q, column in columns.items()}
    keys, read = read_figures(path, "[search.device] path", ("[search.device] key", options.key), named_by)
    figures = [_possible(path, column, values, keys) for column, values in zip(columns.values(), read, strict=True)]
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


def _possible(path: Path, column: str, values: np.ndarray, texts: list[str | None]) -> list[float]:
    wrong = np.flatnonzero((values < 0) | np.isinf(values))
    if len(wrong):
        raise DuonasError(
            f"{path}: column {column!r} has {values[wrong[0]]:g} for {texts[wrong[0]]!r}, expected a number that "
            "is not negative."
        )
    found: list[float] = values.tolist()
    return found
