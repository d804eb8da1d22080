"""The front: what is chosen, how it is thinned, and its file."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duonas.core.errors import DuonasError
from duonas.core.rng import stream
from duonas.costs.analytic import analytic
from duonas.search.front import Front, front, knee, most_accurate, nondominated
from duonas.search.goal import Goal
from duonas.search.prices import PairTable, Prices
from duonas.search.recombine import Points

OBJECTIVES = ("accuracy", "expected_macs")


def points(count, noise=0.0):
    """A made-up front that bends, with dominated points above it where there is noise."""
    cost = np.geomspace(1e5, 1e7, count)
    accuracy = 0.9 - 0.4 * np.exp(-2 * np.log10(cost / 1e5)) - noise * stream(0).random(count)
    figures = {"expected_macs": cost, "peak_macs": (cost * 2).round(), "params": cost.round(),
               "peak_memory_bytes": cost.round()}  # fmt: skip
    share = np.linspace(1, 0, count)
    tau = np.where(share == 1, -np.inf, np.where(share == 0, np.inf, 0.5))
    return Points(np.zeros(count, int), np.ones(count, int), np.zeros(count, int), tau, share, accuracy, figures)


@pytest.fixture
def table(pairs):
    """The two archs of a pair, under a goal."""
    pair = pairs.sample(stream(0))
    return lambda goal: PairTable(Prices(pairs), pairs.subnets(pair), goal)


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
        "objectives", "constraints", "points", "chosen", "evaluated_archs", "scored_pairs", "hypervolume", "reference"
    }  # fmt: skip


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
