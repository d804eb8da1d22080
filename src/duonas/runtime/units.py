"""Figures with units: the one parser of times, energies, counts, sizes and shares.

A plain number is in the base unit of its quantity. A text may have another unit: ``"2ms"``, ``"0.2 ms"``, ``"90%"``,
``"5e6"``, ``"5M"``, ``"300KB"``. Recipes, options of the command line, Python functions and bundles all accept both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

NUMBER = re.compile(r"([+-]?(?:[0-9](?:_?[0-9])*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?)(.*)", re.DOTALL)
LONGEST = 40  # characters of a text that can be a figure, and of one in a message


@dataclass(frozen=True, eq=False)
class Quantity:
    """What a figure measures; marks a field of options whose value may be a text with a unit.

    Args:
        noun: such as ``a time``, for messages.
        base: the unit of plain numbers, such as ``ms``; empty for counts and shares.
        units: the factor of each unit, as a decimal number.
        example: a text that can be read.
        note: what else a message says about the units.
    """

    noun: str
    base: str
    units: Mapping[str, str]
    example: str
    note: str = ""

    @property
    def described(self) -> str:
        """The texts that can be read, for messages."""
        units = ", ".join(unit for unit in self.units if unit and unit.isascii())
        plain = f"; a number without a unit is in {self.base}" if self.base else ""
        return f"{self.noun} such as {self.example} (units: {units}{self.note}{plain})"

    def factor(self, unit: str) -> Decimal | None:
        """The factor of a unit; ``None`` if there is no such unit.

        Upper and lower case are the same, but a leading M is a million and never a thousandth.
        """
        same = (each for each in self.units if each.lower() == unit.lower() and (unit[:1], each[:1]) != ("M", "m"))
        known = self.units.get(unit) or next(map(self.units.__getitem__, same), None)
        return None if known is None else Decimal(known)


_PREFIXES = {"k": "1e3", "M": "1e6", "G": "1e9", "T": "1e12"}
_TIMES = {"h": "3.6e6", "min": "6e4", "s": "1e3", "ms": "1", "us": "1e-3", "µs": "1e-3", "μs": "1e-3", "ns": "1e-6"}

MILLISECONDS = Quantity("a time", "ms", {"": "1"} | _TIMES, "2ms")
SECONDS = Quantity("a time", "s", {"": "1"} | {u: str(Decimal(f) / 1000) for u, f in _TIMES.items()}, "90s")
MILLIJOULES = Quantity("an energy", "mJ", {"": "1", "J": "1e3", "mJ": "1", "uJ": "1e-3", "µJ": "1e-3", "μJ": "1e-3"},
                       "3mJ")  # fmt: skip
WATTS = Quantity("a power", "W", {"": "1", "kW": "1e3", "W": "1", "mW": "1e-3"}, "5W")
COUNT = Quantity("a number", "", {"": "1"} | _PREFIXES, "5e6 or 5M")
MACS = Quantity("a number of MACs", "", {"": "1"} | _PREFIXES | {"MACs": "1"}
                | {f"{prefix}MACs": factor for prefix, factor in _PREFIXES.items()}, "5e6 or 5M")  # fmt: skip
BYTES = Quantity(
    "a size", "bytes",
    {"": "1", "B": "1", "KB": "1e3", "MB": "1e6", "GB": "1e9", "KiB": "1024", "MiB": "1048576", "GiB": "1073741824"},
    "300KB", "; 1 KB has 1,000 bytes, 1 KiB 1,024",
)  # fmt: skip
SHARE = Quantity("a share", "", {"": "1", "%": "0.01"}, "0.9 or 90%")
FIGURE = Quantity("a number", "", {"": "1"} | _PREFIXES | {"%": "0.01"}, "5e6, 5M or 90%")


def written_count(value: float) -> str:
    """Write a count as ``12.34M``, ``56.7k`` or ``89``."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size * (1 - 5e-5):  # as it is rounded
            return f"{value / size:.4g}{letter}"
    return f"{value:.4g}"


def percentage(share: float) -> str:
    """Write a share as ``93.21%``, with at most six digits."""
    return f"{100 * share:.6g}%"


def parse(text: str, quantity: Quantity, name: str) -> float:
    """Read a figure such as ``"0.2 ms"`` as a number of the quantity's base unit, correctly rounded.

    Args:
        text: a number with or without a unit.
        quantity: what it measures.
        name: name of the key or option, for messages.

    Raises:
        ValueError: it is not a number of this quantity; the message names the possible units.
    """
    found = NUMBER.fullmatch(text.strip()) if len(text) <= LONGEST else None
    factor = quantity.factor(found[2].strip().replace(" MACs", "MACs")) if found else None
    if found is None or factor is None:
        shown = text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
        raise ValueError(f"{name} must be {quantity.described}, got {shown!r}.")
    number = float(Decimal(found[1]) * factor)
    if number in (float("inf"), -float("inf")):
        raise ValueError(f"{name} must be a finite number, got {text!r}.")
    return number
