"""The sweep equals brute force, and every way to choose takes the threshold that the whole search would take."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from duonas.core.cost import PairCost
from duonas.core.errors import DuonasError
from duonas.core.rng import stream
from duonas.routing.threshold import ENOUGH, Unreachable, keeps_little, sample_size_warning, steps, sweep

COST = PairCost(stem=5, router=1, little=10, big=100)


@st.composite
def cases(draw):
    n = draw(st.integers(1, 40))
    # A few values only, so that ties are common; and some extreme and missing ones.
    values = st.sampled_from([0.0, 0.1, 0.25, 0.5, float(np.nextafter(np.float32(0.5), np.float32(1))), 0.9, 1.0,
                              float("nan"), float("inf"), float("-inf"), -3.5])  # fmt: skip
    score = draw(st.lists(values, min_size=n, max_size=n))
    right = arrays(bool, n)
    return np.array(score, np.float32), draw(right), draw(right)


def routed(score, little, big, tau):
    stays = keeps_little(score, tau)
    return stays.mean(), np.where(stays, little, big).sum()


@given(cases())
@settings(deadline=None, max_examples=100)
def test_sweep_is_brute_force(case):
    score, little, big = case
    curve = sweep(*case)
    assert curve.tau[0] == np.inf and (np.diff(curve.tau) < 0).all() and (np.diff(curve.little_share) > 0).all()
    for index, tau in enumerate(curve.tau):
        assert routed(score, little, big, tau) == (curve.little_share[index], curve.correct[index])
        assert np.float32(tau) == tau  # what the device compares with is what was chosen
    # No other threshold decides differently.
    tried = np.concatenate([score, np.nextafter(score, np.float32(np.inf)), [np.inf, -np.inf]])
    shares = {routed(score, little, big, tau)[0] for tau in tried[~np.isnan(tried)]}
    assert shares <= set(curve.little_share)


@given(cases(), st.floats(16, 116), st.floats(0, 1))
@settings(deadline=None, max_examples=60)
def test_budget_and_share_are_brute_force(case, budget, share):
    curve = sweep(*case)
    expected = COST.expected(curve.little_share)
    affordable = expected <= budget
    if affordable.any():
        index = curve.at_budget(budget, COST)
        assert affordable[index] and curve.correct[index] == curve.correct[affordable].max()
        equals = affordable & (curve.correct == curve.correct[index])
        assert expected[index] == expected[equals].min()
    else:
        with pytest.raises(DuonasError, match="smallest possible"):
            curve.at_budget(budget, COST)
    nearest = curve.little_share[curve.at_share(share)]
    assert abs(nearest - share) == np.abs(curve.little_share - share).min()


@given(cases(), cases())
@settings(deadline=None, max_examples=60)
def test_a_curve_at_other_thresholds_is_brute_force(case, others):
    """Those of other images, extreme and missing scores included."""
    curve, ladder = sweep(*case), sweep(*others).tau.astype(np.float32)
    at = curve.at(ladder)
    for index, tau in enumerate(ladder):
        assert routed(*case, tau) == (at.little_share[index], at.correct[index])
    assert np.array_equal(curve.at(curve.tau).correct, curve.correct)


def test_an_impossible_budget_says_the_smallest():
    curve = sweep(np.array([0.2, 0.4]), np.array([1, 0]), np.array([1, 1]))
    with pytest.raises(Unreachable, match="15 MACs cannot be met: the smallest possible is 16 MACs") as caught:
        curve.at_budget(15, COST)
    assert caught.value.possible == "16"
    assert curve.tau[curve.at_budget(16, COST)] == -np.inf


def test_share_and_cost_are_monotone_in_tau():
    rng = stream(1, "monotone")
    curve = sweep(rng.random(300).round(2), rng.random(300) < 0.6, rng.random(300) < 0.9)
    assert (np.diff(curve.tau) < 0).all()
    assert (np.diff(curve.little_share) > 0).all() and (np.diff(COST.expected(curve.little_share)) < 0).all()
    assert (COST.expected(curve.little_share) <= COST.peak).all()


def test_thresholds_lie_midway_between_scores():
    tau = steps(np.array([0.25, 0.75, 0.75, 1.0], np.float32)).tau
    assert tau.tolist() == [np.inf, 0.875, 0.5, -np.inf]


def test_near_big_loses_at_most_the_slack_and_is_the_cheapest_that_does():
    rng = stream(2, "near")
    curve = sweep(rng.random(1000), rng.random(1000) < 0.7, rng.random(1000) < 0.9)
    index = curve.near_big(0.01)[-1]
    assert curve.accuracy[index] >= curve.accuracy[0] - 0.01
    assert (curve.accuracy[index + 1 :] < curve.accuracy[0] - 0.01).all()


@given(st.integers(1, 600))
@settings(deadline=None, max_examples=40)
def test_thinned_rows_are_few_and_keep_the_ends(n):
    rng = stream(3, n)
    curve = sweep(rng.random(n), rng.random(n) < 0.7, rng.random(n) < 0.9)
    index = curve.thinned()
    assert len(index) <= 200 and {0, len(curve.tau) - 1} <= set(index.tolist())
    assert np.diff(curve.little_share[index]).max() <= 1 / 199 + 1 / n


def test_no_images_is_an_error():
    with pytest.raises(DuonasError, match="no images"):
        sweep(np.array([]), np.array([]), np.array([]))


def test_a_million_scores_are_swept_exactly():
    rng = stream(4, "million")
    score = rng.random(10**6).astype(np.float32)
    little, big = rng.random(10**6) < 0.8, rng.random(10**6) < 0.9
    curve = sweep(score, little, big)
    for index in (0, 1234, len(curve.tau) // 2, len(curve.tau) - 1):
        found = routed(score, little, big, np.float32(curve.tau[index]))
        assert found == (curve.little_share[index], curve.correct[index])


@pytest.mark.parametrize("images", [1, 12, 25, ENOUGH - 1])
def test_a_threshold_of_few_images_is_doubted_by_its_standard_error(images):
    drawn = stream(0, "doubt").binomial(images, 0.5, 20_000) / images
    told = float(sample_size_warning(images).partition("up to ")[2].split()[0])
    assert told == pytest.approx(100 * drawn.std(), abs=0.6)
    assert f" only {images} image{'s' if images > 1 else ''}: " in sample_size_warning(images)
    assert sample_size_warning(ENOUGH) is None
