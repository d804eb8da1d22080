"""Difficulty by statistics of what is seen: no weights, no multiply-accumulates (paper D, section 3.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import log, sqrt
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from duonas.core.errors import DuonasError, nearest
from duonas.core.options import RouteOptions
from duonas.routing.chance import a_few, hashed, knows_more
from duonas.routing.metrics import area_above_chance
from duonas.routing.router import Answers, Position, Router

BINS = 8
TINY = 1e-6


def entropy(maps: Tensor) -> Tensor:
    """The entropy of a soft histogram of the mean map, as a fraction of its largest value; (N, C, H, W) to (N,).

    The values are scaled to their own range first; each is shared by the two nearest of eight bins.
    """
    values = maps.mean(1).flatten(1)
    low, high = values.amin(1, keepdim=True), values.amax(1, keepdim=True)
    places = (values - low) / (high - low + TINY) * (BINS - 1)
    bins = torch.arange(BINS, device=maps.device)[:, None]
    shares = (1 - (places[:, None] - bins).abs()).clamp(min=0).mean(2)
    return -(shares * (shares + TINY).log()).sum(1) / log(BINS)


def variance(maps: Tensor) -> Tensor:
    """The variance over the map, the mean of the channels; (N, C, H, W) to (N,)."""
    return variances(maps).mean(1)


def variances(maps: Tensor) -> Tensor:
    """Of each channel, (N, C, H, W) to (N, C); for N = 0 too, of which ``Tensor.var`` warns."""
    return (maps - maps.mean((2, 3), keepdim=True)).square().mean((2, 3))


def sparsity(maps: Tensor) -> Tensor:
    """How few values hold all there is: 0 where all are equal, 1 where one is not 0 (Hoyer 2004)."""
    values = maps.flatten(1)
    root = sqrt(values.shape[1])
    ratio = (values.abs().sum(1) + TINY) / (values.square().sum(1).sqrt() + TINY / root)
    return (root - ratio) / (root - 1 + TINY)


def edges(maps: Tensor) -> Tensor:
    """The mean absolute difference of neighbours, across and down; (N, C, H, W) to (N,)."""
    across = maps[..., 1:] - maps[..., :-1]
    down = maps[..., 1:, :] - maps[..., :-1, :]
    return across.abs().flatten(1).mean(1) + down.abs().flatten(1).mean(1)


STATISTICS: dict[str, Callable[[Tensor], Tensor]] = {
    "entropy": entropy,
    "variance": variance,
    "sparsity": sparsity,
    "edges": edges,
}
BEST = "best"


@dataclass(frozen=True)
class Difficulty(Router):
    """Routes by one statistic of the image, or of the stem's map.

    Args:
        statistic: one of ``STATISTICS``, or ``"best"``: the one with the largest area under the trade-off curve.
        sign: -1 where more of it means harder, 1 where it means easier; 0 where it means nothing and lots are drawn.
        position: ``"input"`` or ``"stem"``.

    Raises:
        DuonasError: no such statistic.
    """

    statistic: str = BEST
    sign: int = -1
    position: Position = "input"

    name: ClassVar[str] = "difficulty"
    positions: ClassVar[tuple[Position, ...]] = ("input", "stem")

    def __post_init__(self) -> None:
        if self.statistic not in (*STATISTICS, BEST):
            raise DuonasError(f"no statistic {self.statistic!r}: {nearest(self.statistic, (*STATISTICS, BEST))}.")

    @classmethod
    def from_options(cls, options: RouteOptions) -> Difficulty:
        """With the statistic of ``[route]``."""
        return cls._at(options.position, statistic=options.statistic)

    def describe(self, seen: Tensor) -> Tensor:
        """Maps (N, C, H, W) to all four statistics and, to draw lots, a few of the values; (N, 4 + V)."""
        maps = seen.float()
        statistics = [statistic(maps) for statistic in STATISTICS.values()]
        return torch.cat([torch.stack(statistics, dim=1), a_few(maps)], dim=1)

    def judge(self, described: Tensor) -> Tensor:
        """Statistics and values (N, 4 + V) to scores (N,)."""
        if self.sign == 0:
            return hashed(described[:, len(STATISTICS) :])
        return self.sign * described[:, list(STATISTICS).index(self._statistic)]

    def score(self, seen: Tensor) -> Tensor:
        """Maps (N, C, H, W) to scores (N,): of all that is described only what the score is made of."""
        if self.sign == 0:
            return hashed(a_few(seen))
        return self.sign * STATISTICS[self._statistic](seen.float())

    @property
    def _statistic(self) -> str:
        """Whichever, before the best is known."""
        return next(iter(STATISTICS)) if self.statistic == BEST else self.statistic

    def fit(self, described: Tensor, answers: Answers, rng: np.random.Generator) -> Difficulty:
        """The same with the sign, and the statistic where ``"best"`` was asked for, of the largest area."""
        wanted = STATISTICS if self.statistic == BEST else [self.statistic]
        fitted = [replace(self, statistic=name, sign=sign) for name in wanted for sign in (-1, 1)]
        scores = [router.judge(described).numpy() for router in fitted]
        best = int(np.argmax([area_above_chance(score, answers) for score in scores]))
        if not knows_more(scores[best], answers, trials=len(fitted)):
            return replace(fitted[best], sign=0)
        return fitted[best]

    def to_json(self) -> dict[str, Any]:
        """Statistic and sign."""
        return {"statistic": self.statistic, "sign": self.sign}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], position: Position) -> Difficulty:
        """The router that ``to_json`` described."""
        return cls._at(position, statistic=value["statistic"], sign=int(value["sign"]))
