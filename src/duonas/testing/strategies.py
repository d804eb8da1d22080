"""The contract of search strategies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from duonas.core.pair import PairSpace
from duonas.core.protocols import Strategy
from duonas.core.trial import Candidate, Trial
from duonas.costs.analytic import analytic


class StrategyContract(ABC):
    """What every search strategy keeps (laws 8 and 9)."""

    @abstractmethod
    def strategy(self, pairs: PairSpace, seed: int) -> Strategy:
        """The strategy under test over ``pairs``."""

    @abstractmethod
    def pairs(self) -> PairSpace:
        """A pair space to search."""

    def evaluate(self, asked: Sequence[Candidate]) -> list[Trial]:
        """Made-up curves, a function of the pair alone."""
        trials = []
        for candidate in asked:
            pair = candidate.pair
            pairs = self.pairs()
            costs_of = [analytic(pairs.blocks(subnet)) for subnet in pairs.subnets(pair)]
            macs = [cost.macs for cost in costs_of]
            share = np.linspace(0, 1, 5)
            accuracy = 1 - 1 / np.log(np.interp(share, [0, 1], macs[::-1]) + 3)
            costs: dict[str, np.ndarray | float] = {
                "expected_macs": macs[0] + (1 - share) * macs[1],
                "peak_macs": float(sum(macs)),
                "params": float(costs_of[1].params),
                "peak_memory_bytes": 1.0,
            }
            trials.append(Trial(pair, share, accuracy, costs))
        return trials

    def ask(self, seed: int) -> list[Candidate]:
        """Three rounds of asking and telling."""
        strategy, asked = self.strategy(self.pairs(), seed), []
        for _ in range(3):
            batch = strategy.ask(8)
            assert 0 < len(batch) <= 8
            asked += batch
            strategy.tell(self.evaluate(batch))
        return asked

    def test_asks_only_for_what_is_allowed(self) -> None:
        """Every pair that is asked for is in the pair space."""
        assert all(self.pairs().contains(candidate.pair) for candidate in self.ask(0))

    def test_replay_gives_the_same_search(self) -> None:
        """The same seed and the same answers, the same questions; another seed, others."""
        assert self.ask(0) == self.ask(0) != self.ask(1)

    def test_global_randomness_is_left_alone(self) -> None:
        """Numpy's global state is as it was."""
        before = str(np.random.get_state())
        self.ask(0)
        assert str(np.random.get_state()) == before
