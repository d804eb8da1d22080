"""NSGA-II and evolution learn, whatever is asked keeps the constraints, and an exhausted space ends a search."""

from __future__ import annotations

import pickle
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from pymoo.indicators.hv import HV

from duonas.core.couplings import NestedPairs, pair_space
from duonas.core.errors import DuonasError
from duonas.core.pair import PairArch
from duonas.core.registry import find
from duonas.core.rng import stream
from duonas.core.trial import Candidate
from duonas.recipe.schema import options_for
from duonas.routing.routers.confidence import Confidence
from duonas.search.bench import Bench
from duonas.search.front import nondominated
from duonas.search.goal import Goal
from duonas.search.options import GivenPair, SearchOptions
from duonas.search.prices import Prices
from duonas.search.problem import Problem
from duonas.search.scores import Scores
from duonas.search.search import search as search_pairs
from duonas.search.strategies.evolution import Evolution, EvolutionOptions
from duonas.search.strategies.fixed import Fixed
from duonas.search.strategies.moead import Moead
from duonas.search.strategies.nsga2 import Nsga2
from duonas.search.strategies.predictor import Predictor, PredictorOptions
from duonas.search.strategies.random import Random
from duonas.search.strategies.sequential import Sequential
from duonas.search.strategy import make_strategy
from duonas.spaces.mobilenet import MobileNet
from duonas.spaces.nasbench201 import NasBench201
from duonas.testing import StrategyContract

GOAL = Goal(("accuracy", "expected_macs", "peak_macs"), {})
ROUTERS = (Confidence("margin"),)


def small_pairs(**axes):
    options = MobileNet.Options(preset="digits", axes={"depth": [1, 2], "kernel": [3], **axes})
    return NestedPairs(MobileNet.space(options, 8, 4))


class Strategies(StrategyContract):
    def pairs(self):
        return small_pairs()


class TestRandom(Strategies):
    def strategy(self, pairs, seed):
        return Random(Problem(GOAL, Prices(pairs)), Random.Options(), seed)


class TestNsga2(Strategies):
    def strategy(self, pairs, seed):
        return Nsga2(Problem(GOAL, Prices(pairs)), Nsga2.Options(population=8), seed)

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
            assert self.cheapest(Nsga2, Nsga2.Options(population=12), seed) < 0.9 * self.cheapest(
                Random, Random.Options(), seed
            )

    def cheapest(self, strategy, *arguments):
        """The mean peak cost of the cheapest 12 of 96 pairs asked."""
        price = Prices(self.pairs())
        asks = strategy(Problem(Goal(("accuracy", "peak_macs"), {}), price), *arguments)
        peaks = []
        for _ in range(8):
            batch = asks.ask(12)
            trials = [replace(trial, point=replace(trial.point, accuracy=0.5)) for trial in self.evaluate(batch)]
            peaks += [trial.point.figures["peak_macs"] for trial in trials]
            asks.tell(trials)
        return sum(sorted(peaks)[:12]) / 12


class TestMoead(Strategies):
    def strategy(self, pairs, seed):
        return Moead(Problem(GOAL, Prices(pairs)), Moead.Options(population=4), seed)

    def test_a_generation_may_be_asked_in_parts(self):
        """How many are asked at a time does not change what is asked."""
        whole, parts = [], []
        for sizes, asked in (((8, 8), whole), ((3, 3, 3, 5, 8), parts)):
            strategy = self.strategy(self.pairs(), 0)
            for size in sizes:
                batch = strategy.ask(size)
                asked += batch
                strategy.tell(self.evaluate(batch))
        assert whole == parts[:16]

    def test_its_front_dominates_more_than_that_of_chance(self):
        """Only big's widths make it accurate, in made-up trials; all else only costs."""
        pairs = small_pairs()
        problem = Problem(Goal(("accuracy", "peak_macs"), {}), Prices(pairs))
        for seed in range(3):
            bred = self.tried(Moead(problem, Moead.Options(population=8), seed))
            drawn = self.tried(Random(problem, Random.Options(), seed))
            assert len(bred) == len(drawn) == 96
            assert self.volume(bred) > self.volume(drawn)
            assert max(trial.accuracy for trial in bred) == 1

    def volume(self, trials):
        """The hypervolume of trials, by the logarithm of their cost."""
        points = np.array([[-trial.point.accuracy, np.log(trial.point.figures["peak_macs"])] for trial in trials])
        return HV(ref_point=np.array([0, np.log(1e8)]))(points[nondominated(points)])

    def tried(self, strategy):
        """The trials of 96 pairs."""
        trials = []
        for _ in range(6):
            batch = [self.by_width(trial) for trial in self.evaluate(strategy.ask(16))]
            trials += batch
            strategy.tell(batch)
        return trials

    def by_width(self, trial):
        """A trial whose accuracy is the mean of big's widths, as a part of the largest."""
        space, big = self.pairs().space, trial.pair.big
        widths = [big[name] / (len(axis.values) - 1) for name, axis in space.axes.items() if axis.kind == "width"]
        point = replace(trial.point, accuracy=sum(widths) / len(widths))
        return replace(trial, point=point, best=point)


