"""Counts of images, and what so many images can prove."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from duonas.data.counts import certifies, count, margin
from support.listings import known, listed


@settings(max_examples=60)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=4), st.data())
def test_every_image_is_counted_in_its_class_size_and_mode(numbers, data):
    listing = listed({f"class {at}": number for at, number in enumerate(numbers)})

    def draw(values):
        return np.array(data.draw(st.lists(st.sampled_from(values), min_size=len(listing), max_size=len(listing))))

    facts = known(listing, width=draw([8, 16, 640]).astype(np.int32), mode=draw(["L", "RGB"]).astype("<U8"))
    rows = np.flatnonzero(draw([True, False]))
    part = count(listing, facts, rows)
    assert part.images == len(rows) == sum(part.counts)
    for label, group in enumerate(part.classes):
        members = [row for row in rows if listing.labels[row] == label]
        assert group.images == len(members)
        assert group.sizes == {
            (side, 48): found for side in (8, 16, 640) if (found := sum(facts.width[row] == side for row in members))
        }
        assert group.modes == {
            mode: found for mode in ("L", "RGB") if (found := sum(facts.mode[row] == mode for row in members))
        }
        assert group.different_sizes == len(group.sizes)


def test_the_smallest_the_largest_and_the_most_common_size():
    listing = listed({"cat": 40})
    facts = known(listing, width=np.array([*range(10, 30), *[7] * 20], np.int32))
    group = count(listing, facts, np.arange(40)).total
    assert (group.smallest, group.largest, group.different_sizes) == ((7, 48), (29, 48), 21)
    assert len(group.sizes) == 10 and next(iter(group.sizes.items())) == ((7, 48), 20)
    assert group.to_json()["sizes"][0] == {"width": 7, "height": 48, "images": 20}


def test_a_split_of_the_data_set_is_told_from_one_that_was_split_off():
    listing = listed({"cat": 4}, splits=np.array(["test", "test", "", ""]))
    facts = known(listing)
    assert count(listing, facts, np.array([0, 1]), "test").own
    assert not count(listing, facts, np.array([2, 3]), "train").own and not count(listing, facts, np.arange(4)).own


@pytest.mark.parametrize("images", [1, 2, 25, 99, 100, 5000])
def test_the_margin_is_that_of_the_exact_interval(images):
    interval = binomtest(images // 2, images).proportion_ci(0.95, "exact")
    assert margin(images) == pytest.approx(
        max(interval.high - images // 2 / images, images // 2 / images - interval.low)
    )


def test_nothing_is_known_of_no_images():
    assert certifies("calib", 0) == {"margin": 1.0, "highest_floor": 0.0}


@pytest.mark.parametrize("images", [1, 2, 30, 216, 10_000])
def test_the_highest_floor_is_the_bound_of_a_pair_without_errors(images):
    half = -(-images // 2)
    bound = binomtest(half, half, alternative="greater").proportion_ci(0.95, "exact").low
    assert certifies("calib", images)["highest_floor"] == pytest.approx(bound)
    assert "highest_floor" not in certifies("test", images)
