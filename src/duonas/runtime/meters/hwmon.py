"""Power and energy sensors that Linux shows in ``/sys/class/hwmon``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ..energy import Meter, PowerMeter
from . import files

WHOLE = ("power_meter", "macsmc_hwmon")  # of all the machine; the others are of parts
SOCKETS = ("amd_energy", "zenergy")  # counters of the cores, which sockets hold, and of sockets
# The chips that boards have on their rails. Sensors of graphics cards, drives and batteries are not of the processor.
ON_RAILS = re.compile(r"ina(209|219|220|226|230|231|233|237|238|260|780)|sq52206|ltc294[567]|ltc4282|scmi_sensors")


class Power(PowerMeter):
    """The power of a board, or of several of its parts together.

    Args:
        sensors: files of powers in µW by what they are of.
    """

    name = "hwmon"

    def __init__(self, sensors: dict[Path, str]) -> None:
        super().__init__(", ".join(sensors.values()))
        self._sensors = list(sensors)

    def read(self) -> float:
        """Return the power in W."""
        return sum(map(files.needed, self._sensors)) / 1e6


class Energy(Meter):
    """The energy of all processor sockets.

    Args:
        counters: files of energies in µJ by what they are of.
    """

    name = "hwmon"
    resolution = 0.2  # the driver itself adds up every 100 ms

    def __init__(self, counters: dict[Path, str]) -> None:
        super().__init__(", ".join(counters.values()))
        self._counters = list(counters)

    def read(self) -> int:
        """Return the energy in µJ, which has 64 bits and does not start again."""
        return sum(map(files.needed, self._counters))

    def between(self, before: Any, after: Any, seconds: float) -> float:
        """Return the energy in J."""
        return float(after - before) / 1e6


def find(root: Path) -> Meter | None:
    """Return the meter, or ``None`` if there is no sensor of the board or its processor.

    Raises:
        MeterError: a sensor is there but cannot be read.
    """
    chips = [(files.text(chip / "name"), chip) for chip in files.folders(root, "sys/class/hwmon/hwmon*")]
    for name, chip in chips:
        if name in WHOLE and (sensors := _sensors(chip, name, "power")):
            return Power(dict([next(iter(sensors.items()))]))  # the first is the total
    for name, chip in chips:
        if name in SOCKETS:
            counters = {path: said for path, said in _sensors(chip, name, "energy").items() if "socket" in said.lower()}
            if counters:
                return Energy(counters)
    rails = {path: said for name, chip in chips if ON_RAILS.fullmatch(name)
             for path, said in _sensors(chip, name, "power").items()}  # fmt: skip
    return Power(rails) if rails else None


def _sensors(chip: Path, name: str, kind: str) -> dict[Path, str]:
    """Return the files of one kind that can be read, by chip and label."""
    found = {}
    paths = {path.name.partition("_")[0]: path for ending in ("average", "input")
             for path in chip.glob(f"{kind}[0-9]*_{ending}")}  # fmt: skip
    for sensor, path in sorted(paths.items(), key=lambda item: (len(item[0]), item[0])):
        if files.integer(path) is not None:
            found[path] = f"{name} {files.text(chip / f'{sensor}_label')}".strip()
    return found
