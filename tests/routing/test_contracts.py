"""Every router passes the contract suite."""

from __future__ import annotations

import pytest

from duonas.core.options import RouteOptions
from duonas.routing.confidence import SCORES
from duonas.routing.routers import make_router
from duonas.testing import RouterContract


@pytest.fixture(autouse=True, params=[*SCORES, "best"])
def score(request):
    return request.param


class TestConfidence(RouterContract):
    @pytest.fixture(autouse=True)
    def _options(self, score):
        self.options = RouteOptions(score=score)

    def router(self):
        return make_router(self.options)
