"""The pairs that a search may try, and how one trial is judged."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from duonas.core.errors import DuonasError
from duonas.core.pair import PairArch
from duonas.core.trial import Trial
from duonas.search.goal import ACCURACY, CONSTRAINTS, EXPECTED, Goal
from duonas.search.prices import Pricer

DRAWS = 50  # uniform draws before a feasible pair is reached on foot
WALK = 30  # steps of that walk


class Problem:
    """A space of pairs under constraints. Costs are checked before any evaluation.

    Args:
        goal: objectives and constraints.
        pricer: prices pairs, and holds their space.

    ``least`` holds the least that any pair costs, by the constraint's name.

    Raises:
        DuonasError: a constraint that no pair of the space meets; the message says what is possible.
    """

    def __init__(self, goal: Goal, pricer: Pricer) -> None:
        self.goal, self.pricer, self.pairs = goal, pricer, pricer.pairs
        smallest = list(self._smallest_pairs())
        figures = [pricer.figures(pair) for pair in smallest]
        self.least = {name: min((figure[name] for figure in figures), default=0.0) for name in CONSTRAINTS}
        for name, limit in goal.constraints.items():
            if limit < self.least[name]:
                kind = "constraint (or [route] budget)" if name == EXPECTED else "constraint"
                raise DuonasError(
                    f"[search] {kind} {name} = {limit:g} cannot be met: "
                    f"the smallest pair of the space needs {self.least[name]:,.0f}."
                )
        self._starts = [pair for pair in smallest if self.feasible(pair)]
        if not self._starts:
            self._refuse()

    def _refuse(self) -> None:
        """Every pair costs at least as much as one of the smallest, so where none of those will do, none will."""
        if self.pairs.size() == 0:
            raise DuonasError("the search space has no pair to try: widen [space.axes].")
        limits = ", ".join(f"{name} = {limit:g}" for name, limit in self.goal.constraints.items())
        raise DuonasError(f"[search] no pair meets all constraints together ({limits}): relax one.")

    def feasible(self, pair: PairArch) -> bool:
        """Whether every constraint can be met, at the little share that costs least."""
        constraints = self.goal.constraints
        if not constraints:
            return True
        figures = self.pricer.figures(pair)
        return all(figures[name] <= limit for name, limit in constraints.items())

    def sample(self, rng: np.random.Generator) -> PairArch:
        """A feasible pair: drawn from the space, or where those are rare, a random walk from the smallest.

        Raises:
            DuonasError: none was found, as when constraints exclude each other.
        """
        for _ in range(DRAWS):
            pair = self.pairs.sample(rng)
            if self.feasible(pair):
                return pair
        pair = self._starts[int(rng.integers(len(self._starts)))]
        for _ in range(WALK):
            step = self.pairs.mutate(pair, rng, 0.2)
            pair = step if self.feasible(step) else pair
        return pair

    def spread(self, n: int, rng: np.random.Generator) -> list[PairArch]:
        """``n`` or fewer different feasible pairs, evenly spread over the sizes of big; the extremes first."""
        space = self.pairs.space
        ends = [*self._starts[:1], PairArch(space.smallest(), space.largest())]
        found = {pair: None for pair in ends if self.pairs.contains(pair) and self.feasible(pair)}
        drawn = sorted({self.sample(rng) for _ in range(4 * n)} - found.keys(), key=self._size)
        logs = np.log([self._size(pair)[0] for pair in drawn] or [1])
        for aim in np.linspace(logs.min(), logs.max(), n) if drawn else ():
            found[drawn[int(np.abs(logs - aim).argmin())]] = None
        rest = [drawn[i] for i in rng.permutation(len(drawn))]
        return list(dict.fromkeys([*found, *rest]))[:n]

    def point(self, trial: Trial, share: float = 0.0) -> int:
        """The most accurate threshold within the budget at which at least ``share`` stays little."""
        expected = np.asarray(trial.costs[EXPECTED])
        open_to = np.flatnonzero((expected <= self.goal.budget) & (trial.little_share >= share))
        if len(open_to) == 0:
            return len(expected) - 1  # the cheapest
        accuracy = trial.accuracy[open_to]
        return int(open_to[len(accuracy) - 1 - accuracy[::-1].argmax()])

    def minimised(self, trial: Trial, share: float = 0.0) -> np.ndarray:
        """The objectives (M,) of a trial at that point, each to be minimised."""
        index = self.point(trial, share)
        values = {ACCURACY: -trial.accuracy[index], EXPECTED: np.asarray(trial.costs[EXPECTED])[index]}
        return np.array([values.get(name, trial.costs.get(name)) for name in self.goal.objectives], dtype=float)

    def _size(self, pair: PairArch) -> tuple[int, PairArch]:
        return max(1, self.pricer.arch(pair.big).macs), pair

    def _smallest_pairs(self) -> Iterator[PairArch]:
        space = self.pairs.space
        smallest = space.smallest()
        for big in space.neighbours(smallest):
            pair = PairArch(smallest, big)
            if self.pairs.contains(pair):
                yield pair
