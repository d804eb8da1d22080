"""The trade-off curves of a pair on the val split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from duonas.core.cost import COMPARED
from duonas.core.trial import Point
from duonas.routing.threshold import Curve
from duonas.search.goal import Goal
from duonas.search.metric import PairMetric, PairPrice

EXPECTED = tuple(f"expected_{quantity}" for quantity in COMPARED)


@dataclass(frozen=True)
class Curves:
    """The curves of a pair for all of its routers, concatenated; arrays of shape (T,) for T thresholds.

    Args:
        little_share: fraction of the val images that little answers, rising within a curve.
        accuracy: of the routed pair, in [0, 1].
        router: number of the threshold's router.
        figures: by metric; numbers if they are equal at all thresholds of all routers.
    """

    little_share: np.ndarray
    accuracy: np.ndarray
    router: np.ndarray
    figures: Mapping[str, np.ndarray | float]

    @classmethod
    def of(
        cls,
        curves: Mapping[int, tuple[Curve, PairPrice]],
        metrics: Sequence[PairMetric],
        figures: Mapping[str, float],
    ) -> Curves:
        """Concatenate the curves of a pair.

        Args:
            curves: the curve and the price of the pair, by the router's number.
            metrics: those that depend on the router.
            figures: of the other metrics.
        """
        columns: dict[str, list[np.ndarray]] = {metric.called: [] for metric in metrics}
        for curve, price in curves.values():
            for metric in metrics:
                value = np.asarray(metric.value(price, curve.little_share))
                columns[metric.called].append(np.broadcast_to(value, curve.little_share.shape))
        return cls(
            np.concatenate([curve.little_share for curve, _ in curves.values()]),
            np.concatenate([curve.accuracy for curve, _ in curves.values()]),
            np.concatenate([np.full(len(curve.tau), number) for number, (curve, _) in curves.items()]),
            {**figures, **{name: np.concatenate(parts) for name, parts in columns.items()}},
        )

    def best(self, goal: Goal, share: float = 0.0, router: int | None = None) -> Point:
        """The most accurate threshold that meets the constraints; the cheapest threshold if there is none.

        Args:
            goal: has the constraints.
            share: the least little share, in [0, 1].
            router: the router's number; any router if it is ``None`` or cannot route the pair.
        """
        expected = np.asarray(next(self.figures[name] for name in EXPECTED if name in self.figures))
        feasible = np.broadcast_to(np.asarray(goal.keeps(self.figures)), expected.shape)
        eligible = self.router == router if router is not None and (self.router == router).any() else True
        index = np.flatnonzero(eligible & feasible & (self.little_share >= share))
        accuracy = -self.accuracy[index]
        if len(index) == 0:
            index = np.flatnonzero(np.broadcast_to(eligible, expected.shape))
            accuracy = np.zeros(len(index))
        return self._point(int(index[np.lexsort([-index, expected[index], accuracy])[0]]), bool(feasible.any()))

    def _point(self, index: int, feasible: bool) -> Point:
        varying = {name: value for name, value in self.figures.items() if isinstance(value, np.ndarray)}
        figures = {**self.figures, **{name: value[index].item() for name, value in varying.items()}}
        return Point(
            float(self.little_share[index]), float(self.accuracy[index]), int(self.router[index]), figures, feasible
        )