class TestPredictor(Strategies):
    def strategy(self, pairs, seed, goal=GOAL, **options):
        sizes = PredictorOptions(**{"regressor": "gp", "first": 8, "batch": 8, "population": 20} | options)
        return Predictor(Problem(goal, Prices(pairs)), Predictor.Options(predictor=sizes), seed)

    def test_a_batch_may_be_asked_in_parts(self):
        """How many are asked at a time does not change what is asked."""
        whole, parts = [], []
        for sizes, asked in (((8, 8), whole), ((3, 3, 2, 5, 3), parts)):
            strategy = self.strategy(self.pairs(), 0, generations=2)
            for size in sizes:
                batch = strategy.ask(size)
                asked += batch
                strategy.tell(self.evaluate(batch))
        assert whole == parts

    @pytest.mark.parametrize("regressor", ["mlp", "trees", "gp"])
    def test_it_finds_better_pairs_than_chance_within_a_constraint(self, regressor):
        """Made-up accuracies grow with MACs, so that the best pairs lie at the limit; few of all pairs are tried."""
        pairs, goal = small_pairs(), Goal(("accuracy",), {"peak_macs": 6e5})
        strategy = self.strategy(pairs, 0, goal, regressor=regressor, first=16, generations=4)
        found = []
        for _ in range(3):
            batch = self.evaluate(strategy.ask(16))
            found += batch
            strategy.tell(batch)
        drawn = self.evaluate(Random(strategy.problem, Random.Options(), 0).ask(len(found)))
        best, chance = (sorted(trial.accuracy for trial in trials)[-8:] for trials in (found, drawn))
        assert sum(best) > sum(chance) and all(strategy.problem.feasible(trial.pair) for trial in found)

    def test_it_says_how_well_it_ranks_archs_that_it_has_not_seen(self):
        strategy = self.strategy(self.pairs(), 0)
        assert strategy.findings()["said"] == ""
        strategy.tell(self.evaluate(strategy.ask(8)))
        found = strategy.findings()
        ranked = found["held_out"]["big"]
        assert 0.5 < ranked["kendall"] <= 1 and 10 <= ranked["archs"] <= 16
        assert found["said"] == (
            "The predictor (gp) ranks archs that it was not fitted to by a Kendall's tau of "
            f"{ranked['kendall']:.2f} over {ranked['archs']} archs of big."
        )


@pytest.mark.parametrize(("name", "least"), [("moead", 4), ("predictor", 10)])
def test_too_few_evaluations_are_refused_before_a_search(name, least, pairs):
    problem = Problem(GOAL, Prices(pairs))
    make_strategy(problem, options_for("search", strategy=name, evaluations=least), 0)
    with pytest.raises(
        DuonasError, match=f"'{name}' needs at least {least} evaluations, got evaluations = {least - 1}"
    ):
        make_strategy(problem, options_for("search", strategy=name, evaluations=least - 1), 0)


