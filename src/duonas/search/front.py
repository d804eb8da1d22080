"""The front: routed pairs of which none is dominated, and the one to take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from duonas.core.errors import DuonasError
from duonas.core.files import read_json, write_json
from duonas.core.goal import ACCURACY, EXPECTED, Goal
from duonas.core.pair import PairArch
from duonas.routing.router import Position
from duonas.search.pareto import nondominated
from duonas.search.prices import PriceTable
from duonas.search.recombine import SPAN, Points

MOST = 400  # points kept


@dataclass(frozen=True)
class FrontPoint:
    """A pair at a router's threshold, judged on the val split; ``router`` and ``position`` as in ``[route]``.

    A confidence is uncalibrated there (temperature 1). Of a router that learns, tau is on the scale of its scores'
    ranks, see ``Scores``.
    """

    pair: PairArch
    tau: float
    little_share: float
    accuracy: float
    expected_macs: float
    peak_macs: int
    params: int
    peak_memory_bytes: int
    router: str = "confidence"
    position: Position = "after_little"
    expected_latency_ms: float | None = None  # as the other three, where a device table gives it
    peak_latency_ms: float | None = None
    expected_energy_mj: float | None = None
    peak_energy_mj: float | None = None


@dataclass(frozen=True)
class Front:
    """The best that a search found.

    Args:
        objectives: accuracy is maximised, the others minimised.
        constraints: that every point meets.
        points: by rising expected cost.
        chosen: index of the point to take: under constraints the most accurate, else the knee.
        evaluated_archs: how many archs were evaluated.
        scored_pairs: how many pairs of these were scored, each at every threshold.
        device: where latencies and energies are from, see ``DeviceProfile.origin``.
    """

    objectives: tuple[str, ...]
    constraints: Mapping[str, float]
    points: tuple[FrontPoint, ...]
    chosen: int
    evaluated_archs: int
    scored_pairs: int
    device: Mapping[str, Any] | None = None

    @property
    def best(self) -> FrontPoint:
        """The chosen point."""
        return self.points[self.chosen]

    def to_json(self) -> dict[str, Any]:
        """A JSON value from which ``from_json`` makes an equal front; infinite tau as ``"inf"`` and ``"-inf"``.

        What is not known is left out.
        """
        points = [
            _known(asdict(point) | {"pair": point.pair.to_json(), "tau": _written(point.tau)}) for point in self.points
        ]
        value = asdict(self) | {
            "objectives": list(self.objectives), "constraints": dict(self.constraints), "points": points,
        }  # fmt: skip
        return _known(value)

    @classmethod
    def from_json(cls, value: Any) -> Front:
        """The front that ``to_json`` described."""
        try:
            points = tuple(
                FrontPoint(**row | {"pair": PairArch.from_json(row["pair"]), "tau": float(row["tau"])})
                for row in value["points"]
            )
            return cls(**value | {"objectives": tuple(value["objectives"]), "points": points})
        except (TypeError, KeyError, ValueError) as error:
            raise DuonasError(f"not a front: {error}.") from error

    def save(self, path: Path) -> Path:
        """Write ``front.json``, atomically."""
        return write_json(path, self.to_json())

    @classmethod
    def load(cls, path: Path) -> Front:
        """Read ``front.json``."""
        return cls.from_json(read_json(path))


def front(points: Points, table: PriceTable, goal: Goal, scored_pairs: int) -> Front:
    """Drop what is dominated, choose, and thin to at most 400 points."""
    costs = [name for name in goal.objectives if name != ACCURACY]
    figures = np.column_stack([-points.accuracy, *(points.figures[name] for name in costs)]).astype(float)
    kept = nondominated(figures)
    kept = kept[np.lexsort([-points.accuracy[kept], points.figures[EXPECTED][kept]])]
    choice = (most_accurate if goal.constraints else knee)(figures[kept])
    thin = np.unique(np.append(np.linspace(0, len(kept) - 1, min(MOST - 1, len(kept))).round().astype(int), choice))
    return Front(
        objectives=goal.objectives,
        constraints=dict(goal.constraints),
        points=tuple(_point(points, table, index) for index in kept[thin]),
        chosen=int(np.searchsorted(thin, choice)),
        evaluated_archs=len(table.subnets),
        scored_pairs=scored_pairs,
        device=table.pricer.device.origin if table.pricer.device else None,
    )


def most_accurate(figures: np.ndarray) -> int:
    """The row of (P, M) minimised objectives with the lowest first column; of equals the cheapest."""
    return int(np.lexsort(figures.T[::-1])[0])


def knee(figures: np.ndarray) -> int:
    """The row where more accuracy begins to cost much more: farthest from the line between the extremes.

    Args:
        figures: (P, M), minimised: -accuracy first, then costs, which are compared by their logarithm.
    """
    scaled = figures.copy()
    costs = scaled[:, 1:]
    scaled[:, 1:] = np.log(np.maximum(costs, np.maximum(SPAN * costs.max(0), np.finfo(float).tiny)))
    low, high = scaled.min(0), scaled.max(0)
    scaled = (scaled - low) / np.where(high > low, high - low, 1)
    return int((scaled[:, 0] + (scaled[:, 1:].mean(1) if scaled.shape[1] > 1 else 0)).argmin())


def _point(points: Points, table: PriceTable, index: int) -> FrontPoint:
    figures = {name: figure[index].item() for name, figure in points.figures.items()}
    router = table.pricer.routers[int(points.router[index])]
    return FrontPoint(
        pair=table.pair(int(points.little[index]), int(points.big[index])),
        tau=float(points.tau[index]),
        little_share=float(points.little_share[index]),
        accuracy=float(points.accuracy[index]),
        router=router.name,
        position=router.position,
        **figures,
    )


def _known(value: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in value.items() if each is not None}


def _written(tau: float) -> float | str:
    return tau if np.isfinite(tau) else "inf" if tau > 0 else "-inf"
