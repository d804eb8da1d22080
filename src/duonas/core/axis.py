"""An axis of a search space: one choice, and which of its values contain which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from duonas.core.errors import DuonasError


@dataclass(frozen=True)
class Axis:
    """One choice with values from small to large, where the weights of each value are a subset of every larger one's.

    For operations without such an order, ``weightless`` names the values that have no weights. A value then contains
    itself and the weightless ones only.

    An axis with a ``parent`` is active only if the parent's index is at least ``minimum``: the kernel of a stage's
    third block matters only if the stage has three blocks. ``stage`` is the stage of the choice (0: the whole network,
    such as the resolution); a child has the stage of its parent.
    """

    name: str
    values: tuple[Any, ...]
    parent: str | None = None
    minimum: int = 0
    stage: int = 0
    weightless: tuple[Any, ...] | None = None

    @property
    def kind(self) -> str:
        """The last part of the name, such as ``kernel``, which is the same in every block and stage."""
        return self.name.rpartition(".")[2]

    def __post_init__(self) -> None:
        if not self.values:
            raise DuonasError(f"axis {self.name!r} has no values: give at least one.")

    def within(self, index: int) -> Sequence[int]:
        """The sorted indices of the values whose weights are a subset of those of value ``index``, including itself."""
        if self.weightless is None:
            return range(index + 1)
        return [i for i, value in enumerate(self.values) if i == index or value in self.weightless]

    @cached_property
    def bottom(self) -> int | None:
        """The first value that all others contain; ``None`` if there is none, as among values with own weights."""
        inside = self.order[:-1, :-1].all(axis=1)
        return int(inside.argmax()) if inside.any() else None

    @cached_property
    def order(self) -> np.ndarray:
        """(V + 1, V + 1) bool: whether value j contains value i; the last row and column stand for an inactive axis."""
        table = np.zeros((len(self.values) + 1,) * 2, dtype=bool)
        table[-1] = True
        for index in range(len(self.values)):
            table[self.within(index), index] = True
        return table
