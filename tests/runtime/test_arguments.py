"""What a program on a device gives is used as it is meant, or refused in one sentence."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duonas.runtime import Bundle, BundleError
from duonas.runtime.arguments import checked_images, has_unit_of, number, thread_count
from duonas.runtime.units import MILLISECONDS

SHAPE = (3, 8, 6)


@pytest.mark.parametrize("value", [1, 1.0, np.float32(1), np.int8(1), np.array(1.0), Fraction(1)])
def test_numbers_of_all_kinds_are_numbers(value):
    assert number(value, "tau") == 1.0 and isinstance(number(value, "tau"), float)


def test_numbers_beyond_floats_are_infinite():
    assert number(10**5000, "tau") == np.inf and number(-(10**400), "tau") == -np.inf


@pytest.mark.parametrize("value", ["0.5", None, True, np.True_, [0.5], np.array([0.5]), 1j, b"1", {}, "x" * 1000])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(BundleError, match=r"^a budget must be a number, got .{1,60}\.$"):
        number(value, "a budget")
    with pytest.raises(BundleError, match="tau must be a number or infinite, got NaN"):
        number(float("nan"), "tau")


@pytest.mark.parametrize("value", [-1, 1.5, "2", True, None, 2**31])
def test_threads_are_counted(value):
    assert thread_count(np.int64(2)) == 2 and thread_count(0) == 0
    with pytest.raises(BundleError, match="threads must be a whole number of at least 0"):
        thread_count(value)


def test_every_setter_checks_its_number(exported):
    bundle = Bundle.load(exported[2], threads=1)
    before = bundle.tau
    for act in (bundle.set_budget, bundle.set_latency, bundle.set_share, bundle.set_floor):
        with pytest.raises(BundleError, match="must be a number"):
            act(None)
        with pytest.raises(BundleError, match=r"must be a .* such as .*, got 'x'\.$"):
            act("x")
    with pytest.raises(BundleError, match=r"tau must be a number, got '0\.5'"):
        bundle.tau = "0.5"
    assert bundle.tau == before
    with pytest.raises(BundleError, match="threads"):
        Bundle.load(exported[2], threads=1.5)


@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((2, 8, 6, 3), r"images\.transpose\(0, 3, 1, 2\)"),
        ((3, 8, 6), r"images\[None\]"),
        ((8, 6, 3), r"images\.transpose\(2, 0, 1\)\[None\]"),
        ((2, 3, 6, 8), r"got \(2, 3, 6, 8\)\.$"),
        ((), r"got \(\)\.$"),
    ],
)
def test_a_shape_that_is_near_gets_a_hint(shape, hint):
    with pytest.raises(BundleError, match=rf"must have the shape \(N, 3, 8, 6\).*{hint}"):
        checked_images(np.zeros(shape, np.uint8), SHAPE)


def test_masked_values_are_not_lost():
    images = np.ma.MaskedArray(np.zeros((1, *SHAPE), np.uint8))
    assert checked_images(images, SHAPE).shape == (1, *SHAPE)
    images[0, 0, :2, 0] = np.ma.masked
    with pytest.raises(BundleError, match="images has 2 masked values"):
        checked_images(images, SHAPE)


def test_what_is_no_array_is_refused():
    for images in ([[1, 2], [3]], "image.png", None, [np.zeros(SHAPE), np.zeros((3, 8, 7))]):
        with pytest.raises(BundleError, match="images must"):
            checked_images(images, SHAPE)


def test_images_of_several_sizes_are_to_be_prepared():
    photos = [np.zeros((20, 30, 3), np.uint8), np.zeros((40, 30, 3), np.uint8)]
    with pytest.raises(BundleError, match=r"^images must be of one size: bundle\.prepare\(images\) makes"):
        checked_images(photos, SHAPE)


@pytest.mark.parametrize(
    ("text", "is_one"), [("0.1ms", True), ("1 us", True), ("5M", False), ("5", False), ("x", False)]
)
def test_a_text_with_the_unit_of_a_time_is_told_from_others(text, is_one):
    assert has_unit_of(text, MILLISECONDS) is is_one


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.lists(st.floats())))
def test_whatever_is_given_a_number_or_one_sentence_comes_out(value):
    try:
        found = number(value, "tau")
    except BundleError as error:
        assert "\n" not in str(error) and len(str(error)) < 120
    else:
        assert found == value or abs(value) > 1e300
