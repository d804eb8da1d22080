"""A search that starts from what another run found."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest

import duonas
from duonas.core.couplings import pair_space
from duonas.core.errors import DuonasError
from duonas.core.files import read_json, write_json
from duonas.core.rng import stream
from duonas.pipeline.warm import pairs_of_run, warm_start
from duonas.search.front import Front, FrontPoint
from duonas.search.goal import Goal
from duonas.search.prices import Prices
from duonas.search.problem import Problem
from duonas.search.strategies.evolution import Evolution, EvolutionOptions
from duonas.search.strategies.nsga2 import Nsga2
from duonas.spaces.mobilenet import MobileNet

GOAL = Goal(("accuracy", "expected_macs"), {})
FIGURES = {"expected_macs": 1e5, "peak_macs": 2e5}


def space(**narrow):
    return pair_space(MobileNet.space(MobileNet.Options(preset="digits", axes=narrow), 8, 10), "nested")


@pytest.fixture(scope="module")
def pairs():
    return space(depth=[1, 2], kernel=[3], expansion=[1, 2])


@pytest.fixture(scope="module")
def found(pairs):
    return list(dict.fromkeys(pairs.sample(stream(seed)) for seed in range(6)))


@pytest.fixture
def other(pairs, found, tmp_path):
    """A run with these pairs on its front."""

    def point(pair):
        values = {"little": pairs.space.values(pair.little), "big": pairs.space.values(pair.big)}
        return FrontPoint(pair, values, 0.5, 0.5, 0.8, "confidence", "after_little", FIGURES)

    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "recipe.toml").write_text("")
    points = tuple(map(point, found))
    Front(GOAL.objectives, {}, points, 0, 9, 9, 0.5, {"accuracy": 0.0}).save(folder / "front.json")
    return folder


def test_the_pairs_of_a_front_are_found_by_their_values(other, pairs, found):
    assert pairs_of_run(other, pairs) == found
    wider = space(depth=[1, 2], kernel=[3, 5], expansion=[1, 2, 4])
    again = pairs_of_run(other, wider)
    assert [wider.space.values(pair.big) for pair in again] == [pairs.space.values(pair.big) for pair in found]
    least = pairs.space.smallest()
    deeper = pairs.space.changed(least, "stage1.depth", 1)
    narrow = space(depth=[1, 2], kernel=[3], expansion=[1], width=[pairs.space.value(least, "stage1.width")])
    front = read_json(other / "front.json")
    front["points"][0]["values"] = {"little": pairs.space.values(least), "big": pairs.space.values(deeper)}
    write_json(other / "front.json", front)
    few = pairs_of_run(other, narrow)
    assert narrow.contains(few[0]) and len(few) < len(found)  # the others are left out


def test_what_is_no_start_is_refused(other, tmp_path):
    with pytest.raises(DuonasError, match=r"none of the 6 pairs on the front of .*other is one of this search space"):
        pairs_of_run(other, space(kernel=[5]))
    (other / "front.json").unlink()
    with pytest.raises(DuonasError, match="has no front yet: finish `duonas search"):
        pairs_of_run(other, space())
    with pytest.raises(DuonasError, match="is not a run"):
        pairs_of_run(tmp_path / "nothing", space())


def test_a_run_that_has_begun_needs_the_other_one_no_more(other, pairs, found, tmp_path):
    recipe = duonas.load_recipe("digits", [f"search.warm_start={other}"])
    run = SimpleNamespace(warm=tmp_path / "warm.json", writes=True)
    assert warm_start(recipe, pairs, run) == found
    shutil.rmtree(other)
    assert warm_start(recipe, pairs, run) == found
    assert warm_start(duonas.load_recipe("digits"), pairs, run) == []


def test_strategies_begin_with_them(pairs, found):
    problem = Problem(GOAL, Prices(pairs), found)
    for strategy in (
        Nsga2(problem, Nsga2.Options(population=12), 0),
        Evolution(problem, Evolution.Options(evolution=EvolutionOptions(population=12)), 0),
    ):
        asked = [candidate.pair for candidate in strategy.ask(12)]
        assert set(found) <= set(asked) and len(set(asked)) == 12
    few = Nsga2(problem, Nsga2.Options(population=4), 0).ask(4)
    assert len({each.pair for each in few} & set(found)) >= 2
    assert not {each.pair for each in few} <= set(found)
