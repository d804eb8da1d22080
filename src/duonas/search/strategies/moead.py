"""MOEA/D with two populations (Zhang and Li 2007; two populations: Liang et al. 2024; paper D, section 2.1.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from pymoo.decomposition.tchebicheff import Tchebicheff
from pymoo.util.ref_dirs import get_reference_directions

from duonas.core.errors import DuonasError
from duonas.core.fields import Count
from duonas.core.rng import stream
from duonas.core.trial import Candidate, Trial
from duonas.search.options import SearchOptions
from duonas.search.problem import Problem
from duonas.search.strategy import Strategy
from duonas.search.variation import crossed, drawn_router, minimised, mutated, spread

LEAST = 4  # evaluations: two pairs to begin with, and a child for each population
NEIGHBOURS = 5  # directions around one, whose pairs become parents with its own
WITHIN = 0.9  # probability that both parents are neighbours
ATTEMPTS = 20  # at a child of a new pair before a pair is drawn
PATIENCE = 200  # draws without a new pair after which the space counts as exhausted
FLOOR = 0.01  # of a weight, so that no objective is ignored in any direction


class Moead(Strategy):
    """Evolves one population towards the whole front and another one towards accuracy alone.

    The first population is that of MOEA/D: it keeps the best trial for each of many directions between the objectives,
    and breeds from neighbouring directions. Small networks fill it early, since their costs are certain while accuracy
    has to be found (the "small model trap"). The second one keeps the most accurate trials, whatever they cost within
    the constraints; Liang et al. let theirs maximise the size, too. Either is offered the children of both.
    """

    @dataclass(frozen=True)
    class Options(SearchOptions):
        """Keys of ``[search]``."""

        strategy: str = "moead"
        population: Count = 20
        """Pairs of each of the two populations; the one for all objectives has the largest even grid of directions that
        is no larger."""

    def __init__(self, problem: Problem, options: Options, seed: int) -> None:
        super().__init__(problem, options, seed)
        if options.evaluations < LEAST:
            raise DuonasError(
                f"[search] strategy 'moead' needs at least {LEAST} evaluations, got evaluations = "
                f"{options.evaluations}: raise it, or take strategy = 'random'."
            )
        self._size = min(options.population, options.evaluations // 4)
        self._rng = stream(seed, "search", "moead")
        self._weights = np.maximum(_directions(len(problem.goal.objectives), self._size), FLOOR)
        apart = np.linalg.norm(self._weights[:, None] - self._weights, axis=2)
        self._near = np.argsort(apart, axis=1, kind="stable")[:, :NEIGHBOURS]
        self._fitted: list[Trial] = []  # the best for each direction
        self._accurate: list[Trial] = []
        self._low, self._high = (np.full(self._weights.shape[1], limit) for limit in (np.inf, -np.inf))
        self._seen: set[str] = set()
        self._generation: list[Candidate] = []
        self._trials: list[Trial] = []
        self._proposed = 0

    def ask(self, n: int) -> list[Candidate]:
        """Return up to ``n`` pairs of this generation; the next generation begins when all its trials are known."""
        if len(self._trials) == len(self._generation):
            self._generation = self._children() if self._fitted else spread(self.problem, 2 * self._size, self._rng)
            self._seen.update(child.pair.id for child in self._generation)
            self._trials, self._proposed = [], 0
        candidates = self._generation[self._proposed : self._proposed + n]
        self._proposed += len(candidates)
        return candidates

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn from the trials of the proposed pairs; after the last one of a generation, select the survivors."""
        self._trials += trials
        if not self._trials or self._proposed < len(self._generation):
            return
        self._generation = [trial.candidate for trial in self._trials]  # a filter may have left out some
        self._fitted = self._best_by_direction([*self._fitted, *self._trials])
        known = [*self._accurate, *self._trials]
        self._accurate = sorted(known, key=lambda trial: -trial.accuracy)[: self._size]

    def _best_by_direction(self, trials: list[Trial]) -> list[Trial]:
        """The best of the trials for each direction, the earliest of equals; objectives count by their range so far."""
        figures = np.array([minimised(trial.point, self.problem.goal) for trial in trials])
        self._low = np.minimum(self._low, figures.min(0))
        self._high = np.maximum(self._high, figures.max(0))
        scaled = (figures - self._low) / np.where(self._high > self._low, self._high - self._low, 1)
        losses = Tchebicheff().do(scaled, self._weights, _type="many_to_many", ideal_point=np.zeros(scaled.shape[1]))
        return [trials[int(index)] for index in losses.argmin(0)]

    def _children(self) -> list[Candidate]:
        """Children of both populations in turn, so that both have as many whenever a search ends.

        There are fewer where no new pairs are found.
        """
        children: list[Candidate] = []
        order = self._rng.permutation(len(self._weights))
        for number in range(self._size):
            around = [self._fitted[index] for index in self._near[order[number % len(order)]]]
            near = around if self._rng.random() < WITHIN else self._fitted
            for parents in (near, self._accurate):
                child = self._child(parents, {one.pair.id for one in children})
                if child is None:
                    return children
                children.append(child)
        return children

    def _child(self, parents: Sequence[Trial], siblings: set[str]) -> Candidate | None:
        """A child of two of the parents whose pair is new, or else a drawn one; ``None`` if there is no new pair."""
        for attempt in range(ATTEMPTS + PATIENCE):
            if attempt < ATTEMPTS:
                a, b = (parents[int(self._rng.integers(len(parents)))].candidate for _ in range(2))
                child = mutated(self.problem, crossed(self.problem, a, b, self._rng), self._rng)
            else:
                pair, share = self.problem.sample(self._rng), float(self._rng.random())
                child = Candidate(pair, share, drawn_router(self.problem, self._rng))
            if child.pair.id not in self._seen | siblings:
                return child
        return None


def _directions(objectives: int, most: int) -> np.ndarray:
    """The largest even grid of weights (K, objectives) with at most ``most`` rows, but at least one per objective."""
    if objectives == 1:
        return np.ones((1, 1))
    parts = 1
    while comb(parts + objectives, objectives - 1) <= most:
        parts += 1
    grid: np.ndarray = get_reference_directions("das-dennis", objectives, n_partitions=parts)
    return grid
