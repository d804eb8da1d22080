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
        couplings: the exact number of pairs under every coupling that the space can have, by its name (paper D,
            appendix E.1).
        coupling: the recipe's own.
        splits: the stages after which little may branch off, where the coupling is partial.
        figures: ``macs``, ``params`` and ``peak_memory_bytes`` of the archs, ``latency_ms`` and ``energy_mj`` of those
            that the device table knows.
        constraints: each constraint of the recipe.
        measured: how many archs the device table knows, if there is one.
        refusal: the sentence by which a run of the recipe would be refused for its constraints; ``None`` where some
            pair meets all of them.
    """

    archs: int
    couplings: Mapping[str, int]
    coupling: str
    splits: tuple[int, ...]
    figures: Mapping[str, Spread]
    constraints: tuple[Feasibility, ...] = ()
    measured: int | None = None
    refusal: str | None = None

    @property
    def pairs(self) -> int:
        """The exact number of pairs that the recipe's coupling allows."""
        return self.couplings[self.coupling]
