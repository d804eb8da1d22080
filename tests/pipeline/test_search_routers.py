"""A run takes the router that its search chose."""

from __future__ import annotations

import json

import pytest

import duonas
from duonas.core.errors import DuonasError
from duonas.routing.policy import Policy
from duonas.search.front import Front

QUICK = ["train.epochs=2", "train.batch_size=64", "search.evaluations=6", "search.population=3",
         "search.recalibration_images=64", "space.axes={depth = [1, 2], kernel = [3], expansion = [1, 2]}"]  # fmt: skip


OWN = """
import torch
from duonas import Router

class AtStem(Router):
    '''Knows for each channel of the stem how it is when little is right.'''

    positions = ("stem",)

    def __init__(self, weight=()):
        self.weight = list(weight)

    def describe(self, seen):
        return seen.mean((2, 3))

    def judge(self, described):
        return described @ torch.tensor(self.weight)

    def fit(self, described, answers, rng):
        right = torch.from_numpy(answers.little_right)
        return AtStem((described[right].mean(0) - described[~right].mean(0)).tolist())

    def to_json(self):
        return {"weight": self.weight}
"""


@pytest.fixture
def at_stem(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    return f"{tmp_path / 'own.py'}:AtStem"


def test_the_router_of_the_chosen_point_is_calibrated(tmp_path, at_stem):
    trained = None
    for routers in ([at_stem], ["confidence", f"{at_stem}@stem"]):
        recipe = duonas.load_recipe("digits", [*QUICK, f"search.routers={json.dumps(routers)}"])
        trained = duonas.run(recipe, tmp_path / str(len(routers)), until="route", supernet=trained)
        best = Front.load(trained / "front.json").best
        router = Policy.load(trained / "pair" / "policy.json").router
        assert (router.name, router.position) == (best.router, best.position)
        assert best.router == at_stem or len(routers) > 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (['search.routers=["confidence", "randem"]'], "routers has no choice 'randem': did you mean 'random'"),
        (['search.routers=["{at_stem}@input"]'], r"has no position 'input'; choose from .*own\.py:AtStem@stem"),
        (['search.routers=["{at_stem}"]', "finetune.mode=independent"], "'independent' splits"),
    ],
)
def test_a_router_that_cannot_be_is_refused_before_any_work(settings, message, tmp_path, at_stem):
    with pytest.raises(DuonasError, match=message):
        duonas.run(
            duonas.load_recipe("digits", [*QUICK, *(each.format(at_stem=at_stem) for each in settings)]),
            tmp_path / "run",
        )
    assert not (tmp_path / "run" / "recipe.toml").exists()
