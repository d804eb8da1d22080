"""Types of the fields of options: numbers with bounds and units, and names of parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

from duonas.runtime.units import MACS, MILLIJOULES, MILLISECONDS, SECONDS, SHARE, WATTS

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
class Location:
    """Marks a field that says where something is or is kept, not what it is.

    Such a key is not part of what a run is: the run goes on when it changes. What is found there is checked instead:
    images by the hashes of their pixels, other files by their bytes.

    Args:
        path: whether the value is a path, which is relative to the folder where the run began.
        content: whether it is a file whose bytes must stay the same, or a run or a bundle whose networks must.
        created: whether it is made where it is missing, as a cache is.
        words: values that are no location; they are part of what a run is.
    """

    path: bool = True
    content: bool = False
    created: bool = False
    words: tuple[str, ...] = ()


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
