"""Every router passes the contract suite at each of its positions."""

from __future__ import annotations

import pytest

from duonas.core.options import LearnedOptions, RouteOptions
from duonas.routing.routers.confidence import SCORES
from duonas.routing.routers.make import ROUTERS, make_router
from duonas.testing import RouterContract

CASES = {
    **{f"confidence {score}": RouteOptions(score=score) for score in (*SCORES, "best")},
    **{
        f"{name} {position}": RouteOptions(router=name, position=position, learned=LearnedOptions(steps=30))
        for name in ("learned", "difficulty", "window", "random")
        for position in ROUTERS[name].positions
    },
}


class TestRouters(RouterContract):
    @pytest.fixture(autouse=True, params=CASES, ids=lambda name: name.replace(" ", "-"))
    def _options(self, request):
        self.options = CASES[request.param]

    def router(self):
        return make_router(self.options)


def test_no_router_is_left_out():
    assert {options.router for options in CASES.values()} == set(ROUTERS)
