"""The front: nondominated routed pairs, the chosen one, and the hypervolume."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pymoo.indicators.hv import HV

from duonas.core.cost import COMPARED, rounded
from duonas.core.errors import DuonasError
from duonas.core.files import read_json, write_json
from duonas.core.pair import PairArch
from duonas.routing.router import Position
from duonas.runtime.units import percentage
from duonas.search.boxes import SPAN
from duonas.search.goal import Goal
from duonas.search.metric import ACCURACY, PairMetric
from duonas.search.pair_table import PairTable
from duonas.search.prices import Prices, RouterPrice, combined
from duonas.search.recombine import Points
from duonas.search.single import SingleNetwork, Singles, known_or_none

MOST = 400  # points of a front
WORTH = 0.9  # of the chosen cost, which a pair that is as good must not exceed to be named


@dataclass(frozen=True)
class FrontPoint:
    """A pair at a router's threshold, evaluated on the val split.

    A confidence is not calibrated here (temperature 1). The tau of a learned router refers to the ranks of its scores,
    see ``Scores``.

    Args:
        pair: its archs.
        values: the values of the axes of little and big.
        tau: the threshold; NaN where it is not known, for a share that is assumed.
        little_share: fraction of the val images that little answers.
        accuracy: in [0, 1]; NaN where it is not known, since nothing was trained before the pair was chosen.
        router: its name, as in ``[route]``.
        position: of the router, as in ``[route]``.
        figures: every known figure, by metric.
    """

    pair: PairArch
    values: Mapping[str, Mapping[str, Any]]
    tau: float
    little_share: float
    accuracy: float
    router: str
    position: Position
    figures: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """The point as a flat JSON value; an infinite tau is ``"inf"`` or ``"-inf"``, what is unknown ``None``."""
        tau = self.tau if np.isfinite(self.tau) else "inf" if self.tau > 0 else "-inf"
        point = {name: value for name, value in vars(self).items() if name != "figures"}
        point |= {"pair": self.pair.to_json(), "tau": None if np.isnan(self.tau) else tau}
        return point | {"accuracy": known_or_none(self.accuracy)} | dict(self.figures)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> FrontPoint:
        """Read a point that ``to_json`` wrote."""
        point = {name: value[name] for name in cls.__dataclass_fields__ if name != "figures"}
        figures = {name: each for name, each in value.items() if name not in point}
        unknown = {name: np.nan for name in ("tau", "accuracy") if point[name] is None}
        point |= {"pair": PairArch.from_json(value["pair"]), "tau": float(value["tau"] or 0.0)} | unknown
        return cls(**point, figures=figures)


@dataclass(frozen=True)
class Front:
    """The front of a search.

    Args:
        objectives: the names of its metrics.
        constraints: which every point meets.
        points: by rising expected cost, in the quantity by which the search compares (time, if a device table has it).
        chosen: index of the chosen point: the most accurate if there are constraints, else the knee.
        evaluated_archs: the number of evaluated archs.
        scored_pairs: the number of pairs that were scored, each at all thresholds.
        hypervolume: in [0, 1], the dominated fraction of the box between the reference point and a perfect pair of cost
            zero.
        reference: the reference point by objective: accuracy 0, and the cost of two largest archs that share nothing;
            the worst value on the front for metrics that are not costs.
        device: the source of latencies and energies, see ``CostModel.origin``.
        single: the evaluated networks that no other one beats in accuracy and cost, each alone, by rising cost.
        plain: the most accurate one of them that costs no more than the chosen point; ``None`` if there is none.
        beaten: whether a single network beats every pair: at least as accurate at no more expected cost, or its own big
            at no more. Else the points are pairs that none beats.
        val_images: the number of images by which accuracies are known; ``None`` in a file of an earlier version.
        alike: index of the cheapest point whose accuracy is that of the chosen one within chance, a standard error;
            ``None`` if there is none that costs clearly less.
        strategy: what the strategy learned, see ``Strategy.findings``.
        reached: after how many evaluated pairs which hypervolume was reached by these alone, see ``Volumes``.
    """

    objectives: tuple[str, ...]
    constraints: Mapping[str, float]
    points: tuple[FrontPoint, ...]
    chosen: int
    evaluated_archs: int
    scored_pairs: int
    hypervolume: float
    reference: Mapping[str, float]
    device: Mapping[str, Any] | None = None
    single: tuple[SingleNetwork, ...] = ()
    plain: SingleNetwork | None = None
    beaten: bool = False
    val_images: int | None = None
    alike: int | None = None
    strategy: Mapping[str, Any] | None = None
    reached: tuple[tuple[int, float], ...] = ()

    @property
    def best(self) -> FrontPoint:
        """The chosen point."""
        return self.points[self.chosen]

    @property
    def is_assumed(self) -> bool:
        """Whether the pair was chosen without accuracies, so that its little share is an assumption."""
        return bool(np.isnan(self.best.accuracy))

    @property
    def warning(self) -> str:
        """Says that no pair is worth routing on the val split, or that chance explains its lead; else empty."""
        if self.is_assumed:
            return ""
        quantity = self.quantity
        cost = self.best.figures[f"expected_{quantity}"]
        pair = f"{percentage(round(self.best.accuracy, 3))} at an expected {rounded(quantity, cost)}"
        if self.plain is not None:
            plain = f"{percentage(round(self.plain.accuracy, 3))} at {rounded(quantity, self.plain.figures[quantity])}"
        if not self.beaten:
            if self.plain is None or not self._is_chance(self.best.accuracy - self.plain.accuracy):
                return ""
            return (
                f"a single network is as good within chance on the {self.val_images:,} val images: the chosen pair "
                f"reaches {pair}, a single network {plain}."
            )
        big = self.best.figures.get(f"big_{quantity}", np.inf)
        if big <= cost and (self.plain is None or self.plain.accuracy < self.best.accuracy):
            return (
                f"none of the {self.scored_pairs:,} pairs is worth routing on the val split: the chosen pair reaches "
                f"{pair}, and its own big costs no more alone ({rounded(quantity, big)})."
            )
        said = f"a single network beats each of the {self.scored_pairs:,} pairs on the val split: the chosen pair "
        if self.plain is None:
            return f"{said}reaches {pair}, and one of its own networks as much at no more."
        return f"{said}reaches {pair}, a single network {plain}."

    def _is_chance(self, lead: float) -> bool:
        """Whether a lead of the chosen pair is within one standard error of its accuracy."""
        return self.val_images is not None and lead <= standard_error(self.best.accuracy, self.val_images)

    @property
    def quantity(self) -> str:
        """The quantity that points are compared by: time if the search knew it, else energy, else MACs."""
        return next(each for each in COMPARED if f"expected_{each}" in self.best.figures)

    @property
    def cheaper(self) -> str:
        """Says which pair costs clearly less and is as good as the chosen one within chance; else empty."""
        if self.alike is None:
            return ""
        what, one, best = self.quantity, self.points[self.alike], self.best
        costs = [rounded(what, each.figures[f"expected_{what}"]) for each in (one, best)]
        unit = " MACs" if what == "macs" else ""
        return (
            f"on {self.val_images:,} val images a pair at an expected {costs[0]}{unit} is as good within chance as the "
            f"chosen one at {costs[1]}{unit} ({percentage(round(one.accuracy, 3))} "
            f"against {percentage(round(best.accuracy, 3))}): a lower [route] budget would take it."
        )

    def to_json(self) -> dict[str, Any]:
        """The front as JSON, to be read by ``from_json``; unknown values are left out."""
        value = vars(self) | {
            "objectives": list(self.objectives), "constraints": dict(self.constraints),
            "points": [point.to_json() for point in self.points],
            "single": [network.to_json() for network in self.single],
            "plain": self.plain and self.plain.to_json(), "reached": [list(each) for each in self.reached],
        }  # fmt: skip
        return {name: each for name, each in value.items() if each is not None}

    @classmethod
    def from_json(cls, value: Any) -> Front:
        """Read a front that ``to_json`` wrote.

        Raises:
            DuonasError: the value does not describe a front.
        """
        try:
            points = tuple(map(FrontPoint.from_json, value["points"]))
            single = tuple(map(SingleNetwork.from_json, value.get("single", ())))
            plain = SingleNetwork.from_json(value["plain"]) if "plain" in value else None
            reached = tuple((int(count), float(volume)) for count, volume in value.get("reached", ()))
            known = {"objectives": tuple(value["objectives"]), "points": points, "single": single, "plain": plain}
            known |= {"reached": reached}
            front = cls(**value | known)
            points[front.chosen]  # fails if there is no such point
            return front
        except (TypeError, LookupError, ValueError, AttributeError, OverflowError) as error:
            raise DuonasError(f"not a front: {error}.") from error

    def save(self, path: Path) -> Path:
        """Write ``front.json`` atomically."""
        return write_json(path, self.to_json())

    @classmethod
    def load(cls, path: Path) -> Front:
        """Read ``front.json``."""
        return cls.from_json(read_json(path))


def front(points: Points, table: PairTable, singles: Singles, scored_pairs: int) -> Front:
    """Select the nondominated points that no single network beats, choose one, and thin the front to at most 400.

    If single networks beat all points, all of them count, and the one that loses least by routing is chosen.
    """
    goal, costs = table.goal, points.figures[f"expected_{table.prices.compared}"]
    columns = [goal.minimised(name, points.figures[name]) for name in goal.costs]
    figures = np.column_stack([-points.accuracy, *columns]).astype(float)
    lead = singles.lead(points.accuracy, costs, np.stack([points.little, points.big]))
    beaten = not (lead > 0).any()
    best = np.array([least_bad(lead, points.little_share, costs)] if beaten else [], dtype=int)
    some = np.flatnonzero(beaten | (lead > 0))
    kept = np.union1d(some[nondominated(figures[some])], best)
    kept = kept[np.lexsort([-points.accuracy[kept], costs[kept]])]
    choose = most_accurate if goal.constraints else knee
    choice = int(np.flatnonzero(kept == best)[0]) if beaten else choose(figures[kept])
    thin = np.unique(np.append(_evenly(len(kept)), choice))
    volume, reference = hypervolume(figures[kept[thin]], goal, table.prices)
    chosen = int(np.searchsorted(thin, choice))
    return Front(
        objectives=goal.objectives,
        constraints=dict(goal.constraints),
        points=tuple(_point(points, table, index) for index in kept[thin]),
        chosen=chosen,
        evaluated_archs=len(table.subnets),
        scored_pairs=scored_pairs,
        hypervolume=volume,
        reference=reference,
        device=table.prices.model.origin(),
        single=tuple(singles.network(number) for number in singles.front[_evenly(len(singles.front))].tolist()),
        plain=singles.plain(float(costs[kept[choice]])),
        beaten=beaten,
        val_images=singles.images,
        alike=None if beaten else as_good(points.accuracy[kept[thin]], costs[kept[thin]], chosen, singles.images),
    )


def as_good(accuracy: np.ndarray, costs: np.ndarray, chosen: int, images: int) -> int | None:
    """The cheapest of (P,) points that is as accurate as the chosen one within a standard error, and clearly cheaper.

    With few images the most accurate of many pairs is often so by luck.
    """
    least = accuracy[chosen] - standard_error(float(accuracy[chosen]), images)
    fit = np.flatnonzero((accuracy >= least) & (costs <= WORTH * costs[chosen]))
    return int(fit[costs[fit].argmin()]) if len(fit) else None


def standard_error(accuracy: float, images: int) -> float:
    """The standard error of an accuracy in [0, 1] that is known by some images."""
    return float((accuracy * (1 - accuracy) / images) ** 0.5)


def least_bad(lead: np.ndarray, little_share: np.ndarray, costs: np.ndarray) -> int:
    """The index of the point that loses least against single networks, of those that route if there are any.

    Args:
        lead: (P,) see ``Singles.lead``; of equals the cheapest counts.
        little_share: (P,) of the points; at 0 and at 1 nothing is routed.
        costs: (P,) expected costs.
    """
    routes = (little_share > 0) & (little_share < 1)
    return int(np.lexsort([costs, -lead, ~routes])[0])


def _evenly(count: int) -> np.ndarray:
    """At most ``MOST`` - 1 of the indices below ``count``, evenly spaced."""
    return np.linspace(0, count - 1, min(MOST - 1, count)).round().astype(int)


def nondominated(points: np.ndarray) -> np.ndarray:
    """Indices of the rows that no other row dominates, in the order of the first column.

    Args:
        points: (N, M), every column to be minimised; of equal rows the first counts.
    """
    order = np.lexsort(points.T[::-1])
    kept: list[int] = []
    front = np.empty((0, points.shape[1]))
    for index in order:
        # Sorted by the first column: only earlier rows can dominate this one.
        if not (front <= points[index]).all(axis=1).any():
            kept.append(int(index))
            front = np.vstack([front, points[index]])
    return np.array(kept, dtype=int)


def most_accurate(figures: np.ndarray) -> int:
    """The index of the row of (P, M) minimised objectives with the lowest first column; on a tie the cheapest."""
    return int(np.lexsort(figures.T[::-1])[0])


def knee(figures: np.ndarray) -> int:
    """The index of the knee of a front: the row that is farthest from the line between the extremes.

    Args:
        figures: (P, M) minimised objectives: -accuracy, then costs on a logarithmic scale; columns with negative values
            on a linear scale.
    """
    scaled = figures.copy()
    costs = scaled[:, 1:]
    floor = np.maximum(SPAN * costs.max(0), np.finfo(float).tiny)
    scaled[:, 1:] = np.where(costs.min(0) < 0, costs, np.log(np.maximum(costs, floor)))
    low, high = scaled.min(0), scaled.max(0)
    scaled = (scaled - low) / np.where(high > low, high - low, 1)
    return int((scaled[:, 0] + (scaled[:, 1:].mean(1) if scaled.shape[1] > 1 else 0)).argmin())


def hypervolume(figures: np.ndarray, goal: Goal, prices: Prices) -> tuple[float, dict[str, float]]:
    """The hypervolume of a front (Zitzler and Thiele 1999) and its reference point; see ``Front``.

    Args:
        figures: (P, M) minimised objectives, -accuracy first.
        goal: has the names of the objectives.
        prices: for the cost of the largest archs.
    """
    little, big = map(prices.of, prices.pairs.subnets(prices.pairs.largest()))
    apart = combined(little, big.figures, dict.fromkeys(little.leading, 0), 0, RouterPrice(), False)
    reference, ideal = {ACCURACY: 0.0}, {ACCURACY: -1.0}
    for column, name in enumerate(goal.costs, 1):
        metric = goal.metrics[name]
        priced = isinstance(metric, PairMetric) and metric.direction == "min"
        value = float(metric.value(apart, 0.0)) if isinstance(metric, PairMetric) and priced else float("nan")
        worst = float(figures[:, column].max())
        reference[name], ideal[name] = (worst, float(figures[:, column].min())) if not value > 0 else (value, 0.0)
    low, high = (np.array([point[name] for name in (ACCURACY, *goal.costs)]) for point in (ideal, reference))
    scaled = (figures - low) / np.where(high > low, high - low, 1)
    volume = float(HV(ref_point=np.ones(len(low)))(scaled))
    return volume, {name: goal.minimised(name, value) + 0.0 for name, value in reference.items()}


def _point(points: Points, table: PairTable, index: int) -> FrontPoint:
    router = table.prices.routers[int(points.router[index])]
    pair, spaces = table.pair(int(points.little[index]), int(points.big[index])), table.prices.pairs.spaces
    return FrontPoint(
        pair=pair,
        values={"little": spaces["little"].values(pair.little), "big": spaces["big"].values(pair.big)},
        tau=float(points.tau[index]),
        little_share=float(points.little_share[index]),
        accuracy=float(points.accuracy[index]),
        router=router.name,
        position=router.position,
        figures={name: figure[index].item() for name, figure in points.figures.items()},
    )
