"""What a search can reach is known before it starts."""

from __future__ import annotations

import pytest

from duonas.core.couplings import pair_space
from duonas.core.errors import DuonasError
from duonas.core.rng import stream
from duonas.search.goal import Goal
from duonas.search.prices import Prices
from duonas.search.problem import Problem
from duonas.spaces.uib import UIB

OBJECTIVES = ("accuracy", "expected_macs")


def test_a_memory_that_only_others_than_the_smallest_pairs_keep_is_searched_for():
    """What waits for big need not grow with the archs."""
    pairs = pair_space(UIB.space(UIB.Options(preset="uib-cifar"), 32, 10), "nested")
    prices, name = Prices(pairs), "peak_memory_bytes"
    smallest = min(prices.figures(pair)[name] for pair in pairs.smallest())
    problem = Problem(Goal(OBJECTIVES, {name: smallest - 1}), prices).check()
    assert prices.figures(problem.sample(stream(2)))[name] < smallest
    with pytest.raises(DuonasError, match="cannot be met"):
        Problem(Goal(OBJECTIVES, {name: 1000}), prices).check()
