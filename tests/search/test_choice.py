"""Pairs that are chosen without accuracies: by a metric alone, at an assumed little share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from duonas.core.errors import DuonasError
from duonas.core.rng import stream
from duonas.data.images import Images
from duonas.routing.routers.confidence import Confidence
from duonas.search.choice import alone, choose
from duonas.search.front import Front
from duonas.search.goal import Goal
from duonas.search.options import GivenPair, SearchOptions
from duonas.search.prices import Prices
from duonas.search.problem import Problem
from duonas.search.search import search
from duonas.search.strategies.random import Random
from duonas.search.strategies.zero_cost import ZeroCost, ZeroCostOptions
from duonas.search.untrained import UntrainedNetworks

OWN = str(Path(__file__).parents[2] / "examples" / "own_proxy.py") + ":Contrast"
SHARE = 0.6
BY_SIZE = ZeroCost.Options(share=SHARE, zero_cost=ZeroCostOptions("params", 60))
OBJECTIVES = ("accuracy", "expected_macs", "peak_macs")


def problem(pairs, share=SHARE, **constraints):
    return Problem(Goal(OBJECTIVES, constraints), Prices(pairs, routers=(Confidence(),)), (), share)


@pytest.fixture(scope="module")
def limit(pairs):
    """A limit on the expected MACs at the share that few pairs keep."""
    made = problem(pairs)
    drawn = [made.figures(pairs.sample(stream(0, number)))["expected_macs"] for number in range(50)]
    return float(np.quantile(drawn, 0.3))


@pytest.fixture(scope="module")
def made(pairs, limit):
    return problem(pairs, expected_macs=limit)


@pytest.fixture(scope="module")
def chosen(made):
    return choose(made, BY_SIZE, 3)


def ranks(values):
    """Fewer is better; of equal ones each has the mean."""
    values = np.array(values)
    return [(values > each).sum() + (values == each).sum() / 2 for each in values]


def test_the_pair_is_the_best_by_the_ranks_of_its_networks_weighted_by_the_share(pairs, made, chosen):
    drawn = [each.pair for each in Random(made, BY_SIZE, 3).ask(60)]
    params = [[made.prices.subnet(subnet).params for subnet in pairs.subnets(pair)] for pair in drawn]
    little, big = (ranks(column) for column in zip(*params, strict=True))
    score = SHARE * np.array(little) + (1 - SHARE) * np.array(big)
    assert score[drawn.index(chosen.pair)] == pytest.approx(score.min()) and score.min() < np.median(score)
    learned = chosen.front.strategy
    assert (learned["metric"], learned["ranked"], learned["little_share"]) == ("params", 60, SHARE)
    assert "params alone chose the pair, among 60 drawn pairs" in learned["said"]
    assert "no accuracy is known before the pair is trained" in learned["said"]


def test_constraints_hold_at_the_share_and_not_only_where_little_answers_all(made, limit, chosen):
    costs = [
        made.prices.price(each.pair, made.prices.routers[0]).parts["macs"] for each in Random(made, BY_SIZE, 0).ask(30)
    ]
    assert all(cost.expected(SHARE) <= limit for cost in costs) and any(cost.expected(0) > limit for cost in costs)
    point = chosen.front.best
    assert point.little_share == SHARE and point.figures["expected_macs"] <= limit


def test_limits_that_only_a_larger_share_keeps_are_refused(pairs):
    least = problem(pairs, share=1.0).figures(next(iter(pairs.smallest())))["expected_macs"]
    problem(pairs, share=1.0, expected_macs=least).check()
    with pytest.raises(DuonasError, match=r"needs [\d.,]+k? where little answers 60% of the images"):
        choose(problem(pairs, expected_macs=least), BY_SIZE, 0)


def test_nothing_is_said_of_accuracies_that_nobody_knows(chosen, tmp_path):
    chosen.save(tmp_path)
    front = Front.load(tmp_path / "front.json")
    assert front.to_json() == chosen.front.to_json() and front.is_assumed
    assert np.isnan([front.best.accuracy, front.best.tau, *(each.accuracy for each in front.single)]).all()
    assert (front.warning, front.cheaper, front.plain, front.beaten, front.alike) == ("", "", None, False, None)
    assert "NaN" not in (tmp_path / "front.json").read_text()


def test_plain_networks_are_the_best_by_the_metric_at_each_cost(pairs, made):
    params = {subnet: float(made.prices.subnet(subnet).params) for n in range(40)
              for subnet in pairs.subnets(pairs.sample(stream(0, n)))}  # fmt: skip
    front = alone(made, "params", params)
    allowed = {each: made.prices.subnet(each) for each in params}
    allowed = {each: cost for each, cost in allowed.items() if cost.macs <= made.goal.limit("expected_macs")}
    for subnet, cost in allowed.items():
        assert any(each.figures["macs"] <= cost.macs and each.figures["params"] >= params[subnet] for each in front)
    costs = [(each.figures["macs"], each.figures["params"]) for each in front]
    assert costs == sorted(costs) and len({each for _, each in costs}) == len(costs) > 2
    assert {each.subnet for each in front} <= allowed.keys()


def test_a_fixed_pair_is_taken_and_the_plain_networks_are_of_any_size(pairs):
    options = SearchOptions(strategy="fixed", pair=GivenPair(little={"width": 0.5}), share=SHARE)
    found = choose(problem(pairs), options, 0)
    assert found.pair.big == pairs.space.largest() and len(found.front.single) > 3
    assert "The pair is taken where little answers 60% of the images" in found.front.strategy["said"]
    assert [row["accuracy"] for row in (*found.archs, *found.trials)] == [None] * 3


def test_with_a_trained_supernet_only_the_best_is_evaluated(pairs, evaluator, made, chosen):
    found = search(made, evaluator, BY_SIZE, 3)
    assert len(found.trials) == 1 and set(evaluator.asked) == set(pairs.subnets(chosen.pair))
    assert found.front.best.accuracy > 0 and "no accuracy" not in found.front.strategy["said"]


def test_a_killed_ranking_run_again_computes_no_figure_twice(pairs, made, tmp_path, monkeypatch):
    told, options = [], replace(BY_SIZE, zero_cost=ZeroCostOptions(OWN, 6))
    side = pairs.space.image_size
    pixels = stream(0, "pixels").integers(0, 256, (16, 3, side, side), np.uint8)
    images = Images(torch.from_numpy(pixels), torch.arange(16) % 4)

    def chosen(folder):
        untrained = UntrainedNetworks(images, ((0.5,) * 3, (0.25,) * 3), 0, folder)
        return choose(made, options, 0, lambda done, total, **_: told.append((done, total)), untrained)

    whole = chosen(tmp_path / "whole")
    assert told[0] == (0, 6) and told[-1] == (6, 6) and len(told) > 4
    count, original = [], UntrainedNetworks._computed

    def computed(self, *arguments):
        count.append(1)
        if len(count) == 6:
            raise KeyboardInterrupt
        return original(self, *arguments)

    monkeypatch.setattr(UntrainedNetworks, "_computed", computed)
    with pytest.raises(KeyboardInterrupt):
        chosen(tmp_path / "killed")
    assert chosen(tmp_path / "killed") == whole
    assert len(count) == len(list((tmp_path / "whole").iterdir())) + 1 + 2  # the killed one, and two rehearsals


def test_an_own_metric_that_gives_no_number_is_refused_before_anything_is_ranked(made, tmp_path):
    (tmp_path / "own.py").write_text(
        "from duonas.search.proxy import Proxy\nclass Odd(Proxy):\n    def of(self, network, images, labels):\n"
        "        return float('nan')\n"
    )
    options = replace(BY_SIZE, zero_cost=ZeroCostOptions(f"{tmp_path}/own.py:Odd", 5))
    with pytest.raises(DuonasError, match=r"metric .*own.py:Odd: value\(\) must return one finite number, got nan"):
        choose(made, options, 0)
