"""Every training rule passes the contract suite."""

from __future__ import annotations

from duonas.core.options import SpaceOptions
from duonas.core.pair import pair_space
from duonas.core.rng import stream
from duonas.spaces.mobilenet import FAMILY
from duonas.spaces.pair import PairSupernet
from duonas.testing import RuleContract
from duonas.training.sandwich import Sandwich


class TestSandwich(RuleContract):
    norm = "recalibrated"
    coupling = "nested"

    def supernet(self):
        table = SpaceOptions(preset="digits", norm=self.norm, axes={"depth": [1, 2]})
        space = FAMILY.space(table, 8, 4)
        pairs = pair_space(space, self.coupling)
        towers = (FAMILY.supernet(space, (0.5,) * 3, (0.2,) * 3, stream(0, "init", r), table) for r in pairs.roles)
        return PairSupernet(pairs, *towers)

    def rule(self, pairs, options):
        return Sandwich(pairs, options)


class TestSandwichSwitchable(TestSandwich):
    norm = "switchable"


class TestSandwichSibling(TestSandwich):
    coupling = "sibling"


class TestSandwichPartial(TestSandwich):
    coupling = "partial"
