"""The counters of Intel's and AMD's processors (RAPL), as Linux shows them in ``/sys/class/powercap``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from ..energy import Meter
from . import files

# Counted beside the packages, which do not hold it. The zones "core" and "uncore" are parts of their package.
BESIDE = "dram"
WHOLE = "psys"  # all of a laptop's platform, packages included


class Zone(NamedTuple):
    """A counter.

    Args:
        name: such as ``package-0`` or ``package-0 dram``.
        counter: file of the energy in µJ.
        most: energy in µJ at which the counter starts again from 0.
    """

    name: str
    counter: Path
    most: int


class Powercap(Meter):
    """The energy of all processor packages and of the memory that is counted beside them.

    Args:
        zones: counters that do not overlap.
    """

    name = "powercap"
    every = 20.0  # at 1 kW the smallest range, 65 kJ, lasts a minute
    resolution = 0.05  # counters are updated every ms

    def __init__(self, zones: list[Zone]) -> None:
        super().__init__(", ".join(zone.name for zone in zones))
        self._zones = zones

    def read(self) -> tuple[int, ...]:
        """Return the counters in µJ."""
        return tuple(files.needed(zone.counter) for zone in self._zones)

    def between(self, before: Any, after: Any, seconds: float) -> float:
        """Return the energy in J, also where a counter has started again in between."""
        spans = zip(before, after, self._zones, strict=True)
        return sum((end - start) % (zone.most + 1) for start, end, zone in spans) / 1e6


def find(root: Path) -> Powercap | None:
    """Return the meter, or ``None`` if the kernel shows no counter.

    Raises:
        MeterError: the counters can be read by root only.
    """
    found: dict[str, Zone] = {}
    for folder in files.folders(root, "sys/class/powercap/*:*"):
        if (zone := _zone(folder)) is not None:
            found.setdefault(zone.name, zone)  # intel-rapl-mmio shows the packages of intel-rapl again
    parts = [zone for name, zone in found.items() if name != WHOLE]
    zones = parts or list(found.values())
    if not zones:
        return None
    meter = Powercap(zones)
    meter.read()
    return meter


def _zone(folder: Path) -> Zone | None:
    """Return the counter of a folder such as ``intel-rapl:0:1``; ``None`` if it is part of another or no counter."""
    name, parts = files.text(folder / "name"), folder.name.split(":")
    if len(parts) == 3:
        above = files.text(folder.parent / ":".join(parts[:2]) / "name")
        if name != BESIDE:
            return None
        name = f"{above} {name}".strip()
    elif len(parts) != 2 or not (name.startswith("package") or name == WHOLE):
        return None
    most = files.text(folder / "max_energy_range_uj")
    return Zone(name, folder / "energy_uj", int(most)) if most.isdigit() else None
