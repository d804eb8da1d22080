"""The most accurate pair of a surface through few evaluations: polyharmonic splines (Finkler et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.interpolate import RBFInterpolator

from duonas.core.errors import DuonasError
from duonas.core.pair import PairArch, Role
from duonas.core.rng import stream
from duonas.core.trial import Candidate, Trial
from duonas.search.options import SearchOptions
from duonas.search.problem import Problem
from duonas.search.strategy import Strategy

ROLES: tuple[Role, ...] = ("little", "big")
POOL = 100  # feasible pairs, of which the nearest to a point or the best of a surface is taken
CLIMBS = 3  # times that the best of a pool are mutated
BEST = 20  # of a pool, which are mutated
BATCH = 2  # pairs between two fits


class Splines(Strategy):
    """Evaluates a design of 2 d + 1 pairs, then the tops of a surface through what they reach (paper D, section 2.1.4).

    The d dimensions are little's and big's mean width, depth, kernel, expansion and so on, from 0 at the smallest to 1.
    The design has a pair in the middle, and for each dimension one at either end; where a pair is not allowed, the
    nearest one that is. The surface is a cubic polyharmonic spline of the accuracy within the constraints. The paper
    takes the top of it after 2 d + 3 evaluations; with more, each two are added to the surface, and so on. Objectives
    other than accuracy are ignored.
    """

    def __init__(self, problem: Problem, options: SearchOptions, seed: int) -> None:
        super().__init__(problem, options, seed)
        self._rng = stream(seed, "search", "splines")
        spaces = problem.pairs.spaces
        if not all(space.ordered for space in spaces.values()):
            raise DuonasError(
                "[search] strategy 'splines' needs a search space whose choices are sizes, not operations: take "
                "strategy = 'predictor' or 'nsga2'."
            )
        self._dimensions = [
            (role, kind)
            for role in ROLES
            for kind in dict.fromkeys(axis.kind for axis in spaces[role].axes.values() if len(axis.values) > 1)
        ]
        least = 2 * len(self._dimensions) + 3
        if options.evaluations < least:
            raise DuonasError(
                f"[search] strategy 'splines' needs at least {least} evaluations for the {len(self._dimensions)} "
                f"dimensions of this space, got evaluations = {options.evaluations}."
            )
        self._seen: set[PairArch] = set()
        self._batch: list[PairArch] = []
        self._proposed = self._told = 0
        self._reached: dict[tuple[float, ...], float] = {}

    def ask(self, n: int) -> list[Candidate]:
        """Return up to ``n`` pairs of the design, then of the tops of the surface through all trials so far."""
        if self._told == len(self._batch):
            self._batch = self._tops() if self._reached else self._design()
            self._proposed = self._told = 0
        pairs = self._batch[self._proposed : self._proposed + n]
        self._proposed += len(pairs)
        return [Candidate(pair) for pair in pairs]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn what the proposed pairs reach."""
        self._told = self._proposed  # those of them that a filter left out have no trials
        for trial in trials:
            self._reached[tuple(self._coordinates(trial.pair))] = trial.best.accuracy

    def _design(self) -> list[PairArch]:
        middle = np.full(len(self._dimensions), 0.5)
        ends = [np.where(np.arange(len(middle)) == axis, end, 0.5) for axis in range(len(middle)) for end in (0.0, 1.0)]
        pool = self._drawn()
        places = np.array([self._coordinates(pair) for pair in pool])
        found: list[PairArch] = []
        for point in (middle, *ends)[: len(pool)]:
            nearest = int(((places - point) ** 2).sum(1).argmin())
            found.append(pool[nearest])
            places[nearest] = np.inf  # taken
        self._seen.update(found)
        return found

    def _tops(self) -> list[PairArch]:
        """The pairs that reach most by the surface, of those that are drawn and those near the best of them."""
        surface, pool = self._surface(), self._drawn()
        for _ in range(CLIMBS):
            best = self._by_height(surface, pool)[:BEST]
            mutants = (self.problem.pairs.mutate(pair, self._rng) for pair in best)
            pool = list(dict.fromkeys([*best, *(pair for pair in mutants if self.problem.feasible(pair)), *pool]))
        found = [pair for pair in self._by_height(surface, pool) if pair not in self._seen][:BATCH]
        self._seen.update(found)
        return found

    def _drawn(self) -> list[PairArch]:
        return list(dict.fromkeys([*self.problem.starts, *(self.problem.sample(self._rng) for _ in range(POOL))]))

    def _by_height(self, surface: RBFInterpolator, pool: Sequence[PairArch]) -> list[PairArch]:
        heights = surface(np.array([self._coordinates(pair) for pair in pool]))
        return [pool[number] for number in np.argsort(-heights, kind="stable")]

    def _surface(self) -> RBFInterpolator:
        points, reached = np.array(list(self._reached)), np.array(list(self._reached.values()))
        try:
            return RBFInterpolator(points, reached, kernel="cubic", degree=1)
        except (np.linalg.LinAlgError, ValueError):  # the pairs lie in a plane, as where a limit leaves few of them
            return RBFInterpolator(points, reached, kernel="linear", degree=0)

    def _coordinates(self, pair: PairArch) -> np.ndarray:
        """(d,) the mean place of the choices of each kind, from 0 at the first value to 1 at the last."""
        found = []
        for role, kind in self._dimensions:
            space, arch = self.problem.pairs.spaces[role], pair.little if role == "little" else pair.big
            places = [
                index / (len(space.axes[name].values) - 1)
                for name, index in arch.choices
                if space.axes[name].kind == kind and len(space.axes[name].values) > 1
            ]
            found.append(float(np.mean(places)) if places else 0.0)
        return np.array(found)
