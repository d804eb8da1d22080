"""Every training rule passes the contract suite."""

from __future__ import annotations

from dataclasses import replace

from duonas.core.options import PairOptions, SpaceOptions
from duonas.core.pair import pair_space
from duonas.core.rng import stream
from duonas.spaces.mobilenet import FAMILY, PRESETS, MobileNetSpace
from duonas.spaces.pair import PairSupernet
from duonas.testing import RuleContract
from duonas.training.resolution import OneResolution
from duonas.training.sandwich import Sandwich


class TestSandwich(RuleContract):
    norm = "recalibrated"
    coupling = "nested"
    pair = PairOptions()
    depth = 2

    def supernet(self):
        table = SpaceOptions(preset="digits", norm=self.norm, axes={"depth": list(range(1, self.depth + 1))})
        space, little = (FAMILY.space(options, 8, 4) for options in (table, self.pair.little(table)))
        pairs = pair_space(space, self.coupling, little=little)
        towers = (
            FAMILY.supernet(pairs.spaces[r], (0.5,) * 3, (0.2,) * 3, stream(0, "init", r), table) for r in pairs.towers
        )
        return PairSupernet(pairs, *towers)

    def rule(self, pairs, options):
        return Sandwich(pairs, options)


class TestSandwichSwitchable(TestSandwich):
    norm = "switchable"


class TestSandwichSibling(TestSandwich):
    coupling = "sibling"


class TestSandwichSimpleLittle(TestSandwich):
    """Little's own blocks in big's weights."""

    pair = PairOptions(little_blocks="simple")
    depth = 1


class TestSandwichOneResolution(TestSandwich):
    def supernet(self):
        table = SpaceOptions()
        space = MobileNetSpace(replace(PRESETS["digits"], resolutions=(6, 8)), 8, 4, {"depth": [1]})
        return PairSupernet(pair_space(space), FAMILY.supernet(space, (0.5,) * 3, (0.2,) * 3, stream(0), table))

    def rule(self, pairs, options):
        return OneResolution(Sandwich(pairs, options), pairs.space)


class TestSandwichPartial(TestSandwich):
    coupling = "partial"
