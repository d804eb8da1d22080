"""The curve on the test images, and where a pair is above it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from duonas.core.cost import PairCost
from duonas.core.rng import stream
from duonas.exits.against import RoutedPair, _where, against
from duonas.exits.answers import Exits
from duonas.exits.curve import at_budget, measure_curve


def drawn(name, images=300):
    rng = stream(0, name)
    sure = rng.random((images, 3)).astype(np.float32)
    right = rng.random((images, 3)) < 0.2 + 0.15 * np.arange(3) + 0.4 * sure
    return Exits(sure, right, np.array([100, 250, 400]))


CALIB, TEST = drawn("calib"), drawn("test")
CURVE = measure_curve(CALIB, TEST)


def test_test_labels_change_no_threshold():
    """Law 9."""
    poisoned = measure_curve(CALIB, replace(TEST, right=~TEST.right))
    for before, after in zip(CURVE.budgeted + CURVE.geometric, poisoned.budgeted + poisoned.geometric, strict=True):
        assert before.thresholds == after.thresholds and before.shares == after.shares
        assert after.accuracy == pytest.approx(1 - before.accuracy)


def test_its_ends_are_the_first_and_the_last_exit():
    assert CURVE.anytime == tuple(TEST.right.mean(0))
    assert CURVE.budgeted[0].macs == 100 and CURVE.budgeted[0].accuracy == CURVE.anytime[0]
    assert CURVE.budgeted[-1].chosen_macs <= 400
    assert at_budget(99, CALIB, TEST) is None and at_budget(180, CALIB, TEST).chosen_macs <= 180


@pytest.mark.parametrize(
    ("gap", "ranges"),
    [
        ([1, 1, 1], [(0, 20)]),
        ([-1, 1, -1], [(5, 15)]),
        ([1, -1, 1], [(0, 5), (15, 20)]),
        ([0, 0, 0], []),
        ([-1, -1, -1], []),
        ([0, 1, 0], [(0, 20)]),
    ],
)
def test_where_a_line_is_above_zero(gap, ranges):
    assert _where(np.array([0.0, 10.0, 20.0]), np.array(gap, float)) == ranges


def pair(little, big, cost):
    """A pair that sends every second image to big; its thresholds send all, half or none."""
    score = np.tile([0.2, 0.8], 150)
    return RoutedPair.of((score, little, big), score >= 0.5, [np.inf, 0.5, -np.inf], cost, 200.0)


def test_a_pair_that_is_always_right_is_better_throughout_and_one_that_never_is_nowhere():
    cost, always = PairCost(stem=0, router=0, little=120, big=200), np.ones(300, bool)
    best = against("net", CURVE, CALIB, TEST, pair(always, always, cost))
    assert best["range"] == (120, 320) and best["better"] == [(120, 320)] and best["worse"] == []
    assert best["sentence"].startswith("At equal mean cost, from 120 to 320 MACs, the pair is more accurate than net")
    assert best["at_pair"]["chosen_macs"] <= 200 and best["at_pair"]["pair_minus_this"][0] > 0
    worst = against("net", CURVE, CALIB, TEST, pair(~always, ~always, cost))
    assert (
        worst["worse"] == [(120, 320)]
        and "nowhere more accurate than net, and less accurate at 120 to 320" in (worst["sentence"])
    )


def test_where_the_costs_have_nothing_in_common_it_says_so():
    always = np.ones(300, bool)
    cheap = pair(always, always, PairCost(stem=0, router=0, little=10, big=20))
    found = against("net", CURVE, CALIB, TEST, replace(cheap, expected_macs=20.0))
    assert found["range"] is None and found["at_pair"] is None
    assert found["sentence"] == (
        "net takes 100 MACs at its first exit, more than the pair at its dearest (30): there is no mean cost at which "
        "both could be compared."
    )
    dear = against("net", CURVE, CALIB, TEST, pair(always, always, PairCost(stem=0, router=0, little=500, big=20)))
    assert "at its dearest, less than the pair at its cheapest (500)" in dear["sentence"]


def test_one_cost_that_both_have_is_no_range():
    always = np.ones(300, bool)
    found = against("net", CURVE, CALIB, TEST, pair(always, always, PairCost(stem=0, router=0, little=50, big=50)))
    assert found["range"] == (100, 100) and found["better"] == [(100, 100)]
    assert found["sentence"].startswith(
        "At equal mean cost, at 100 MACs, the pair is more accurate than net throughout"
    )
