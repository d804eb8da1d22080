from __future__ import annotations

from collections import Counter

import numpy as np

from duonas.data.inspect import inspect_data
from duonas.data.report import report_data
from duonas.data.sources.clothing import Clothing
from duonas.recipe.read import load
from duonas.recipe.schema import options_for


def test_photographs_are_split_at_random_with_one_mix_of_classes_and_none_is_in_two() -> None:
    inspected, images = inspect_data(load("quickstart").data, 0)
    assert images.pixels.shape == (3781, 3, 48, 48)
    report = report_data(inspected)
    assert not report.problems and not report.copies and not inspected.listing.skipped
    sizes = {name: part.images for name, part in report.splits.items()}
    assert sizes == {"train": 2419, "val": 242, "calib": 364, "test": 756}
    whole = np.array(report.whole.counts) / 3781
    for part in report.splits.values():
        assert not part.own
        assert np.abs(np.array(part.counts) / part.images - whole).max() < 0.005


def test_names_say_the_class_but_not_where_the_package_is_installed() -> None:
    listing = Clothing(options_for("data", name="clothing")).list()
    assert (listing.root, listing.table) == (None, None)
    assert len(set(listing.names)) == len(listing) == 3781 and Counter(listing.splits) == {"": 3781}
    for name, label in zip(listing.names, listing.labels, strict=True):
        assert name.split("/")[0] == listing.class_names[label]
