"""Random search, the baseline of every strategy."""

from __future__ import annotations

from duonas.core.rng import stream
from duonas.core.trial import Candidate
from duonas.search.options import SearchOptions
from duonas.search.problem import Problem
from duonas.search.strategy import Strategy

PATIENCE = 200  # draws without a new pair after which the space counts as exhausted


class Random(Strategy):
    """Draws feasible pairs without repetition."""

    def __init__(self, problem: Problem, options: SearchOptions, seed: int) -> None:
        super().__init__(problem, options, seed)
        self._rng = stream(seed, "search", "random")
        self._seen: set[str] = set()

    def ask(self, n: int) -> list[Candidate]:
        """Return up to ``n`` new pairs; fewer if the space has no more."""
        found: list[Candidate] = []
        misses = 0
        while len(found) < n and misses < PATIENCE:
            pair = self.problem.sample(self._rng)
            if pair.id in self._seen:
                misses += 1
                continue
            misses = 0
            self._seen.add(pair.id)
            found.append(Candidate(pair))
        return found
