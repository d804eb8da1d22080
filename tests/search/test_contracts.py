"""Every search strategy passes the contract suite."""

from __future__ import annotations

from duonas.core.couplings import pair_space
from duonas.search.goal import Goal
from duonas.search.prices import Prices
from duonas.search.problem import Problem
from duonas.search.strategies.evolution import Evolution, EvolutionOptions
from duonas.search.strategies.moead import Moead
from duonas.search.strategies.nsga2 import Nsga2
from duonas.search.strategies.predictor import Predictor, PredictorOptions
from duonas.search.strategies.random import Random
from duonas.search.strategies.sequential import Sequential
from duonas.search.strategies.splines import Splines
from duonas.spaces.mobilenet import MobileNet
from duonas.spaces.uib import UIB
from duonas.testing import StrategyContract


def own_little():
    """Pairs of two families."""
    big = MobileNet.space(MobileNet.Options(preset="digits"), 8, 10)
    return pair_space(big, "independent", little=UIB.space(UIB.Options(), 8, 10))


GOAL = Goal(("accuracy", "expected_macs", "peak_macs"), {})


class TestRandomSearch(StrategyContract):
    coupling = "nested"

    def pairs(self):
        return pair_space(MobileNet.space(MobileNet.Options(preset="digits"), 8, 10), self.coupling)

    def strategy(self, pairs, seed):
        return Random(Problem(GOAL, Prices(pairs)), Random.Options(), seed)


class TestRandomSearchSibling(TestRandomSearch):
    coupling = "sibling"


class TestNsga2(TestRandomSearch):
    def strategy(self, pairs, seed):
        return Nsga2(Problem(GOAL, Prices(pairs)), Nsga2.Options(population=8), seed)


class TestNsga2Sibling(TestNsga2):
    coupling = "sibling"


class TestNsga2Partial(TestNsga2):
    coupling = "partial"


class TestNsga2OwnLittle(TestNsga2):
    def pairs(self):
        return own_little()


class TestEvolution(TestRandomSearch):
    def strategy(self, pairs, seed):
        sizes = EvolutionOptions(population=8, parents=3, mutations=4, crossovers=4)
        return Evolution(Problem(GOAL, Prices(pairs)), Evolution.Options(evolution=sizes), seed)


class TestEvolutionPartial(TestEvolution):
    coupling = "partial"


class TestEvolutionOwnLittle(TestEvolution):
    def pairs(self):
        return own_little()


class TestSequential(TestRandomSearch):
    def strategy(self, pairs, seed):
        return Sequential(Problem(GOAL, Prices(pairs)), Sequential.Options(evaluations=24), seed)


class TestSequentialSibling(TestSequential):
    coupling = "sibling"


class TestSequentialPartial(TestSequential):
    coupling = "partial"


class TestSequentialOwnLittle(TestSequential):
    def pairs(self):
        return own_little()


class TestMoead(TestRandomSearch):
    def strategy(self, pairs, seed):
        return Moead(Problem(GOAL, Prices(pairs)), Moead.Options(population=4), seed)


class TestMoeadPartial(TestMoead):
    coupling = "partial"


class TestMoeadOwnLittle(TestMoead):
    def pairs(self):
        return own_little()


class TestPredictor(TestRandomSearch):
    def strategy(self, pairs, seed):
        sizes = PredictorOptions("gp", first=8, batch=8, population=10, generations=2)
        return Predictor(Problem(GOAL, Prices(pairs)), Predictor.Options(predictor=sizes), seed)


class TestPredictorPartial(TestPredictor):
    coupling = "partial"


class TestPredictorOwnLittle(TestPredictor):
    def pairs(self):
        return own_little()


class TestSplines(TestRandomSearch):
    def strategy(self, pairs, seed):
        return Splines(Problem(GOAL, Prices(pairs)), Splines.Options(), seed)
