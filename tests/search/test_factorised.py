"""The best pairs and thresholds equal brute force over all of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from duonas.core.pareto import nondominated
from duonas.core.rng import stream
from duonas.routing.threshold import keeps_little, steps, sweep
from duonas.search.factorised import Answers, best_within, recombine
from duonas.search.goal import Goal
from duonas.search.prices import Pricer, PriceRow, PriceTable


@given(st.integers(1, 30), st.integers(1, 6), st.integers(0, 10**6), st.booleans())
@example(images=6, bigs=5, seed=5, ties=False)  # a big that costs nothing on top, at a budget of exactly its price
@settings(deadline=None, max_examples=100)
def test_best_within_is_brute_force(images, bigs, seed, ties):
    rng = stream(seed, "best")
    score = rng.random(images).astype(np.float32)
    score = score.round(1) if ties else score
    score[rng.random(images) < 0.1] = np.nan
    little, big = rng.random(images) < 0.6, rng.random((bigs, images)) < 0.8
    prices = PriceRow(np.arange(bigs), rng.integers(10, 60, bigs), rng.integers(0, 500, bigs), {})
    levels = np.append(rng.uniform(0, 600, 9), [prices.least.min(), (prices.least + prices.extra).max()])
    correct, kept = best_within(steps(score), little.astype(np.int8), big.astype(np.int8), prices, levels)
    for column in range(bigs):
        curve = sweep(score, little, big[column])
        expected = prices.take(np.array([column])).expected(curve.little_share)
        for row, level in enumerate(levels):
            open_to = np.flatnonzero(expected <= level)
            if len(open_to) == 0:
                assert correct[row, column] == -1
                continue
            most = curve.correct[open_to].max()
            cheapest = open_to[curve.correct[open_to] == most][-1]
            assert correct[row, column] == most
            assert kept[row, column] == round(curve.little_share[cheapest] * images)


def setting(pairs, count=14, images=12, seed=0):
    """A few archs with drawn answers: few images, so that equal accuracies are common."""
    rng = stream(seed, "setting")
    drawn = [pairs.sample(rng) for _ in range(count)]
    subnets = list(dict.fromkeys(subnet for pair in drawn for subnet in pairs.subnets(pair)))
    table = PriceTable(Pricer(pairs), subnets)
    right = 0.5 + 0.4 * (table.macs / table.macs.max())[:, None] ** 0.3
    correct = (rng.random((len(subnets), images)) < right).astype(np.int8)
    return table, Answers(correct, rng.random((len(subnets), images)).astype(np.float32))


def everything(table, answers, goal):
    """Every allowed pair at every threshold: (little, big, tau, minimised objectives...)."""
    found, figures = [], []
    for little in range(len(table.subnets)):
        row = table.row(little, goal)
        for place, big in enumerate(row.bigs):
            curve = sweep(answers.score[little], answers.correct[little], answers.correct[big])
            one = row.take(np.array([place]))
            values = {"accuracy": -curve.accuracy, "expected_macs": one.expected(curve.little_share)}
            values |= {name: np.full(len(curve.tau), figure[0], float) for name, figure in one.figures.items()}
            within = values["expected_macs"] <= goal.budget
            figures.append(np.column_stack([values[name][within] for name in goal.objectives]))
            found += [(little, int(big), tau) for tau in curve.tau[within]]
    return found, np.concatenate(figures)


GOALS = [
    Goal(("accuracy", "expected_macs"), {}),
    Goal(("accuracy", "expected_macs"), {"expected_macs": 1.5e6}),
    Goal(("accuracy", "expected_macs", "peak_macs"), {}),
    Goal(("accuracy", "peak_macs"), {"expected_macs": 2e6, "params": 6e4}),
    Goal(("accuracy", "expected_macs", "params", "peak_memory_bytes"), {}),
    Goal(("accuracy",), {"peak_macs": 8e6}),
]


@pytest.mark.parametrize("goal", GOALS, ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_no_pair_at_no_threshold_dominates_a_winner(goal, seed, pairs):
    table, answers = setting(pairs, seed=seed)
    points, scored = recombine(table, answers, goal)
    _, every = everything(table, answers, goal)
    mine = {"accuracy": -points.accuracy, **points.figures}
    chosen = np.column_stack([mine[name] for name in goal.objectives])
    assert scored == sum(len(table.row(little, goal).bigs) for little in range(len(table.subnets)))
    front = every[nondominated(every)]
    for row in chosen:
        assert not ((every <= row).all(1) & (every < row).any(1)).any()
    best = chosen[nondominated(chosen)]
    assert best[:, 0].min() == front[:, 0].min()
    if goal.objectives == ("accuracy", "expected_macs"):
        assert best[:, 1].min() == front[:, 1].min()


@pytest.mark.parametrize("goal", GOALS[:3], ids=str)
def test_within_any_budget_the_best_of_the_front_is_the_best_of_all(goal, pairs):
    table, answers = setting(pairs, images=40)
    points, _ = recombine(table, answers, goal)
    _, every = everything(table, answers, goal)
    for budget in np.geomspace(points.figures["expected_macs"].min(), points.figures["expected_macs"].max(), 20):
        mine = points.accuracy[points.figures["expected_macs"] <= budget].max()
        best = -every[every[:, 1] <= budget, 0].min()
        # Budgets between two levels may cost one level: 256 of them.
        assert mine >= best - 2 / 40
    assert points.accuracy.max() == -every[:, 0].min()


def test_the_points_are_what_routing_gives(pairs):
    goal = GOALS[2]
    table, answers = setting(pairs, images=30)
    points, _ = recombine(table, answers, goal)
    assert len(points.tau) > 5
    for index, (little, big) in enumerate(zip(points.little, points.big, strict=True)):
        stays = keeps_little(answers.score[little], points.tau[index])
        right = np.where(stays, answers.correct[little], answers.correct[big])
        assert (points.little_share[index], points.accuracy[index]) == (stays.mean(), right.mean())
        cost = table.pricer.parts(table.pair(little, big))
        assert points.figures["expected_macs"][index] == cost.expected(stays.mean())
        assert points.figures["peak_macs"][index] == cost.peak >= points.figures["expected_macs"][index]


def test_chunks_change_nothing(pairs, monkeypatch):
    table, answers = setting(pairs, images=30)
    whole, _ = recombine(table, answers, GOALS[2])
    monkeypatch.setattr("duonas.search.factorised.CHUNK", 3)
    parts, _ = recombine(table, answers, GOALS[2])
    for name in ("little", "big", "tau", "accuracy"):
        assert (getattr(whole, name) == getattr(parts, name)).all()
