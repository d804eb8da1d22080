"""The hypervolume that a search has reached, over its evaluations."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from duonas.core.trial import Trial
from duonas.search.front import hypervolume, nondominated
from duonas.search.goal import Goal
from duonas.search.prices import Prices
from duonas.search.variation import minimised


class Volumes:
    """The hypervolume of the trials so far, each at its two points; see ``hypervolume`` for the box.

    The front at the end is made of all pairs of the evaluated archs at all thresholds, without those that a single
    network beats, so its hypervolume is another one.

    Args:
        goal: objectives.
        prices: of the largest archs, for the reference point.
    """

    def __init__(self, goal: Goal, prices: Prices) -> None:
        self._goal, self._prices, self._tried = goal, prices, 0
        self._best = np.empty((0, len(goal.objectives)))
        self.reached: list[tuple[int, float]] = []

    def add(self, trials: Iterable[Trial]) -> float:
        """Add trials, note what is reached by now in ``reached``, and return it; 0 before any is feasible."""
        points = []
        for trial in trials:
            self._tried += 1
            points += [minimised(each, self._goal) for each in (trial.best, trial.point) if each.feasible]
        if points:
            every = np.concatenate([self._best, points])
            self._best = every[nondominated(every)]
        volume = hypervolume(self._best, self._goal, self._prices)[0] if len(self._best) else 0.0
        self.reached.append((self._tried, volume))
        return volume
