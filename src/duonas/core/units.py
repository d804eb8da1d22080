"""Figures with units in recipes, options of the command line and Python functions; see ``duonas.runtime.units``."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from duonas.core.errors import DuonasError
from duonas.runtime import units
from duonas.runtime.units import BYTES, COUNT, FIGURE, LONGEST, MACS, MILLIJOULES, MILLISECONDS, SHARE, Quantity

_BY_SUFFIX = {
    "ms": MILLISECONDS, "mj": MILLIJOULES, "bytes": BYTES, "macs": MACS, "params": COUNT, "accuracy": SHARE,
    "share": SHARE,
}  # fmt: skip


class ByName:
    """Marks a field that holds a table of figures; each has the quantity that its name ends in, see ``quantity_of``."""


@dataclass(frozen=True)
class Either:
    """Marks a field whose value is in one of several quantities, as its unit says.

    A number without a unit is in the base unit of the first quantity. Texts of the others stay texts, in their base
    unit: of MACs and times ``"5M"`` becomes 5e6, ``"0.2 s"`` becomes ``"200ms"``.
    """

    quantities: tuple[Quantity, ...]

    def parse(self, value: Any, name: str) -> float | str:
        """Read a number, or a text such as ``"5M"`` or ``"0.2 ms"``.

        Raises:
            DuonasError: it is of none of the quantities, or not above 0.
        """
        kinds = " or ".join(f"{quantity.noun} such as {quantity.example}" for quantity in self.quantities)
        for quantity in self.quantities if isinstance(value, str) else ():
            with suppress(DuonasError):
                number = parse(value, quantity, name)
                found: float | str = number if quantity is self.quantities[0] else f"{number!r}{quantity.base}"
                break
        else:
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise DuonasError(f"{name} must be {kinds}, got {value!r:.{LONGEST}}.")
            found = number = float(value)
        if not number > 0:
            raise DuonasError(f"{name} must be above 0, got {value!r}.")
        return found

    def read(self, value: float | str) -> tuple[Quantity, float]:
        """The quantity of a value that ``parse`` returned, and the number in its base unit."""
        if not isinstance(value, str):
            return self.quantities[0], value
        found = next(each for each in self.quantities[1:] if value.endswith(each.base))
        return found, float(value.removesuffix(found.base))


def quantity_of(figure: str) -> Quantity:
    """The quantity of a figure by the end of its name: of ``peak_latency_ms`` a time in ms."""
    return _BY_SUFFIX.get(figure.rpartition("_")[2], FIGURE)


def parse(text: str, quantity: Quantity, name: str) -> float:
    """Read a figure such as ``"0.2 ms"`` as a number of the quantity's base unit; see ``duonas.runtime.units.parse``.

    Raises:
        DuonasError: it is not a number of this quantity; the message names the possible units.
    """
    try:
        return units.parse(text, quantity, name)
    except ValueError as error:
        raise DuonasError(str(error)) from None
