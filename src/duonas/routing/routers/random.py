"""Random routing, the baseline of every other router."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from duonas.routing.chance import a_few, hashed
from duonas.routing.options import RouteOptions
from duonas.routing.router import Position, Router


@dataclass(frozen=True)
class Random(Router):
    """Routes at random: its trade-off curve is the chord between little and big.

    The score is a hash of a few values of the image, so that it needs no state and is always the same for an image.
    """

    position: Position = "input"

    positions: ClassVar[tuple[Position, ...]] = ("input", "stem", "after_little")

    @dataclass(frozen=True)
    class Options(RouteOptions):
        """Keys of ``[route]``."""

        router: str = "random"

    def describe(self, seen: Tensor) -> Tensor:
        """Return at most 16 values from the middle of the image or map (N, C, H, W), or of the logits (N, K)."""
        return a_few(seen)

    def judge(self, described: Tensor) -> Tensor:
        """Return random scores (N,) in [0, 1] of values (N, D)."""
        return hashed(described)