class TestEvolution(Strategies):
    def strategy(self, pairs, seed, limits=None, **options):
        sizes = EvolutionOptions(**{"population": 8, "parents": 3, "mutations": 4, "crossovers": 4} | options)
        problem = Problem(Goal(GOAL.objectives, limits or {}), Prices(pairs))
        return Evolution(problem, Evolution.Options(evolution=sizes), seed)

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
        problem = Problem(Goal(("accuracy",), limits), Prices(pairs))
        for seed in range(3):
            chance = Random(problem, Random.Options(), seed)
            drawn = [candidate.pair for candidate in chance.ask(80)]
            bred = list(chain(*self.generations(self.strategy(pairs, seed, limits, population=16, iterations=8))))
            assert len(bred) == 80 and all(map(problem.feasible, bred))
            assert self.best(bred) > self.best(drawn)

    def best(self, pairs):
        return sum(sorted(trial.accuracy for trial in self.evaluate(list(map(Candidate, pairs))))[-10:]) / 10

    def test_a_pair_that_keeps_no_constraint_at_any_threshold_is_worth_nothing(self):
        """As where a router turns out to cost something."""
        pairs = self.pairs()
        (candidate,) = self.strategy(pairs, 0).ask(1)
        (trial,) = self.evaluate([candidate])
        assert trial.accuracy == trial.best.accuracy
        assert replace(trial, best=replace(trial.best, feasible=False)).accuracy == -float("inf")


SIZES = EvolutionOptions(10, 9, 4, 5, 5)
PREDICTS = PredictorOptions("gp", first=10, batch=10, population=20, generations=3)
STRATEGIES = {
    "random": lambda problem, seed: Random(problem, Random.Options(), seed),
    "nsga2": lambda problem, seed: Nsga2(problem, Nsga2.Options(population=10), seed),
    "evolution": lambda problem, seed: Evolution(problem, Evolution.Options(evolution=SIZES), seed),
    "sequential": lambda problem, seed: Sequential(problem, Sequential.Options(evaluations=50), seed),
    "moead": lambda problem, seed: Moead(problem, Moead.Options(population=5), seed),
    "predictor": lambda problem, seed: Predictor(problem, Predictor.Options(predictor=PREDICTS), seed),
}


@pytest.mark.parametrize("name", STRATEGIES)
def test_constraints_hold_for_all_that_is_asked_and_nothing_is_asked_twice(name, pairs):
    price = Prices(pairs)
    limits = {"peak_macs": 6e6, "params": 5e4, "little_macs": 2e6}
    strategy = STRATEGIES[name](Problem(Goal(GOAL.objectives, limits), price), 0)
    evaluate = TestRandom()
    evaluate.pairs = lambda: pairs
    asked = []
    for _ in range(5):
        batch = strategy.ask(10)
        asked += [candidate.pair for candidate in batch]
        strategy.tell(evaluate.evaluate(batch))
    assert len(asked) == len(set(asked)) >= (40 if name == "sequential" else 50)  # one big has few littles
    assert all(price.figures(pair)[figure] <= limit for pair in asked for figure, limit in limits.items())


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_search_ends_when_the_space_does(name, evaluator, search):
    pairs = small_pairs(width=[1.0], depth=[1], expansion=[1, 2])
    assert pairs.size() == 5
    evaluator.pairs = pairs
    result = search(pairs, evaluator, options_for("search", strategy=name, evaluations=100), ROUTERS, 0)
    assert len(result.trials) == 5 and len(result.archs) == 4
    assert result.front.scored_pairs == 5


def given_pairs():
    options = MobileNet.Options(preset="digits", axes={"depth": [1, 2], "kernel": [3, 5]})
    return NestedPairs(MobileNet.space(options, 8, 4))


def test_a_given_pair_is_asked_once_and_named_by_kind_or_by_axis():
    pairs = given_pairs()
    given = GivenPair(little={"width": 0.5, "depth": 1, "stage2.depth": 2}, big={"kernel": 5})
    strategy = Fixed(Problem(GOAL, Prices(pairs)), Fixed.Options(pair=given), 0)
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
        Fixed(Problem(goal, Prices(given_pairs())), Fixed.Options(pair=given), 0)


