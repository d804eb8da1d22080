"""Texas Instruments' INA3221 on the rails of NVIDIA's Jetson boards: by hwmon, and by iio on older kernels."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ..energy import PowerMeter
from . import files

CHANNELS = (1, 2, 3)
# The rails that feed all the others.
TOTALS = ("VDD_IN", "POM_5V_IN", "VIN", "VDD_5V_IN")


class Rail(NamedTuple):
    """A rail; its power is the product of all its files.

    Args:
        name: such as ``VDD_CPU_GPU_CV``.
        factors: of one power in mW, or of a voltage in mV and a current in mA.
        scale: W that a product of 1 is.
    """

    name: str
    factors: tuple[Path, ...]
    scale: float

    def read(self) -> float:
        """Return the power in W."""
        power = self.scale
        for path in self.factors:
            power *= files.needed(path)
        return power


class Ina3221(PowerMeter):
    """The power of a board: of the rail that feeds all others, else of all rails together.

    Args:
        rails: that do not overlap.
    """

    name = "ina3221"

    def __init__(self, rails: list[Rail]) -> None:
        super().__init__(", ".join(rail.name for rail in rails))
        self._rails = rails

    def read(self) -> float:
        """Return the power in W."""
        return sum(rail.read() for rail in self._rails)


def find(root: Path) -> Ina3221 | None:
    """Return the meter, or ``None`` if there is no such chip.

    Raises:
        MeterError: its files cannot be read.
    """
    chips = [folder for folder in files.folders(root, "sys/class/hwmon/hwmon*") if _named(folder)]
    rails = [rail for chip in chips for rail in _by_hwmon(chip)]
    rails = rails or [rail for chip in files.folders(root, "sys/bus/i2c/drivers/ina3221x/*/iio:device*")
                      for rail in _by_iio(chip)]  # fmt: skip
    total = [rail for rail in rails if rail.name in TOTALS]
    return Ina3221(total[:1] or rails) if rails else None


def _named(folder: Path) -> bool:
    return files.text(folder / "name") == "ina3221"


def _by_hwmon(chip: Path) -> list[Rail]:
    rails = []
    for channel in CHANNELS:  # further ones are sums of these
        factors = (chip / f"in{channel}_input", chip / f"curr{channel}_input")
        if all(files.integer(path) is not None for path in factors):
            rails.append(Rail(files.text(chip / f"in{channel}_label") or f"rail {channel}", factors, 1e-6))
    return rails


def _by_iio(chip: Path) -> list[Rail]:
    rails = []
    for channel in range(len(CHANNELS)):
        path = chip / f"in_power{channel}_input"
        if files.integer(path) is not None:
            rails.append(Rail(files.text(chip / f"rail_name_{channel}") or f"rail {channel}", (path,), 1e-3))
    return rails
