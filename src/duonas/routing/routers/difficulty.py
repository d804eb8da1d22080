"""Routes by a statistic of the image or the stem's features: no weights, no MACs (paper D, section 3.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import log, sqrt
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from duonas.core.errors import DuonasError, nearest
from duonas.routing.chance import a_few, hashed, knows_more
from duonas.routing.metrics import area_above_chance
from duonas.routing.options import RouteOptions
from duonas.routing.router import Answers, Position, Router

BINS = 8
TINY = 1e-6


def entropy(maps: Tensor) -> Tensor:
    """Return the normalised entropy (N,) of a soft histogram of the channel mean of maps (N, C, H, W).

    Values are scaled to the range of their map; each is split between the two nearest of eight bins.
    """
    values = maps.mean(1).flatten(1)
    low, high = values.amin(1, keepdim=True), values.amax(1, keepdim=True)
    places = (values - low) / (high - low + TINY) * (BINS - 1)
    bins = torch.arange(BINS, device=maps.device)[:, None]
    shares = (1 - (places[:, None] - bins).abs()).clamp(min=0).mean(2)
    return -(shares * (shares + TINY).log()).sum(1) / log(BINS)


def variance(maps: Tensor) -> Tensor:
    """Return the mean over channels (N,) of the spatial variance of maps (N, C, H, W)."""
    return variances(maps).mean(1)


def variances(maps: Tensor) -> Tensor:
    """Return the spatial variance (N, C) of maps (N, C, H, W); unlike ``Tensor.var`` without a warning at N = 0."""
    return (maps - maps.mean((2, 3), keepdim=True)).square().mean((2, 3))


def sparsity(maps: Tensor) -> Tensor:
    """Return the Hoyer sparsity (N,) of maps (N, C, H, W): 0 if all values are equal, 1 if only one is not 0 (2004)."""
    values = maps.flatten(1)
    root = sqrt(values.shape[1])
    ratio = (values.abs().sum(1) + TINY) / (values.square().sum(1).sqrt() + TINY / root)
    return (root - ratio) / (root - 1 + TINY)


def edges(maps: Tensor) -> Tensor:
    """Return the mean absolute difference (N,) of adjacent values in both directions of maps (N, C, H, W)."""
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
    """Routes by one statistic of the image or of the stem's features.

    Args:
        statistic: one of ``STATISTICS``, or ``"best"``: the one with the largest area under the trade-off curve.
        sign: -1 if higher values mean harder images, 1 if they mean easier ones, 0 to route at random because the
            statistic is uninformative.
        position: ``"input"`` or ``"stem"``.

    Raises:
        DuonasError: there is no such statistic.
    """

    statistic: str = BEST
    sign: int = -1
    position: Position = "input"

    positions: ClassVar[tuple[Position, ...]] = ("input", "stem")

    @dataclass(frozen=True)
    class Options(RouteOptions):
        """Keys of ``[route]``."""

        router: str = "difficulty"
        statistic: Literal["best", "entropy", "variance", "sparsity", "edges"] = "best"
        """Statistic that estimates difficulty: entropy or variance of the values, their sparsity, or the difference of
        adjacent ones (edges); "best": the one with the largest area under the trade-off curve on calib."""

    def __post_init__(self) -> None:
        if self.statistic not in (*STATISTICS, BEST):
            raise DuonasError(f"no statistic {self.statistic!r}: {nearest(self.statistic, (*STATISTICS, BEST))}.")

    @classmethod
    def from_options(cls, options: Options) -> Difficulty:
        """Build the router with the statistic of ``[route]``."""
        return cls._at(options.position, statistic=options.statistic)

    def describe(self, seen: Tensor) -> Tensor:
        """Return all four statistics of maps (N, C, H, W) and V values for random routing, (N, 4 + V)."""
        maps = seen.float()
        statistics = [statistic(maps) for statistic in STATISTICS.values()]
        return torch.cat([torch.stack(statistics, dim=1), a_few(maps)], dim=1)

    def judge(self, described: Tensor) -> Tensor:
        """Return the scores (N,) of statistics and values (N, 4 + V)."""
        if self.sign == 0:
            return hashed(described[:, len(STATISTICS) :])
        return self.sign * described[:, list(STATISTICS).index(self._statistic)]

    def score(self, seen: Tensor) -> Tensor:
        """Return the scores (N,) of maps (N, C, H, W), computing only the statistic that is used."""
        if self.sign == 0:
            return hashed(a_few(seen))
        return self.sign * STATISTICS[self._statistic](seen.float())

    @property
    def _statistic(self) -> str:
        """The statistic; an arbitrary one before ``"best"`` is fitted."""
        return next(iter(STATISTICS)) if self.statistic == BEST else self.statistic

    def fit(self, described: Tensor, answers: Answers, rng: np.random.Generator) -> Difficulty:
        """Fit the sign, and the statistic if it is ``"best"``, by the largest area under the trade-off curve."""
        wanted = STATISTICS if self.statistic == BEST else [self.statistic]
        fitted = [replace(self, statistic=name, sign=sign) for name in wanted for sign in (-1, 1)]
        scores = [router.judge(described).numpy() for router in fitted]
        best = int(np.argmax([area_above_chance(score, answers) for score in scores]))
        if not knows_more(scores[best], answers, trials=len(fitted)):
            return replace(fitted[best], sign=0)
        return fitted[best]

    def to_json(self) -> dict[str, Any]:
        """Return statistic and sign."""
        return {"statistic": self.statistic, "sign": self.sign}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], position: Position) -> Difficulty:
        """Build the router from the result of ``to_json``."""
        return cls._at(position, statistic=value["statistic"], sign=int(value["sign"]))
