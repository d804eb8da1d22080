"""Every search strategy passes the contract suite."""

from __future__ import annotations

from duonas.core.couplings import pair_space
from duonas.core.goal import Goal
from duonas.core.narrowed import Alone, WithBig
from duonas.core.options import EvolutionOptions, SpaceOptions
from duonas.search.prices import Pricer
from duonas.search.problem import Problem
from duonas.search.strategies.evolution import Evolution
from duonas.search.strategies.nsga2 import Nsga2
from duonas.search.strategies.random import RandomSearch
from duonas.spaces.mobilenet import FAMILY
from duonas.testing import StrategyContract

GOAL = Goal(("accuracy", "expected_macs", "peak_macs"), {})


class TestRandomSearch(StrategyContract):
    coupling = "nested"

    def pairs(self):
        return pair_space(FAMILY.space(SpaceOptions(preset="digits"), 8, 10), self.coupling)

    def strategy(self, pairs, seed):
        return RandomSearch(Problem(GOAL, Pricer(pairs)), seed)


class TestRandomSearchSibling(TestRandomSearch):
    coupling = "sibling"


class TestNsga2(TestRandomSearch):
    def strategy(self, pairs, seed):
        return Nsga2(Problem(GOAL, Pricer(pairs)), 8, seed)


class TestNsga2Sibling(TestNsga2):
    coupling = "sibling"


class TestNsga2Partial(TestNsga2):
    coupling = "partial"


class TestEvolution(TestRandomSearch):
    def strategy(self, pairs, seed):
        options = EvolutionOptions(population=8, parents=3, mutations=4, crossovers=4)
        return Evolution(Problem(GOAL, Pricer(pairs)), options, seed)


class TestEvolutionPartial(TestEvolution):
    coupling = "partial"


class TestRandomSearchWithBig(TestRandomSearch):
    """Littles for one big."""

    def pairs(self):
        pairs = super().pairs()
        return WithBig(pairs, pairs.space.largest())


class TestRandomSearchAlone(TestRandomSearch):
    """Bigs by themselves."""

    def pairs(self):
        return Alone(super().pairs())


class TestNsga2WithBigSibling(TestRandomSearchWithBig, TestNsga2Sibling):
    pass


class TestNsga2WithBigPartial(TestRandomSearchWithBig, TestNsga2Partial):
    pass


class TestNsga2Alone(TestRandomSearchAlone, TestNsga2):
    pass


class TestEvolutionWithBig(TestRandomSearchWithBig, TestEvolution):
    pass


class TestEvolutionAlone(TestRandomSearchAlone, TestEvolution):
    pass
