"""Every training rule passes the contract suite, under every coupling."""

from __future__ import annotations

from dataclasses import replace

from duonas.core.options import LossOptions, SpaceOptions
from duonas.core.pair import pair_space
from duonas.core.rng import stream
from duonas.spaces.mobilenet import FAMILY
from duonas.spaces.pair import PairSupernet
from duonas.testing import RuleContract
from duonas.training.rules import make_rule

AXES = {"depth": [1, 2], "width": [0.25, 0.5], "expansion": [1, 2]}


class TestSandwich(RuleContract):
    name = "sandwich"
    norm = "recalibrated"
    coupling = "nested"

    def supernet(self):
        table = SpaceOptions(preset="digits", norm=self.norm, kernel_transform=True, axes=AXES)
        space = FAMILY.space(table, 8, 4)
        pairs = pair_space(space, self.coupling)
        towers = (FAMILY.supernet(space, (0.5,) * 3, (0.2,) * 3, stream(0, "init", r), table) for r in pairs.roles)
        return PairSupernet(pairs, *towers)

    def options(self):
        return replace(super().options(), rule=self.name)

    def rule(self, pairs, options):
        return make_rule(pairs, options)


class TestSandwichSwitchable(TestSandwich):
    norm = "switchable"


class TestSandwichSibling(TestSandwich):
    coupling = "sibling"


class TestSandwichPartial(TestSandwich):
    coupling = "partial"


class TestCotrain(TestSandwich):
    """Every term of the loss is on, with learned weights and an adapter between features."""

    name = "cotrain"

    def options(self):
        loss = LossOptions(gamma=0.5, features=0.1, cost=1.0, cost_budget=1e5, peak=1.0, peak_budget=1e5,
                           weighting="uncertainty")  # fmt: skip
        return replace(super().options(), loss=loss)


class TestCotrainSibling(TestCotrain):
    coupling = "sibling"


class TestCotrainPartial(TestCotrain):
    coupling = "partial"


class TestUniform(TestSandwich):
    name = "uniform"


class TestUniformSibling(TestUniform):
    coupling = "sibling"


class TestUniformPartial(TestUniform):
    coupling = "partial"


class TestProgressive(TestSandwich):
    """Kernels open at step 2, depths at 4, widths at 6, in two steps."""

    name = "progressive"


class TestProgressiveSwitchable(TestProgressive):
    norm = "switchable"


class TestProgressiveSibling(TestProgressive):
    coupling = "sibling"


class TestProgressivePartial(TestProgressive):
    coupling = "partial"


class TestHybrid(TestSandwich):
    """Kernels open at step 1, depths at 2, widths at 3; the sandwich begins at 4."""

    name = "hybrid"


class TestHybridSibling(TestHybrid):
    coupling = "sibling"


class TestHybridPartial(TestHybrid):
    coupling = "partial"
