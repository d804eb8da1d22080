"""What a search is after: objectives, and constraints that must hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from duonas.core.errors import DuonasError, nearest

ACCURACY, EXPECTED, PEAK = "accuracy", "expected_macs", "peak_macs"
PAIR_FIGURES = (PEAK, "params", "peak_memory_bytes")  # the same at every threshold
OBJECTIVES = (ACCURACY, EXPECTED, *PAIR_FIGURES)
CONSTRAINTS = (EXPECTED, *PAIR_FIGURES, "little_macs", "big_macs")
OF_BIG = (*PAIR_FIGURES, "big_macs")  # the constraints that a big can break, whatever its little


@dataclass(frozen=True)
class Goal:
    """Accuracy is maximised, every cost minimised; a constraint is the most that a cost may be.

    Args:
        objectives: of ``OBJECTIVES``, accuracy among them.
        constraints: of ``CONSTRAINTS``; MACs and params are counts, memory in bytes.

    Raises:
        DuonasError: an unknown or repeated name, or accuracy is missing.
    """

    objectives: tuple[str, ...]
    constraints: Mapping[str, float]

    def __post_init__(self) -> None:
        for name in self.objectives:
            if name not in OBJECTIVES:
                raise DuonasError(f"[search] has no objective {name!r}: {nearest(name, OBJECTIVES)}.")
            if self.objectives.count(name) > 1:
                raise DuonasError(f"[search] names the objective {name!r} twice.")
        if ACCURACY not in self.objectives:
            raise DuonasError("[search] objectives must include 'accuracy'.")
        for name in self.constraints:
            if name not in CONSTRAINTS:
                raise DuonasError(f"[search] has no constraint {name!r}: {nearest(name, CONSTRAINTS)}.")

    @property
    def budget(self) -> float:
        """The most that the expected MACs may be; infinity where they are free."""
        return self.constraints.get(EXPECTED, float("inf"))
