"""What is wrong with a data set, and what is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from duonas.core.rng import stream
from duonas.data.report import report_data
from support.listings import inspected, known, listed

PLENTY = {"cat": 800, "dog": 800}


def problems(listing, facts, **splits):
    """Those of a report where some splits hold other rows than those in turn."""
    found = inspected(listing, facts)
    return report_data(replace(found, indices={**found.indices, **splits})).problems


def kinds(found):
    return [each.kind for each in found]


def changed(column, rows, value):
    column = column.copy()
    column[rows] = value
    return column


@pytest.fixture
def listing():
    return listed(PLENTY)


@pytest.fixture
def facts(listing):
    return known(listing)


def test_sound_data_have_no_problems(listing, facts):
    assert problems(listing, facts) == ()


def test_classes_that_differ_in_case_alone_are_said():
    listing = listed({"cat": 800, "Cat": 800, "sea lion": 800, "Sealion": 800, "dog": 800})
    (found,) = problems(listing, known(listing))
    assert found.kind == "similar names" and not found.error
    assert found.names == ("'cat' and 'Cat'", "'sea lion' and 'Sealion'")


@pytest.mark.parametrize(
    ("rows", "kind", "words"),
    [
        ((0, 3), "leak", "1 test image is also in train, val or calib"),  # train and test
        ((1, 2, 3), "leak", "1 test image is also in train, val or calib"),
        ((0, 3, 7), "leak", "2 test images are also in train, val or calib"),
        ((0, 1), "leak", "1 image is in two of train, val and calib"),
        ((0, 4), "copies", "1 copy of other images of the same split"),
        ((0, 4, 8), "copies", "2 copies of other images of the same split"),
        ((0, 800), "two classes", "1 image has two labels"),
    ],
)
def test_equal_images_are_found_wherever_they_are(listing, facts, rows, kind, words):
    (found,) = problems(listing, replace(facts, pixels=changed(facts.pixels, list(rows), "same")))
    assert found.kind == kind and words in found.message and not found.error
    assert all(listing.names[row] in found.names[0] for row in rows)


def test_a_leak_of_an_image_with_two_labels_is_both(listing, facts):
    found = problems(listing, replace(facts, pixels=changed(facts.pixels, [0, 803], "same")))
    assert kinds(found) == ["leak", "two classes"]
    assert found[0].names == ("cat/0 (train, cat) = dog/3 (test, dog)",)


def test_black_images_and_saturated_ones_are_told_apart(listing, facts):
    found = problems(
        listing, replace(facts, std=changed(facts.std, [5, 6], 0.3), clipped=changed(facts.clipped, [6, 9], 1))
    )
    assert kinds(found) == ["near-constant", "clipped"]
    assert [each.names for each in found] == [("cat/5", "cat/6"), ("cat/9",)]


def test_black_and_white_files_are_not_called_saturated(listing, facts):
    clipped = replace(facts, clipped=np.ones_like(facts.clipped), mode=np.full(len(facts), "1"))
    assert problems(listing, clipped) == ()


def test_a_class_that_its_file_format_gives_away(listing, facts):
    (found,) = problems(listing, replace(facts, mode=np.repeat(["RGB", "L"], 800)))
    assert found.kind == "format" and found.names == ("cat (RGB, 8 bits)", "dog (grey, 8 bits)")
    assert problems(listing, replace(facts, mode=np.tile(["RGB", "L"], 800))) == ()


@pytest.mark.parametrize(("dogs", "warned"), [(101, False), (99, True), (1, True)])
def test_imbalance_is_what_guessing_would_be_right_on(dogs, warned):
    listing = listed({"cat": 1000, "dog": dogs})
    found = problems(listing, known(listing), train=np.arange(len(listing)))
    assert [each.kind for each in found] == ["imbalance"] * warned
    if warned:
        assert f"always answering 'cat' is right on {1000 / (1000 + dogs):.1%}" in found[0].message
        assert found[0].message.endswith(", and see [train] class_weights")


def test_what_is_set_already_is_not_advised():
    listing = listed({"cat": 1000, "dog": 50})
    (found,) = report_data(inspected(listing), balanced=True).warnings[:1]
    assert found.kind == "imbalance" and "class_weights" not in found.message


@pytest.mark.parametrize(
    ("split", "images", "words"),
    [
        ("val", 25, "the val split has only 25 images: an accuracy measured on it is known to within 21 points"),
        ("test", 99, "the test split has only 99 images"),
        ("calib", 100, "only 50 images: the share of images that stays little has a standard error of up to 7 points"),
        ("calib", 100, "no accuracy floor above 94.2% can be guaranteed"),
        ("calib", 1, "only 1 image"),
    ],
)
def test_small_splits_say_what_they_can_prove(listing, facts, split, images, words):
    (found,) = problems(listing, facts, **{split: np.arange(400, 1200)[:: 800 // images][:images]})
    assert found.kind == "few images" and words in found.message and not found.error


@pytest.mark.parametrize(("split", "images"), [("val", 100), ("test", 100), ("calib", 200), ("train", 2)])
def test_splits_that_are_large_enough_are_not_mentioned(listing, facts, split, images):
    assert problems(listing, facts, **{split: np.arange(len(listing))[:: len(listing) // images][:images]}) == ()


@pytest.mark.parametrize(
    ("split", "origin", "words"),
    [
        ("test", "calib", "an accuracy floor is promised for images like those of calib"),
        ("val", "train", "the networks learn from train"),
    ],
)
def test_a_split_with_another_mix_of_classes_is_said_with_the_classes(split, origin, words):
    listing = listed({"boot": 800, "cap": 800, "hat": 800, "sock": 800})
    rows = np.concatenate([np.arange(0, 300), np.arange(800, 900), np.arange(1600, 1800), np.arange(2400, 2600)])
    (found,) = problems(listing, known(listing), **{split: rows})
    assert found.kind == "class mix" and not found.error
    assert found.message == f"the mix of classes of {split} is not that of {origin}, beyond chance: {words}"
    assert found.names[:2] == (
        f"'boot' 37.5% of {split}, 25.0% of {origin}", f"'cap' 12.5% of {split}, 25.0% of {origin}"
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_a_mix_of_classes_that_differs_by_chance_is_not_mentioned(seed):
    listing = listed({f"class {number}": 100 for number in range(3)} | {f"rare {number}": 8 for number in range(200)})
    shuffled = stream(seed, "mix").permutation(len(listing))
    found = problems(
        listing, known(listing), **dict(zip(("val", "calib", "test"), np.split(shuffled[:1200], 3), strict=True))
    )
    assert "class mix" not in kinds(found)
