"""Splines find the top of a smooth surface in few evaluations, and refuse what they cannot interpolate."""

from __future__ import annotations

import numpy as np
import pytest

from duonas.core.couplings import pair_space
from duonas.core.errors import DuonasError
from duonas.core.trial import Point, Trial
from duonas.search.goal import Goal
from duonas.search.prices import Prices
from duonas.search.problem import Problem
from duonas.search.strategies.splines import Splines
from duonas.spaces.mobilenet import MobileNet
from duonas.spaces.nasbench201 import NasBench201

GOAL = Goal(("accuracy",), {})


def problem():
    return Problem(GOAL, Prices(pair_space(MobileNet.space(MobileNet.Options(preset="digits"), 8, 10), "sibling")))


def test_the_tops_of_a_smooth_surface_are_better_than_all_of_its_design():
    given = problem()
    strategy = Splines(given, Splines.Options(evaluations=60), 0)
    dimensions = len(strategy._dimensions)
    aim = np.linspace(0.2, 0.8, dimensions)

    def height(pair):
        return 0.9 - float(((strategy._coordinates(pair) - aim) ** 2).mean())

    reached = []
    while len(reached) < 2 * dimensions + 3:
        candidates = strategy.ask(40)
        points = [Point(0.0, height(each.pair), 0, {}) for each in candidates]
        strategy.tell([Trial(each, at, at, {}, {}) for each, at in zip(candidates, points, strict=True)])
        reached += [at.accuracy for at in points]
    assert len(reached) == 2 * dimensions + 3
    assert max(reached[-2:]) > max(reached[:-2])


def test_what_cannot_be_interpolated_is_refused():
    with pytest.raises(DuonasError, match=r"needs at least \d+ evaluations for the \d+ dimensions of this space"):
        Splines(problem(), Splines.Options(evaluations=4), 0)
    cells = pair_space(NasBench201.space(NasBench201.Options(), 32, 10), "nested")
    with pytest.raises(DuonasError, match="whose choices are sizes, not operations"):
        Splines(Problem(GOAL, Prices(cells)), Splines.Options(), 0)
