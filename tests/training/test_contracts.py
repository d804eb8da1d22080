"""Every training rule passes the contract suite."""

from __future__ import annotations

from duonas.core.options import SpaceOptions
from duonas.core.rng import stream
from duonas.spaces.mobilenet import FAMILY
from duonas.testing import RuleContract
from duonas.training.sandwich import Sandwich


class TestSandwich(RuleContract):
    norm = "recalibrated"

    def supernet(self):
        table = SpaceOptions(preset="digits", norm=self.norm, axes={"depth": [1, 2]})
        return FAMILY.supernet(FAMILY.space(table, 8, 4), (0.5,) * 3, (0.2,) * 3, stream(0, "init"), table)

    def rule(self, space, options):
        return Sandwich(space, options)


class TestSandwichSwitchable(TestSandwich):
    norm = "switchable"
