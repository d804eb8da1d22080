"""What a search space holds, known before any training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Least, median and most of a figure over archs."""

    least: float
    median: float
    most: float


@dataclass(frozen=True)
class Feasibility:
    """Whether a constraint can be met, and in ``why`` by what or why not, such as ``"little 0.4M ... 3.1M"``."""

    name: str
    limit: float
    met: bool
    why: str


@dataclass(frozen=True)
class Profile:
    """A recipe's search space in figures.

    Args:
        archs: the exact number of archs.
        pairs: the exact number of pairs that the coupling allows.
        figures: ``macs``, ``params`` and ``peak_memory_bytes`` of the archs.
        constraints: each constraint of the recipe.
    """

    archs: int
    pairs: int
    figures: Mapping[str, Spread]
    constraints: tuple[Feasibility, ...] = ()
