"""Times and energies with units on the command line."""

from __future__ import annotations

import re

from duonas.core.errors import DuonasError

SIZES = {"ms": {"s": 1e3, "ms": 1.0, "us": 1e-3}, "mJ": {"J": 1e3, "mJ": 1.0, "uJ": 1e-3}}


def quantity(name: str, text: str, unit: str) -> float:
    """Parse ``"2ms"``, ``"0.5 ms"``, ``"2000us"`` or ``"2"`` as a number of ``unit``, which is ms or mJ.

    Args:
        name: name of the option, for messages.
        text: its value.
        unit: unit of the result, and of a number without a unit.

    Raises:
        DuonasError: not a number above 0, or an unknown unit.
    """
    found = re.fullmatch(r"\s*([0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?)\s*([a-z]*)\s*", text, re.IGNORECASE)
    number = float(found[1]) if found else 0.0
    size = SIZES[unit].get(found[2] or unit) if found else None
    if size is None or not 0 < number < float("inf"):
        units = ", ".join(SIZES[unit])
        raise DuonasError(f"{name} must be a number above 0 in one of {units}, such as 2{unit}, got {text!r}.")
    return number * size
