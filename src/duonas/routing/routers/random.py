"""Routing by chance: what every other router must beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from duonas.routing.chance import a_few, hashed
from duonas.routing.router import Position, Router


@dataclass(frozen=True)
class Random(Router):
    """Draws lots: its trade-off curve is the chord between little and big.

    The lot is drawn from a few of the image's own values, so it needs no state and an image always gets the same one.
    """

    position: Position = "input"

    name: ClassVar[str] = "random"
    positions: ClassVar[tuple[Position, ...]] = ("input", "stem", "after_little")

    def describe(self, seen: Tensor) -> Tensor:
        """At most 16 values from the middle of the image or map (N, C, H, W), or of the logits (N, K)."""
        return a_few(seen)

    def judge(self, described: Tensor) -> Tensor:
        """(N, D) to lots (N,) in [0, 1]."""
        return hashed(described)
