"""The figure of the front: drawn by what the search minimised."""

from __future__ import annotations

import pytest

from duonas.report.figures.choices import choices
from duonas.report.figures.search import front, reached


def point(number):
    return {
        "accuracy": 0.5 + number / 100, "little_share": 0.5, "tau": 0.3, "params": 1e5, "expected_macs": 1e6 * number,
        "peak_macs": 2e6 * number, "expected_latency_ms": 3.0 / number, "peak_latency_ms": 6.0 / number,
    }  # fmt: skip


def drawn(objectives, **more):
    points = [point(number) for number in range(1, 6)]
    found = {"objectives": objectives, "points": points, "chosen": 2, "scored_pairs": 9, "evaluated_archs": 5,
             "device": {"blocks": 9}, **more}  # fmt: skip
    made = front(found, [point(3) | {"number": 7, "little": "a", "big": "b"}])
    return f"{made.charts} {made.table.rows} {made.caption}"


@pytest.mark.parametrize(
    ("objectives", "axis", "tip"),
    [
        (["accuracy", "expected_macs"], "Expected MACs per image", "3.00M"),
        (
            ["accuracy", "expected_latency_ms", "peak_latency_ms"],
            "Expected time per image (ms)",
            "1.00",
        ),
        (["accuracy"], "Expected MACs per image", "3.00M"),
    ],
)
def test_the_axis_is_what_the_search_minimised(objectives, axis, tip):
    page = drawn(objectives)
    assert axis in page and tip in page


def test_points_are_shaded_by_their_peak_cost_where_they_differ_in_it():
    same = [point(number) | {"peak_macs": 5e6} for number in range(1, 6)]
    assert "quantize" in drawn(["accuracy"])
    assert "quantize" not in drawn(["accuracy"], points=same)


def test_the_caption_names_the_best_single_network_beside_the_pair():
    assert "single network" not in drawn(["accuracy"])
    assert "The best single network that costs no more reaches 52.5" in drawn(["accuracy"], plain={"accuracy": 0.525})
    beaten = drawn(["accuracy"], plain={"accuracy": 0.6}, beaten=True)
    assert "a single network beats every pair on val" in beaten


def test_the_caption_names_a_cheaper_pair_that_is_as_good_within_chance():
    assert "as good" not in drawn(["accuracy", "expected_macs"])
    assert "Within the chance of 300 val images a pair at 33" in drawn(
        ["accuracy", "expected_macs"], alike=0, val_images=300
    )


def test_the_hypervolume_is_drawn_over_the_evaluations_where_there_are_some():
    made = reached({"reached": [[8, 0.4], [16, 0.55]], "hypervolume": 0.61})
    assert (
        made.table.rows[1] == ["16", "0.550"] and "a hypervolume of 0.550" in made.caption and "0.610" in made.caption
    )
    assert reached({"hypervolume": 0.6}) is None and reached({"reached": [[8, 0.4]], "hypervolume": 0.6}) is None


def noted(step, entropy):
    figures = {"entropy": entropy, "depth": 6.0, "skip": 0.2}
    both = {f"{role}_{name}": value for role in ("little", "big") for name, value in figures.items()}
    return {"step": step, "aim": 0, "loss": 1.0, "expected_macs": 2e6, **both}


def test_what_a_differentiable_search_noted_is_drawn():
    strategy = {"quantity": "macs", "history": [noted(0, 1.0), noted(9, 0.25)], "said": "It fell."}
    made = choices({"strategy": strategy})
    assert made.caption == "It fell." and "Entropy, of the largest" in str(made.charts)
    assert made.table.rows[1][:5] == ["9", "1", "25.0\u202f%", "6.00", "20.0\u202f%"]


@pytest.mark.parametrize("found", [{}, {"strategy": None}, {"strategy": {"said": "of another strategy"}}])
def test_other_strategies_have_no_such_figure(found):
    assert choices(found) is None
