"""Every shipped divergence passes the contract suite."""

from __future__ import annotations

import pytest

from duonas.core.registry import names
from duonas.recipe.schema import options_for
from duonas.testing import DivergenceContract
from duonas.training.divergence import make_divergence


class TestDivergences(DivergenceContract):
    @pytest.fixture(autouse=True, params=names("divergence"))
    def _named(self, request):
        self.name = request.param

    def divergence(self, temperature=1.0):
        return make_divergence(options_for("train", divergence=self.name).divergence, temperature)
