"""Routers by name, by file, and what cannot be one."""

from __future__ import annotations

import numpy as np
import pytest

from duonas.core.errors import DuonasError
from duonas.core.registry import names, summary
from duonas.recipe.schema import options_for
from duonas.routing.route import scores
from duonas.routing.router import Router, make_router, read_router, write_router
from duonas.routing.routers.learned import LearnedOptions

OWN = """
from dataclasses import dataclass
from duonas import Router

@dataclass(frozen=True)
class Mine(Router):
    factor: float = 2.0
    positions = ("after_little",)

    def judge(self, described):
        return described[:, 0] * self.factor

    def to_json(self):
        return {"factor": self.factor}

NOTHING = 3
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "mine.py").write_text(OWN)
    return tmp_path / "mine.py"


def test_every_router_is_described_and_is_named_as_it_says():
    assert all(summary("router", name) for name in names("router"))
    assert all(make_router(options_for("route", router=name)).name == name for name in names("router"))


def test_ones_own_is_found_again_by_what_the_policy_says(own):
    router = make_router(options_for("route", router=f"{own}:Mine"))
    written = write_router(router)
    assert written == {"kind": f"{own}:Mine", "position": "after_little", "factor": 2.0}
    assert write_router(read_router(written | {"factor": 3.0})) == written | {"factor": 3.0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"router": "oracle"},
            "'oracle': it reads the labels, .* choose from confidence, difficulty, learned, random, ",
        ),
        ({"router": "lerned"}, "has no choice 'lerned': did you mean 'learned'"),
        ({"router": "nowhere.py:Mine"}, r"\[route\] router nowhere\.py:Mine: there is no file nowhere\.py"),
        ({"router": "{own}:Mein"}, "does not define 'Mein': did you mean 'Mine'"),
        ({"router": "{own}:NOTHING"}, r"NOTHING is not a subclass of duonas\.routing\.router\.Router"),
        (
            {"router": "{own}:Mine", "position": "stem"},
            "mine.py:Mine' does not support position 'stem': choose from aft",
        ),
        ({"router": "difficulty", "position": "after_little"}, "does not support position .* choose from input, stem"),
        ({"router": "difficulty", "statistic": "edgse"}, "statistic has no choice 'edgse': did you mean 'edges'"),
        ({"router": "learned", "learned": LearnedOptions(warm_start=False)}, "leaves the router untrained: set refine"),
    ],
)
def test_what_cannot_be_made_is_said(options, message, own):
    options["router"] = options["router"].format(own=own)
    with pytest.raises(DuonasError, match=message):
        make_router(options_for("route", **options))


WRONG = """
import torch
from duonas.routing.router import Router

class NoPlace(Router):
    def judge(self, described):
        return described[:, 0]

class Misplaced(NoPlace):
    positions = ("imput",)

class Shapeless(Router):
    positions = ("after_little",)
    def judge(self, described):
        return described
"""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("NoPlace", r"positions must be a tuple of input, stem, after_little, got \(\)"),
        ("Misplaced", r"positions must be a tuple of input, stem, after_little, got \('imput',\)"),
        ("Router", "it does not define judge"),
    ],
)
def test_what_an_own_router_lacks_is_said_before_any_work(tmp_path, name, message):
    (tmp_path / "mine.py").write_text(WRONG)
    with pytest.raises(DuonasError, match=message):
        make_router(options_for("route", router=f"{tmp_path / 'mine.py'}:{name}"))


def test_an_own_router_gives_one_score_an_image_and_renames_nobody(tmp_path):
    (tmp_path / "mine.py").write_text(WRONG)
    router = make_router(options_for("route", router=f"{tmp_path / 'mine.py'}:Shapeless"))
    assert router.name.endswith("mine.py:Shapeless") and Router.name == "router"
    with pytest.raises(DuonasError, match=r"must return one score per image, \(5,\), got \(5, 3\)"):
        scores(router, np.zeros((5, 3), np.float32))
