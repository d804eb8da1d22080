"""The contract of search strategies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from duonas.core.pair import PairSpace
from duonas.core.trial import Candidate, Point, Trial
from duonas.search.metric import figures, metrics
from duonas.search.prices import Prices
from duonas.search.strategy import Strategy


class StrategyContract(ABC):
    """Tests of every search strategy (laws 8 and 9)."""

    @abstractmethod
    def strategy(self, pairs: PairSpace, seed: int) -> Strategy:
        """Return the strategy under test over ``pairs``."""

    @abstractmethod
    def pairs(self) -> PairSpace:
        """Return a pair space to search."""

    def evaluate(self, asked: Sequence[Candidate]) -> list[Trial]:
        """Return synthetic trials of candidates, in which larger archs are more accurate."""
        prices = Prices(self.pairs())
        return [self._trial(candidate, prices) for candidate in asked]

    def _trial(self, candidate: Candidate, prices: Prices) -> Trial:
        little, big = (prices.subnet(subnet).figures for subnet in prices.pairs.subnets(candidate.pair))
        members = [{"accuracy": 1 - 1 / np.log(each["macs"] + 3), **each} for each in (little, big)]
        price = prices.price(candidate.pair, prices.routers[0])

        def at(share: float) -> Point:
            accuracy = share * members[0]["accuracy"] + (1 - share) * members[1]["accuracy"]
            return Point(share, accuracy, 0, figures(metrics().values(), price, share))

        return Trial(candidate, at(candidate.share), at(0.0), *members)

    def ask(self, seed: int) -> list[Candidate]:
        """Return the candidates of three rounds of ``ask`` and ``tell``."""
        strategy, asked = self.strategy(self.pairs(), seed), []
        for _ in range(3):
            batch = strategy.ask(8)
            assert 0 < len(batch) <= 8
            asked += batch
            strategy.tell(self.evaluate(batch))
        return asked

    def test_asks_only_for_what_is_allowed(self) -> None:
        """Every proposed pair is in the pair space."""
        assert all(self.pairs().contains(candidate.pair) for candidate in self.ask(0))

    def test_replay_gives_the_same_search(self) -> None:
        """Equal seeds and trials give equal candidates; another seed gives others."""
        assert self.ask(0) == self.ask(0) != self.ask(1)

    def test_global_randomness_is_left_alone(self) -> None:
        """NumPy's global random state is unchanged."""
        before = str(np.random.get_state())
        self.ask(0)
        assert str(np.random.get_state()) == before
