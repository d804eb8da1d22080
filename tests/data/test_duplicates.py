"""Equal images, against comparing each with each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from duonas.data.duplicates import Copies, find_copies
from support.listings import SPLITS, broken, in_turn, known, listed


@settings(max_examples=100)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans(), st.integers(0, 3)), max_size=20))
def test_all_groups_and_nothing_else_are_found(rows):
    listing = listed({"cat": len(rows)})
    pixels = np.array([letter for letter, _, _ in rows], dtype="<U64")
    facts = replace(known(listing), pixels=pixels, broken=np.array(["truncated" * lost for _, lost, _ in rows], "<U40"))
    splits = np.array([SPLITS[at] for _, _, at in rows], dtype="<U5")
    expected = defaultdict(list)
    for number, (letter, lost, _) in enumerate(rows):
        if not lost:
            expected[letter].append(number)
    wanted = [group for group in expected.values() if len(group) > 1]
    found = find_copies(listing, facts, splits)
    assert [list(each.names) for each in found] == [[f"cat/{row}" for row in group] for group in wanted]
    assert [list(each.splits) for each in found] == [[splits[row] for row in group] for group in wanted]


def test_equal_files_are_told_from_equal_pixels():
    listing = listed({"cat": 2, "dog": 2})
    facts = known(listing, pixels=np.array(["x", "x", "y", "y"]), encoded=np.array(["1", "1", "2", "3"]))
    assert [each.same_bytes for each in find_copies(listing, facts, np.full(4, "train"))] == [True, False]


def test_images_that_cannot_be_read_are_no_copies_of_each_other():
    listing = listed({"cat": 4})
    facts = broken(known(listing), _1="truncated", _2="truncated")
    assert find_copies(listing, facts, np.full(4, "")) == ()


def test_a_group_is_written_with_what_differs():
    names = ("a", "b")
    assert str(Copies(names, ("train", "train"), ("cat", "cat"), True)) == "a = b"
    assert str(Copies(names, ("train", "test"), ("cat", "cat"), True)) == "a (train) = b (test)"
    assert str(Copies(names, ("train", "train"), ("cat", "dog"), True)) == "a (cat) = b (dog)"
    assert str(Copies(names, ("train", "test"), ("cat", "dog"), True)) == "a (train, cat) = b (test, dog)"
    assert str(Copies(names, ("", "test"), ("cat", "cat"), True)) == "a = b (test)"


def test_splits_in_turn_are_disjoint():
    listing = listed({"cat": 9, "dog": 4})
    assert sorted(np.concatenate(list(in_turn(listing).values()))) == list(range(13))


def test_of_many_equal_images_a_few_are_named_one_of_each_split_first() -> None:
    names = tuple(f"{number}" for number in range(40))
    assert str(Copies(names, ("train",) * 40, ("cat",) * 40, True)) == "0 = 1 = 2 = 3 and 36 more"
    splits = ("train",) * 38 + ("val", "test")
    said = str(Copies(names, splits, ("cat",) * 40, True))
    assert said == "0 (train) = 1 (train) = 38 (val) = 39 (test) and 36 more"
