"""Big first, then the best little for it (paper D, section 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from duonas.core.arch import Arch
from duonas.core.pair import PairArch
from duonas.core.rng import stream
from duonas.core.trial import Candidate, Trial
from duonas.search.front import knee, most_accurate, nondominated
from duonas.search.metric import ACCURACY
from duonas.search.options import SearchOptions
from duonas.search.problem import Problem
from duonas.search.strategy import Strategy

PATIENCE = 200  # draws without a new pair before giving up


class Sequential(Strategy):
    """Spends half of the evaluations on choosing big, and the other half on littles for it.

    Big is judged alone, by accuracy if a constraint limits its cost, else by the knee of accuracy and cost (time, if a
    device table has it). Since only pairs are evaluated, each big is paired with the little of the first pair if
    possible, so that few littles are evaluated.
    """

    def __init__(self, problem: Problem, options: SearchOptions, seed: int) -> None:
        super().__init__(problem, options, seed)
        self._rng = stream(seed, "search", "sequential")
        self._pairs: set[PairArch] = set()
        self._trials: list[Trial] = []
        self._bigs_left = max(1, options.evaluations // 2)
        self._best: Arch | None = None

    def ask(self, n: int) -> list[Candidate]:
        """Return up to ``n`` pairs with new bigs, and later pairs of the best big with new littles."""
        if self._bigs_left:
            bigs = {pair.big for pair in self._pairs}
            found = self._new(self._with_new_big, min(n, self._bigs_left), lambda pair: pair.big in bigs)
            self._bigs_left = self._bigs_left - len(found) if found else 0
            if found:
                return found
        if self._best is None:
            self._best = self._chosen()
        return self._new(self._with_best, n, lambda pair: pair.big != self._best)

    def tell(self, trials: Sequence[Trial]) -> None:
        """Collect the trials of the bigs."""
        if self._best is None:
            self._trials += trials

    def _new(self, draw: Callable[[], PairArch], count: int, unwanted: Callable[[PairArch], bool]) -> list[Candidate]:
        found: dict[PairArch, None] = {}
        bigs: set[Arch] = set()
        misses = 0
        while len(found) < count and misses < PATIENCE:
            pair = draw()
            alike = self._best is None and pair.big in bigs
            if alike or pair in self._pairs or pair in found or unwanted(pair):
                misses += 1
                continue
            misses, found[pair] = 0, None
            bigs.add(pair.big)
        self._pairs |= found.keys()
        return [Candidate(pair) for pair in found]

    def _with_new_big(self) -> PairArch:
        pair = self.problem.sample(self._rng)
        first = self._trials[0].pair if self._trials else pair
        partnered = PairArch(first.little, pair.big, first.split)
        fits = self.problem.pairs.contains(partnered) and self.problem.feasible(partnered)
        return partnered if fits else pair

    def _with_best(self) -> PairArch:
        assert self._best is not None
        pairs, drawn = self.problem.pairs, self.problem.sample(self._rng)
        pair = pairs.repair(PairArch(drawn.little, self._best, drawn.split), self._rng)
        return pair if self.problem.feasible(pair) else drawn

    def _chosen(self) -> Arch:
        figures = np.array([[-trial.big[ACCURACY], trial.big[self.problem.prices.compared]] for trial in self._trials])
        kept = nondominated(figures)
        bounds_big = any(not name.startswith(("little_", "expected_")) for name in self.problem.goal.constraints)
        return self._trials[kept[(most_accurate if bounds_big else knee)(figures[kept])]].pair.big
