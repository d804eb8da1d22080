"""Objectives and constraints are checked before anything is evaluated."""

from __future__ import annotations

import re

import pytest

from duonas.core.couplings import NestedPairs
from duonas.core.errors import DuonasError
from duonas.core.pair import Subnet
from duonas.core.rng import stream
from duonas.recipe.schema import options_for
from duonas.routing.routers.confidence import Confidence
from duonas.search.goal import Goal
from duonas.search.metric import metrics
from duonas.search.options import SearchOptions
from duonas.search.prices import Prices
from duonas.search.problem import Problem
from duonas.spaces.mobilenet import MobileNet

OBJECTIVES = ("accuracy", "expected_macs")
ROUTERS = (Confidence("margin"),)


@pytest.mark.parametrize(
    ("objectives", "constraints", "message"),
    [
        (("accuracy", "expected_mac"), {}, "did you mean 'expected_macs'"),
        (("accuracy", "accuracy"), {}, "twice"),
        (("params",), {}, "must include 'accuracy'"),
        (OBJECTIVES, {"peak_mac": 1.0}, "did you mean 'peak_macs'"),
        (OBJECTIVES, {"latency": 1.0}, "no constraint 'latency'"),
        (OBJECTIVES, {"accuracy": 0.9}, "no constraint 'accuracy'"),
    ],
)
def test_a_goal_that_makes_no_sense_is_refused(objectives, constraints, message, pairs, evaluator, search):
    options = SearchOptions(objectives=objectives, constraints=constraints)
    with pytest.raises(DuonasError, match=message):
        search(pairs, evaluator, options, ROUTERS, 0)
    assert evaluator.asked == []


KNOWN_BEFORE = [  # of which a limit is the most that is allowed
    name for name, metric in metrics().items()
    if metric.bounded and not metric.late and metric.direction == "min" and metric.quantity in (None, "macs")
]  # fmt: skip


@pytest.mark.parametrize("name", KNOWN_BEFORE)
def test_a_constraint_below_the_smallest_pair_says_what_is_possible(name, pairs, evaluator, search):
    with pytest.raises(DuonasError, match=f"{name} = 1 cannot be met") as caught:
        search(pairs, evaluator, options_for("search", constraints={name: 1.0}), ROUTERS, 0)
    assert evaluator.asked == []
    least = float(re.findall(r"(?:needs|is) ([\d.,]*\d)", str(caught.value))[-1].replace(",", ""))
    problem = Problem(Goal(OBJECTIVES, {name: least}), Prices(pairs)).check()
    pair = problem.sample(stream(0))
    assert problem.figures(pair)[name] == least


def test_constraints_that_exclude_each_other_are_refused(pairs, evaluator, search):
    price = Prices(pairs)
    space = pairs.space
    least_params = min(price.subnet(Subnet(big)).params for big in space.neighbours(space.smallest()))
    least_macs = min(price.subnet(Subnet(big)).macs for big in space.neighbours(space.smallest()))
    assert least_params < least_macs
    both = {"params": float(least_params), "big_macs": float(least_macs)}
    if any(
        price.subnet(Subnet(big)).params <= least_params and price.subnet(Subnet(big)).macs <= least_macs
        for big in space.neighbours(space.smallest())
    ):
        Problem(Goal(OBJECTIVES, both), price).check().sample(stream(0))
    else:
        with pytest.raises(DuonasError, match="meets all constraints together"):
            search(pairs, evaluator, options_for("search", constraints=both), ROUTERS, 0)


def test_sampled_pairs_are_allowed_and_feasible_however_rare(pairs):
    price = Prices(pairs)
    rng = stream(1)
    sizes = sorted(price.figures(pairs.sample(rng))["big_macs"] for _ in range(100))
    least = min(price.subnet(Subnet(big)).macs for big in pairs.space.neighbours(pairs.space.smallest()))
    assert sizes[0] > 1.3 * least
    for limit in (1.3 * least, sizes[10], sizes[-1] * 2):
        problem = Problem(Goal(OBJECTIVES, {"big_macs": limit}), price)
        drawn = [problem.sample(rng) for _ in range(10)]
        assert all(pairs.contains(pair) and price.figures(pair)["big_macs"] <= limit for pair in drawn)
        assert len(set(drawn)) > 5


def test_a_first_generation_is_spread_over_the_sizes(pairs):
    price = Prices(pairs)
    spread = Problem(Goal(OBJECTIVES, {}), price).spread(20, stream(2))
    sizes = sorted(price.subnet(Subnet(pair.big)).macs for pair in spread)
    assert len(set(spread)) == len(spread) == 20 and all(map(pairs.contains, spread))
    assert sizes[-1] == price.subnet(Subnet(pairs.space.largest())).macs
    assert sizes[-1] / sizes[0] > 10


@pytest.mark.parametrize("name", ["peak_macs", "params", "big_macs"])
def test_a_constraint_that_leaves_one_pair_finds_it(name, pairs, evaluator, search):
    least = Problem(Goal(OBJECTIVES, {name: 1.0}), Prices(pairs)).lowest(name)
    options = options_for("search", constraints={name: least}, evaluations=4, population=4)
    result = search(pairs, evaluator, options, ROUTERS, 0)
    assert all(trial.get(name, least) <= least for trial in result.trials) and result.trials


def test_a_space_without_a_pair_is_refused_at_once():
    axes = {"width": [1.0], "depth": [1], "kernel": [3], "expansion": [1], "resolution": [8]}
    alone = NestedPairs(MobileNet.space(MobileNet.Options(preset="digits", axes=axes), 8, 4))
    with pytest.raises(DuonasError, match=r"no allowed nested pair: widen \[space.axes\]"):
        Problem(Goal(OBJECTIVES, {}), Prices(alone)).check()
