"""Every shipped baseline passes the contract suite."""

from __future__ import annotations

import pytest

from duonas.baselines.baseline import find_baseline
from duonas.core.registry import names
from duonas.testing import BaselineContract


class TestTimm(BaselineContract):
    @pytest.fixture(autouse=True, params=["mobilenetv3_small_050", "resnet10t"])
    def _name(self, request):
        self.name = request.param

    def baseline(self):
        return find_baseline(self.name)


def test_no_baseline_is_left_out():
    assert names("baseline") == ["timm"]
