"""Both strategies pass the contract; NSGA-II learns, and an exhausted space ends a search."""

from __future__ import annotations

import pytest

from duonas.core.options import SearchOptions, SpaceOptions
from duonas.core.pair import NestedPairs
from duonas.search.goal import Goal
from duonas.search.nsga2 import Nsga2
from duonas.search.prices import Pricer
from duonas.search.problem import Problem
from duonas.search.random import RandomSearch
from duonas.search.search import search
from duonas.spaces.mobilenet import FAMILY
from duonas.testing import StrategyContract

GOAL = Goal(("accuracy", "expected_macs", "peak_macs"), {})


def small_pairs(**axes):
    options = SpaceOptions(preset="digits", axes={"depth": [1, 2], "kernel": [3], **axes})
    return NestedPairs(FAMILY.space(options, 8, 4))


class Strategies(StrategyContract):
    def pairs(self):
        return small_pairs()


class TestRandom(Strategies):
    def strategy(self, pairs, seed):
        return RandomSearch(Problem(GOAL, Pricer(pairs)), seed)


class TestNsga2(Strategies):
    def strategy(self, pairs, seed):
        return Nsga2(Problem(GOAL, Pricer(pairs)), 8, seed)

    def test_a_generation_may_be_asked_in_parts(self):
        """How many are asked at a time does not change what is asked."""
        whole, parts = [], []
        for sizes, asked in (((8, 8), whole), ((3, 3, 3, 5, 8), parts)):
            strategy = self.strategy(self.pairs(), 0)
            for size in sizes:
                batch = strategy.ask(size)
                asked += batch
                strategy.tell(self.evaluate(batch))
        assert whole == parts

    def test_it_turns_to_what_is_better(self):
        """Where cheapness alone differs, what it finds is cheaper than what chance finds."""
        for seed in range(3):
            assert self.cheapest(Nsga2, 12, seed) < 0.9 * self.cheapest(RandomSearch, seed)

    def cheapest(self, strategy, *arguments):
        """The mean peak cost of the cheapest 12 of 96 pairs asked."""
        price = Pricer(self.pairs())
        asks = strategy(Problem(Goal(("accuracy", "peak_macs"), {}), price), *arguments)
        peaks = []
        for _ in range(8):
            batch = asks.ask(12)
            trials = self.evaluate(batch)
            for trial in trials:
                trial.accuracy[:] = 0.5
            peaks += [trial.costs["peak_macs"] for trial in trials]
            asks.tell(trials)
        return sum(sorted(peaks)[:12]) / 12


STRATEGIES = {"random": lambda problem, seed: RandomSearch(problem, seed), "nsga2": lambda p, seed: Nsga2(p, 10, seed)}


@pytest.mark.parametrize("name", STRATEGIES)
def test_constraints_hold_for_all_that_is_asked_and_nothing_is_asked_twice(name, pairs):
    price = Pricer(pairs)
    limits = {"peak_macs": 6e6, "params": 5e4, "little_macs": 2e6}
    strategy = STRATEGIES[name](Problem(Goal(GOAL.objectives, limits), price), 0)
    evaluate = TestRandom()
    evaluate.pairs = lambda: pairs
    asked = []
    for _ in range(5):
        batch = strategy.ask(10)
        asked += [candidate.pair for candidate in batch]
        strategy.tell(evaluate.evaluate(batch))
    assert len(asked) == len(set(asked)) == 50
    assert all(price.figures(pair)[figure] <= limit for pair in asked for figure, limit in limits.items())


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_search_ends_when_the_space_does(name, evaluator):
    pairs = small_pairs(width=[1.0], depth=[1], expansion=[1, 2])
    assert pairs.size() == 5
    evaluator.pairs = pairs
    result = search(pairs, evaluator, SearchOptions(strategy=name, evaluations=100, population=10), "margin", 0)
    assert len(result.trials) == 5 and len(result.archs) == 4
    assert result.front.scored_pairs == 5