@pytest.mark.parametrize("coupling", ["nested", "sibling", "partial"])
def test_sequential_tries_bigs_and_then_littles_for_the_best_of_them(coupling, pairs):
    """The bigs are all different; under a limit on them the most accurate is taken, else the knee."""
    space, evaluate = pair_space(pairs.space, coupling), TestRandom()
    evaluate.pairs = lambda: space
    for limits in ({}, {"peak_macs": 2e7}):
        problem = Problem(Goal(GOAL.objectives, limits), Prices(space))
        strategy = Sequential(problem, Sequential.Options(evaluations=30), 0)
        bigs = strategy.ask(10) + strategy.ask(10)
        trials = evaluate.evaluate(bigs)
        strategy.tell(trials)
        assert len({candidate.pair.big for candidate in bigs}) == len(bigs) == 15
        littles = strategy.ask(15)
        (best,) = {candidate.pair.big for candidate in littles}
        accuracies = {trial.pair.big: trial.big["accuracy"] for trial in trials}
        assert best in accuracies and len({candidate.pair for candidate in littles}) == len(littles) > 5
        assert not limits or accuracies[best] == max(accuracies.values())
        assert limits or accuracies[best] < max(accuracies.values())


def test_sequential_admits_every_big_that_has_a_little(pairs):
    """Also in a space whose values lie in no others, where few bigs hold the smallest arch."""
    axes = {"operation": ["none", "skip_connect", "nor_conv_3x3"]}
    space = NasBench201.space(NasBench201.Options(channels=2, cells=1, axes=axes), 8, 4)
    cells = pair_space(space, "nested")
    problem = Problem(Goal(("accuracy",), {}), Prices(cells))
    strategy = Sequential(problem, Sequential.Options(evaluations=2000), 0)
    tried = {candidate.pair.big for candidate in strategy.ask(1000)}
    admitted = {big for big in space.archs() if any(map(cells.contains, (PairArch(a, big) for a in space.archs())))}
    assert tried <= admitted and len(tried) > 0.9 * len(admitted) > 600


@pytest.mark.parametrize("name", ["no-such", "nsga3"])
def test_a_strategy_that_is_not_there_is_refused(name, pairs):
    with pytest.raises(DuonasError, match=rf"\[search\] strategy has no choice '{name}'"):
        make_strategy(Problem(GOAL, Prices(pairs)), SearchOptions(strategy=name), 0)


LEARNER = """
from duonas.search.strategies.random import Random

class Learner(Random):
    '''Notes what it is shown.'''
    seen = []
    def fit(self, supernet, train, val):
        self.seen.append(("fit", supernet, train, val))
    def ask(self, n):
        self.seen.append(("ask", n))
        return super().ask(n)
    def tell(self, trials):
        self.seen += [("tell", trial.little["accuracy"], trial.big["macs"], trial.accuracy) for trial in trials]
"""


def test_an_own_strategy_sees_the_supernet_once_and_learns_what_archs_reach(pairs, evaluator, tmp_path):
    (tmp_path / "learner.py").write_text(LEARNER)
    name = f"{tmp_path}/learner.py:Learner"
    problem = Problem(GOAL, Prices(pairs, routers=ROUTERS))
    result = search_pairs(problem, evaluator, SearchOptions(strategy=name, evaluations=5), 0, fitting=(1, 2, 3))
    seen = find("strategy", name).seen
    assert seen[:2] == [("fit", 1, 2, 3), ("ask", 5)]
    macs = {row["arch"]: row["macs"] for row in result.archs}
    expected = [(row["accuracy_little"], macs[row["big"]], row["accuracy"]) for row in result.trials]
    assert [told[1:] for told in seen if told[0] == "tell"] == expected


def test_trials_hold_no_curves(pairs, evaluator):
    """However many images there are, what is kept of a trial is a few numbers."""
    prices = Prices(pairs, routers=ROUTERS)
    bench = Bench(evaluator, Scores(evaluator, prices, 0), prices, GOAL)
    trial = bench.trial(Candidate(pairs.sample(stream(0))))
    assert len(pickle.dumps((trial.point, trial.best, trial.little, trial.big))) < 3000
