"""Figures with units in recipes, options of the command line and Python functions; see ``duonas.runtime.units``."""

from __future__ import annotations

from duonas.core.errors import DuonasError
from duonas.runtime import units
from duonas.runtime.units import BYTES, COUNT, FIGURE, MACS, MILLIJOULES, MILLISECONDS, SHARE, Quantity

_BY_SUFFIX = {
    "ms": MILLISECONDS, "mj": MILLIJOULES, "bytes": BYTES, "macs": MACS, "params": COUNT, "accuracy": SHARE,
    "share": SHARE,
}  # fmt: skip


class ByName:
    """Marks a field that holds a table of figures; each has the quantity that its name ends in, see ``quantity_of``."""


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
