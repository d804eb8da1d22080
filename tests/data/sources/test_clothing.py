from __future__ import annotations

from collections import Counter

from duonas.data.inspect import inspect_data
from duonas.data.sources.clothing import Clothing
from duonas.recipe.schema import options_for


def test_photographs_keep_their_own_splits_and_none_is_in_two() -> None:
    inspected, images = inspect_data(options_for("data", name="clothing", calib=0.1), 0)
    assert images.pixels.shape == (3781, 3, 64, 64)
    assert not inspected.problems and not inspected.listing.skipped
    assert Counter(inspected.listing.splits) == {"train": 3068, "val": 341, "test": 372}


def test_names_say_split_and_class_but_not_where_the_package_is_installed() -> None:
    listing = Clothing(Clothing.Options()).list()
    assert (listing.root, listing.table) == (None, None)
    first = listing.names[0]
    assert first.startswith("train/dress/") and listing.class_names[listing.labels[0]] == "dress"
    for name, label in zip(listing.names, listing.labels, strict=True):
        assert name.split("/")[1] == listing.class_names[label]
