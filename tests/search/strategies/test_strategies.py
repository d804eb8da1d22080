"""NSGA-II and evolution learn, whatever is asked keeps the constraints, and an exhausted space ends a search."""

from __future__ import annotations

from itertools import chain

import pytest

from duonas.core.couplings import NestedPairs
from duonas.core.errors import DuonasError
from duonas.core.goal import Goal
from duonas.core.options import EvolutionOptions, GivenPair, SearchOptions, SpaceOptions
from duonas.core.trial import Candidate
from duonas.routing.routers.confidence import Confidence
from duonas.search.prices import Pricer
from duonas.search.problem import Problem
from duonas.search.search import search
from duonas.search.strategies.evolution import Evolution
from duonas.search.strategies.fixed import Given
from duonas.search.strategies.nsga2 import Nsga2
from duonas.search.strategies.random import RandomSearch
from duonas.spaces.mobilenet import FAMILY
from duonas.testing import StrategyContract

GOAL = Goal(("accuracy", "expected_macs", "peak_macs"), {})
ROUTERS = (Confidence("margin"),)


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


class TestEvolution(Strategies):
    def strategy(self, pairs, seed, limits=None, **options):
        options = EvolutionOptions(**{"population": 8, "parents": 3, "mutations": 4, "crossovers": 4} | options)
        return Evolution(Problem(Goal(GOAL.objectives, limits or {}), Pricer(pairs)), options, seed)

    def generations(self, strategy, parts=(100,)):
        """Ask until there is no more, in parts of these sizes, over and over."""
        asked, part = [], 0
        while batch := strategy.ask(parts[part % len(parts)]):
            asked.append([candidate.pair for candidate in batch])
            strategy.tell(self.evaluate(batch))
            part += 1
        return asked

    def test_first_a_population_then_as_many_generations_of_children_as_are_wanted(self):
        asked = self.generations(self.strategy(self.pairs(), 0, population=20, iterations=3, mutations=5, crossovers=2))
        assert [len(generation) for generation in asked] == [20, 7, 7, 7]

    def test_a_generation_may_be_asked_in_parts(self):
        """How many are asked at a time does not change what is asked."""
        whole = self.generations(self.strategy(self.pairs(), 0, iterations=3))
        parts = self.generations(self.strategy(self.pairs(), 0, iterations=3), (3, 1, 4))
        assert list(chain(*whole)) == list(chain(*parts)) and len(parts) > len(whole)

    def test_it_finds_better_pairs_than_chance_within_a_constraint(self):
        """Made-up accuracies grow with MACs, so that the best pairs lie at the limit: the mean of the ten best."""
        pairs, limits = small_pairs(), {"peak_macs": 6e5}
        problem = Problem(Goal(("accuracy",), limits), Pricer(pairs))
        for seed in range(3):
            chance = RandomSearch(problem, seed)
            drawn = [candidate.pair for candidate in chance.ask(80)]
            bred = list(chain(*self.generations(self.strategy(pairs, seed, limits, population=16, iterations=8))))
            assert len(bred) == 80 and all(map(problem.feasible, bred))
            assert self.best(problem, bred) > self.best(problem, drawn)

    def best(self, problem, pairs):
        worth = map(problem.accuracy, self.evaluate([Candidate(pair) for pair in pairs]))
        return sum(sorted(worth)[-10:]) / 10

    def test_a_pair_that_keeps_no_constraint_at_any_threshold_is_worth_nothing(self):
        """As where a router turns out to cost something."""
        pairs = self.pairs()
        (candidate,) = self.strategy(pairs, 0).ask(1)
        (trial,) = self.evaluate([candidate])
        worth = [
            Problem(Goal(("accuracy",), {"expected_macs": limit}), Pricer(pairs)).accuracy(trial)
            for limit in (trial.costs["expected_macs"].max(), trial.costs["expected_macs"].min() - 1)
        ]
        assert worth == [trial.accuracy.max(), -float("inf")]


STRATEGIES = {
    "random": lambda problem, seed: RandomSearch(problem, seed),
    "nsga2": lambda problem, seed: Nsga2(problem, 10, seed),
    "evolution": lambda problem, seed: Evolution(problem, EvolutionOptions(10, 9, 4, 5, 5), seed),
}


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
    result = search(pairs, evaluator, SearchOptions(strategy=name, evaluations=100, population=10), ROUTERS, 0)
    assert len(result.trials) == 5 and len(result.archs) == 4
    assert result.front.scored_pairs == 5


def given_pairs():
    options = SpaceOptions(preset="digits", axes={"depth": [1, 2], "kernel": [3, 5]})
    return NestedPairs(FAMILY.space(options, 8, 4))


def test_a_given_pair_is_asked_once_and_named_by_kind_or_by_axis():
    pairs = given_pairs()
    given = GivenPair(little={"width": 0.5, "depth": 1, "stage2.depth": 2}, big={"kernel": 5})
    strategy = Given(Problem(GOAL, Pricer(pairs)), given)
    (candidate,) = strategy.ask(3)
    assert strategy.ask(3) == []
    value = pairs.space.value
    assert [value(candidate.pair.little, f"stage{n}.depth") for n in (1, 2)] == [1, 2]
    assert [value(candidate.pair.little, f"stage{n}.width") for n in (1, 2)] == [0.5, 0.5]
    assert candidate.pair.big == pairs.space.largest()


@pytest.mark.parametrize(
    ("given", "goal", "message"),
    [
        (GivenPair(), GOAL, "is not a nested pair"),
        (GivenPair(little={"width": 1.0}, big={"width": 0.5}), GOAL, "is not a nested pair"),
        (GivenPair(little={"widht": 1.0}), GOAL, "no axis 'widht'"),
        (GivenPair(little={"width": 0.51}), GOAL, "has no value 0.51: choose from"),
        (GivenPair(little={"depth": 1}), Goal(GOAL.objectives, {"peak_macs": 1e6}), r"\[search.pair\] does not meet"),
    ],
)
def test_a_given_pair_that_cannot_be_is_refused(given, goal, message):
    with pytest.raises(DuonasError, match=message):
        Given(Problem(goal, Pricer(given_pairs())), given)
