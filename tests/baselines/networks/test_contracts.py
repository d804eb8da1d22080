"""Every shipped baseline passes the contract suite."""

from __future__ import annotations

import pytest

from duonas.baselines.baseline import find_baseline
from duonas.core.registry import names
from duonas.testing import BaselineContract

TINY = "msdnet-exits3-channels4-growth2"


class TestTimm(BaselineContract):
    @pytest.fixture(autouse=True, params=["mobilenetv3_small_050", "resnet10t"])
    def _name(self, request):
        self.name = request.param

    def baseline(self):
        return find_baseline(self.name)


class TestMsdnet(BaselineContract):
    side = 8

    @pytest.fixture(autouse=True, params=[TINY, "msdnet-imagenet-exits4-step1-channels4-growth4"])
    def _name(self, request):
        self.name = request.param

    def baseline(self):
        return find_baseline(self.name)


class TestRanet(BaselineContract):
    side = 9

    def baseline(self):
        return find_baseline("ranet-scales4-step1-channels4-growth2")


class TestBranchynet(BaselineContract):
    side = 16

    def baseline(self):
        return find_baseline("branchynet-mobilenetv3_small_050")


def test_no_baseline_is_left_out():
    assert names("baseline") == ["branchynet", "msdnet", "ranet", "timm"]
