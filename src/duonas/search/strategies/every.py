"""Every pair of a small space, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from duonas.core.pair import PairArch
from duonas.core.trial import Candidate
from duonas.search.options import SearchOptions
from duonas.search.problem import Problem
from duonas.search.strategy import Strategy


class Every(Strategy):
    """Proposes every feasible pair, in the order of the archs; networks that are given are always searched so."""

    def __init__(self, problem: Problem, options: SearchOptions, seed: int) -> None:
        super().__init__(problem, options, seed)
        self._left = self._pairs()

    def ask(self, n: int) -> list[Candidate]:
        """Return the next ``n`` pairs; fewer where no more are left."""
        return [Candidate(pair) for pair in islice(self._left, n)]

    def _pairs(self) -> Iterator[PairArch]:
        pairs = self.problem.pairs
        for split in pairs.splits:
            for big in pairs.space.archs():
                for little in pairs.spaces["little"].archs():
                    pair = PairArch(little, big, split)
                    if pairs.contains(pair) and self.problem.feasible(pair):
                        yield pair
