"""Every shipped sampler passes the contract suite, for sizes and for operations."""

from __future__ import annotations

import pytest

from duonas.core.couplings import IndependentPairs
from duonas.core.registry import names
from duonas.core.tied import TiedSpace
from duonas.recipe.schema import options_for
from duonas.spaces.mobilenet import PRESETS, MobileNetSpace
from duonas.spaces.nasbench201 import NasBench201
from duonas.testing import SamplerContract
from duonas.training.sampler import make_sampler


class TestSamplers(SamplerContract):
    @pytest.fixture(autouse=True, params=names("sampler"))
    def _named(self, request):
        self.name = request.param

    def space(self):
        return MobileNetSpace(PRESETS["digits"], 8, 4, {"depth": [1, 2], "kernel": [3, 5]})

    def sampler(self, pairs):
        return make_sampler(pairs, options_for("train", sampler=self.name).sampler)


class TestSamplersOfCells(TestSamplers):
    def space(self):
        return NasBench201.space(NasBench201.Options(channels=4, cells=1), 8, 4)


class TestSamplersOfTwoSpaces(TestSamplers):
    """Little has a space of its own, here a tied one with other axes."""

    def couplings(self):
        little = TiedSpace(MobileNetSpace(PRESETS["digits"], 8, 4))
        return [IndependentPairs(self.space(), little)]
