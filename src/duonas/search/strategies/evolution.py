"""Evolution towards accuracy under hard constraints (single path one-shot: Guo et al. 2020; paper T, appendix A.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Gt, Le

from duonas.core.fields import Count, CountOrZero
from duonas.core.pair import PairArch
from duonas.core.rng import stream
from duonas.core.trial import Candidate, Trial
from duonas.search.options import SearchOptions
from duonas.search.problem import Problem
from duonas.search.strategy import Strategy

PATIENCE = 200  # draws without a new feasible pair before giving up


@dataclass(frozen=True)
class EvolutionOptions:
    """``[search.evolution]``: the strategy ``evolution`` (paper T, appendix A.3)."""

    population: Count = 100
    """Pairs of the first generation, which are drawn at random, but for those of a warm start."""
    iterations: CountOrZero = 50
    """Further generations, as far as [search] evaluations allow."""
    parents: Count = 20
    """The most accurate pairs so far, from which children are bred."""
    mutations: CountOrZero = 50
    """Children by mutation in a generation."""
    crossovers: CountOrZero = 50
    """Children by crossover in a generation."""
    mutation: Annotated[float, Gt(0), Le(1)] = 0.1
    """Probability that a mutation redraws an axis."""


class Evolution(Strategy):
    """Breeds each generation from the most accurate pairs so far.

    The fitness of a pair is its accuracy at the best threshold within the constraints; on a tie the earlier pair wins.
    Other objectives are ignored. A generation consists of mutations and crossovers; if too few of them are new and
    feasible, random pairs fill it up.
    """

    @dataclass(frozen=True)
    class Options(SearchOptions):
        """Keys of ``[search]``."""

        strategy: str = "evolution"
        evolution: EvolutionOptions = field(default_factory=EvolutionOptions)
        """The sizes of generations and the probability of mutations."""

    def __init__(self, problem: Problem, options: Options, seed: int) -> None:
        super().__init__(problem, options, seed)
        self._sizes = options.evolution
        self._rng = stream(seed, "search", "evolution")
        self._seen: set[PairArch] = set()
        self._parents: list[tuple[float, PairArch]] = []
        self._generation: list[PairArch] = []
        self._born = self._proposed = self._tried = 0

    def ask(self, n: int) -> list[Candidate]:
        """Return up to ``n`` pairs of this generation; the next generation begins when all its trials are known."""
        if self._tried == len(self._generation) and self._born <= self._sizes.iterations:
            self._generation = self._children() if self._born else self._first()
            self._proposed = self._tried = 0
            self._born += 1
        pairs = self._generation[self._proposed : self._proposed + n]
        self._proposed += len(pairs)
        return [Candidate(pair) for pair in pairs]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn from the trials of the proposed pairs: the most accurate so far become parents."""
        self._tried = self._proposed  # those of them that a filter left out have no trials
        self._parents += [(trial.accuracy, trial.pair) for trial in trials]
        self._parents.sort(key=lambda parent: -parent[0])
        del self._parents[self._sizes.parents :]

    def _first(self) -> list[PairArch]:
        known = self.problem.known(self._sizes.population // 2)
        self._seen.update(known)
        return known + self._new(self._drawn, self._sizes.population - len(known))

    def _children(self) -> list[PairArch]:
        options = self._sizes
        children = self._new(self._mutant, options.mutations) + self._new(self._crossed, options.crossovers)
        return children + self._new(self._drawn, options.mutations + options.crossovers - len(children))

    def _new(self, draw: Callable[[], PairArch], count: int) -> list[PairArch]:
        """Draw up to ``count`` feasible pairs that were not proposed before."""
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
        return self.problem.pairs.mutate(self._parent(), self._rng, self._sizes.mutation)

    def _crossed(self) -> PairArch:
        return self.problem.pairs.crossover(self._parent(), self._parent(), self._rng)

    def _parent(self) -> PairArch:
        return self._parents[int(self._rng.integers(len(self._parents)))][1]
