"""Random search: the baseline that every strategy has to beat."""

from __future__ import annotations

from collections.abc import Sequence

from duonas.core.rng import stream
from duonas.core.trial import Candidate, Trial
from duonas.search.problem import Problem

PATIENCE = 200  # draws without a new pair after which the space counts as exhausted


class RandomSearch:
    """Draws feasible pairs, never the same one twice.

    Args:
        problem: the pairs and their constraints.
        seed: of the draws.
    """

    def __init__(self, problem: Problem, seed: int) -> None:
        self.problem = problem
        self._rng = stream(seed, "search", "random")
        self._seen: set[str] = set()

    def ask(self, n: int) -> list[Candidate]:
        """At most ``n`` new pairs; fewer when the space has no more."""
        asked: list[Candidate] = []
        misses = 0
        while len(asked) < n and misses < PATIENCE:
            pair = self.problem.sample(self._rng)
            if pair.id in self._seen:
                misses += 1
                continue
            misses = 0
            self._seen.add(pair.id)
            asked.append(Candidate(pair))
        return asked

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn nothing."""
