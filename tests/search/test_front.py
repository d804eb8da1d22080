"""The front: what is chosen, how it is thinned, and its file."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duonas.core.couplings import NestedPairs
from duonas.core.errors import DuonasError
from duonas.core.rng import stream
from duonas.costs.analytic import analytic
from duonas.search.front import Front, knee, most_accurate, nondominated
from duonas.search.front import front as selected
from duonas.search.goal import Goal
from duonas.search.pair_table import PairTable
from duonas.search.prices import Prices
from duonas.search.recombine import Points
from duonas.search.single import Singles
from duonas.spaces.mobilenet import MobileNet

OBJECTIVES = ("accuracy", "expected_macs")


def points(count, noise=0.0):
    """A made-up front that bends, below the cost of big alone, with dominated points above it where there is noise."""
    cost = np.geomspace(1e5, 3e6, count)
    accuracy = 0.9 - 0.4 * np.exp(-2 * np.log10(cost / 1e5)) - noise * stream(0).random(count)
    figures = {"expected_macs": cost, "peak_macs": (cost * 2).round(), "params": cost.round(),
               "peak_memory_bytes": cost.round()}  # fmt: skip
    share = np.linspace(1, 0, count)
    tau = np.where(share == 1, -np.inf, np.where(share == 0, np.inf, 0.5))
    return Points(np.zeros(count, int), np.ones(count, int), np.zeros(count, int), tau, share, accuracy, figures)


def own_table(goal):
    """The two archs of a pair, under a goal."""
    options = MobileNet.Options(preset="cifar", axes={"depth": [1, 2], "kernel": [3, 5], "expansion": [1, 2]})
    pairs = NestedPairs(MobileNet.space(options, 32, 4))
    return PairTable(Prices(pairs), pairs.subnets(pairs.sample(stream(0))), goal)


@pytest.fixture
def table():
    return own_table


def front(points, table, scored_pairs, little=0, big=0):
    """The front where the two archs by themselves answer so many of 100 images right."""
    right = np.arange(100) < np.array([[little], [big]])
    return selected(points, table, Singles(right, table), scored_pairs)


def test_dominated_points_are_dropped_and_the_rest_rises(table):
    found = front(points(200, noise=0.05), table(Goal(OBJECTIVES, {})), 1)
    accuracy = [point.accuracy for point in found.points]
    assert accuracy == sorted(accuracy) and len(set(accuracy)) == len(accuracy) < 200
    assert [p.figures["expected_macs"] for p in found.points] == sorted(
        p.figures["expected_macs"] for p in found.points
    )


def test_at_most_400_points_with_both_ends_and_the_choice(table):
    many = points(3000)
    for goal in (Goal(OBJECTIVES, {}), Goal(OBJECTIVES, {"expected_macs": 1e7})):
        found = front(many, table(goal), 1)
        assert len(found.points) <= 400
        assert found.points[0].accuracy == many.accuracy[0] and found.points[-1].accuracy == many.accuracy[-1]
        figures = np.column_stack([-many.accuracy, many.figures["expected_macs"]])
        index = most_accurate(figures) if goal.constraints else knee(figures)
        assert found.best.accuracy == many.accuracy[index]


def test_under_constraints_the_most_accurate_is_taken_and_of_equals_the_cheapest():
    assert most_accurate(np.array([[-0.8, 1.0], [-0.9, 5.0], [-0.9, 3.0]])) == 2


def test_the_knee_is_where_the_front_bends():
    cost = np.geomspace(1, 1e4, 101)
    accuracy = np.minimum(np.log10(cost) / 2, 1) * 0.5 + np.log10(cost) * 0.01
    assert cost[knee(np.column_stack([-accuracy, cost]))] == pytest.approx(100)


def test_the_front_survives_its_file_as_strict_json(table, tmp_path):
    found = front(points(50), table(Goal(OBJECTIVES, {"expected_macs": 1e7})), 12)
    path = found.save(tmp_path / "front.json")
    assert Front.load(path) == found
    value = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert value["points"][0]["tau"] == "-inf" and value["points"][-1]["tau"] == "inf"
    assert set(value) == {
        "objectives", "constraints", "points", "chosen", "evaluated_archs", "scored_pairs", "hypervolume", "reference",
        "single", "plain", "beaten", "val_images", "alike", "reached",
    }  # fmt: skip


@given(st.integers(0, 100), st.integers(0, 100), st.integers(1, 40), st.integers(0, 10**6))
def test_no_pair_that_a_single_network_beats_is_on_the_front(little, big, count, seed):
    """Unless one beats them all: then the one that loses least by routing is chosen, and the front says so."""
    own, rng = own_table(Goal(OBJECTIVES, {})), stream(seed, "points")
    cost = rng.choice([*own.costs, *rng.uniform(1e5, 1e7, 5)], count)
    share = rng.choice([0.0, 0.3, 0.8, 1.0], count)
    index = np.arange(count)
    drawn = Points(index * 0, index * 0 + 1, index * 0, share, share, rng.integers(0, 101, count) / 100,
                   {"expected_macs": cost})  # fmt: skip
    found = front(drawn, own, 1, little, big)
    networks = list(zip(own.costs, (little / 100, big / 100), strict=True))

    def lost(accuracy, cost):
        slow = float(own.costs[1] <= cost)  # big alone costs no more
        return max((right - accuracy for macs, right in networks if macs <= cost), default=-np.inf) + slow

    every = [lost(*each) for each in zip(drawn.accuracy, cost, strict=True)]
    mine = [lost(point.accuracy, point.figures["expected_macs"]) for point in found.points]
    assert found.beaten == (min(every) >= 0)
    if not found.beaten:
        assert max(mine) < 0 and (not found.warning or "within chance on the 100 val images" in found.warning)
        assert max(point.accuracy for point in found.points) == drawn.accuracy[np.array(every) < 0].max()
        return
    routed = [loss for loss, kept in zip(every, share, strict=True) if 0 < kept < 1]
    assert mine[found.chosen] == min(routed or every) and found.warning
    assert found.plain.figures["macs"] <= found.best.figures["expected_macs"]
    assert found.plain.accuracy >= found.best.accuracy or own.costs[1] <= found.best.figures["expected_macs"]


def one_point(table, accuracy, expected, **figures):
    """A front of one pair, whose networks get 40 and 47 of 100 images right."""
    one, half = np.array([0]), np.array([0.5])
    named = {name: np.array([value]) for name, value in figures.items()} | {"expected_macs": np.array([expected])}
    return front(Points(one, one + 1, one, half, half, np.array([accuracy]), named), table, 1, 40, 47)


def test_a_pair_that_costs_as_much_as_its_own_big_is_beaten_though_it_is_more_accurate(table):
    own = table(Goal(OBJECTIVES, {}))
    big = float(own.costs[1])
    for spent, beaten in ((0.9 * big, False), (big, True), (1.7 * big, True)):
        found = one_point(own, 0.9, spent, big_macs=big)
        assert found.beaten == beaten and ("its own big costs no more alone" in found.warning) == beaten


@pytest.mark.parametrize(("accuracy", "said"), [(0.43, True), (0.6, False)])
def test_a_lead_within_one_standard_error_is_told(accuracy, said, table):
    own = table(Goal(OBJECTIVES, {}))
    found = one_point(own, accuracy, 0.9 * float(own.costs[1]))
    assert not found.beaten and found.plain.accuracy == 0.4
    assert found.warning.startswith("a single network is as good within chance on the 100 val images") == said


def test_single_networks_rise_in_cost_and_accuracy(table):
    own = table(Goal(OBJECTIVES, {}))
    assert own.costs[0] < own.costs[1]
    found = front(points(50), own, 1, 60, 70)
    assert [each.accuracy for each in found.single] == [0.6, 0.7]
    assert [each.figures["macs"] for each in found.single] == own.costs.tolist()
    assert found.single[1].subnet == own.subnets[1] and set(found.single[1].values) == set(found.best.values["big"])
    best = found.best.figures["expected_macs"]
    affordable = [each for each in found.single if each.figures["macs"] <= best]
    assert found.plain == (affordable[-1] if affordable else None)
    assert [each.accuracy for each in front(points(50), own, 1, 70, 60).single] == [0.7]


def test_a_network_that_misses_a_constraint_beats_none_but_its_own_pairs(table):
    goal = Goal(OBJECTIVES, {"weight_bytes": 1.0, "little_macs": 1.0})
    own = table(goal)
    assert not own.alone.any() and table(Goal(OBJECTIVES, {"little_macs": 1.0})).alone.all()
    found = front(points(50), own, 1, 100, 100)
    assert found.single == () and found.plain is None and not found.beaten
    assert max(point.figures["expected_macs"] for point in found.points) < own.costs.min()


def test_archs_are_given_by_the_values_of_their_axes(table, pairs):
    point = front(points(3), table(Goal(OBJECTIVES, {})), 1).to_json()["points"][0]
    assert point["values"]["big"] == {
        name: pairs.space.axes[name].values[i] for name, i in point["pair"]["big"]["choices"].items()
    }


def test_the_hypervolume_is_the_area_under_the_front(table, pairs):
    """Between no image right at the price of two of the largest archs, and all right for nothing."""
    found = front(points(50), table(Goal(OBJECTIVES, {})), 1)
    price = 2 * analytic(pairs.space.blocks(pairs.space.largest())).macs
    assert found.reference == {"accuracy": 0.0, "expected_macs": price}
    cost = np.array([point.figures["expected_macs"] for point in found.points] + [price])
    accuracy = np.array([point.accuracy for point in found.points])
    assert found.hypervolume == pytest.approx((accuracy * np.diff(cost)).sum() / price)
    all_of_them = points(50)
    some = {name: value[::7] for name, value in vars(all_of_them).items() if name != "figures"}
    figures = {name: value[::7] for name, value in all_of_them.figures.items()}
    fewer = front(Points(**some, figures=figures), table(Goal(OBJECTIVES, {})), 1)
    assert fewer.hypervolume < found.hypervolume


@given(st.integers(1, 60), st.integers(1, 3), st.integers(0, 10**6), st.booleans())
def test_what_is_not_dominated_is_brute_force(count, columns, seed, ties):
    points = stream(seed, "pareto").random((count, columns))
    points = points.round(1) if ties else points
    kept = nondominated(points)
    better = [(points <= row).all(1) & (points < row).any(1) for row in points]
    assert {tuple(points[i]) for i in kept} == {tuple(points[i]) for i in range(count) if not better[i].any()}
    assert len(kept) == len({tuple(points[i]) for i in kept})


def test_a_broken_front_is_an_error():
    with pytest.raises(DuonasError, match="not a front"):
        Front.from_json({"points": [{}]})


def test_a_clearly_cheaper_point_that_is_as_good_within_chance_is_named(table):
    """One standard error of 80 % on 100 images is 4 points; a tenth less in cost is not worth naming."""
    cost, accuracy = np.array([1e5, 2e5, 1.5e6, 1.9e6, 2e6]), np.array([0.70, 0.77, 0.78, 0.79, 0.80])
    figures = {"expected_macs": cost, "peak_macs": cost * 2, "params": cost, "peak_memory_bytes": cost}
    share = np.linspace(0.9, 0.1, len(cost))
    given = Points(np.zeros(5, int), np.ones(5, int), np.zeros(5, int), share, share, accuracy, figures)
    own = table(Goal(OBJECTIVES, {"expected_macs": 1e7}))
    found = front(given, own, 1)
    assert (found.chosen, found.alike) == (4, 1)
    assert found.cheaper == (
        "on 100 val images a pair at an expected 200,000 MACs is as good within chance as the chosen one at 2,000,000 "
        "MACs (77% against 80%): a lower [route] budget would take it."
    )
    assert Front.from_json(found.to_json()) == found
    few = {name: values[3:] for name, values in figures.items()}
    near = Points(*(part[3:] for part in (given.little, given.big, given.router, share, share, accuracy)), few)
    assert front(near, own, 1).alike is None and front(near, own, 1).cheaper == ""
    assert front(given, own, 1, 90, 95).alike is None  # a single network beats them all
