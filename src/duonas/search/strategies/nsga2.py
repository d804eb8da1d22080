"""NSGA-II over (little, big, little share, router) with pymoo (Deb et al. 2002; paper D, section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2, binary_tournament
from pymoo.core.crossover import Crossover
from pymoo.core.duplicate import DuplicateElimination
from pymoo.core.evaluator import Evaluator
from pymoo.core.mating import Mating
from pymoo.core.mutation import Mutation
from pymoo.core.population import Population
from pymoo.core.problem import Problem as PymooProblem
from pymoo.core.sampling import Sampling
from pymoo.core.termination import NoTermination
from pymoo.operators.selection.tournament import TournamentSelection
from pymoo.problems.static import StaticProblem

from duonas.core.fields import Count
from duonas.core.rng import stream
from duonas.core.trial import Candidate, Trial
from duonas.search.options import SearchOptions
from duonas.search.problem import Problem
from duonas.search.strategy import Strategy
from duonas.search.variation import crossed, minimised, mutated, spread

MATINGS = 20  # rounds without enough new pairs after which the space counts as exhausted


class Nsga2(Strategy):
    """Evolves a population of pairs towards the front.

    Each individual also has a router and a little share, which select the point of the pair's trade-off curves by which
    it is judged.
    """

    @dataclass(frozen=True)
    class Options(SearchOptions):
        """Keys of ``[search]``."""

        strategy: str = "nsga2"
        population: Count = 40
        """Pairs per generation."""

    def __init__(self, problem: Problem, options: Options, seed: int) -> None:
        super().__init__(problem, options, seed)
        population = min(options.population, options.evaluations)
        self._seen: set[str] = set()
        unseen = _Unseen(self._seen)
        selection = TournamentSelection(func_comp=binary_tournament)
        self._algorithm = NSGA2(
            population, _Sampling(problem), eliminate_duplicates=unseen,
            mating=Mating(selection, _Crossover(problem), _Mutation(problem),
                          eliminate_duplicates=unseen, n_max_iterations=MATINGS),
        )  # fmt: skip
        self._shape = PymooProblem(n_var=1, n_obj=len(problem.goal.objectives), vtype=object)
        draw = int(stream(seed, "search", "nsga2").integers(2**31))
        self._algorithm.setup(self._shape, seed=draw, termination=NoTermination())
        self._generation = Population.empty()
        self._trials: list[Trial] = []
        self._proposed = 0

    def ask(self, n: int) -> list[Candidate]:
        """Return up to ``n`` pairs of this generation; the next generation begins when all its trials are known."""
        if self._proposed == len(self._generation):
            generation = self._algorithm.ask()
            self._generation = Population.empty() if generation is None else generation
            self._proposed, self._trials = 0, []
        individuals = self._generation[self._proposed : self._proposed + n]
        candidates: list[Candidate] = [individual.X[0] for individual in individuals]
        self._proposed += len(candidates)
        self._seen.update(candidate.pair.id for candidate in candidates)
        return candidates

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn from the trials of the proposed pairs; after the last one of a generation, select the survivors."""
        self._trials += trials
        if not self._trials or self._proposed < len(self._generation):
            return
        tried = {trial.candidate.pair.id for trial in self._trials}  # a filter may have left out some
        self._generation = self._generation[[one.X[0].pair.id in tried for one in self._generation]]
        self._proposed = len(self._generation)
        figures = np.array([minimised(trial.point, self.problem.goal) for trial in self._trials])
        Evaluator().eval(StaticProblem(self._shape, F=figures), self._generation)
        self._algorithm.tell(infills=self._generation)


class _Unseen(DuplicateElimination):
    """Removes pairs that were proposed before or are twice in this generation."""

    def __init__(self, seen: set[str]) -> None:
        super().__init__()
        self._seen = seen

    def _do(self, pop: Any, other: Any, is_duplicate: np.ndarray) -> np.ndarray:
        known = self._seen | ({one.X[0].pair.id for one in other} if other is not None else set())
        for index, individual in enumerate(pop):
            name = individual.X[0].pair.id
            is_duplicate[index] |= name in known
            if other is None:
                known.add(name)
        return is_duplicate


class _Sampling(Sampling):
    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self._pairs = problem

    def _do(self, problem: Any, n_samples: int, *args: Any, random_state: Any = None, **kwargs: Any) -> np.ndarray:
        return _column(spread(self._pairs, n_samples, random_state))


class _Crossover(Crossover):
    def __init__(self, problem: Problem) -> None:
        super().__init__(n_parents=2, n_offsprings=2, prob=0.9)
        self._pairs = problem

    def _do(self, problem: Any, X: np.ndarray, *args: Any, random_state: Any = None, **kwargs: Any) -> np.ndarray:
        children = np.empty_like(X)
        for mating in range(X.shape[1]):
            a, b = X[0, mating, 0], X[1, mating, 0]
            children[0, mating, 0] = crossed(self._pairs, a, b, random_state)
            children[1, mating, 0] = crossed(self._pairs, b, a, random_state)
        return children


class _Mutation(Mutation):
    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self._pairs = problem

    def _do(self, problem: Any, X: np.ndarray, *args: Any, random_state: Any = None, **kwargs: Any) -> np.ndarray:
        return _column([mutated(self._pairs, candidate, random_state) for candidate in X[:, 0]])


def _column(candidates: list[Candidate]) -> np.ndarray:
    column = np.empty((len(candidates), 1), dtype=object)
    column[:, 0] = candidates
    return column
