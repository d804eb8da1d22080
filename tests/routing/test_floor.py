"""A floor holds as often as it is promised, whatever it is on; one that could never hold is refused by its images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from duonas.core.errors import DuonasError
from duonas.core.rng import stream
from duonas.routing.floor import Rungs, check_floor, fixed_sequence, highest_floor
from duonas.routing.route import CalibrationSet
from duonas.routing.threshold import Unreachable, sweep

NAMES = ("common", "rare")


def rungs_of(curve, confidence):
    """The thresholds of a curve, as if they had been fixed without its images."""
    return Rungs(curve.tau, curve.little_share, fixed_sequence(curve.accuracy_lower(confidence)))


@st.composite
def cases(draw):
    n = draw(st.integers(1, 40))
    score = draw(st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.9, float("nan"), float("inf")]), min_size=n, max_size=n))
    return np.array(score, np.float32), draw(arrays(bool, n)), draw(arrays(bool, n))


@given(cases(), st.floats(0.01, 0.99), st.sampled_from([0.8, 0.95]))
@settings(deadline=None, max_examples=80)
def test_a_floor_goes_on_from_big_until_a_bound_fails(case, floor, confidence):
    rungs = rungs_of(curve := sweep(*case), confidence)
    passed = -1
    for bound in curve.accuracy_lower(confidence):
        if bound < floor:
            break
        passed += 1
    if passed >= 0:
        assert rungs.at_floor(floor) == passed
    else:
        with pytest.raises(DuonasError, match="the highest possible"):
            rungs.at_floor(floor)


def drawn(rng, n):
    """Scores and answers of n images: little errs where it is surest, and elsewhere is as often right as big.

    So the accuracy falls at once, to 0.64, and stays there however many images stay little: many thresholds to be lucky
    with.
    """
    score = rng.random(n)
    return score, rng.random(n) < np.where(score < 0.9, 0.7, 0.1), rng.random(n) < 0.7


def true_accuracy(tau):
    """Of all such images."""
    return 0.7 - 0.6 * min(0.1, 1 - min(tau, 1))


def test_a_floor_is_violated_no_more_often_than_promised():
    """Law: over 300 resampled calib splits the rate is at most alpha, while choosing by the bounds alone breaks it.

    Three standard errors of a rate over 300 draws are allowed on top.
    """
    floor, alpha, draws, n = 0.642, 0.1, 300, 500
    allowed = alpha + 3 * np.sqrt(alpha * (1 - alpha) / draws)
    ladder = naive = 0
    for seed in range(draws):
        rng = stream(seed, "floor law")
        other, curve = (sweep(*drawn(rng, n)) for _ in range(2))
        rungs = rungs_of(curve.at(other.tau[other.thinned()].astype(np.float32)), 1 - alpha)
        bounds = curve.accuracy_lower(1 - alpha)
        if rungs.holds[0] >= floor:  # else the floor is refused, and nothing is violated
            ladder += true_accuracy(rungs.tau[rungs.at_floor(floor)]) < floor
        if bounds.max() >= floor:
            naive += true_accuracy(curve.tau[np.flatnonzero(bounds >= floor)[-1]]) < floor
    assert ladder / draws <= allowed < naive / draws


def test_an_impossible_floor_says_the_best_one_and_that_one_is_possible():
    rng = stream(0, "floor")
    curve = sweep(rng.random(500), rng.random(500) < 0.7, rng.random(500) < 0.8)
    rungs = rungs_of(curve, 0.95)
    with pytest.raises(Unreachable, match=r"an accuracy floor of 99% cannot be guaranteed: the highest") as caught:
        rungs.at_floor(0.99)
    best = float(caught.value.possible)
    assert f"is {100 * best:.6g}%." in str(caught.value) and curve.accuracy_lower()[0] - 1e-4 <= best
    assert curve.accuracy_lower()[rungs.at_floor(best)] >= best


def imbalanced(rng, n, rare=0.1):
    """Images of two classes; little is sure of everything and never sees the rare class, big sees most of it."""
    labels = (rng.random(n) < rare).astype(np.int64)
    score = rng.random(n).astype(np.float32)
    little = np.where(labels == 1, rng.random(n) < 0.2, rng.random(n) < 0.97)
    big = np.where(labels == 1, rng.random(n) < 0.85, rng.random(n) < 0.97)
    return score, little, big, labels


def calibration(rng, n, ladder=None):
    score, little, big, labels = imbalanced(rng, n)
    ladder = np.concatenate([[np.inf], np.linspace(1, 0, 24)[1:-1], [-np.inf]]).astype(np.float32)
    return CalibrationSet(ladder, score, little, big, labels, 2)


def true_accuracies(tau):
    """Of all such images, by class."""
    share = 1 - min(max(tau, 0), 1)
    return np.array([0.97, 0.2 * share + 0.85 * (1 - share)])


@pytest.mark.parametrize(("floor_on", "floor"), [("balanced", 0.85), ("worst_class", 0.7)])
def test_a_floor_on_classes_is_violated_no_more_often_than_promised(floor_on, floor):
    """Law: over 150 calib splits, where a floor on the accuracy of all images gives the rare class away."""
    alpha, draws = 0.1, 150
    figure = {"balanced": np.mean, "worst_class": np.min}[floor_on]
    broken, given_away, chosen = 0, 0, []
    for seed in range(draws):
        drawn = calibration(stream(seed, "floor on", floor_on), 1500)
        rungs = drawn.rungs(floor_on, 1 - alpha)
        if rungs.holds[0] < floor:
            continue
        index = rungs.at_floor(floor)
        chosen.append(rungs.little_share[index])
        broken += figure(true_accuracies(rungs.tau[index])) < floor
        plain = drawn.rungs("accuracy", 1 - alpha)
        given_away += figure(true_accuracies(plain.tau[plain.at_floor(floor)])) < floor
    assert broken / draws <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / draws)
    assert np.mean(chosen) > 0.02 and given_away > draws / 2


def test_rungs_count_what_each_threshold_decides():
    drawn = calibration(stream(0, "rungs"), 300)
    curve = sweep(drawn.score, drawn.little_right, drawn.big_right).at(drawn.ladder)
    rungs = drawn.rungs("accuracy", 0.9)
    assert np.array_equal(rungs.little_share, curve.little_share)
    assert np.allclose(rungs.holds, fixed_sequence(curve.accuracy_lower(0.9)))


@given(st.integers(1, 3000), st.floats(0.5, 0.999), st.sampled_from([0.8, 0.95, 0.99]))
@settings(deadline=None, max_examples=60)
def test_a_floor_is_refused_beforehand_only_if_no_answers_could_hold_it(images, floor, confidence):
    count = np.array([images])
    highest = highest_floor(count, "accuracy", confidence)
    assert highest == pytest.approx((1 - confidence) ** (1 / images))
    right = np.ones(images, bool)
    rungs = rungs_of(sweep(np.zeros(images), right, right), confidence)
    if floor <= highest:
        check_floor(floor, count, (), "accuracy", confidence)
        assert rungs.at_floor(floor) == len(rungs.tau) - 1
        return
    with pytest.raises(Unreachable):
        rungs.at_floor(floor)
    with pytest.raises(DuonasError, match="can never be guaranteed") as caught:
        check_floor(floor, count, (), "accuracy", confidence)
    needed = int(str(caught.value).partition("needs at least ")[2].split()[0].replace(",", ""))
    check_floor(floor, np.array([needed // 2]), (), "accuracy", confidence)  # half of calib


@pytest.mark.parametrize(
    ("floor", "floor_on", "message"),
    [
        (0.99, "accuracy", r"floor = 99% \(an accuracy floor\) can never .* 95% confidence: .* 105 images, and"),
        (0.9, "worst_class", r"the worst class\) .* 105 images, 5 of them of class 'rare', .* guarantee 54.92%"),
        (0.9, "worst_class", "at least 58 calib images of every class"),
        (0.9, "balanced", r"balanced accuracy\) .* 5 of them of class 'rare', .* more images of its rarest class"),
        (1.0, "accuracy", "choose a floor below 1"),
    ],
)  # fmt: skip
def test_a_floor_that_could_never_hold_says_what_can_and_what_it_needs(floor, floor_on, message):
    with pytest.raises(DuonasError, match=message):
        check_floor(floor, np.array([100, 5]), NAMES, floor_on, 0.95)
    check_floor(0.5, np.array([100, 5]), NAMES, floor_on, 0.95)


def test_a_class_without_images_can_have_no_floor():
    with pytest.raises(DuonasError, match=r"0 of them of class 'rare', and even .* guarantee 0%"):
        check_floor(0.1, np.array([100, 0]), NAMES, "worst_class", 0.95)
