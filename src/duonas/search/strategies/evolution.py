"""Evolution towards accuracy under hard constraints (single path one-shot: Guo et al. 2020; paper T, appendix A.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from duonas.core.options import EvolutionOptions
from duonas.core.pair import PairArch
from duonas.core.rng import stream
from duonas.core.trial import Candidate, Trial
from duonas.search.problem import Problem

PATIENCE = 200  # draws without a new feasible pair after which there is none to be had in this way


class Evolution:
    """Breeds from the most accurate pairs of all that were tried.

    A pair is worth its accuracy at the best threshold within the constraints; of equals the one tried first wins. A
    generation is children of one parent, mutated, and of two, crossed; where too few of them are new and feasible,
    pairs drawn at random fill it up.

    Args:
        problem: the pairs and their constraints; of the objectives only accuracy counts.
        options: the ``[search.evolution]`` table.
        seed: of everything drawn.
    """

    def __init__(self, problem: Problem, options: EvolutionOptions, seed: int) -> None:
        self.problem, self.options = problem, options
        self._rng = stream(seed, "search", "evolution")
        self._seen: set[PairArch] = set()
        self._parents: list[tuple[float, PairArch]] = []
        self._generation: list[PairArch] = []
        self._born = self._asked = self._told = 0

    def ask(self, n: int) -> list[Candidate]:
        """The next pairs of this generation, at most ``n``; a new generation follows when all of it has been told."""
        if self._told == len(self._generation) and self._born <= self.options.iterations:
            self._generation = self._children() if self._born else self._new(self._drawn, self.options.population)
            self._asked = self._told = 0
            self._born += 1
        pairs = self._generation[self._asked : self._asked + n]
        self._asked += len(pairs)
        return [Candidate(pair) for pair in pairs]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Take the trials of what was asked; the best of all become parents."""
        self._told += len(trials)
        self._parents += [(self.problem.accuracy(trial), trial.pair) for trial in trials]
        self._parents.sort(key=lambda parent: -parent[0])
        del self._parents[self.options.parents :]

    def _children(self) -> list[PairArch]:
        options = self.options
        children = self._new(self._mutant, options.mutations) + self._new(self._crossed, options.crossovers)
        return children + self._new(self._drawn, options.mutations + options.crossovers - len(children))

    def _new(self, draw: Callable[[], PairArch], count: int) -> list[PairArch]:
        """``count`` or fewer feasible pairs that were never asked before."""
        found: list[PairArch] = []
        misses = 0
        while len(found) < count and misses < PATIENCE:
            pair = draw()
            if pair in self._seen or not self.problem.feasible(pair):
                misses += 1
                continue
            misses = 0
            self._seen.add(pair)
            found.append(pair)
        return found

    def _drawn(self) -> PairArch:
        return self.problem.sample(self._rng)

    def _mutant(self) -> PairArch:
        return self.problem.pairs.mutate(self._parent(), self._rng, self.options.mutation)

    def _crossed(self) -> PairArch:
        return self.problem.pairs.crossover(self._parent(), self._parent(), self._rng)

    def _parent(self) -> PairArch:
        return self._parents[int(self._rng.integers(len(self._parents)))][1]
