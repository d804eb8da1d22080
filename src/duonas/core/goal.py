"""What a search is after: objectives, and constraints that must hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from duonas.core.cost import QUANTITIES
from duonas.core.errors import DuonasError, nearest

ACCURACY, EXPECTED = "accuracy", "expected_macs"
MEANS = {quantity: f"expected_{quantity}" for quantity in QUANTITIES}  # these fall as the little share rises
PEAKS = {quantity: f"peak_{quantity}" for quantity in QUANTITIES}
PAIR_FIGURES = (PEAKS["macs"], "params", "peak_memory_bytes", *list(PEAKS.values())[1:])  # the same at every threshold
OBJECTIVES = (ACCURACY, *MEANS.values(), *PAIR_FIGURES)
OF_ONE = tuple(f"{role}_{quantity}" for quantity in QUANTITIES for role in ("little", "big"))
CONSTRAINTS = (*MEANS.values(), *PAIR_FIGURES, *OF_ONE)
OF_BIG = (*PAIR_FIGURES, *(name for name in OF_ONE if name.startswith("big_")))  # a big can break them by itself


@dataclass(frozen=True)
class Goal:
    """Accuracy is maximised, every cost minimised; a constraint is the most that a cost may be.

    Args:
        objectives: of ``OBJECTIVES``, accuracy among them.
        constraints: of ``CONSTRAINTS``; MACs and params are counts, memory in bytes, latency in ms, energy in mJ.

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

    def limit(self, name: str) -> float:
        """The most that a figure may be; infinity where it is free."""
        return self.constraints.get(name, float("inf"))

    def check(self, quantities: Iterable[str]) -> None:
        """Refuse a name of a quantity that is not among those known.

        Raises:
            DuonasError: there is one.
        """
        for kind, names in (("objective", self.objectives), ("constraint", self.constraints)):
            for name in names:
                for quantity in set(QUANTITIES) - set(quantities):
                    if name.endswith(quantity):
                        raise DuonasError(
                            f"[search] {kind} {name} needs a device table: give [search.device] path and "
                            f"{quantity.partition('_')[0]}."
                        )
