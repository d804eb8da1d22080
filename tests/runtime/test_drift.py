"""The drift watch finds what changed, and its false alarms are as rare as it says."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duonas.runtime import Bundle, BundleError, Row
from duonas.runtime.drift import DriftOptions, DriftWatch, two_sided

SMALL = DriftOptions(images_per_false_alarm=2_000, windows=(40, 160), least_change=0.0)


def table(fixed, calib):
    """Rows at the thresholds of one sample, counted on another."""
    taus = [math.inf, *np.unique(fixed)[::-1].tolist(), -math.inf]
    return tuple(Row(tau, float((calib >= tau).mean()), 0.9, 0.8, 0.95, 0.0, 1.0) for tau in taus)


def scores(rng, count, ties=False):
    drawn = rng.beta(4, 1.5, count)
    return (np.round(drawn, 1) if ties else drawn).astype(np.float32)


def watch(rng, images=200, options=SMALL, ties=False, **more):
    rows = table(scores(rng, 60, ties), scores(rng, images, ties))
    return DriftWatch(rows, images, rows[len(rows) // 2].tau, options, **more)


@pytest.mark.parametrize("ties", [False, True])
def test_false_alarms_are_as_rare_as_promised(ties):
    """Of 300 streams, each of a tenth of the images of one false alarm, at most 30 are expected to give one."""
    alarms = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        alarms += watch(rng, ties=ties).add(scores(rng, 200, ties), 0.6) is not None
    assert alarms <= 53  # of Binomial(300, 0.1) more than that has a probability of 1e-5


@settings(max_examples=40)
@given(st.integers(1, 25), st.integers(1, 25), st.integers(0, 50), st.floats(0.001, 1))
def test_a_p_value_is_one_exactly(of, images, every, level):
    """Given how many reach a threshold in both samples, a p-value of at most ``level`` has at most that probability."""
    every = min(every, of + images)
    chance = Fraction(0)
    for found in range(max(0, every - images), min(of, every) + 1):
        if two_sided(found, of, every - found, images) <= level:
            chance += Fraction(comb(of, found) * comb(images, every - found), comb(of + images, every))
    assert chance <= level * (1 + 1e-9)


def test_a_p_value_is_that_of_fisher():
    from scipy.stats import hypergeom

    for found, of, known, images in ((3, 40, 90, 200), (30, 40, 90, 200), (0, 16384, 5, 50), (9000, 16384, 900, 2000)):
        law = hypergeom(of + images, found + known, of)
        expected = min(1, 2 * min(law.cdf(found), law.sf(found - 1)))
        assert two_sided(found, of, known, images) == pytest.approx(expected, rel=1e-6, abs=1e-300)


def test_a_change_is_found_and_told():
    rng, clock = np.random.default_rng(0), iter(range(1_000_000, 2_000_000))
    told = []
    found = watch(rng, 1000, DriftOptions(), clock=lambda: next(clock), on_change=told.append)
    assert found.add(scores(rng, 10_000), 0.6) is None and found.sentence == ""
    change = found.add(rng.beta(2.5, 1.5, 5_000).astype(np.float32), 0.6)
    assert change is found.change and told == [change]
    assert change.images in (256, 1024, 4096) and 1_000_000 < change.since < change.until
    assert change.at_least < change.calib_at_least - 0.05 and change.little_share < change.expected_share - 0.05
    for part in ("The images have changed since ", f"{change.little_share:.1%} stayed little, where calib leads to "
                 f"expect {change.expected_share:.1%}", "scores are lower", "in 1,000,000 images"):  # fmt: skip
        assert part in found.sentence
    assert found.add(scores(rng, 5_000), 0.6) is None and told == [change]  # found once
    found.reset()
    assert found.change is None and found.add(scores(rng, 5_000), 0.6) is None


def test_easier_images_are_a_change_too():
    rng = np.random.default_rng(1)
    change = watch(rng, 1000, DriftOptions()).add(rng.beta(8, 1.2, 2_000).astype(np.float32), 0.6)
    assert change is not None and "scores are higher" in change.sentence


def test_a_small_change_is_found_by_a_long_window_and_not_told_below_the_least():
    stream = np.random.default_rng(2).beta(3.6, 1.5, 60_000).astype(np.float32)
    every = [watch(np.random.default_rng(5), 4000, DriftOptions(least_change=least)) for least in (0.02, 0.2)]
    found = [each.add(stream, 0.6) for each in every]
    assert found[0] is not None and found[0].images >= 1024 and found[1] is None


def test_one_image_at_a_time_is_as_a_batch():
    rng = np.random.default_rng(3)
    stream = rng.beta(3, 1.5, 2_000).astype(np.float32)
    stream[5] = np.nan
    one, other = (watch(np.random.default_rng(4), clock=lambda: 0.0) for _ in range(2))
    for score in stream:
        one.add(np.array([score]), 0.6)
    other.add(stream, 0.6)
    assert one.change is not None and other.change is not None
    assert one.change.expected_share == pytest.approx(other.change.expected_share)
    assert replace(one.change, expected_share=0.0) == replace(other.change, expected_share=0.0)


def test_a_moving_threshold_is_no_change():
    rng = np.random.default_rng(6)
    found = watch(rng, 1000, DriftOptions())
    for place in range(100):
        assert found.add(scores(rng, 64), 0.2 + 0.6 * (place % 2)) is None


def test_each_so_many_th_image_is_looked_at():
    rng = np.random.default_rng(7)
    thinned, plain = DriftOptions(2_000, (40,), 0.0, every=5), DriftOptions(2_000, (40,), 0.0)
    found, all_of_them = (watch(np.random.default_rng(8), 200, each, clock=lambda: 0.0) for each in (thinned, plain))
    stream = rng.beta(1.5, 1.5, 400).astype(np.float32)
    for part in np.split(stream, [1, 7, 20, 21, 300]):
        found.add(part, 0.6)
    assert found.change == all_of_them.add(stream[::5], 0.6) is not None


def test_memory_is_constant():
    found = watch(np.random.default_rng(9), 1000, DriftOptions())
    sizes = [window.reached.nbytes for window in found._windows]
    found.add(scores(np.random.default_rng(10), 50_000), 0.6)
    assert [window.reached.nbytes for window in found._windows] == sizes and sum(sizes) < 10_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images_per_false_alarm": 0}, "images_per_false_alarm must be at least 1, got 0"),
        ({"images_per_false_alarm": math.nan}, "images_per_false_alarm must be"),
        ({"windows": ()}, "windows must be whole numbers"),
        ({"windows": (10, 15)}, r"each a multiple of the one before, got \(10, 15\)"),
        ({"windows": (10, 10)}, "each a multiple"),
        ({"windows": (0, 10)}, "each a multiple"),
        ({"least_change": 1}, "least_change must be at least 0 and below 1, got 1"),
        ({"every": 0}, "every must be a whole number of at least 1, got 0"),
        ({"every": 1.5}, "every must be a whole number of at least 1, got 1.5"),
        ({"every": "2"}, "every must be a number, got '2'"),
        ({"least_change": None}, "least_change must be a number, got None"),
        ({"windows": 256}, "windows must be whole numbers"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(BundleError, match=message):
        DriftOptions(**options)


def test_a_policy_that_says_too_little_is_refused():
    rows = table(np.array([0.5], np.float32), np.array([0.2, 0.7], np.float32))
    with pytest.raises(BundleError, match="a policy of 2 calib images and 1 thresholds: at least 20 images"):
        DriftWatch(rows, 2, math.inf)
    with pytest.raises(BundleError, match="a policy of 99 calib images and 0 thresholds"):
        DriftWatch(rows, 99, 0.5)  # the chosen threshold was not fixed in advance


def test_a_bundle_is_watched(export, images):
    bundle = Bundle.load(export(True, "after_little")[2], threads=1)
    assert bundle.drift is None
    found = bundle.watch_drift(windows=(64, 256))
    assert bundle.drift is found and repr(found) == "DriftWatch(no change)"
    bundle.predict(np.zeros((512, *bundle.image_shape), np.uint8))
    assert bundle.drift.change is not None and bundle.drift.change.images == 64
    assert repr(found) == f"DriftWatch({found.sentence})"
