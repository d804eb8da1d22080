"""The names that splits have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duonas.data.sources._split_names import SPLIT_NAMES, split_folders, split_in_name, split_name


@given(st.sampled_from(sorted(SPLIT_NAMES)), st.data())
def test_names_of_splits_are_known_in_any_case(name: str, data: st.DataObject) -> None:
    upper = data.draw(st.lists(st.booleans(), min_size=len(name), max_size=len(name)))
    written = "".join(letter.upper() if up else letter for letter, up in zip(name, upper, strict=True))
    assert split_name(written) == SPLIT_NAMES[name]


@pytest.mark.parametrize("name", ["cat", "trains", "freight train", "test tube", "devices", "set", "images", "1", ""])
def test_names_of_classes_are_no_splits(name: str) -> None:
    assert split_name(name) == ""


def test_folders_of_trains_are_no_splits() -> None:
    assert split_folders(["freight train", "steam train", "tram"]) == {}


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("annotations_train", "train"),
        ("mnist_test", "test"),
        ("labels_val", "val"),
        ("trainLabels", "train"),
        ("train-00000-of-00001", "train"),
        ("cifar10-testing-part2", "test"),
        ("Test Set", "test"),
        ("train_test", ""),
        ("labels", ""),
        ("latest", ""),
    ],
)
def test_a_split_may_be_any_word_of_the_name_of_a_file(name: str, split: str) -> None:
    assert split_in_name(name) == split
