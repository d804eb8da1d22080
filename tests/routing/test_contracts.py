"""Every router passes the contract suite at each of its positions."""

from __future__ import annotations

import pytest

from duonas.core.registry import find, names
from duonas.recipe.schema import options_for
from duonas.routing.router import make_router
from duonas.testing import RouterContract

KEYS = {"learned": {"learned": {"steps": 30}}}
CASES = {
    **{f"confidence {score}": options_for("route", score=score) for score in ("margin", "best")},
    **{
        f"{name} {position}": options_for("route", router=name, position=position, **KEYS.get(name, {}))
        for name in ("learned", "difficulty", "window", "random")
        for position in find("router", name).positions
    },
}


class TestRouters(RouterContract):
    @pytest.fixture(autouse=True, params=CASES, ids=lambda name: name.replace(" ", "-"))
    def _options(self, request):
        self.options = CASES[request.param]

    def router(self):
        return make_router(self.options)


def test_no_router_is_left_out():
    assert {options.router for options in CASES.values()} == set(names("router"))
