"""Bounds cover what they promise: by enumeration where that is possible, else by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gammaln, xlogy
from scipy.stats import binom, binomtest

from duonas.core.rng import stream
from duonas.routing.bounds import balanced, clopper_pearson, lower_bound, paired_difference, worst_class


@given(st.integers(1, 200), st.data(), st.sampled_from([0.5, 0.9, 0.99]))
def test_the_bound_is_clopper_and_pearsons(n, data, confidence):
    right = data.draw(st.integers(0, n))
    bound = float(clopper_pearson(right, n, confidence))
    assert 0 <= bound <= right / n
    if right:
        # By definition: at the bound, so many or more would be right with probability 1 - confidence.
        assert binom.sf(right - 1, n, bound) == pytest.approx(1 - confidence, rel=1e-6)


@pytest.mark.parametrize("images", [1, 2, 3, 7, 15])
def test_the_paired_interval_covers_every_difference(images):
    """All outcomes of so many images are enumerated, at probabilities all over the triangle and on its edges."""
    outcomes = np.array([(b, c) for b in range(images + 1) for c in range(images + 1 - b)])
    limits = np.array([paired_difference(int(b), int(c), images) for b, c in outcomes])
    first, second = outcomes.T
    both = images - first - second
    ways = gammaln(images + 1) - gammaln(first + 1) - gammaln(second + 1) - gammaln(both + 1)
    for discordant in np.linspace(0, 1, 26):
        for share in np.linspace(0, 1, 21):
            p, q = discordant * share, discordant * (1 - share)
            chance = np.exp(ways + xlogy(first, p) + xlogy(second, q) + xlogy(both, 1 - discordant))
            covered = (limits[:, 0] <= p - q + 1e-12) & (p - q - 1e-12 <= limits[:, 1])
            assert chance.sum() == pytest.approx(1) and chance[covered].sum() >= 0.95


@pytest.mark.parametrize(("images", "p", "q"), [(300, 0.02, 0.03), (1000, 0.001, 0.02), (400, 0.15, 0.1)])
def test_the_paired_interval_covers_what_is_simulated(images, p, q):
    """With the few differences of a router that works: three standard errors of a rate over 300 draws are allowed."""
    drawn = stream(0, "paired", images).multinomial(images, [p, q, 1 - p - q], size=300)
    different, times = np.unique(drawn, axis=0, return_counts=True)
    found = np.array([paired_difference(int(b), int(c), images) for b, c, _ in different])
    inside = times[(found[:, 0] <= p - q) & (p - q <= found[:, 1])].sum() / 300
    assert inside >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 300)


def test_the_paired_interval_is_hardly_wider_than_the_normal_approximation_where_that_is_good():
    low, high = paired_difference(300, 200, 2000)
    normal = 2 * 1.96 * np.sqrt((500 - 100**2 / 2000) / 2000**2)
    assert normal < high - low < 1.05 * normal


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 100_000))
@settings(deadline=None, max_examples=80)
def test_the_paired_interval_is_the_exact_tests_and_never_of_width_zero(first, second, equal):
    images = first + second + equal
    if images == 0:
        return
    low, high = paired_difference(first, second, images)
    assert -1 <= low < high <= 1 and low <= (first - second) / images <= high
    mirrored = paired_difference(second, first, images)
    assert (low, high) == (-mirrored.upper, -mirrored.lower)
    if first + second:
        assert (low > 0 or high < 0) == (binomtest(first, first + second).pvalue <= 0.05)


def test_no_difference_on_few_images_says_little_and_on_many_much():
    assert paired_difference(0, 0, 2) == pytest.approx((-0.8419, 0.8419), abs=1e-4)
    low, high = paired_difference(0, 0, 10_000)
    assert -4e-4 < low < 0 < high < 4e-4


CLASSES = [
    ([50] * 10, [0.9] * 10),
    ([200, 200, 10], [0.95, 0.9, 0.7]),
    ([400, 5], [0.9, 0.5]),
    ([1000, 20], [1.0, 0.85]),
    ([3] * 30, [0.8] * 15 + [0.6] * 15),
]


@pytest.mark.parametrize(("count", "accuracy"), CLASSES)
@pytest.mark.parametrize("kind", ["accuracy", "balanced", "worst_class"])
def test_lower_bounds_of_classes_are_broken_no_more_often_than_promised(kind, count, accuracy):
    """Three standard errors of a rate over 2000 draws are allowed."""
    draws, alpha = 2000, 0.1
    count, accuracy = np.array(count), np.array(accuracy)
    truth = {"accuracy": (count @ accuracy) / count.sum(), "balanced": accuracy.mean(), "worst_class": accuracy.min()}
    drawn = stream(0, "classes", kind, len(count)).binomial(count, accuracy, size=(draws, len(count)))
    bounds = lower_bound(kind, drawn, count, 1 - alpha)
    recall = drawn / count
    found = {"accuracy": drawn.sum(1) / count.sum(), "balanced": recall.mean(1), "worst_class": recall.min(1)}
    assert bounds.shape == (draws,) and (bounds <= found[kind]).all()
    assert np.mean(bounds > truth[kind]) <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / draws)


def test_the_bound_of_the_worst_class_is_below_all_classes_at_once():
    """Simultaneously: the rate at which any class is below the bound is that of the worst one alone."""
    count, accuracy = np.array([40] * 12), np.linspace(0.7, 0.95, 12)
    drawn = stream(1, "simultaneous").binomial(count, accuracy, size=(3000, 12))
    bound = worst_class(drawn, count, 0.9)
    assert np.mean((bound[:, None] > accuracy).any(axis=1)) <= 0.1 + 3 * np.sqrt(0.09 / 3000)


def test_a_balanced_bound_is_worth_its_images():
    """Near that of one class of as many images, and by the class with the fewest where all others are surely right."""
    count = np.array([100] * 5)
    pooled = float(clopper_pearson(450, 500, 0.95))
    assert pooled - 0.02 < float(balanced(np.array([[90] * 5]), count, 0.95)[0]) <= pooled
    few = np.array([5000, 10])
    all_right = float(balanced(few[None], few, 0.95)[0])
    assert all_right == pytest.approx((1 + 0.05 ** (1 / 10)) / 2, abs=0.002)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=6), st.data())
@settings(deadline=None, max_examples=30)
def test_bounds_rise_with_what_is_right_and_know_nothing_of_a_class_without_images(classes, data):
    count = np.array([max(pair) for pair in classes])
    right = np.array([min(pair) for pair in classes])
    for kind in ("balanced", "worst_class"):
        bound = float(lower_bound(kind, right[None], count, 0.9)[0])
        assert 0 <= bound < 1
        if (count == 0).any():
            assert bound == 0 if kind == "worst_class" else bound <= np.mean(count > 0)
        if (right < count).any():
            better = right.copy()
            better[data.draw(st.sampled_from(np.flatnonzero(right < count).tolist()))] += 1
            assert float(lower_bound(kind, better[None], count, 0.9)[0]) >= bound - 1e-9
