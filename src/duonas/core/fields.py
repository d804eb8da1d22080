"""Types of the fields of options: numbers with bounds and units, and names of parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

from duonas.core.units import MACS, MILLIJOULES, MILLISECONDS, SECONDS, SHARE, WATTS

Fraction = Annotated[float, Ge(0), Le(1), SHARE]
OpenFraction = Annotated[float, Gt(0), Lt(1), SHARE]
BelowOne = Annotated[float, Ge(0), Lt(1), SHARE]
Width = Annotated[float, Gt(0), Le(1)]
Count = Annotated[int, Gt(0)]
Several = Annotated[int, Ge(2)]
CountOrZero = Annotated[int, Ge(0)]
Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]
Milliseconds = Annotated[float, Gt(0), MILLISECONDS]
Seconds = Annotated[float, Gt(0), SECONDS]
Millijoules = Annotated[float, Gt(0), MILLIJOULES]
Watts = Annotated[float, Gt(0), WATTS]
Macs = Annotated[float, Gt(0), MACS]


@dataclass(frozen=True)
class PartOf:
    """Marks a field whose value is one or several names of parts; their options are keys of the same table.

    Args:
        kind: a key of ``duonas.core.registry.KINDS``.
        beside: further values that are allowed.
        every: whether the options of all shipped parts of the kind are in the table, named or not.
    """

    kind: str
    beside: tuple[str, ...] = ()
    every: bool = False
