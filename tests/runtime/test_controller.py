"""The controller keeps a mean, and never leaves the table."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duonas.runtime import Bundle, BundleError, Row
from duonas.runtime.controller import Aim, Controller

SHARES = np.linspace(0, 1, 51)
TABLE = tuple(
    Row(tau, float(share), 0.95 - 0.15 * float(share) ** 2, 0.7, 1.0, 0.0, 1.0)
    for tau, share in zip([math.inf, *np.linspace(0.99, 0.01, 49), -math.inf], SHARES, strict=True)
)
LITTLE, BIG = 1.0, 5.0  # ms


def run(controller, scores, little=LITTLE, big=BIG):
    """What each image took, fed back as it comes; also which stayed little."""
    took, kept = [], []
    for score in scores:
        kept.append(bool(score >= controller.row.tau))
        took.append(little if kept[-1] else big)
        controller.add(float(kept[-1]) if controller.aim.kind == "share" else took[-1])
        assert controller.row in TABLE
    return np.array(took), np.array(kept)


@settings(max_examples=25)
@given(st.floats(0, 1), st.integers(10, 300), st.integers(0, 99), st.floats(0.3, 3))
def test_a_share_is_kept_whatever_the_images_are_like(target, images, seed, hardness):
    """The bound that the module states, with one more step for the ends."""
    scores = np.random.default_rng(seed).random(800) ** hardness
    controller = Controller(TABLE, Aim("share", target, images), 0.5)
    kept = run(controller, scores)[1]
    assert abs(kept.mean() - target) <= images / len(kept) + 0.02


@pytest.mark.parametrize("hardness", [0.5, 1.0, 2.0])
def test_a_mean_time_is_kept_on_images_that_are_harder_or_easier_than_calib(hardness):
    scores = np.random.default_rng(0).random(6_000) ** hardness
    controller = Controller(TABLE, Aim("latency", 2.0), math.inf)
    took = run(controller, scores)[0]
    assert took[2_000:].mean() == pytest.approx(2.0, rel=0.05)
    assert controller.mean == pytest.approx(2.0, rel=0.35) and controller.at_end is None
    assert abs(took.mean() / 2.0 - 1) <= controller.aim.images / len(took) * 1.05  # the bound of the module


def test_it_follows_a_device_that_becomes_slow():
    rng = np.random.default_rng(1)
    controller = Controller(TABLE, Aim("latency", 2.0), 0.5)
    run(controller, rng.random(3_000))
    before = controller.wanted
    took = run(controller, rng.random(6_000), little=1.5, big=7.5)[0]
    assert controller.wanted > before and took[2_000:].mean() == pytest.approx(2.0, rel=0.05)


def test_what_cannot_be_kept_stops_at_the_end_and_is_not_saved_up():
    controller = Controller(TABLE, Aim("latency", 0.5), 0.5)
    run(controller, np.random.default_rng(2).random(3_000))
    assert controller.at_end == "little" and controller.row.tau == -math.inf and controller.wanted == 1
    assert "at the end: no more of the images can go to little" in repr(controller)
    for _ in range(401):  # as fast back as if it had never been there
        controller.add(0.25)
    assert controller.at_end == "big" and controller.row.tau == math.inf


def test_the_least_accuracy_bounds_the_threshold():
    controller = Controller(TABLE, Aim("latency", 1.01, least_accuracy=0.9), -math.inf)
    allowed = [row for row in TABLE if row.accuracy >= 0.9]
    assert controller.row == allowed[-1]
    for score in np.random.default_rng(3).random(2_000):
        row = controller.add(LITTLE if score >= controller.row.tau else BIG)
        assert row.accuracy >= 0.9
    assert controller.at_end == "little" and controller.row == allowed[-1]
    with pytest.raises(BundleError, match="has an accuracy of 99% on calib: the highest possible is 95%"):
        Controller(TABLE, Aim("latency", 1.0, least_accuracy=0.99), 0.5)


def test_it_begins_at_the_threshold_that_is_in_force():
    for row in TABLE:
        assert Controller(TABLE, Aim("share", 0.5), row.tau).row == row
    assert Controller(TABLE, Aim("share", 0.5), 0.5001).row.little_share == pytest.approx(0.5, abs=0.021)


def test_a_batch_counts_as_its_images():
    one, many = (Controller(TABLE, Aim("share", 0.8, 100), 0.5) for _ in range(2))
    for _ in range(5):
        one.add(0.4)
    many.add(0.4, 5)
    assert many.wanted == pytest.approx(one.wanted)
    many.add(0.4, 10**6)
    assert many.wanted == pytest.approx(one.wanted + 0.2)  # half of the error at most
    before = many.row
    assert many.add(0.0, 0) == before
    with pytest.raises(BundleError, match="must be a finite number, got nan"):
        many.add(math.nan)


@pytest.mark.parametrize(
    ("aim", "message"),
    [
        ({"kind": "share", "target": 1.5}, "a little share must be between 0 and 1, got 1.5"),
        ({"kind": "latency", "target": 0}, "the latency to keep must be above 0 ms, got 0"),
        ({"kind": "energy", "target": math.inf}, "the energy to keep must be above 0 mJ, got inf"),
        ({"kind": "share", "target": 0.5, "images": 1}, "images must be at least 10, got 1"),
        ({"kind": "share", "target": 0.5, "least_accuracy": 2}, "least_accuracy must be between 0 and 1, got 2"),
    ],
)
def test_wrong_aims_are_refused(aim, message):
    with pytest.raises(BundleError, match=message):
        Aim(**aim)


@pytest.fixture
def bundle(export):
    return Bundle.load(export(True, "after_little")[2], threads=1)


def test_a_bundle_keeps_a_share(bundle, images):
    controller = bundle.keep(share="80%", images=50)
    for image in images[:1500]:
        bundle.predict(image[None])
        assert bundle.tau in [row.tau for row in bundle.table]
    assert bundle.stats.little_share == pytest.approx(0.8, abs=50 / 1500 + 0.01)
    assert bundle.controller is controller and bundle.tau == controller.row.tau
    bundle.set_share(0.5)  # a threshold of the user's own ends it
    assert bundle.controller is None
    tau = bundle.tau
    bundle.predict(images[:50])
    assert bundle.tau == tau


def test_a_bundle_keeps_a_time_and_an_energy(bundle, images):
    bundle.tau = -np.inf
    bundle.keep(latency="1h")  # more than all take
    for image in images[:300]:
        bundle.predict(image[None])
    assert bundle.controller.at_end == "big" and bundle.tau == np.inf
    bundle.keep(energy="1uJ", watts="5W")  # less than any takes
    bundle.predict(images[:400])
    bundle.predict(images[:400])
    assert bundle.controller.at_end == "little" and bundle.tau == -np.inf
    controller = bundle.keep(energy=3.0)  # as a meter says
    bundle.predict(images[:400])
    assert controller.mean is None
    controller.add(0.0, 10_000), controller.add(0.0, 10_000)
    assert bundle.tau == np.inf


@pytest.mark.parametrize(
    ("aims", "message"),
    [
        ({}, "keep takes one of share, latency and energy"),
        ({"share": 0.5, "latency": 1}, "keep takes one of"),
        ({"share": 0.5, "watts": 1}, "watts with energy alone"),
        ({"latency": "5M"}, "the latency to keep must be a time such as 2ms"),
        ({"energy": 1, "watts": 0}, "watts must be above 0, got 0"),
        ({"share": "120%"}, "between 0 and 1|must be a share"),
    ],
)
def test_a_bundle_refuses_what_cannot_be_kept(bundle, aims, message):
    with pytest.raises(BundleError, match=message):
        bundle.keep(**aims)
    assert bundle.controller is None
