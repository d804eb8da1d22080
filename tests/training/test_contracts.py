"""Every training rule passes the contract suite, under every coupling; what others cover too is slow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from duonas.core.couplings import pair_space
from duonas.core.registry import adapted
from duonas.core.rng import stream
from duonas.recipe.schema import options_for
from duonas.spaces.mobilenet import PRESETS, MobileNet, MobileNetSpace
from duonas.spaces.nasbench201 import NasBench201
from duonas.spaces.uib import UIB
from duonas.supernet.family import build_space, build_supernet
from duonas.supernet.options import PairOptions, WeightsOptions
from duonas.supernet.pair import PairSupernet
from duonas.supernet.weights.kshot import Kshot
from duonas.supernet.weights.kshot_hypernet import KshotHypernet
from duonas.testing import RuleContract
from duonas.training.options import LossOptions
from duonas.training.resolution import OneResolution
from duonas.training.rule import make_rule
from duonas.training.rules.cotrain import Cotrain
from duonas.training.rules.sandwich import Sandwich

MEAN, STD = (0.5,) * 3, (0.2,) * 3
AXES = {"depth": [1, 2], "width": [0.25, 0.5], "expansion": [1, 2]}


class TestSandwich(RuleContract):
    name = "sandwich"
    norm = "recalibrated"
    coupling = "nested"
    pair = PairOptions()
    depth = 2

    def supernet(self):
        axes = AXES | {"depth": list(range(1, self.depth + 1))}
        table = MobileNet.Options(preset="digits", norm=self.norm, kernel_transform=True, axes=axes)
        space, little = (MobileNet.space(options, 8, 4) for options in (table, self.pair.of_little(table)))
        pairs = pair_space(space, self.coupling, little=little)
        towers = (
            MobileNet.supernet(pairs.spaces[r], (0.5,) * 3, (0.2,) * 3, stream(0, "init", r), table)
            for r in pairs.towers
        )
        return PairSupernet(pairs, *towers)

    def options(self):
        return replace(super().options(), rule=self.name)

    def rule(self, pairs, options):
        return make_rule(pairs, options)


class TestSandwichSwitchable(TestSandwich):
    norm = "switchable"


@pytest.mark.slow
class TestSandwichSibling(TestSandwich):
    coupling = "sibling"


class TestSandwichSimpleLittle(TestSandwich):
    """Little's own blocks in big's weights."""

    pair = PairOptions(little_blocks="simple")
    depth = 1


class TestSandwichOwnLittle(TestSandwich):
    """Two spaces of two families, with other resolutions."""

    def supernet(self):
        table, own = MobileNet.Options(preset="digits"), UIB.Options(norm=self.norm, axes={"depth": [1]})
        space = MobileNetSpace(replace(PRESETS["digits"], resolutions=(6, 8)), 8, 4, {"depth": [1]})
        pairs = pair_space(space, "independent", little=build_space(UIB, own, 8, 4))
        big = MobileNet.supernet(space, MEAN, STD, stream(0, "big"), table)
        return PairSupernet(pairs, big, UIB.supernet(pairs.spaces["little"], MEAN, STD, stream(0, "little"), own))


@pytest.mark.slow
class TestSandwichOwnLittleOneResolution(TestSandwichOwnLittle):
    def rule(self, pairs, options):
        return OneResolution(Sandwich(pairs, adapted(options, Sandwich.Options)), pairs)


class TestSandwichOneResolution(TestSandwich):
    def supernet(self):
        table = MobileNet.Options()
        space = MobileNetSpace(replace(PRESETS["digits"], resolutions=(6, 8)), 8, 4, {"depth": [1]})
        return PairSupernet(pair_space(space), MobileNet.supernet(space, (0.5,) * 3, (0.2,) * 3, stream(0), table))

    def rule(self, pairs, options):
        return OneResolution(Sandwich(pairs, adapted(options, Sandwich.Options)), pairs)


class TestSandwichPartial(TestSandwich):
    coupling = "partial"


class TestCotrain(TestSandwich):
    """Every term of the loss is on, with learned weights and an adapter between features."""

    name = "cotrain"

    def options(self):
        loss = options_for("train", rule="cotrain", loss={
            "gamma": 0.5, "features": 0.1, "cost": 1.0, "cost_budget": 1e5, "peak": 1.0, "peak_budget": 1e5,
            "weighting": "uncertainty", "gatekeeper": 0.2, "consistency": 0.1,
        }).loss  # fmt: skip
        return replace(adapted(super().options(), Cotrain.Options), loss=loss)


class TestCotrainLearnedGate(TestSandwich):
    name = "cotrain"

    def options(self):
        loss = LossOptions(gamma=0.5, gate="learned", weighting="uncertainty")
        return replace(adapted(super().options(), Cotrain.Options), loss=loss)


@pytest.mark.slow
class TestCotrainSibling(TestCotrain):
    coupling = "sibling"


class TestCotrainPartial(TestCotrain):
    coupling = "partial"


@pytest.mark.slow
class TestCotrainOwnLittle(TestSandwichOwnLittle):
    name = "cotrain"

    def options(self):
        return replace(adapted(super().options(), Cotrain.Options), loss=LossOptions(gamma=0.5, features=0.1))


class TestSandwichFront(TestSandwich):
    """Archs near the front are drawn from step 4 on, by what was learned until then."""

    sampler = "front"

    def options(self):
        return replace(super().options(), sampler=options_for("train", sampler=self.sampler).sampler)


@pytest.mark.slow
class TestCotrainFrontPartial(TestSandwichFront):
    name = "cotrain"
    coupling = "partial"


class TestHybridCostSibling(TestSandwichFront):
    name = "hybrid"
    sampler = "cost"
    coupling = "sibling"


class TestWarmStartSibling(TestSandwich):
    """The largest archs alone until step 4, when the channels are sorted."""

    coupling = "sibling"

    def options(self):
        return replace(super().options(), warm_start=0.5)


class TestLargest(TestSandwich):
    name = "largest"


class TestUniform(TestSandwich):
    name = "uniform"


@pytest.mark.slow
class TestUniformSibling(TestUniform):
    coupling = "sibling"


@pytest.mark.slow
class TestUniformPartial(TestUniform):
    coupling = "partial"


class TestProgressive(TestSandwich):
    """Kernels open at step 2, depths at 4, widths at 6, in two steps."""

    name = "progressive"


@pytest.mark.slow
class TestProgressiveSwitchable(TestProgressive):
    norm = "switchable"


@pytest.mark.slow
class TestProgressiveSibling(TestProgressive):
    coupling = "sibling"


class TestProgressivePartial(TestProgressive):
    coupling = "partial"


@pytest.mark.slow
class TestProgressiveOwnLittle(TestSandwichOwnLittle):
    name = "progressive"


@pytest.mark.slow
class TestHybrid(TestSandwich):
    """Kernels open at step 1, depths at 2, widths at 3; the sandwich begins at 4."""

    name = "hybrid"


class TestHybridSibling(TestHybrid):
    coupling = "sibling"


class TestHybridPartial(TestHybrid):
    coupling = "partial"


class _Cells:
    """Instead of sizes: most weights are used by few archs, and the largest contains few."""

    weights = WeightsOptions()

    def supernet(self):
        table = NasBench201.Options(channels=4, cells=1, weights=self.weights)
        pairs = pair_space(build_space(NasBench201, table, 8, 4), self.coupling)
        towers = (
            build_supernet(NasBench201, pairs.space, (0.5,) * 3, (0.2,) * 3, stream(0, "init", role), table)
            for role in pairs.towers
        )
        return PairSupernet(pairs, *towers)


@pytest.mark.slow
class TestUniformCells(_Cells, TestUniform):
    pass


class TestFairCells(_Cells, TestSandwich):
    name = "fair"


class TestFocusFairCells(_Cells, TestSandwich):
    """Beta is trained and killed with the rest; weights are made for each arch, by equal coefficients at first."""

    name = "focus-fair"
    weights = KshotHypernet.Options(dictionary=3, rank=4)


@pytest.mark.slow
class TestFocusFairUib(TestSandwich):
    """Depthwise kernels are mixed; sizes are drawn as in a sandwich."""

    name = "focus-fair"

    def supernet(self):
        table = options_for(
            "space",
            name="uib",
            preset="uib-digits",
            weights=KshotHypernet.Options(dictionary=3, rank=4),
            axes={"depth": [1]},
        )
        pairs = pair_space(build_space(UIB, table, 8, 4))
        return PairSupernet(pairs, build_supernet(UIB, pairs.space, (0.5,) * 3, (0.2,) * 3, stream(0), table))


class TestUniformKshotCells(_Cells, TestUniform):
    weights = Kshot.Options(dictionary=3)


class TestSandwichHypernet(TestSandwich):
    """Sizes, cut out of weights that are made for the arch."""

    def supernet(self):
        table = MobileNet.Options(preset="digits", axes=AXES, weights=KshotHypernet.Options(dictionary=4, rank=4))
        pairs = pair_space(build_space(MobileNet, table, 8, 4))
        return PairSupernet(pairs, build_supernet(MobileNet, pairs.space, (0.5,) * 3, (0.2,) * 3, stream(0), table))


@pytest.mark.slow
class TestSandwichSiblingCells(_Cells, TestSandwichSibling):
    pass


@pytest.mark.slow
class TestCotrainCells(_Cells, TestCotrain):
    pass


class TestProgressiveCells(_Cells, TestProgressive):
    """Operations open with the first phase; nothing is sorted."""
