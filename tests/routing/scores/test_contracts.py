"""Every shipped confidence score passes the contract suite."""

from __future__ import annotations

import pytest

from duonas.core.registry import names
from duonas.testing import ScoreContract


class TestScores(ScoreContract):
    @pytest.fixture(autouse=True, params=names("score"))
    def _name(self, request):
        self.name = request.param

    def score(self):
        return self.name
