"""A search strategy of your own: climbing from the most accurate pair so far.

duonas run digits --set search.strategy="examples/own_strategy.py:Climb" --set search.first=20 --out runs/climb
"""

from dataclasses import dataclass

from duonas.core.rng import stream
from duonas.core.trial import Candidate
from duonas.search.options import SearchOptions
from duonas.search.strategy import Strategy


class Climb(Strategy):
    """Draws some pairs, then mutates the best of all that were tried; of equals the first."""

    @dataclass(frozen=True)
    class Options(SearchOptions):
        """Keys of ``[search]``: each is followed by its help."""

        first: int = 10
        """Pairs that are drawn before the climb begins."""

    def __init__(self, problem, options, seed):
        super().__init__(problem, options, seed)
        self.rng, self.seen, self.tried = stream(seed, "climb"), set(), []

    def ask(self, n):  # never the same pair twice
        asked = []
        for _ in range(50 * n):
            pair = self.problem.sample(self.rng)
            if len(self.tried) >= self.options.first:
                pair = self.problem.pairs.mutate(max(self.tried)[2], self.rng)
            if len(asked) < n and pair.id not in self.seen and self.problem.feasible(pair):
                self.seen.add(pair.id)
                asked.append(Candidate(pair))
        return asked

    def tell(self, trials):
        self.tried += [(t.accuracy, -len(self.tried) - i, t.pair) for i, t in enumerate(trials)]
