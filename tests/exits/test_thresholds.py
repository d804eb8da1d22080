"""Thresholds of several exits: brute force for two, within the budget and no worse than geometric shares for more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duonas.core.rng import stream
from duonas.exits.answers import Exits
from duonas.exits.thresholds import RATIOS, geometric, swept


def drawn(seed, images=60, exits=3, levels=12):
    """Answers of exits that are sure of what they are right on, more so the later; with many equal confidences."""
    rng = stream(seed, "exits")
    sure = rng.integers(0, levels, (images, exits)) / levels
    right = rng.random((images, exits)) < 0.3 + 0.1 * np.arange(exits) + 0.5 * sure
    return Exits(sure.astype(np.float32), right, np.cumsum(rng.integers(1, 90, exits)))


def reached(answers, thresholds):
    leave = answers.leave_at(thresholds)
    return answers.accuracy(leave), answers.mean_macs(leave)


@given(st.integers(0, 10**6), st.floats(0, 1))
@settings(max_examples=12)
def test_for_two_exits_they_are_the_best_there_are(seed, part):
    """Law 10."""
    answers = drawn(seed, exits=2)
    budget = answers.macs[0] + part * (answers.macs[1] - answers.macs[0])
    (found,) = swept(answers, np.array([budget]))
    every = np.append(np.unique(answers.confidence), np.inf)
    known = [reached(answers, [tau]) for tau in every]
    best = max((accuracy, -macs) for accuracy, macs in known if macs <= budget)
    accuracy, macs = reached(answers, found)
    assert (accuracy, -macs) == pytest.approx(best)


@pytest.mark.parametrize("seed", range(3))
def test_for_more_they_keep_the_budget_rise_with_it_and_beat_geometric_shares(seed):
    answers = drawn(seed, images=200, exits=4, levels=50)
    budgets = np.linspace(answers.macs[0], answers.macs[-1], 7)
    found = [reached(answers, each) for each in swept(answers, budgets)]
    shares = [reached(answers, geometric(answers, ratio)) for ratio in RATIOS]
    for (accuracy, macs), budget in zip(found, budgets, strict=True):
        assert macs <= budget
        assert all(accuracy >= other for other, cost in shares if cost <= budget)
    assert found == sorted(found, key=lambda each: each[0]) and found[0][1] == answers.macs[0]


@pytest.mark.parametrize("ratio", [0.3, 1.0, 1.7])
def test_geometric_shares_of_the_images_leave(ratio):
    answers = drawn(0, images=300, exits=4, levels=10**9)  # no two confidences are equal
    shares = answers.shares(answers.leave_at(geometric(answers, ratio)))
    wanted = ratio ** np.arange(1, 5)
    np.testing.assert_allclose(shares, wanted / wanted.sum(), atol=1.01 * 3 / 300)


@given(st.integers(0, 10**6))
@settings(max_examples=10)
def test_cost_and_accuracy_are_the_sum_over_the_images_where_each_leaves(seed):
    """Laws 3 and 6: image by image, and a threshold of +inf lets none leave."""
    answers = drawn(seed, images=9)
    for thresholds in ([0.5, 0.25], [np.inf, -np.inf], [-np.inf, np.inf], [np.inf, np.inf]):
        leave = [
            next((n for n, tau in enumerate(thresholds) if row[n] >= tau and tau < np.inf), 2)
            for row in answers.confidence
        ]
        assert list(answers.leave_at(thresholds)) == leave
        right = sum(answers.right[image, number] for image, number in enumerate(leave))
        cost = sum(int(answers.macs[number]) for number in leave)
        assert reached(answers, thresholds) == pytest.approx((right / 9, cost / 9))
